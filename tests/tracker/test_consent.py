"""Nothing is stored or sent before consent; a grant releases what waited, a refusal throws it away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
NOT_SOON = {"Retry-After": "3600"}
TRACES = "[document.cookie, ...Object.keys(localStorage), ...Object.keys(sessionStorage)].join()"
MINUTE_MS = 60_000


async def finish(site, page):
    """Lets an hour pass on the page, leaves it, and comes back with a request of another kind as a sentinel."""
    await page.clock.run_for(60 * MINUTE_MS)
    site.pages["/end"] = "<!doctype html><title>end</title>"
    await page.goto(site.url("/end"))
    await page.evaluate("fetch('/end')")


async def test_before_consent_nothing_is_stored_and_nothing_is_sent(site, page, context):
    await page.clock.install()
    await page.goto(site.url("/?fbclid=AbC"))
    await page.evaluate("firsthand('identify', {email: 'ann@example.com'})")
    await page.evaluate("firsthand('track', 'purchase', {value: 5, currency: 'EUR'})")
    assert await page.evaluate(TRACES) == ""
    await finish(site, page)
    assert site.requests == []
    assert await context.cookies() == []
    assert await page.evaluate(TRACES) == ""


async def test_a_refusal_drops_what_waited_and_everything_after(site, page, context):
    await page.clock.install()
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('track', 'early')")
    await page.evaluate("firsthand('consent', {marketing: 'denied', analytics: 'denied'})")
    await page.evaluate("firsthand('track', 'late')")
    await finish(site, page)
    assert site.requests == []
    assert await context.cookies() == []


async def test_a_grant_after_a_refusal_does_not_bring_back_what_was_refused(site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('track', 'refused'); firsthand('consent', {marketing: false, analytics: false})")
    await page.evaluate("firsthand('track', 'also refused'); firsthand('consent', {marketing: true, analytics: true})")
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until_names("purchase")


async def test_what_a_failing_server_did_not_take_before_a_refusal_is_not_sent_after_a_new_grant(site, page):
    site.pages["*"] = site.page(GRANT)
    site.open.clear()
    site.replies.extend([(503, {"Retry-After": "0"})] * 2)
    async with page.expect_request("**/e"):
        await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false})")
    site.open.set()
    # The view, the refusal, and the refusal once more, which says that the view's answer has been read.
    await site.until(lambda: len(site.requests) == 3)
    await page.evaluate(f"{GRANT}; firsthand('track', 'purchase')")
    await site.until(lambda: "purchase" in site.names)
    assert site.names == ["purchase"]


async def test_refusing_one_purpose_while_the_other_is_open_keeps_waiting(site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: false}); firsthand('track', 'lead')")
    await page.evaluate("firsthand('consent', {analytics: true})")
    await site.until_names("page_view", "lead")
    assert site.accepted[0]["consent"]["marketing"] == "denied"
    assert site.accepted[0]["consent"]["analytics"] == "granted"


async def test_a_late_grant_sends_the_landing_url_and_the_original_times(site, page):
    await page.clock.install(time=1_790_000_000)
    await page.goto(site.url("/landing?fbclid=AbC"))
    await page.evaluate("history.replaceState(null, '', '/landing')")
    await page.evaluate("firsthand('track', 'lead')")
    await page.clock.run_for(10 * MINUTE_MS)
    await page.evaluate("history.pushState(null, '', '/next')")
    await page.evaluate("firsthand('track', 'purchase')")
    await page.evaluate("firsthand('consent', {marketing: 'granted', analytics: 'granted'})")
    await page.clock.run_for(1000)
    await site.until_names("page_view", "lead", "page_view", "purchase")
    landing, lead, after, purchase = site.accepted
    assert site.names == ["page_view", "lead", "page_view", "purchase"]
    assert landing["page"]["url"] == lead["page"]["url"] == site.url("/landing?fbclid=AbC")
    assert after["page"]["url"] == purchase["page"]["url"] == site.url("/next")
    assert after["page"]["referrer"] == site.url("/landing?fbclid=AbC")
    assert purchase["time"] - landing["time"] >= 10 * MINUTE_MS
    assert landing["sent_at"] - landing["time"] >= 10 * MINUTE_MS
    assert landing["consent"]["marketing"] == "granted"
    assert landing["consent"]["time"] >= purchase["time"]
    assert landing["consent"]["source"] == "api"


async def test_what_waited_longer_than_half_an_hour_is_not_sent(site, page):
    await page.clock.install()
    await page.goto(site.url("/"))
    await page.clock.run_for(31 * MINUTE_MS)
    await page.evaluate("firsthand('track', 'purchase'); firsthand('consent', {marketing: true})")
    await page.clock.run_for(1000)
    await site.until_names("purchase")


async def test_at_most_fifty_events_wait_and_the_landing_is_one_of_them(site, page):
    await page.goto(site.url("/?fbclid=AbC"))
    await page.evaluate("for (let i = 0; i < 80; i++) firsthand('track', 'step' + i)")
    await page.evaluate("firsthand('consent', {marketing: true})")
    await site.until_names("page_view", *(f"step{i}" for i in range(31, 80)))


async def test_withdrawal_stops_at_once_and_empties_the_retry_queue(site, page):
    site.replies.append((503, NOT_SOON))
    site.pages["*"] = site.page("firsthand('consent', {marketing: true, analytics: true})")
    await page.goto(site.url("/"))
    await page.wait_for_function("localStorage.firsthand_queue")
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false}); firsthand('track', 'purchase')")
    assert await page.evaluate(TRACES) == ""
    site.pages["*"] = site.page()
    await page.goto(site.url("/next"))
    await page.evaluate("firsthand('consent', {marketing: true}); firsthand('track', 'lead')")
    await site.until_names("page_view", "lead")
    assert {event["page"]["url"] for event in site.accepted} == {site.url("/next")}


async def test_kept_events_go_out_with_the_consent_of_then_and_every_refusal_since(site, page):
    site.replies.append((503, NOT_SOON))
    site.pages["*"] = site.page("firsthand('consent', {marketing: true, analytics: true})")
    await page.goto(site.url("/first"))
    await page.wait_for_function("localStorage.firsthand_queue")
    site.pages["*"] = site.page("firsthand('consent', {marketing: false, analytics: true, personalization: true})")
    await page.goto(site.url("/second"))
    await site.until_names("page_view", "page_view")
    kept = next(event for event in site.accepted if event["page"]["url"] == site.url("/first"))
    assert kept["consent"]["marketing"] == "denied"
    assert kept["consent"]["analytics"] == "granted"
    assert "personalization" not in kept["consent"]  # nobody had said a word about it then


async def test_defaults_that_grant_send_at_once_and_are_left_to_the_server_to_say(site, page):
    site.settings["consent"] = {"marketing": "granted", "analytics": "granted", "personalization": "denied"}
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert site.accepted[0]["consent"] == {"source": "default"}
    await page.evaluate("firsthand('consent', {personalization: true}); firsthand('track', 'lead')")
    await site.until_names("page_view", "lead")
    told = site.accepted[1]["consent"]
    assert {name: told[name] for name in told if name != "time"} == {"personalization": "granted", "source": "api"}


async def test_the_browsers_opt_out_signal_refuses_the_sale_whatever_the_page_says(site, page):
    await page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: true, sale: true})")
    await site.until_names("page_view")
    assert site.accepted[0]["consent"]["sale"] == "denied"


async def test_a_grant_taken_back_is_told_at_once_without_an_event(site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: true, analytics: true})")
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'zoom'); firsthand('consent', {marketing: false, analytics: false})")
    await site.until(lambda: len(site.requests) >= 2)  # once more if the first answer had not been read by then
    for told in (request.envelope for request in site.requests[1:]):
        assert told["events"] == []
        assert (told["consent"]["marketing"], told["consent"]["analytics"]) == ("denied", "denied")


async def test_a_refusal_that_takes_nothing_back_is_told_to_nobody(site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false})")
    await page.evaluate("firsthand('consent', {marketing: false})")
    await page.evaluate("fetch('/e?after', {method: 'POST', body: '[]'})")
    await site.until(lambda: len(site.requests) == 1)


async def test_a_site_that_ignores_the_signal_hears_what_the_page_says(site, page):
    site.settings["gpc"] = None
    await page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: true, sale: true})")
    await site.until_names("page_view")
    assert site.accepted[0]["consent"]["sale"] == "granted"


async def test_without_marketing_consent_what_identify_said_stays_on_the_page(site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {analytics: true}); firsthand('identify', {email: 'ann@example.com'})")
    await page.evaluate("firsthand('track', 'lead', {}, {user: {phone: '+491700000000'}})")
    await site.until_names("page_view", "lead")
    assert "ann@example.com" not in "".join(request.body for request in site.requests)
    assert "+49170" not in "".join(request.body for request in site.requests)


async def test_where_defaults_differ_by_region_nothing_is_sent_before_this_visitors_are_known(site, page):
    site.modules[Module.REGION] = {"path": "/consent"}
    site.default = {"marketing": "granted", "analytics": "granted", "personalization": "denied"}
    site.open.clear()
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('track', 'lead')")
    await site.until(lambda: len(site.asked) == 1)
    assert site.requests == []
    assert await page.evaluate("localStorage.length") == 0
    assert "Cookie" not in site.asked[0]
    site.open.set()
    await site.until_names("page_view", "lead")
    assert site.accepted[0]["consent"]["source"] == "default"
    assert "marketing" not in site.accepted[0]["consent"]


async def test_no_cookie_goes_along_with_the_question_which_default_holds(site, page):
    """Not even where the collector is on a path of the site itself."""
    site.modules[Module.REGION] = {"path": "/consent"}
    site.pages["*"] = site.page("document.cookie = 'basket=7'", src=site.url("/tracker.js"))
    await page.goto(site.url("/"))
    await site.until(lambda: len(site.asked) == 1)
    assert "basket" in await page.evaluate("document.cookie")
    assert "Cookie" not in site.asked[0]


async def test_a_region_whose_default_is_denied_waits_for_the_visitor(site, page):
    site.modules[Module.REGION] = {"path": "/consent"}
    site.default = {"marketing": "denied", "analytics": "denied", "personalization": "denied"}
    await page.goto(site.url("/"))
    await site.until(lambda: len(site.asked) == 1)
    await page.evaluate("firsthand('consent', {marketing: true, analytics: true})")
    await site.until_names("page_view")
    assert site.accepted[0]["consent"]["source"] == "api"


async def test_a_visitor_who_decides_first_is_not_overruled_by_the_region(site, page):
    site.modules[Module.REGION] = {"path": "/consent"}
    site.default = {"marketing": "granted", "analytics": "granted", "personalization": "granted"}
    site.open.clear()
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false, personalization: false})")
    await site.until(lambda: len(site.asked) == 1)
    site.open.set()
    await page.evaluate("firsthand('track', 'lead'); fetch('/e?after', {method: 'POST', body: '[]'})")
    await site.until(lambda: len(site.requests) == 1)
    assert site.requests[0].body == "[]"


async def test_the_snippet_of_the_manual_shows_that_the_opt_out_is_honoured_and_only_then(site, context):
    manual = (Path(__file__).parents[2] / "docs" / "consent.md").read_text(encoding="utf-8")
    [snippet] = re.findall(r"```html\n(<p id=\"gpc\".*?)```", manual, re.DOTALL)
    site.pages["*"] = site.page(GRANT) + snippet
    for signal, honoured, hidden in [
        ("true", {"sale": "denied"}, False),
        ("true", {}, True),
        ("undefined", {"sale": "denied"}, True),
    ]:
        site.settings["gpc"] = honoured
        page = await context.new_page()
        read = f"Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {{get: () => {signal}}})"
        await page.add_init_script(read)
        await page.goto(site.url("/"))
        await page.wait_for_function("!!firsthand.track")
        await page.evaluate("new Promise(done => firsthand('ready', () => setTimeout(done, 0)))")
        assert await page.evaluate("document.getElementById('gpc').hidden") is hidden


async def test_a_page_can_ask_what_holds(site, page):
    await page.goto(site.url("/"))
    await page.wait_for_function("!!firsthand.track")
    denied = {"marketing": "denied", "analytics": "denied", "personalization": "denied", "gpc": False}
    assert await page.evaluate("firsthand('consent')") == {**denied, "source": "default"}
    told = {"marketing": "granted", "sale": "denied", "source": "ours", "time": 1_790_000_000_000}
    asked = "firsthand.consent({marketing: true, sale: false, source: 'ours', time: 1790000000000})"
    assert await page.evaluate(asked) == {**denied, **told}
