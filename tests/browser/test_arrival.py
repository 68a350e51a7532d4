"""Every event arrives once, at the log and at the platform, whatever the network, the tab or the browser does."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import FLAGS, GRANT, jar
from tests.chromium import COUNT_STORED, close_tab, open_tab, stop_clock
from tests.e2e.conftest import CHROMIUM

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

STEPS = "for (let n = 0; n < 200; n++) firsthand('track', 'step', {value: n}, {id: location.host + n})"


def ids(site):
    return [f"{site.host}:{site.world.pages_port}{n}" for n in range(200)]


async def test_two_hundred_quick_events_are_neither_lost_nor_doubled(site, page):
    await page.goto(site.url("/"))
    site.world.edge.instead.append((503, {"Retry-After": "0"}))
    await page.evaluate(STEPS)
    await site.until(lambda: len(site.names) >= 201)
    logged = await site.logged()
    steps = [event.id for event in logged if event.name == "step"]
    assert steps == ids(site)
    assert sorted(row["event_id"] for row in site.relayed) == sorted(event.id for event in logged)


async def test_two_hundred_events_of_a_tab_that_closes_at_once_are_neither_lost_nor_doubled(site, context):
    page = await open_tab(context)
    await page.goto(site.url("/"))
    await page.evaluate(STEPS)
    await close_tab(page, site.url("/blank"))
    await site.until(lambda: len(site.names) >= 201)
    logged = await site.logged()
    assert len(logged) == 201
    assert set(ids(site)) < {event.id for event in logged}
    assert len({event.visitor.id for event in logged}) == 1, "requests that race each other are one visitor's"


async def test_an_event_whose_tab_closed_before_the_answer_came_is_sent_again_and_stored_once(site, context):
    answers = site.world.edge.hold()
    site.pages["/one"] = site.page(GRANT, after="firsthand('track', 'purchase', {value: 5, currency: 'EUR'})")
    page = await open_tab(context)
    await page.goto(site.url("/one"))
    await site.until(lambda: len(site.posts) == 1)
    await close_tab(page, site.url("/blank"))
    answers.set()
    page = await context.new_page()
    await page.goto(site.url("/two"))
    await site.until(lambda: len(site.names) >= 3)
    sent = [name for request in site.posts for name in request.events]
    assert sorted(sent) == ["page_view"] * 3 + ["purchase"] * 2, "what had no answer was sent twice"
    assert sorted(event.name for event in await site.logged()) == ["page_view", "page_view", "purchase"]
    assert sorted(site.names) == ["PageView", "PageView", "Purchase"]


async def test_what_is_sent_before_the_first_answer_makes_one_visitor_with_one_fbp(site, context):
    """Two requests without a cookie, side by side: the page's, and the beacon of its end."""
    answers = site.world.edge.hold()
    page = await open_tab(context)
    await page.goto(site.url("/"))
    await site.until(lambda: len(site.posts) == 1)
    await page.evaluate("firsthand('track', 'lead')")
    await close_tab(page, site.url("/blank"))
    await site.until(lambda: len(site.posts) == 2)
    answers.set()
    rows = await site.until_relayed("PageView", "Lead")
    assert not any("Cookie" in request.headers for request in site.posts)
    assert len({row["user_data"]["fbp"] for row in rows}) == 1
    assert len({event.visitor.id for event in await site.logged()}) == 1


async def test_what_happens_offline_arrives_once_when_the_network_is_back(site, page, context):
    await page.goto(site.url("/"))
    await site.until_relayed("PageView")
    await context.set_offline(True)
    await page.evaluate("firsthand('track', 'purchase', {value: 5, currency: 'EUR'})")
    await page.evaluate("firsthand('track', 'lead')")
    await page.wait_for_function("localStorage.firsthand_queue?.includes('lead')")
    await context.set_offline(False)
    # The browser's own event comes while its requests still fail; a visitor's next one is waited for less long.
    await page.evaluate("dispatchEvent(new Event('online'))")
    await site.until_relayed("PageView", "Purchase", "Lead")
    await page.wait_for_function("!localStorage.firsthand_queue")


