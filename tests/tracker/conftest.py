"""A real Chromium, a small site and a stand-in for the collector: what the script meets in the wild.

The site is `www.shop.example`, the collector `t.shop.example` (another origin, the same site); both are one loopback
server, reached through the browser's own host mapping. The stand-in follows a script of replies and remembers every
request; it knows nothing of the real collector, so these tests are about the script alone. It is the minified script
where there is a build (`make test` makes one); `test_forms.py` holds that the source behaves the same.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from proxy.collector.compose import compose, told as settings_of
from proxy.config.modules import Module
from proxy.config.tracker import TrackerSettings
from tests.chromium import Answers, until

CHROMIUM = Path("/usr/bin/chromium")
LAUNCH_ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-blink-features=AutomationControlled"
).split()
STUB = "window.firsthand=window.firsthand||function(){(firsthand.q=firsthand.q||[]).push(arguments)}"
GRANT = "firsthand('consent', {marketing: true, analytics: true})"


@dataclass
class Request:
    method: str
    headers: dict[str, str]
    body: str
    status: int

    @property
    def envelope(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def by_beacon(self) -> bool:
        return self.headers.get("Content-Type") == "text/plain"  # fetch adds a charset

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event with what it inherits from its envelope."""
        shared = {key: value for key, value in self.envelope.items() if key != "events"}
        return [{**shared, **event} for event in self.envelope["events"]]


@dataclass
class Site:
    """The loopback server behind both hosts. A test writes pages, settings and replies, then looks at `requests`."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # of every page
    settings: dict[str, Any] = field(default_factory=dict)  # baked into the script
    modules: dict[Module, dict[str, Any]] = field(default_factory=dict)  # composed into it, with these settings
    build: bool = True
    replies: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)  # then 204 for ever
    open: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: answers wait
    requests: list[Request] = field(default_factory=list)
    default: dict[str, str] = field(default_factory=dict)  # what `/consent` says counts before a decision
    asked: list[dict[str, str]] = field(default_factory=list)  # headers of requests for that
    answers: Answers | None = None  # of the profile that the fixtures opened

    def url(self, path: str = "/", host: str = "www.shop.example") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The events of all requests that were answered with success, in order of arrival."""
        return [event for request in self.requests if request.status < 300 for event in request.events]

    @property
    def names(self) -> list[str]:
        return [event["name"] for event in self.accepted]

    async def until(self, claim: Callable[[], bool | Awaitable[bool]]) -> None:
        """Waits until `claim()` holds."""
        await until(claim, lambda: [(request.status, request.body[:200]) for request in self.requests])

    async def until_names(self, *names: str) -> None:
        """Waits until exactly these events have been answered."""
        await self.until(lambda: sorted(self.names) == sorted(names))

    async def until_read(self, *names: str) -> None:
        """Waits until exactly these events have been answered and the page knows: it may be left, time may go on."""
        await self.until_names(*names)
        await self.until(lambda: self.answers.read >= sum(not request.by_beacon for request in self.requests))

    async def until_in_time(self, page: Page, claim: Callable[[], bool]) -> None:
        """Waits until `claim()` holds, and lets a second pass on the page each time it does not."""

        async def look() -> bool:
            if not claim():
                await page.clock.run_for(1000)
            return claim()

        await self.until(look)

    def page(self, before: str = "", *, src: str | None = None, attributes: str = "async") -> str:
        """A page with the stub, some inline script, and the tracker."""
        src = src or self.url("/tracker.js", "t.shop.example")
        return (
            f"<!doctype html><title>Shop</title><script>{STUB};{before}</script>"
            f'<script {attributes} src="{src}"></script><h1>Shop</h1><a href="/other">on</a>'
        )

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/e":
            return await self.collect(request)
        if request.path == "/consent":
            self.asked.append(dict(request.headers))
            await self.open.wait()
            allowed = {"Access-Control-Allow-Origin": request.headers.get("Origin", "null")}
            return web.json_response({"default": self.default}, headers=allowed)
        if request.path == "/tracker.js":
            settings = {
                "events": "/e",
                "global": "firsthand",
                "pageViews": True,
                "retryQueue": True,
                "gpc": {"sale": "denied"},
                "consent": {"marketing": "denied", "analytics": "denied", "personalization": "denied"},
            } | self.settings
            modules = {module: settings_of(TrackerSettings(), module) | given for module, given in self.modules.items()}
            text = compose(settings, modules, build=self.build)
            return web.Response(text=text, content_type="text/javascript", headers={"Cache-Control": "no-cache"})
        if request.path == "/favicon.ico":
            return web.Response(status=404)
        html = self.pages.get(request.path, self.pages.get("*", self.page()))
        return web.Response(text=html, content_type="text/html", headers=self.headers)

    async def collect(self, request: web.Request) -> web.Response:
        body = await request.text()
        await self.open.wait()
        status, headers = self.replies.popleft() if self.replies else (204, {})
        origin = {
            "Access-Control-Allow-Origin": request.headers.get("Origin", "null"),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
            "Set-Cookie": "_fh=visitor; Path=/; HttpOnly; SameSite=Lax",
        }
        self.requests.append(Request(request.method, dict(request.headers), body, status))
        return web.Response(status=status, headers=origin | headers)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*LAUNCH_ARGS, "--host-resolver-rules=MAP *.example 127.0.0.1"],
            # Without it a page gone back to is always loaded anew, and a restored one cannot be tested.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    site = Site()
    site.open.set()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", site.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.port = runner.addresses[0][1]
    yield site
    site.open.set()
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, site: Site) -> AsyncIterator[BrowserContext]:
    """A fresh profile. No test may end with an error that reached a page's `window.onerror`."""
    context = await browser.new_context()
    site.answers = Answers(context)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    await context.close()
    unexpected = [error for error in errors if not re.search("the page's own", error)]
    assert unexpected == []


@pytest.fixture
def told(site: Site, page: Page) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """Opens the site's page and runs a script on it; the events that made, without page views.

    The page has to grant consent. A last event of ours says when the others have arrived; `until`: one that takes longer.
    """

    async def run(script: str, path: str = "/", until: str = "page_view") -> list[dict[str, Any]]:
        await page.goto(site.url(path))
        await page.wait_for_function("!!firsthand.track")
        await page.evaluate(script)
        await site.until(lambda: until in site.names)
        await page.evaluate("firsthand('track', 'contact')")
        await site.until(lambda: "contact" in site.names)
        return [event for event in site.accepted if event["name"] not in ("page_view", "contact")]

    return run


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()
