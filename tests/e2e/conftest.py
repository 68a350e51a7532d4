"""A whole world for a real browser: the demo shop and the stand-ins in this process, `firsthand serve` as its own.

The shop is www.shop.example and the proxy t.shop.example, so cookies get a registrable domain as in production; Chromium
is told that all of it is on this machine.
"""

import asyncio
import os
import shutil
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from proxy.demo import shop
from proxy.privacy.keys import generate_key
from proxy.sandbox.base import TOKEN
from proxy.sandbox.server import Sandbox
from tests.chromium import until
from tests.e2e.edge import Edge
from tests.ports import free_port

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-blink-features=AutomationControlled",  # or it says that it is no person
    "--host-resolver-rules=MAP *.shop.example 127.0.0.1",
]
ADDRESS = "203.0.113.9"
START_S = STOP_S = 90  # only where something is wrong `serve` needs that long to start or to end
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
CONFIG = """\
site: {{origins: ["{shop}"]}}
listen: {{host: 127.0.0.1, port: {port}, trusted_proxies: [127.0.0.1/32]}}
admin: {{port: null}}
data: data
keys: ${{KEYS}}
relay: {{wait_s: 0.1, backoff_max_s: 1}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, base_url: "{sandbox}"}}
  google:
    kind: google_ads
    customer_id: "1234567890"
    conversion_actions: {{purchase: "987654321", lead: "987654322"}}
    client_id: tests.apps.googleusercontent.com
    client_secret: {token}
    refresh_token: {token}
    base_url: "{sandbox}"
  tiktok: {{kind: tiktok, pixel_code: C4PIXELCODE0EXAMPLE0, access_token: {token}, base_url: "{sandbox}"}}
  snapchat: {{kind: snapchat, pixel_id: 3d1f8d6e-3b1c-4a53-9a3e-7a2f1f0c9d11, access_token: {token}, base_url: "{sandbox}"}}
  pinterest: {{kind: pinterest, ad_account_id: "549755885175", access_token: {token}, base_url: "{sandbox}"}}
  ga4: {{kind: ga4, measurement_id: G-TEST12345, api_secret: {token}, base_url: "{sandbox}"}}
  crm: {{kind: webhook, url: "{sandbox}/webhook/crm", secret: {token}, allow_private_addresses: true}}
rules:
  - {{name: shop, when: {{event: [page_view, view_content, add_to_cart, initiate_checkout, purchase, lead]}}, send_to: [meta]}}
  - name: conversions
    when: {{event: [purchase, lead]}}
    send_to: [google, tiktok, snapchat, pinterest, ga4, crm]
"""


@dataclass
class World:
    """`shop`, `proxy` and `platforms` are origins; `sandbox` is what the platforms received."""

    shop: str
    proxy: str
    platforms: str
    sandbox: Sandbox
    folder: Path
    posts: list[str] = field(default_factory=list)

    def rows(self, kind="meta"):
        """Accepted rows in the order they arrived. A refused batch fails the test at once, with its reasons."""
        records = [record for record in self.sandbox.received()["records"] if record["kind"] == kind]
        refused = [record["faults"] for record in records if "faults" in record]
        assert not refused, refused
        return [record["row"] for record in records]

    async def until(self, claim):
        """Waits until `claim()` holds."""
        await until(claim, lambda: [row["event_name"] for row in self.rows()])

    async def until_accepted(self, *names):
        """Waits until events of all these names (Meta's) were accepted; the rows in the order they arrived."""
        await self.until(lambda: {row["event_name"] for row in self.rows()} >= set(names))
        return self.rows()


async def listen(app, port):
    """Serve `app` on this machine until its runner is cleaned up."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def _ready(port, process, log):
    deadline = time.monotonic() + START_S
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            with suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{port}/readyz") as reply:
                    if reply.status == 200:
                        return
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.02)
    raise AssertionError("serve did not get ready: " + log.read_text())


@asynccontextmanager
async def serving(config, port, key):
    """`firsthand serve` with this configuration as a process of its own, once it is ready; its log is beside the file."""
    log = config.with_name("serve.log")
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "proxy", "serve", "--config", str(config)],
            env={**os.environ, "KEYS": key},
            stdout=out,
            stderr=out,
        )
    try:
        await _ready(port, process, log)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


@pytest.fixture
async def world(tmp_path):
    """The running world; everything it started is stopped at the end."""
    shop_port, edge_port, port, sandbox_port = (free_port() for _ in range(4))
    origins = (
        f"http://www.shop.example:{shop_port}",
        f"http://t.shop.example:{edge_port}",
        f"http://127.0.0.1:{sandbox_port}",
    )
    sandbox = Sandbox()
    runners = [
        await listen(shop.make_app(origins[1], origins[2]), shop_port),
        await listen(sandbox.make_app(), sandbox_port),
        await listen(Edge(port, ADDRESS).make_app(), edge_port),
    ]
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(shop=origins[0], port=port, token=TOKEN, sandbox=origins[2]))
    try:
        async with serving(config, port, generate_key()):
            yield World(shop=origins[0], proxy=origins[1], platforms=origins[2], sandbox=sandbox, folder=tmp_path)
    finally:
        for runner in runners:
            await runner.cleanup()


@pytest.fixture
async def browser():
    """The distribution's Chromium, headless."""
    if CHROMIUM is None:
        pytest.fail("no Chromium found; `make test` installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(browser, world):
    """A fresh browser profile of somebody at 203.0.113.9; `world.posts` collects what its pages post to the proxy."""
    context = await browser.new_context(user_agent=BROWSER, locale="en-US")
    context.on("request", lambda request: world.posts.append(request.url) if request.method == "POST" else None)
    yield context
    await context.close()
