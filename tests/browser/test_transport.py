"""What browser and collector say to each other: no preflight, cookies both ways, nothing for strangers."""

from __future__ import annotations

import pytest

from tests.browser.conftest import GRANT, jar
from tests.chromium import until_cookies

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

POST = (
    "url => fetch(url, {method: 'POST', credentials: '%s', body: JSON.stringify({consent: {marketing: 'granted'},"
    " page: {url: location.href}, events: [{id: '%s', name: 'lead'}]})}).then(answer => answer.status, () => 'unreadable')"
)


async def test_no_request_of_the_script_asks_for_a_preflight(site, page):
    await page.goto(site.url("/"))
    await site.until_relayed("PageView")
    await page.evaluate("firsthand('track', 'purchase', {value: 1, currency: 'EUR'}); firsthand('track', 'zoom')")
    await page.goto(site.url("/blank"))
    await site.until_relayed("PageView", "Purchase", "zoom")
    await site.until(lambda: all(request.status for request in site.posts))
    assert {request.method for request in site.passed} == {"POST"}
    for request in site.posts:
        assert request.answer["Vary"] == "Origin"
        assert request.answer["Access-Control-Allow-Origin"] == site.url("").rstrip("/")
        assert request.answer["Cache-Control"] == "no-store"


async def test_on_a_path_of_the_site_itself_it_works_the_same(site, page, context):
    site.world.edge.pages["/landing"] = site.page(GRANT).replace(site.proxy, "")
    await page.goto(f"{site.proxy}/landing?fbclid=AbC")
    await page.wait_for_function("document.cookie.includes('_fbc=')")
    await page.evaluate("firsthand('track', 'lead')")

    def asked():
        passed = [each for each in site.world.edge.passed if each.headers.get("Origin") == site.proxy]
        return [(each.method, each.status) for each in passed if each.path == "/e"]

    await site.until(lambda: asked() == [("POST", 204), ("POST", 204)])
    await until_cookies(context, "_fh", "_fbp", "_fbc")


async def test_a_page_of_another_origin_gets_no_answer_it_can_read_and_stores_nothing(site, page, context):
    stranger = f"http://{site.host}:{site.world.sandbox_port}"
    await page.goto(stranger)
    assert await page.evaluate(POST % ("include", "x-1"), f"{site.proxy}/e") == "unreadable"
    [request] = [each for each in site.world.edge.passed if each.headers.get("Origin") == stranger]
    assert request.status == 403
    assert not [name for name in request.answer if name.startswith("Access-Control") or name == "Set-Cookie"]
    assert await jar(context) == {}


async def test_the_cookies_of_an_answer_are_kept_with_credentials_and_not_without(site, page, context):
    await page.goto(site.url("/blank"))
    assert await page.evaluate(POST % ("omit", "c-1"), f"{site.proxy}/e") == 204
    assert await jar(context) == {}
    assert await page.evaluate(POST % ("include", "c-2"), f"{site.proxy}/e") == 204
    assert set(await jar(context)) == {"_fh", "_fbp"}


async def test_a_beacon_brings_cookies_too(site, page, context):
    """The browser sheet believes so; here it is seen."""
    site.pages["*"] = site.page()
    await page.goto(site.url("/?fbclid=AbC"))
    await page.evaluate("firsthand.ready(() => 0)")
    await page.evaluate(f"{GRANT}; dispatchEvent(new Event('pagehide'))")
    await site.until_relayed("PageView")
    assert site.posts[0].by_beacon
    await until_cookies(context, "_fh", "_fbp", "_fbc")


async def test_a_script_can_neither_read_nor_overwrite_the_visitor(site, page, context):
    await page.goto(site.url("/"))
    await site.until_relayed("PageView")
    before = (await until_cookies(context, "_fh", "_fbp"))["_fh"]["value"]
    for attributes in ("domain=shop.example; path=/", "path=/"):
        await page.evaluate(f"document.cookie = '_fh=forged; max-age=999; {attributes}'")
    assert "_fh=" + before not in await page.evaluate("document.cookie")
    kept = [cookie["value"] for cookie in await context.cookies() if cookie["name"] == "_fh"]
    assert before in kept
    await page.evaluate("firsthand('track', 'purchase', {value: 1, currency: 'EUR'})")
    await site.until_relayed("PageView", "Purchase")
    assert len({event.visitor.id for event in await site.logged()}) == 1, (
        "a host-only forgery beside it is not believed"
    )


async def test_a_click_cookie_written_by_a_script_and_ours_are_one_cookie(site, page, context):
    await page.goto(site.url("/blank"))
    await page.evaluate(
        "document.cookie = '_fbc=fb.1.1790000000000.OldClick; domain=shop.example; path=/; max-age=7776000'"
    )
    await page.goto(site.url("/?fbclid=NewClick"))
    rows = await site.until_relayed("PageView")
    await site.until_read(["page_view"])
    [cookie] = [cookie for cookie in await context.cookies() if cookie["name"] == "_fbc"]
    assert cookie["value"] == rows[0]["user_data"]["fbc"]
    assert cookie["value"].endswith(".NewClick")
    await page.evaluate("firsthand('consent', {marketing: false, analytics: false})")
    await site.until_read(["page_view"], [])
    await until_cookies(context)


async def test_the_same_click_keeps_its_time_a_new_one_replaces_it_and_none_is_invented(site, page, context):
    async def landing(path: str, views: int) -> str | None:
        await page.goto(site.url(path))
        await site.until_relayed(*["PageView"] * views)
        await site.until_read(*[["page_view"]] * views)
        return (await jar(context)).get("_fbc", {}).get("value")

    assert await landing("/", 1) is None
    first = await landing("/?fbclid=AbC", 2)
    assert first is not None
    assert first.endswith(".AbC")
    assert await landing("/?fbclid=AbC&again=1", 3) == first
    await page.evaluate("document.cookie = '_fbc=broken; domain=shop.example; path=/; max-age=999'")
    assert await landing("/corrupt", 4) == first
    second = await landing("/?fbclid=xYz", 5)
    assert second is not None
    assert second.endswith(".xYz")
    await context.clear_cookies()
    assert await landing("/", 6) is None, "a new visitor: nothing of the old one is restored"


async def test_two_visitors_are_served_the_same_script(site, world):
    seen = []
    for language in ("en-US", "de-DE"):
        context = await world.browser.new_context(locale=language)
        page = await context.new_page()
        async with page.expect_response("**/tracker.js") as answer:
            await page.goto(site.url("/"))
        response = await answer.value
        seen.append((await response.body(), response.headers["etag"], response.headers.get("set-cookie")))
        await context.close()
    assert seen[0] == seen[1]
    assert seen[0][2] is None
