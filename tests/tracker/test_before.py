"""`firsthandConfig.before` sees every event first: it may change it, or drop it."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true});"


async def test_it_sees_every_event_from_the_first_page_view_on_and_may_change_or_drop_it(site, told):
    site.pages["*"] = site.page(
        GRANT + "window.firsthandConfig = {before(event) {"
        "  if (event.name === 'secret') return false;"
        "  event.page.url = event.page.url.replace(/token=[^&]*/, 'token=');"
        "  if (event.data) delete event.data.note;"
        "}}; firsthand('track', 'secret')"
    )
    [lead] = await told("firsthand.track('secret'); firsthand.track('lead', {value: 1, note: 'x'})", "/?token=Mine")
    assert lead["data"] == {"value": 1}
    assert site.accepted[0]["name"] == "page_view"
    assert {event["page"]["url"] for event in site.accepted} == {site.url("/?token=")}
    assert "Mine" not in "".join(request.body for request in site.requests), "the landing is told without it, too"


async def test_an_address_it_has_cleaned_is_the_referrer_of_the_next_page_and_the_landing_of_a_late_yes(site, page):
    site.settings["pageViews"] = False
    clean = "before(event) { event.page.url = event.page.url.replace(/token=[^&]*/, 'token=') }"
    site.pages["*"] = site.page(f"window.firsthandConfig = {{{clean}}}; firsthand('track', 'login')")
    await page.goto(site.url("/?token=Mine"))
    await page.wait_for_function("!!firsthand.track")
    await page.evaluate(f"history.pushState(null, '', '/next'); firsthand('page'); {GRANT}")
    await site.until_names("login", "page_view")
    [request] = site.requests
    assert request.envelope["landing"]["url"] == site.accepted[1]["page"]["referrer"] == site.url("/?token=")
    assert "Mine" not in request.body


async def test_its_faults_cost_no_event_and_what_cannot_be_sent_costs_only_itself(site, told):
    site.pages["*"] = site.page(
        GRANT + "window.firsthandConfig = {before(event) {"
        "  if (event.name === 'lead') throw Error('a fault');"
        "  if (event.name === 'search') event.data.big = BigInt(1);"
        "}}"
    )
    found = await told("firsthand.track('lead'); firsthand.track('search', {}); firsthand.track('login')")
    assert [event["name"] for event in found] == ["lead", "login"]


async def test_consent_without_an_argument_tells_what_holds_and_changes_nothing(site, page):
    site.pages["*"] = site.page()
    await page.goto(site.url("/"))
    await page.wait_for_function("!!firsthand.track")
    told = await page.evaluate("[firsthand.consent(), firsthand.consent({marketing: true}), firsthand.consent()]")
    assert [(consent["marketing"], consent["source"]) for consent in told] == [
        ("denied", "default"),
        ("granted", "api"),
        ("granted", "api"),
    ]
