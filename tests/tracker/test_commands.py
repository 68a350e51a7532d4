"""What a page can ask of the script, and what it gets back."""

from __future__ import annotations

import re

import pytest

from tests.chromium import stop_clock

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def granted(site):
    site.pages["*"] = site.page(GRANT)
    return site


async def test_track_returns_the_id_that_is_sent_so_that_a_pixel_can_share_it(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("window.fbq = (...call) => { window.pixel = call }")
    pixel = await page.evaluate(
        "(() => { const id = firsthand('track', 'purchase', {value: 5});"
        "fbq('track', 'Purchase', {value: 5}, {eventID: id}); return pixel })()"
    )
    await site.until_names("page_view", "purchase")
    assert site.accepted[-1]["id"] == pixel[3]["eventID"]
    assert UUID7.fullmatch(pixel[3]["eventID"])


async def test_an_id_of_the_page_is_used_as_it_is_and_is_text(granted, site, page):
    await stop_clock(page)  # half a second later this view would be another one
    await page.goto(site.url("/"))
    returned = await page.evaluate(
        "[firsthand('track', 'purchase', {}, {id: '000001'}), firsthand.track('lead', {}, {id: 17}), firsthand.page({}, {id: 'v'})]"
    )
    await page.clock.run_for(100)
    await site.until_names("page_view", "purchase", "lead")
    assert returned[:2] == ["000001", "17"]
    assert {event["id"] for event in site.accepted} == {"000001", "17", returned[2]}


async def test_ids_are_uuids_of_version_7_in_the_order_they_were_made(granted, site, page):
    await page.goto(site.url("/"))
    ids, before_ms, after_ms = await page.evaluate(
        "(() => { const at = Date.now(), ids = Array.from({length: 2000}, () => firsthand.id());"
        "return [ids, at, Date.now()] })()"
    )
    assert ids == sorted(set(ids))
    assert all(UUID7.fullmatch(made) for made in ids)
    assert before_ms <= int(ids[0].replace("-", "")[:12], 16) <= after_ms


async def test_an_id_is_returned_even_when_nothing_may_be_sent(site, page):
    await page.goto(site.url("/"))
    assert UUID7.fullmatch(await page.evaluate("firsthand('track', 'lead')"))
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false})")
    assert UUID7.fullmatch(await page.evaluate("firsthand('track', 'lead')"))


async def test_ready_hands_over_the_loaded_function(site, page):
    site.pages["*"] = site.page(
        f"{GRANT}; firsthand('ready', loaded => {{ window.id = loaded.track('purchase'); window.same = loaded === firsthand }})"
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view", "purchase")
    assert await page.evaluate("[same, id]") == [True, site.accepted[-1]["id"]]


async def test_identify_adds_up_and_reset_starts_over(granted, site, page):
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert site.accepted[0]["user"] == {}
    await page.evaluate(
        "firsthand('identify', {email: 'ann@example.com'}); firsthand('identify', {external_id: 'c-7'});"
        "firsthand('track', 'lead', {}, {user: {phone: '+4917000000'}}); firsthand('track', 'contact');"
        "firsthand('reset'); firsthand('track', 'purchase')"
    )
    await site.until_names("page_view", "lead", "contact", "purchase")
    users = {event["name"]: event["user"] for event in site.accepted}
    assert users["lead"] == {"email": "ann@example.com", "external_id": "c-7", "phone": "+4917000000"}
    assert users["contact"] == {"email": "ann@example.com", "external_id": "c-7"}
    assert users["purchase"] == {}


async def test_reset_tells_the_server_where_it_remembers_with_every_request_from_then_on(granted, site, page):
    site.settings["remember"] = True
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert "reset" not in site.requests[0].envelope
    before_ms, after_ms = await page.evaluate(
        "(() => { const at = Date.now(); firsthand('reset'); firsthand('track', 'purchase'); return [at, Date.now()] })()"
    )
    await site.until_names("page_view", "purchase")
    told = {request.envelope["reset"] for request in site.requests[1:]}
    assert len(told) == 1
    assert before_ms <= told.pop() <= after_ms


async def test_a_request_under_way_cannot_bring_the_person_back_after_a_reset(granted, site, page):
    site.settings["remember"] = True
    site.open.clear()
    async with page.expect_request("**/e"):
        await page.goto(site.url("/"))
        await page.evaluate("firsthand('identify', {email: 'ann@example.com'}); firsthand('track', 'lead')")
    await page.evaluate("firsthand('reset')")
    site.open.set()
    await site.until(lambda: [("reset" in request.envelope) for request in site.requests].count(True) >= 2)
    assert "reset" in site.requests[-1].envelope


async def test_reset_stays_on_the_page_where_nothing_is_remembered(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('reset'); firsthand('track', 'purchase')")
    await site.until_names("page_view", "purchase")
    assert all("reset" not in request.envelope for request in site.requests)


async def test_identify_is_forgotten_with_the_page(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('identify', {email: 'ann@example.com'}); firsthand('track', 'lead')")
    await site.until_read("page_view", "lead")
    assert "ann@example.com" not in await page.evaluate(
        "JSON.stringify([localStorage, sessionStorage]) + document.cookie"
    )
    await page.goto(site.url("/next"))
    await site.until_names("page_view", "lead", "page_view")
    assert site.accepted[-1]["user"] == {}


async def test_what_the_page_changes_after_the_call_does_not_change_the_event(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate(
        "window.order = {value: 1, items: [{id: 'a'}]}; firsthand('track', 'purchase', order); order.items.pop()"
    )
    await site.until_names("page_view", "purchase")
    assert site.accepted[-1]["data"] == {"value": 1, "items": [{"id": "a"}]}


async def test_events_go_where_the_script_came_from_unless_the_page_says_otherwise(granted, site, page):
    await page.goto(site.url("/"))
    await site.until_read("page_view")
    assert site.requests[0].headers["Host"].startswith("t.shop.example")
    override = "window.firsthandConfig = {events: '/e', pageViews: false};"
    site.pages["/own"] = site.page(override + GRANT, src=site.url("/tracker.js"))
    await page.goto(site.url("/own"))
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until_names("page_view", "purchase")
    assert site.requests[1].headers["Host"].startswith("www.shop.example")


async def test_loaded_as_a_module_the_script_takes_its_endpoint_from_the_page(site, page):
    settings = f"window.firsthandConfig = {{events: '{site.url('/e', 't.shop.example')}'}};"
    site.pages["*"] = site.page(settings + GRANT, src=site.url("/tracker.js"), attributes='type="module"')
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert site.requests[0].headers["Host"].startswith("t.shop.example")
