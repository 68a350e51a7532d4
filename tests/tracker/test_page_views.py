"""One page_view per page a visitor really saw: loads, SPA navigations, pages come back to, pages loaded ahead."""

from __future__ import annotations

import pytest

from tests.chromium import stop_clock

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"


async def views(site, page, *paths):
    """Sends a marker through and claims that exactly these paths were viewed before it."""
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until(lambda: "purchase" in site.names)
    found = [event for event in site.accepted if event["name"] == "page_view"]
    assert [event["page"]["url"] for event in found] == [site.url(path) for path in paths]
    return found


@pytest.fixture
def granted(site):
    site.pages["*"] = site.page(GRANT)
    return site


async def test_a_load_counts_once_and_says_where_the_visitor_came_from(granted, site, page):
    site.pages["/from"] = '<!doctype html><a href="/to?x=1">to</a>'
    await page.goto(site.url("/from"))
    await page.click("a")
    await page.wait_for_url("**/to?x=1")
    [view] = await views(site, page, "/to?x=1")
    assert view["page"]["referrer"] == site.url("/from")
    assert view["page"]["title"] == "Shop"
    assert view["page"]["language"] == "en-US"
    assert view["page"]["screen"] == "1280x720"


async def test_every_spa_navigation_counts_and_refers_to_the_one_before(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("history.pushState(null, '', '/b'); document.title = 'B'")
    await site.until_names("page_view", "page_view")
    await page.evaluate("history.pushState(null, '', '/b')")
    await page.evaluate("history.pushState(null, '', '/b?colour=red')")
    await site.until_names(*["page_view"] * 3)
    await page.evaluate("new Promise(done => { addEventListener('popstate', done); history.go(-2) })")
    found = await views(site, page, "/", "/b", "/b?colour=red", "/b")
    assert found[1]["page"]["referrer"] == site.url("/")
    assert found[1]["page"]["title"] == "B"
    assert found[2]["page"]["referrer"] == site.url("/b")


async def test_replace_state_counts_only_when_the_path_changes(granted, site, page):
    await page.goto(site.url("/?utm_source=x"))
    await page.evaluate("history.replaceState(null, '', '/?page=2')")
    await page.evaluate("history.replaceState(null, '', '/')")
    await page.evaluate("history.replaceState({n: 1}, '', '/#part')")
    await page.evaluate("history.replaceState(null, '', '/other')")
    await views(site, page, "/?utm_source=x", "/other")


async def test_a_hash_counts_when_it_is_a_route_and_not_when_it_is_an_anchor(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("location.hash = 'reviews'")
    await page.evaluate("new Promise(done => { addEventListener('hashchange', done); location.hash = '#/cart' })")
    await views(site, page, "/", "/#/cart")


async def test_a_router_that_keeps_popstate_to_itself_hides_no_route_of_a_hash(site, page):
    keep = "addEventListener('popstate', (event) => event.stopImmediatePropagation(), true)"
    site.pages["*"] = site.page(f"{GRANT}; {keep}")
    await page.goto(site.url("/"))
    await page.evaluate("new Promise(done => { addEventListener('hashchange', done); location.hash = '#/cart' })")
    await views(site, page, "/", "/#/cart")


async def test_a_title_set_just_after_the_navigation_is_the_one_sent(granted, site, page):
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate(
        "history.pushState(null, '', '/thanks'); firsthand('track', 'purchase');"
        "Promise.resolve().then(() => { document.title = 'Thank you' })"
    )
    await site.until_names("page_view", "page_view", "purchase")
    assert site.accepted[1]["page"]["title"] == "Thank you"


async def test_titles_stay_with_their_pages_when_they_change_quickly_or_the_page_is_left(granted, site, page):
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate(
        "history.pushState(null, '', '/b'); document.title = 'B';"
        "history.pushState(null, '', '/c'); document.title = 'C'; dispatchEvent(new Event('pagehide'))"
    )
    await site.until_names(*["page_view"] * 3)
    assert [event["page"]["title"] for event in site.accepted] == ["Shop", "B", "C"]


async def test_a_page_restored_from_the_back_forward_cache_counts_again(granted, site, page):
    await page.goto(site.url("/a"))
    await site.until_read("page_view")
    await page.evaluate("window.alive = true")
    await page.goto(site.url("/b"))
    await site.until_read("page_view", "page_view")
    await page.evaluate("setTimeout(() => history.back(), 0)")
    await page.wait_for_url("**/a", wait_until="commit")
    await site.until_names(*["page_view"] * 3)
    assert await page.evaluate("window.alive") is True, "loaded anew: this browser cannot show the claim"
    await views(site, page, "/a", "/b", "/a")


async def test_a_pageshow_that_restores_nothing_does_not_count(granted, site, page):
    await page.goto(site.url("/a"))
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: false}))")
    await views(site, page, "/a")


async def test_a_prerendered_page_neither_counts_nor_sends_until_it_is_shown(granted, site, page):
    await page.add_init_script("Object.defineProperty(document, 'prerendering', {get: () => !window.shown})")
    await page.clock.install(time=1_790_000_000)
    await page.goto(site.url("/ahead"))
    await page.evaluate("firsthand('track', 'purchase')")
    await page.clock.run_for(60_000)
    await page.evaluate("fetch('/a-request-of-another-kind')")
    assert await page.evaluate("Object.keys(localStorage).length") == 0
    assert site.requests == []
    await page.evaluate("window.shown = true; document.dispatchEvent(new Event('prerenderingchange'))")
    await page.clock.run_for(1000)
    await site.until_names("purchase", "page_view")
    view = next(event for event in site.accepted if event["name"] == "page_view")
    assert view["time"] >= 1_790_000_060_000
    assert view["page"]["url"] == site.url("/ahead")


async def test_a_view_counted_by_hand_right_after_the_automatic_one_is_the_same_view(site, page):
    site.pages["*"] = site.page(GRANT + ";firsthand('page', {title: 'By hand'})")
    await stop_clock(page)  # half a second later it would be another one
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    [view] = await views(site, page, "/")
    assert view["page"]["title"] == "By hand"


async def test_with_automatic_views_off_only_the_page_itself_counts(site, page):
    site.settings["pageViews"] = False
    site.pages["*"] = site.page(GRANT)
    await page.goto(site.url("/landing?fbclid=x"))
    await page.evaluate("history.replaceState(null, '', '/landing'); firsthand('page')")
    await page.evaluate("history.pushState(null, '', '/next'); firsthand('page', {title: 'Next'}, {id: 'v-2'})")
    await page.evaluate("history.pushState(null, '', '/uncounted')")
    await page.evaluate("firsthand('page', {url: '/virtual/step-2'}); firsthand('page', {url: '/virtual/step-3'})")
    found = await views(site, page, "/landing?fbclid=x", "/next", "/virtual/step-2", "/virtual/step-3")
    assert found[1]["id"] == "v-2"
    assert found[1]["page"]["title"] == "Next"
    assert found[1]["page"]["referrer"] == site.url("/landing?fbclid=x")
    assert found[3]["page"]["referrer"] == site.url("/virtual/step-2")
