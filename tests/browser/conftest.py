"""Real pages in a real Chromium against the real collector and relay: `firsthand serve` with one stand-in platform.

Everything is started once for the whole folder. Each test is kept apart by a browser profile of its own and by pages on
a host of its own (p1.shop.example, p2.shop.example, …): what belongs to it is found by its page URLs. Between browser
and `serve` stands the site's own reverse proxy (tests/e2e/edge.py), which counts, holds and replaces answers.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.event import Event
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from proxy.sandbox.base import TOKEN
from proxy.sandbox.server import Sandbox
from tests.chromium import Answers, until
from tests.e2e.conftest import ADDRESS, BROWSER, CHROMIUM, FLAGS as PLAIN_FLAGS, listen, serving
from tests.e2e.edge import Edge, Passed
from tests.ports import free_port

CONFIG = """\
site: {{origins: ["http://*.shop.example:{pages}", "http://t.shop.example:{edge}"]}}
bots: {{action: keep}}  # a driven browser is one
listen: {{host: 127.0.0.1, port: {port}, trusted_proxies: [127.0.0.1/32]}}
admin: {{port: null}}
data: data
keys: ${{KEYS}}
tracker: {{modules: [banners, gpp], banners: {{names: [cookiebot]}}}}
relay: {{wait_s: 0.05, backoff_max_s: 1}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, base_url: "{sandbox}"}}
rules:
  - {{name: everything, send_to: [meta]}}
