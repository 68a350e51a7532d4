"""A server that has no cookie of the visitor and names the order, as the visitor's own browser did before."""

import pytest

from proxy.clock import DAY_MS
from proxy.config.settings import LogSettings
from proxy.errors import LogUnavailable
from proxy.log.memory import MemoryLog

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
FIND = f"{META}\nlog: {{find_orders: true, retention_days: 60}}"
AGREED = {"marketing": "granted", "analytics": "granted", "source": "tcf"}
REFUSED = {"marketing": "denied", "analytics": "denied", "source": "tcf"}
LANDING = "https://www.shop.example/?gclid=AbC&fbclid=XyZ"


@pytest.fixture
def log(clock):
    return MemoryLog(clock, LogSettings(find_orders=True))


async def checks_out(browser, order="1001", consent=AGREED, **more):
    event = {"name": "initiate_checkout", "page": {"url": LANDING}, "data": {"order_id": order}, **more}
    assert (await browser.post({"consent": consent, "events": [event]})).status == 204


async def pays(site, stored, order="1001", **more):
    """What is stored of the server's event, if anything."""
    reply = await site.post_as_server({"id": f"paid-{order}", "name": "purchase", "data": {"order_id": order}, **more})
    assert reply.status == 204, await reply.text()
    return next((event for event in await stored() if event.name == "purchase"), None)


async def test_an_order_paid_days_later_finds_its_visitor_by_its_number(start, open_browser, stored, clock, count):
    hits = count("orders_found", outcome="found")
    site = await start(FIND)
    await checks_out(open_browser(site))
    clock.now_ms += 9 * DAY_MS
    bought = await pays(site, stored)
    (checkout, _) = await stored()
    assert bought.visitor == checkout.visitor
    assert bought.click_ids == checkout.click_ids
    assert bought.browser_ids == checkout.browser_ids
    assert set(bought.browser_ids) == {"fbp", "fbc"}
    assert (bought.consent.marketing, bought.consent.source) == ("granted", "remembered")
    assert bought.attribution.evidence == "store"
    assert hits() == 1


async def test_a_withdrawal_since_counts(start, open_browser, stored):
    site = await start(FIND)
    browser = open_browser(site)
    await checks_out(browser)
    await browser.post({"consent": REFUSED, "events": []})
    assert await pays(site, stored) is None


async def test_so_does_one_of_marketing_alone(start, open_browser, stored):
    site = await start(FIND)
    browser = open_browser(site)
    await checks_out(browser)
    await browser.post({"consent": {**AGREED, "marketing": "denied"}, "events": []})
    bought = await pays(site, stored)
    assert bought.visitor is not None
    assert (bought.click_ids, bought.browser_ids, bought.consent.marketing) == ({}, {}, "denied")


async def test_a_server_that_says_more_than_the_visitor_gets_no_ids(start, open_browser, stored):
    site = await start(FIND)
    browser = open_browser(site)
    await checks_out(browser)
    await browser.post({"consent": REFUSED, "events": []})
    bought = await pays(site, stored, consent=AGREED)
    assert (bought.visitor, bought.click_ids, bought.browser_ids) == (None, {}, {})


async def test_the_signal_of_the_visitors_browser_binds_the_servers_event(start, open_browser, stored):
    site = await start(f"{FIND}\nconsent: {{default: granted}}")
    event = {"name": "initiate_checkout", "page": {"url": LANDING}, "data": {"order_id": "1001"}}
    await open_browser(site).post({"events": [event]}, headers={"Sec-GPC": "1"})
    bought = await pays(site, stored)
    assert (bought.consent.sale, bought.click_ids) == ("denied", {})


async def test_remembered_match_keys_come_along(start, open_browser, stored):
    site = await start(f"{FIND}\nidentity: {{remember: [email]}}")
    await checks_out(open_browser(site), user={"email": "ann@shop.example"})
    assert (await pays(site, stored)).remembered == ("email",)


async def test_an_order_nobody_or_two_visitors_named_is_nobodys(start, open_browser, stored, count):
    misses = count("orders_found", outcome="unknown")
    site = await start(FIND)
    await checks_out(open_browser(site), "1001")
    await checks_out(open_browser(site), "1001")
    for order in ("1001", "1002"):
        bought = await pays(site, stored, order, id=f"o-{order}", consent=AGREED)
        assert (bought.visitor, bought.click_ids) == (None, {})
    assert misses() == 2


async def test_what_a_server_says_itself_is_not_looked_for(start, open_browser, stored):
    site = await start(FIND)
    await checks_out(open_browser(site))
    other = open_browser(site)
    await checks_out(other, "1002", page={"url": "https://www.shop.example/?ttclid=T1"})
    bought = await pays(site, stored, visitor={"cookie": other.jar["_fh"]})
    assert set(bought.click_ids) == {"ttclid"}


async def test_each_event_of_a_request_has_its_own_visitor(start, open_browser, stored):
    site = await start(FIND)
    await checks_out(open_browser(site), "1001")
    await checks_out(open_browser(site), "1002", page={"url": "https://www.shop.example/?ttclid=T1"})
    paid = [{"id": f"p-{order}", "name": "purchase", "data": {"order_id": order}} for order in ("1002", "1001")]
    assert (await site.post_as_server(paid)).status == 204
    *_, first, second = await stored()
    assert (set(first.click_ids), set(second.click_ids)) == ({"ttclid"}, {"gclid", "fbclid"})


async def test_a_page_finds_nobody_by_an_order(start, open_browser, stored):
    site = await start(FIND)
    await checks_out(open_browser(site))
    await open_browser(site).post({"name": "purchase", "consent": AGREED, "data": {"order_id": "1001"}})
    first, second = await stored()
    assert second.visitor != first.visitor
    assert second.click_ids == {}


async def test_it_is_off_by_default(start, open_browser, stored):
    site = await start(META)
    await checks_out(open_browser(site))
    assert await pays(site, stored) is None


async def test_an_erased_visitor_is_not_found(start, open_browser, stored, log):
    site = await start(FIND)
    await checks_out(open_browser(site))
    (checkout,) = await stored()
    await log.revoke([checkout.visitor.id])
    assert await pays(site, stored, consent=AGREED) is None
    await log.erase(checkout.visitor.id)
    assert (await pays(site, stored, consent=AGREED)).visitor is None


async def test_a_log_that_cannot_be_read_is_asked_again(start, open_browser, stored, log, monkeypatch):
    site = await start(FIND)
    await checks_out(open_browser(site))

    async def broken(_):
        raise LogUnavailable("the disk is gone")

    monkeypatch.setattr(log, "of_orders", broken)
    site = await start(FIND)
    reply = await site.post_as_server({"id": "paid", "name": "purchase", "data": {"order_id": "1001"}})
    assert reply.status == 503
    assert len(await stored()) == 1
