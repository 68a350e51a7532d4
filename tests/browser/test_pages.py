"""One view per page a visitor saw, at the platform: single-page apps, pages gone back to, pages prepared ahead."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.browser.conftest import FLAGS, GRANT
from tests.e2e.conftest import CHROMIUM

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


def viewed(site):
    return sorted(row["event_source_url"] for row in site.relayed if row["event_name"] == "PageView")


async def test_every_view_of_a_single_page_app_counts_once(site, page):
    await page.goto(site.url("/"))
    for path in ("/a", "/b", "/b", "/c?utm_source=x"):
        await page.evaluate("path => history.pushState(null, '', path)", path)
    await page.evaluate("new Promise(done => { addEventListener('popstate', done); history.back() })")
    # Comes after every view there is, one too many included.
    await page.evaluate("firsthand('track', 'lead')")
    await site.until(lambda: "Lead" in site.names)
    await site.until_relayed(*["PageView"] * 5, "Lead")
    assert viewed(site) == sorted(map(site.url, ["/", "/a", "/b", "/c?utm_source=x", "/b"]))
    assert len({event.visitor.id for event in await site.logged()}) == 1


async def test_a_page_gone_back_to_counts_once_more(site, page):
    site.pages["/a"] = site.page(
        f"{GRANT}; addEventListener('pageshow', event => {{ window.restored = event.persisted }})"
    )
    await page.goto(site.url("/a"))
    await site.until_read(["page_view"])
    await page.goto(site.url("/b"))
    await site.until_read(["page_view"], ["page_view"])
    await page.evaluate("setTimeout(() => history.back(), 0)")
    await page.wait_for_url("**/a", wait_until="commit")
    await site.until_relayed(*["PageView"] * 3)
    assert await page.evaluate("window.restored") is True, "loaded anew: this browser cannot show the claim"
    assert viewed(site) == sorted(map(site.url, ["/a", "/b", "/a"]))
    # It is alive like before.
    await page.evaluate("firsthand('track', 'lead')")
    await site.until_relayed("PageView", "PageView", "PageView", "Lead")


async def test_what_waits_when_a_page_is_put_aside_is_sent_then_and_not_again(site, page):
    await page.goto(site.url("/a"))
    await site.until_relayed("PageView")
    await page.evaluate("firsthand('track', 'zoom')")
    await page.goto(site.url("/blank"))
    await site.until_relayed("PageView", "zoom")
    await page.evaluate("setTimeout(() => history.back(), 0)")
    await site.until_relayed("PageView", "zoom", "PageView")


async def test_a_page_prepared_ahead_counts_when_it_is_shown_and_not_before(site, tmp_path):
    """In a Chromium of its own without a debugger: with one attached, the browser refuses to prerender."""
    rules = json.dumps({"prerender": [{"urls": ["/to"], "eagerness": "immediate"}]})
    told = (
        "fetch('/told?' + [document.prerendering, performance.getEntriesByType('navigation')[0].activationStart > 0])"
    )
    site.pages["/from"] = (
        f'<!doctype html><script type="speculationrules">{rules}</script>'
        "<script>const wait = () => fetch('/go').then(answer => answer.text())"
        ".then(go => go ? location.assign('/to') : setTimeout(wait, 50)); wait()</script>"
    )
    site.pages["/go"] = ""
    site.headers["Cache-Control"] = "no-store"
    site.pages["/to"] = site.page(
        f"{GRANT}; document.addEventListener('prerenderingchange', () => setTimeout(() => {told}, 0))",
        after=f"firsthand('track', 'lead'); dispatchEvent(new Event('pagehide')); setTimeout(() => {told}, 200)",
    )
    arguments = [*FLAGS, "--headless=new", f"--user-data-dir={tmp_path}", site.url("/from")]
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await site.until(lambda: "/told?true,false" in site.asked)
        assert site.posts == []
        site.pages["/go"] = "go"
        await site.until_relayed("Lead", "PageView")
        await site.until(lambda: len([path for path in site.asked if path.startswith("/told")]) >= 2)
        assert "/told?false,true" in site.asked, "loaded anew: this browser did not prerender"
        assert site.asked.count("/to") == 1
        [view] = [row for row in site.relayed if row["event_name"] == "PageView"]
        assert view["event_source_url"] == site.url("/to")
    finally:
        process.terminate()
        await process.wait()