"""
STUB = "window.firsthand=window.firsthand||function(){(firsthand.q=firsthand.q||[]).push(arguments)}"
GRANT = "firsthand('consent', {marketing: true, analytics: true})"
FLAGS = [
    *PLAIN_FLAGS,
    # For the whole browser: an agent set per page is not that of a beacon its page did not outlive.
    f"--user-agent={BROWSER}",
    # The pages count as secure, as those of a shop over https would.
    "--unsafely-treat-insecure-origin-as-secure=*.shop.example",
]


@dataclass
class World:
    """What runs for all tests of the folder."""

    browser: Browser
    playwright: Playwright
    edge: Edge
    sandbox: Sandbox
    folder: Path
    keyring: Keyring
    pages_port: int
    edge_port: int
    sandbox_port: int
    count: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    pages: dict[str, dict[str, str]] = field(default_factory=dict)  # by host: html by path
    headers: dict[str, dict[str, str]] = field(default_factory=dict)  # by host
    asked: dict[str, list[str]] = field(default_factory=dict)  # by host: paths with their queries

    async def page_of(self, request: web.Request) -> web.Response:
        name = request.host.partition(":")[0]
        self.asked.setdefault(name, []).append(request.path_qs)
        pages = self.pages.get(name, {})
        html = pages.get(request.path, pages.get("*", ""))
        headers = {"Cache-Control": "max-age=60", **self.headers.get(name, {})}
        return web.Response(text=html, content_type="text/html", headers=headers)


@dataclass
class Site:
    """One test's pages on one host, and what became of their events."""

    world: World
    name: str
    answers: Answers | None = None  # of the profile that the fixtures opened

    def __post_init__(self) -> None:
        self.host = f"{self.name}.shop.example"
        self.proxy = f"http://t.shop.example:{self.world.edge_port}"
        self.pages = self.world.pages.setdefault(self.host, {})
        self.headers = self.world.headers.setdefault(self.host, {})
        self.pages["*"] = self.page(GRANT)
        self.pages["/blank"] = "<!doctype html><title>elsewhere</title>"

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.world.pages_port}{path}"

    def page(self, before: str = "", *, head: str = "", after: str = "") -> str:
        """A page with the stub, some inline script, and the tracker; `after`: script that runs after the tracker."""
        return (
            f"<!doctype html><title>Shop</title>{head}<script>{STUB};{before}</script>"
            f'<script src="{self.proxy}/tracker.js"></script><script>{after}</script><h1>Shop</h1><a href="/other">on</a>'
        )

    @property
    def asked(self) -> list[str]:
        """What browsers asked of this host."""
        return self.world.asked.get(self.host, [])

    @property
    def passed(self) -> list[Passed]:
        """Requests of this test's pages at the site's reverse proxy, preflights included."""
        mine = f"http://{self.host}:{self.world.pages_port}"
        return [request for request in self.world.edge.passed if request.headers.get("Origin") == mine]

    @property
    def posts(self) -> list[Passed]:
        return [request for request in self.passed if request.method == "POST"]

    @property
    def relayed(self) -> list[dict[str, Any]]:
        """What the stand-in accepted of these pages' events, in order of arrival."""
        records = self.world.sandbox.received()["records"]
        assert not [record["faults"] for record in records if "faults" in record]
        rows = [record["row"] for record in records]
        return [row for row in rows if row["event_source_url"].startswith(self.url())]

    @property
    def names(self) -> list[str]:
        return [row["event_name"] for row in self.relayed]

    async def until(self, claim: Callable[[], Any]) -> None:
        """Waits until `claim()` holds."""
        await until(claim, lambda: ([(p.status, p.body[:300]) for p in self.posts], self.names))

    async def until_read(self, *requests: list[str]) -> None:
        """Waits until exactly these requests (the names of their events) were answered, and until the pages know it."""

        def read() -> bool:
            posts = self.posts
            answered = [post.events for post in posts if post.status] == list(requests)
            return answered and self.answers.read >= sum(not post.by_beacon for post in posts)

        await self.until(read)

    async def until_relayed(self, *names: str) -> list[dict[str, Any]]:
        """Waits for exactly these events (by Meta's names, in any order)."""
        await self.until(lambda: len(self.names) >= len(names))
        assert sorted(self.names) == sorted(names)
        return self.relayed

    async def logged(self) -> list[Event]:
        """What the event log holds of these pages."""
        log = await SqliteLog.open(self.world.folder / "data", self.world.keyring, LogSettings(), system_clock)
        try:
            batch = await log.read("witness", 100_000)
        finally:
            await log.close()
        events = [entry.event for entry in batch.entries]
        return [event for event in events if (event.page.url or "").startswith(self.url())]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    if CHROMIUM is None:
        pytest.fail("no Chromium found; `make test` installs it")
    folder = tmp_path_factory.mktemp("browser")
    pages_port, edge_port, port, sandbox_port = (free_port() for _ in range(4))
    config, key, sandbox, edge = folder / "config.yaml", generate_key(), Sandbox(), Edge(port, ADDRESS)
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    config.write_text(CONFIG.format(pages=pages_port, edge=edge_port, port=port, token=TOKEN, sandbox=sandbox_url))
    pages = web.Application()
    async with AsyncExitStack() as stack:

        async def serve(app: web.Application, at: int) -> None:
            stack.push_async_callback((await listen(app, at)).cleanup)

        await serve(edge.make_app(), edge_port)
        await serve(sandbox.make_app(), sandbox_port)
        await stack.enter_async_context(serving(config, port, key))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=FLAGS,
            # Without it a page gone back to is always loaded anew, and a restored one cannot be tested.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        stack.push_async_callback(browser.close)
        world = World(
            browser, playwright, edge, sandbox, folder, Keyring.parse(key), pages_port, edge_port, sandbox_port
        )
        pages.router.add_get("/{path:.*}", world.page_of)
        await serve(pages, pages_port)
        yield world


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    yield Site(world, f"p{next(world.count)}")
    world.edge.flow()
    world.edge.instead.clear()


@pytest_asyncio.fixture(loop_scope="session")
async def context(world: World, site: Site) -> AsyncIterator[BrowserContext]:
    """A fresh profile. No test may end with an error that reached a page's `window.onerror`."""
    context = await world.browser.new_context(locale="en-US")
    site.answers = Answers(context)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    await context.close()
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


async def jar(context: BrowserContext) -> dict[str, dict[str, Any]]:
    return {cookie["name"]: dict(cookie) for cookie in await context.cookies()}
