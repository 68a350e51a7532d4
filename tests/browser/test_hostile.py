"""Pages that are strict or against us. The script does its work or stays quiet; nothing of it reaches the page."""

from __future__ import annotations

import pytest

from tests.browser.conftest import GRANT, STUB

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BUY = "firsthand('track', 'purchase', {value: 5, currency: 'EUR', items: [{id: 'sku-1', quantity: 2, price: 2.5}]})"
BREAK = """
const broken = function () { throw Error('broken by the page') };
window.fetch = window.Promise = window.Blob = window.URL = window.setTimeout = broken;
JSON.stringify = JSON.parse = Object.assign = Object.keys = Date.now = Math.random = broken;
for (const name of ['push', 'map', 'filter', 'concat', 'splice', 'slice', 'some', 'includes', 'shift', 'reduce', 'join'])
  Array.prototype[name] = broken;
Object.defineProperty(window, 'localStorage', {get: broken});
Navigator.prototype.sendBeacon = broken;
"""


async def test_a_page_that_breaks_its_natives_after_us_loses_no_event(site, page):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    leave = "firsthand('track', 'zoom'); setTimeout(() => dispatchEvent(new Event('pagehide')), 500);"
    site.pages["*"] = site.page(GRANT, after=f"{leave} {BREAK} {BUY}")
    await page.goto(site.url("/"))
    rows = await site.until_relayed("PageView", "Purchase", "zoom")
    [purchase] = [row for row in rows if row["event_name"] == "Purchase"]
    assert purchase["custom_data"]["contents"] == [{"id": "sku-1", "quantity": 2, "item_price": 2.5}]
    assert said == []


async def test_a_page_that_broke_its_natives_before_us_hears_no_error_from_us(site, page):
    """Nothing can be sent there. The stub is the page's, so `push`, all it needs, is spared."""
    count = "onerror = onunhandledrejection = () => { document.title += ' error' };"
    broken = BREAK.replace("'push', ", "")
    site.pages["*"] = site.page(f"{GRANT}; {count} {broken}", after=f"{BUY}; dispatchEvent(new Event('pagehide'))")
    await page.goto(site.url("/"))
    await page.wait_for_timeout(200)
    assert await page.title() == "Shop"
    assert site.posts == []


async def test_natives_wrapped_before_us_as_monitoring_does_it_are_used(site, page):
    wrap = (
        "window.calls = []; for (const [owner, name] of [[window, 'fetch'], [JSON, 'stringify'], [window, 'setTimeout']])"
        " { const original = owner[name]; owner[name] = function () { calls.push(name);"
        " return original.apply(this, arguments) } }"
    )
    site.pages["*"] = site.page(wrap + GRANT, after=BUY)
    await page.goto(site.url("/"))
    await site.until_relayed("PageView", "Purchase")
    assert set(await page.evaluate("calls")) == {"fetch", "stringify", "setTimeout"}


async def test_a_strict_policy_and_trusted_types_need_nothing_but_the_host(site, page):
    site.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-n1' {site.proxy}; connect-src {site.proxy}; base-uri 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    blocked = (
        "window.blocked = []; addEventListener('securitypolicyviolation', event => blocked.push(event.blockedURI));"
    )
    site.pages["*"] = (
        f'<!doctype html><link rel="icon" href="data:,"><script nonce="n1">{blocked}{STUB};{GRANT}</script>'
        f'<script async src="{site.proxy}/tracker.js"></script>'
    )
    await page.goto(site.url("/"))
    await site.until_relayed("PageView")
    await page.evaluate("firsthand('track', 'zoom'); dispatchEvent(new Event('pagehide'))")
    await site.until_relayed("PageView", "zoom")
    assert [uri for uri in await page.evaluate("blocked") if uri != "data"] == []
