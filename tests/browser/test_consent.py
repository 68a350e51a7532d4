"""Consent given early, late and taken back, in all its races: what is set, what is sent, what a platform gets."""

from __future__ import annotations

import pytest

from tests.browser.conftest import GRANT, jar
from tests.chromium import until_cookies

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

POST = (
    "url => fetch(url, {method: 'POST', credentials: 'include', body: JSON.stringify({consent: {marketing: 'granted'},"
    " page: {url: location.href}, events: [{name: 'lead', id: 'of ' + location.host}]})}).then(answer => answer.status)"
)
REFUSE = "firsthand('consent', {marketing: false, analytics: false})"


async def test_consent_given_before_the_script_has_loaded_counts_from_the_first_view(site, page, context):
    await page.goto(site.url("/?fbclid=AbC"))
    [row] = await site.until_relayed("PageView")
    assert row["user_data"]["fbc"].endswith(".AbC")
    await until_cookies(context, "_fh", "_fbp", "_fbc")


async def test_consent_given_late_sends_what_waited_with_its_click_and_its_times(site, page, context):
    site.pages["*"] = site.page()
    await page.goto(site.url("/?fbclid=AbC"))
    await page.evaluate("history.replaceState(null, '', '/'); firsthand('track', 'lead')")
    await page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert site.posts == []
    assert await jar(context) == {}
    await page.evaluate(GRANT)
    rows = await site.until_relayed("PageView", "Lead")
    assert all(row["user_data"]["fbc"].endswith(".AbC") for row in rows)
    logged = await site.logged()
    assert all(event.time < event.consent.time for event in logged)


async def test_consent_taken_back_deletes_the_cookies_and_ends_the_relaying(site, page, context):
    await page.goto(site.url("/?fbclid=AbC"))
    await site.until_read(["page_view"])
    await page.evaluate(
        f"firsthand('track', 'zoom'); {REFUSE}; firsthand('track', 'purchase', {{value: 1, currency: 'EUR'}})"
    )
    await site.until_read(["page_view"], [])
    await until_cookies(context)
    site.pages["*"] = site.page(REFUSE)
    await page.goto(site.url("/next"))
    await page.evaluate("firsthand('track', 'lead')")
    await page.goto(site.url("/blank"))
    assert [request.events for request in site.posts] == [["page_view"], []]
    assert [event.name for event in await site.logged()] == ["page_view"]


async def test_an_answer_still_under_way_does_not_bring_back_what_a_withdrawal_deletes(site, page, context):
    answers = site.world.edge.hold()
    await page.goto(site.url("/?fbclid=AbC"))
    await site.until(lambda: len(site.posts) == 1)
    async with page.expect_response(lambda answer: (answer.request.post_data or "").endswith('"events":[]}')):
        site.world.edge.flow()
        await page.evaluate(REFUSE)
    assert [request.status for request in site.posts] == [None, 204]
    answers.set()
    await site.until_read(["page_view"], [], [])
    await until_cookies(context)


async def test_a_refusal_where_the_default_grants_is_a_withdrawal(site, page, context):
    consent = "window.firsthandConfig = {consent: {marketing: 'granted', analytics: 'granted'}}"
    site.pages["*"] = site.page(consent)
    await page.goto(site.url("/blank"))
    await page.evaluate(POST, f"{site.proxy}/e")
    assert set(await jar(context)) == {"_fh", "_fbp"}
    await page.goto(site.url("/"))
    await site.until_read(["lead"], ["page_view"])
    await page.evaluate(REFUSE)
    await site.until_read(["lead"], ["page_view"], [])
    await until_cookies(context)


async def test_only_marketing_taken_back_ends_advertising_and_keeps_the_visitor(site, page, context):
    await page.goto(site.url("/?fbclid=AbC"))
    await site.until_relayed("PageView")
    await site.until_read(["page_view"])
    await page.evaluate("firsthand('consent', {marketing: false})")
    await until_cookies(context, "_fh")
    await page.evaluate("firsthand('track', 'lead')")
    await site.until_read(["page_view"], [], ["lead"])
    page_view, lead = await site.logged()
    assert lead.visitor.id == page_view.visitor.id
    assert (lead.click_ids, lead.browser_ids) == ({}, {})
    assert site.names == ["PageView"]


async def test_a_banners_yes_and_its_name_are_kept_with_the_events(site, page):
    site.pages["*"] = site.page()
    await page.goto(site.url("/"))
    await page.evaluate(
        "window.Cookiebot = {hasResponse: true, consent: {method: 'explicit', marketing: true, statistics: false}};"
        "dispatchEvent(new Event('CookiebotOnAccept'))"
    )
    await site.until_relayed("PageView")
    [event] = await site.logged()
    assert (event.consent.marketing, event.consent.analytics, event.consent.source) == (
        "granted",
        "denied",
        "cookiebot",
    )


async def test_the_browsers_opt_out_signal_keeps_a_granted_visitor_from_being_sold(site, page, context):
    await context.set_extra_http_headers({"Sec-GPC": "1"})
    await page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    await page.goto(site.url("/?fbclid=AbC"))
    await site.until_read(["page_view"])
    assert site.posts[0].consent["sale"] == "denied"
    [event] = await site.logged()
    assert (event.consent.marketing, event.consent.sale) == ("granted", "denied")
    await until_cookies(context, "_fh")
    state = await page.evaluate("firsthand.consent()")
    assert (state["gpc"], state["sale"]) == (True, "denied")
    assert site.relayed == []


async def test_a_withdrawal_stops_the_other_tabs_as_well(site, context):
    here, there = await context.new_page(), await context.new_page()
    await here.goto(site.url("/here"))
    await there.goto(site.url("/there"))
    await site.until_relayed("PageView", "PageView")
    await here.evaluate(REFUSE)
    await there.wait_for_function("firsthand.consent().marketing === 'denied'")
    await there.evaluate("firsthand('track', 'lead')")
    await there.goto(site.url("/blank"))
    await until_cookies(context)
    assert site.names == ["PageView", "PageView"]
    assert "lead" not in [name for request in site.posts for name in request.events]


async def test_a_page_gone_back_to_after_a_withdrawal_does_not_count_as_agreed(site, page, context):
    asked = (
        "firsthand('consent', localStorage.banner === 'no' ? {marketing: false, analytics: false} : {marketing: true})"
    )
    site.pages["*"] = site.page(asked)
    await page.goto(site.url("/a"))
    await site.until_read(["page_view"])
    await page.goto(site.url("/b"))
    await site.until_read(["page_view"], ["page_view"])
    await page.evaluate(f"localStorage.banner = 'no'; {REFUSE}")
    await until_cookies(context)
    await page.evaluate("setTimeout(() => history.back(), 0)")
    await page.wait_for_url("**/a", wait_until="commit")
    await page.wait_for_function("!!firsthand.track && firsthand.consent().marketing === 'denied'")
    await page.evaluate("firsthand('track', 'lead')")
    await page.goto(site.url("/blank"))
    assert await jar(context) == {}
    assert [request.events for request in site.posts] == [["page_view"], ["page_view"], []]