async def test_what_happens_offline_survives_the_tab(site, context):
    page = await context.new_page()
    await page.goto(site.url("/"))
    await site.until_relayed("PageView")
    await context.set_offline(True)
    await page.evaluate("firsthand('track', 'purchase', {value: 5, currency: 'EUR'})")
    await page.wait_for_function("localStorage.firsthand_queue")
    await page.close()
    await context.set_offline(False)
    page = await context.new_page()
    await page.goto(site.url("/later"))
    await site.until_relayed("PageView", "Purchase", "PageView")


async def test_a_beacon_leaves_once_though_the_page_is_both_hidden_and_left(site, page):
    await page.goto(site.url("/"))
    await site.until_read(["page_view"])
    await page.evaluate(
        "for (const [target, type] of [[document, 'visibilitychange'], [window, 'pagehide']])"
        " target.addEventListener(type, () => { localStorage[type] = 1 })"
    )
    await page.evaluate("firsthand('track', 'zoom')")
    await page.goto(site.url("/blank"))
    await page.wait_for_function("localStorage.visibilitychange && localStorage.pagehide")
    await site.until_relayed("PageView", "zoom")
    assert [request.events for request in site.posts] == [["page_view"], ["zoom"]]


async def test_two_tabs_that_begin_together_are_one_visitor_with_one_fbp(site, context):
    """The banner's answer reaches all tabs at once, and none has a cookie yet."""
    site.pages["*"] = site.page("addEventListener('storage', () => { " + GRANT + " })")
    tabs = [await context.new_page() for _ in range(3)]
    for number, tab in enumerate(tabs):
        await tab.goto(site.url(f"/{number}"))
    answers = site.world.edge.hold()
    await tabs[0].evaluate(f"localStorage.banner = 'yes'; {GRANT}")
    await site.until(lambda: site.posts)
    for tab in tabs:
        await tab.wait_for_function("firsthand.consent().marketing === 'granted'")
        await tab.evaluate("new Promise(done => setTimeout(done, 60))")
    answers.set()
    rows = await site.until_relayed("PageView", "PageView", "PageView")
    assert {row["user_data"]["fbp"] for row in rows} == {(await jar(context))["_fbp"]["value"]}
    assert len({event.visitor.id for event in await site.logged()}) == 1


async def test_with_cookies_blocked_events_arrive_and_the_page_is_unharmed(site, tmp_path):
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(settings))
    context = await site.world.playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=FLAGS
    )
    try:
        page, said = await context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(site.url("/?fbclid=AbC"))
        await page.evaluate("document.cookie = 'mine=1; path=/'")
        assert await page.evaluate("document.cookie") == ""
        await page.evaluate("firsthand('track', 'lead')")
        rows = await site.until_relayed("PageView", "Lead")
        assert all(row["user_data"]["fbc"].endswith(".AbC") for row in rows), "the landing URL tells the click"
        assert await context.cookies() == []
        assert said == []
    finally:
        await context.close()


async def test_a_blocked_collector_harms_nobody_and_is_not_asked_for_ever(site, page, context):
    """As an ad blocker does it: the request never leaves the browser."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    attempts: list[str] = []
    session.on("Network.loadingFailed", lambda event: attempts.append(event.get("blockedReason")))
    await session.send("Network.setBlockedURLs", {"urls": [f"{site.proxy}/e"]})
    await page.add_init_script(COUNT_STORED)
    await stop_clock(page)
    await page.goto(site.url("/"))
    for failures in range(1, 4):
        await page.clock.run_for(60_000)
        await page.wait_for_function(f"stored >= {failures}")
    for _ in range(30):
        await page.evaluate("firsthand('track', 'purchase')")
        await page.clock.run_for(60_000)
    await site.until(lambda: len(attempts) >= 3)
    assert attempts == ["inspector"] * 3
    assert [text for text in said if "net::ERR_BLOCKED_BY_CLIENT" not in text] == []
    await page.click("a")
    await page.wait_for_url("**/other")
    assert site.posts == []


async def test_a_blocked_script_leaves_the_page_and_its_calls_alone(site, page, context):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setBlockedURLs", {"urls": [f"{site.proxy}/tracker.js"]})
    await page.goto(site.url("/"))
    assert await page.evaluate("firsthand('track', 'purchase')") is None
    assert [text for text in said if "net::ERR_BLOCKED_BY_CLIENT" not in text] == []
    assert await page.evaluate("document.querySelector('h1').textContent") == "Shop"
