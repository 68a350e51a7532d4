"""On pages that are strict, broken, old or against us the script does its work or stays quiet; the page never notices."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


@pytest.fixture
def granted(site):
    site.pages["*"] = site.page(GRANT)
    return site


async def test_natives_replaced_after_the_start_do_no_harm(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate(
        "(() => { const broken = () => { throw Error('hostile') };"
        "window.fetch = JSON.stringify = JSON.parse = Date.now = Object.assign = Object.keys = Math.random = broken;"
        "window.Blob = window.URL = window.Promise = broken; Navigator.prototype.sendBeacon = () => true;"
        "firsthand('identify', {email: 'ann@example.com'}); firsthand('track', 'purchase', {value: 1}) })()"
    )
    await site.until_names("page_view", "purchase")
    assert site.accepted[-1]["data"] == {"value": 1}
    await page.evaluate("firsthand('track', 'scroll')")
    await page.evaluate("dispatchEvent(new Event('pagehide'))")
    await site.until_names("page_view", "purchase", "scroll")


@pytest.mark.parametrize("fetch", ["() => { throw 1 }", "() => undefined", "() => Promise.reject(1)", "undefined"])
async def test_a_fetch_broken_from_the_start_costs_neither_the_page_nor_the_events(granted, site, page, fetch):
    await page.add_init_script(f"window.fetch = {fetch}")
    await page.goto(site.url("/one"))
    await page.wait_for_function("localStorage.firsthand_queue?.includes('page_view')")


async def test_wrong_calls_warn_and_never_throw(granted, site, page):
    warnings = []
    page.on("console", lambda message: warnings.append(message.text) if message.type == "warning" else None)
    await page.goto(site.url("/"))
    results = await page.evaluate(
        "(() => { const ring = {}; ring.ring = ring; return ["
        "firsthand('nothing'), firsthand(), firsthand('constructor'), firsthand('track'),"
        "firsthand('track', 'x', ring), firsthand('track', 'x', {n: 1n}), firsthand('identify', ring), firsthand.track(),"
        "firsthand('page', {url: 'http://['}), firsthand('ready', 'window.evaluated = 1')].map(String) })()"
    )
    assert results == ["undefined"] * 10
    assert len(warnings) == 9
    assert await page.evaluate("new Promise(done => setTimeout(() => done(typeof evaluated), 10))") == "undefined"
    assert all(text.startswith("firsthand ") for text in warnings)
    await page.evaluate("firsthand('track', 'purchase', null, null)")
    await site.until_names("page_view", "purchase")


async def test_calls_before_the_script_are_replayed_in_order(site, page):
    site.pages["*"] = site.page(
        f"firsthand('track', 'lead', {{}}, {{id: 'first'}}); {GRANT}; firsthand('identify', {{email: 'ann@example.com'}});"
        "firsthand('track', 'purchase', {value: 1}, {id: 'second'}); window.stub = firsthand"
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view", "lead", "purchase")
    assert [event["id"] for event in site.accepted][1:] == ["first", "second"]
    assert site.accepted[-1]["user"] == {"email": "ann@example.com"}
    await page.evaluate("stub('track', 'contact')")
    await site.until_names("page_view", "lead", "purchase", "contact")


async def test_the_script_works_without_the_stub_and_a_stub_after_it_changes_nothing(site, page):
    script = f'<script src="{site.url("/tracker.js", "t.shop.example")}"></script>'
    stub = "window.firsthand=window.firsthand||function(){(firsthand.q=firsthand.q||[]).push(arguments)}"
    site.pages["*"] = f"<!doctype html>{script}<script>{stub};{GRANT};firsthand.track('purchase')</script>"
    await page.goto(site.url("/"))
    await site.until_names("page_view", "purchase")


async def test_the_script_included_twice_works_once(site, page):
    script = f'<script async src="{site.url("/tracker.js", "t.shop.example")}"></script>'
    site.pages["*"] = site.page(GRANT) + script + script
    await page.goto(site.url("/"))
    await page.evaluate("history.pushState(null, '', '/next')")
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until(lambda: "purchase" in site.names)
    assert sorted(site.names) == ["page_view", "page_view", "purchase"]


async def test_one_global_and_nothing_else_is_added_to_the_page(granted, site, page):
    site.settings["global"] = "fh"
    site.pages["/bare"] = "<!doctype html><title>bare</title>"
    names = "[...Object.getOwnPropertyNames(window), ...Object.getOwnPropertyNames(document)].sort()"
    await page.goto(site.url("/bare"))
    before = await page.evaluate(names)
    await page.add_script_tag(url=site.url("/tracker.js", "t.shop.example"))
    after = await page.evaluate(names)
    assert set(after) - set(before) == {"fh"}
    await page.evaluate("fh('consent', {analytics: true})")
    await site.until_names("page_view")


async def test_an_element_with_the_globals_name_is_no_obstacle(site, page):
    script = f'<script src="{site.url("/tracker.js", "t.shop.example")}"></script>'
    site.pages["*"] = f'<!doctype html><b id="firsthand">x</b>{script}'
    await page.goto(site.url("/"))
    await page.evaluate(GRANT)
    await site.until_names("page_view")


async def test_a_strict_content_security_policy_and_trusted_types_are_respected(site, page):
    host = site.url("", "t.shop.example")
    site.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-n1' {host}; connect-src {host}; require-trusted-types-for 'script'"
    )
    site.pages["*"] = (
        f'<!doctype html><script nonce="n1">window.blocked = []; addEventListener("securitypolicyviolation", event => '
        f"blocked.push(event.violatedDirective));window.firsthand=function(){{(firsthand.q=firsthand.q||[]).push(arguments)}};"
        f'{GRANT}</script><script async src="{host}/tracker.js"></script>'
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'scroll'); dispatchEvent(new Event('pagehide'))")
    await site.until_names("page_view", "scroll")
    assert await page.evaluate("blocked.filter(directive => !directive.startsWith('img'))") == []


async def test_a_blocked_collector_leaves_the_page_unharmed(granted, site, page, context):
    await context.route("**/e", lambda route: route.abort("blockedbyclient"))
    await page.goto(site.url("/"))
    assert await page.evaluate("typeof firsthand('track', 'purchase')") == "string"
    await page.click("a")
    await page.wait_for_url("**/other")


async def test_a_blocked_script_leaves_calls_without_effect(granted, site, page, context):
    await context.route("**/tracker.js", lambda route: route.abort("blockedbyclient"))
    await page.goto(site.url("/"))
    assert await page.evaluate("firsthand('track', 'purchase')") is None


async def test_without_cookies_and_storage_events_still_arrive(granted, site, page):
    await page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }});"
        "Object.defineProperty(Document.prototype, 'cookie', {get() { throw Error('no') }, set() { throw Error('no') }})"
    )
    site.replies.append((503, {"Retry-After": "60"}))
    async with page.expect_response("**/e"):
        await page.goto(site.url("/"))
    await page.evaluate("fetch('/a-request-of-another-kind')")
    await page.goto(site.url("/next"))
    await site.until_names("page_view", "page_view")


async def test_a_browser_that_lets_nobody_talk_between_tabs_is_no_obstacle(granted, site, page):
    """Firefox with cookies blocked, a frame without an origin."""
    await page.add_init_script(
        "window.BroadcastChannel = function () { throw new DOMException('no', 'SecurityError') }"
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'scroll'); dispatchEvent(new Event('pagehide'))")
    await site.until_names("page_view", "scroll")


async def test_without_crypto_ids_are_still_version_7(granted, site, page):
    await page.add_init_script("Object.defineProperty(window, 'crypto', {value: undefined})")
    await page.goto(site.url("/"))
    ids = await page.evaluate("Array.from({length: 500}, () => firsthand.id())")
    assert len(set(ids)) == 500
    assert await page.evaluate("([ids, pattern]) => ids.every(id => RegExp(pattern).test(id))", [ids, UUID7])


async def test_an_error_in_the_pages_own_callback_stays_visible_and_harmless(granted, site, page):
    await page.goto(site.url("/"))
    async with page.expect_event("pageerror") as heard:
        await page.evaluate("firsthand('ready', () => { throw Error(\"the page's own\") })")
    assert "the page's own" in str(await heard.value)
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until_names("page_view", "purchase")
