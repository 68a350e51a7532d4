"""What tests that drive a Chromium have to wait for, however slow the machine is.

Two things look done before they are. The collector has a request, but the page has not read the answer yet: a page that is
left then keeps its events, and the next one sends them again; a clock that goes on then passes the timer which a failure
is about to set. And a tab is closed, but its page never heard of it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import BrowserContext, Page, Request

PATIENCE_S = 30  # only a test that fails waits that long
CLOSING_S = 0.45
NOW_S = 1_790_000_000
NOW_MS = NOW_S * 1000

# Counts in `window.stored` what is written to localStorage: with every failed request the script keeps what it has.
COUNT_STORED = """
window.stored = 0;
const set = Storage.prototype.setItem;
Storage.prototype.setItem = function (...entry) { stored++; return set.apply(this, entry) };
"""


async def until(claim: Callable[[], bool | Awaitable[bool]], instead: Callable[[], object]) -> None:
    """Waits until `claim()` holds; `instead()` is what a test fails with that waits in vain."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        holds = claim()
        if await holds if inspect.isawaitable(holds) else holds:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"never came true: {instead()}")
        await asyncio.sleep(0.02)


async def until_cookies(context: BrowserContext, *names: str) -> dict[str, dict]:
    """Waits until a profile has exactly these cookies; they are there a moment after the collector has answered."""
    jar: dict[str, dict] = {}

    async def look() -> bool:
        jar.clear()
        jar.update({cookie["name"]: dict(cookie) for cookie in await context.cookies()})
        return set(jar) == set(names)

    await until(look, lambda: jar)
    return jar


class Answers:
    """Answers to the POST requests of a profile that its pages have read. Beacons have no reader and do not count."""

    def __init__(self, context: BrowserContext) -> None:
        self.read = 0
        context.on("response", lambda response: self._came(response.request))

    def _came(self, to: Request) -> None:
        self.read += to.method == "POST" and to.resource_type == "fetch"


async def stop_clock(page: Page) -> None:
    """Time stands still on the page, at NOW_S, and goes on as far as `page.clock.run_for` says."""
    # The clock goes until it is stopped, and it cannot be stopped in its past.
    await page.clock.install(time=NOW_S - 3600)
    await page.clock.pause_at(NOW_S)


async def open_tab(context: BrowserContext) -> Page:
    """A page for `close_tab`."""
    page = await context.new_page()
    await page.add_init_script("addEventListener('pagehide', () => { localStorage.heard = 1 })")
    return page


async def close_tab(page: Page, blank: str) -> None:
    """Closes a tab as a visitor does it; returns once it is gone. `blank`: another page of its site, without the script.

    A browser gives a page half a second to hear of it, and then ends it, unheard or with what it sent still on the way.
    Where the machine was slower than that nothing can be claimed about the page.
    """
    context = page.context
    began = time.monotonic()
    async with page.expect_event("close"):
        await page.close(run_before_unload=True)
    took_s = time.monotonic() - began
    witness = await context.new_page()
    await witness.goto(blank)
    heard = await witness.evaluate("localStorage.heard")
    await witness.close()
    if not heard or took_s >= CLOSING_S:
        pytest.skip("the browser ended the page before it could do what it does when it is closed")
