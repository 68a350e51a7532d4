"""Match keys given once, in later events of the same browser: from request to request, through real cookies."""

import hashlib
import json

import pytest

from proxy.privacy.selector import By, selector

REMEMBER = "identity: {remember: [email, phone]}"
META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
GRANTED = {"marketing": "granted", "analytics": "granted"}
ANN = hashlib.sha256(b"ann@shop.example").hexdigest()


@pytest.fixture
async def site(start):
    return await start(f"{REMEMBER}\n{META}")


class Browser:
    def __init__(self, site, clock):
        self.site, self.clock, self.jar, self.number = site, clock, {}, 0

    async def says(self, name="page_view", user=None, consent=GRANTED, **more):
        self.number += 1
        self.clock.now_ms += 1_000
        event = {"id": f"e-{self.number}", "name": name, "time": self.clock.now_ms - 10, **more}
        return await self.post({"consent": consent, "events": [event | ({"user": user} if user else {})]})

    async def resets(self, consent=GRANTED, at=None):
        return await self.post({"consent": consent, "events": [], "reset": at or self.clock.now_ms})

    async def post(self, body):
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        reply = await self.site.post(body, headers={"Cookie": cookies} if cookies else {})
        assert reply.status == 204, await reply.text()
        for line in reply.headers.getall("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
            if "Max-Age=0" in line:
                del self.jar[name]
        return reply


@pytest.fixture
def browser(site, clock):
    return Browser(site, clock)


async def last(stored):
    return (await stored())[-1]


async def test_an_address_given_once_is_in_later_events_hashed_and_told(browser, stored):
    await browser.says("lead", {"email": "Ann@shop.example"})
    await browser.says("purchase")
    first, second = await stored()
    assert (first.user.email, first.remembered) == (("Ann@shop.example",), ())
    assert (second.user.email, second.remembered) == ((ANN,), ("email",))


@pytest.mark.parametrize(
    ("by", "value"), [(By.EMAIL, "ANN@shop.example"), (By.PHONE, "+49 170 0000000"), (By.EMAIL, ANN)], ids=str
)
async def test_export_and_erase_find_events_by_what_was_remembered(browser, stored, by, value):
    await browser.says("lead", {"email": "ann@shop.example", "phone": "+491700000000"})
    await browser.says("purchase")
    event = await last(stored)
    assert set(event.remembered) == {"email", "phone"}
    assert selector(by, value).finds(event)


async def test_nobody_can_read_it_out_of_the_cookie(browser):
    await browser.says("lead", {"email": "ann@shop.example"})
    assert "ann@" not in json.dumps(browser.jar)
    assert ANN not in json.dumps(browser.jar)


async def test_it_is_off_by_default(start, clock, stored):
    browser = Browser(await start(META), clock)
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.says("purchase")
    assert (await last(stored)).user.email == ()


async def test_without_marketing_consent_nothing_is_remembered(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example"}, {"marketing": "denied", "analytics": "granted"})
    await browser.says("purchase")
    assert (await last(stored)).remembered == ()


async def test_a_withdrawal_forgets_for_good(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.post({"consent": {"marketing": "denied", "analytics": "granted"}, "events": []})
    await browser.says("page_view", consent={"marketing": "denied", "analytics": "granted"})
    await browser.says("purchase")
    assert (await last(stored)).remembered == ()


async def test_a_refused_sale_keeps_it_out_of_the_event(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.says("purchase", consent={**GRANTED, "sale": "denied"})
    assert (await last(stored)).remembered == ()


async def test_a_logout_forgets_the_person_and_keeps_the_visitor(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.resets()
    await browser.says("purchase")
    lead, purchase = await stored()
    assert purchase.user.email == ()
    assert purchase.visitor == lead.visitor


async def test_an_event_from_before_the_logout_that_comes_late_tells_nothing_anew(browser, stored, clock):
    await browser.says("page_view")
    before = clock.now_ms
    clock.now_ms += 5_000
    await browser.resets()
    late = {"id": "late", "name": "lead", "time": before, "user": {"email": "ann@shop.example"}}
    await browser.post({"consent": GRANTED, "events": [late]})
    await browser.says("purchase")
    assert (await last(stored)).user.email == ()


async def test_a_logout_is_obeyed_while_no_banner_has_answered_and_after_a_lost_request(browser, stored, clock):
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.resets(consent={})
    await browser.says("purchase")
    assert (await last(stored)).user.email == ()
    await browser.says("lead", {"email": "ann@shop.example"})
    # The request of `reset` itself got lost; the next events tell of it too.
    gone_at = clock.now_ms + 500
    clock.now_ms += 1_000
    late = {"id": "x", "name": "purchase", "time": clock.now_ms}
    await browser.post({"consent": GRANTED, "reset": gone_at, "events": [late]})
    assert (await last(stored)).user.email == ()


async def test_a_reset_told_again_does_not_forget_whoever_came_after(browser, stored, clock):
    await browser.says("page_view")
    gone_at = clock.now_ms
    await browser.resets(at=gone_at)
    await browser.says("lead", {"email": "ann@shop.example"})
    await browser.resets(at=gone_at)
    await browser.says("purchase")
    assert (await last(stored)).user.email == (ANN,)


async def test_a_reset_with_a_nonsensical_time_happened_now(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example"})
    for nonsense in ("soon", -1, 10**20, {}):
        await browser.resets(at=nonsense)
    await browser.says("purchase")
    assert (await last(stored)).user.email == ()


async def test_an_erasure_forgets_the_person_with_the_cookie(browser, stored, log):
    await browser.says("lead", {"email": "ann@shop.example"})
    await log.revoke([(await last(stored)).visitor.id])
    await browser.says("purchase")
    assert browser.jar == {}
    await browser.says("purchase")
    assert ((await last(stored)).user.email, (await last(stored)).remembered) == ((), ())


async def test_another_person_on_the_same_browser_replaces_the_first(browser, stored):
    await browser.says("lead", {"email": "ann@shop.example", "phone": "+491700000000"})
    await browser.says("lead", {"email": "bob@shop.example"})
    await browser.says("purchase")
    event = await last(stored)
    assert event.user.email == (hashlib.sha256(b"bob@shop.example").hexdigest(),)
    assert event.user.phone == ()


async def test_a_page_that_has_not_asked_its_banner_yet_forgets_neither_person_nor_click(start, clock, stored):
    default = "consent: {default: {analytics: granted}}"
    browser = Browser(await start(f"{REMEMBER}\n{META}\n{default}"), clock)
    await browser.says("lead", {"email": "ann@shop.example"}, page={"url": "https://www.shop.example/?gclid=AbC"})
    await browser.says("page_view", consent={})
    silent = await last(stored)
    assert (silent.user.email, silent.click_ids, silent.attribution) == ((), {}, None)
    await browser.says("purchase")
    bought = await last(stored)
    assert (bought.user.email, bought.click_ids["gclid"].value) == ((ANN,), "AbC")


async def test_an_opt_out_signal_before_the_banner_answers_does_forget_both(start, clock, stored):
    default = "consent: {default: {analytics: granted}}"
    browser = Browser(await start(f"{REMEMBER}\n{META}\n{default}"), clock)
    await browser.says("lead", {"email": "ann@shop.example"}, page={"url": "https://www.shop.example/?gclid=AbC"})
    signal = {"source": "default", "marketing": "denied", "analytics": "granted", "sale": "denied"}
    await browser.says("page_view", consent=signal)
    await browser.says("purchase")
    bought = await last(stored)
    assert (bought.user.email, bought.click_ids) == ((), {})
