"""The script and the real collector, over its limit: events wait, and every one arrives."""

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from proxy.collector.app import make_app
from proxy.collector.express import ExpressRunner
from proxy.config.load import read
from proxy.log.memory import MemoryLog
from proxy.privacy.keys import Keyring, generate_key
from tests.chromium import NOW_MS, stop_clock
from tests.tracker.conftest import GRANT

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

NAMES = ["add_to_cart", "initiate_checkout", "purchase"]


class Collector:
    """On a clock that the test sets; `port` is where it listens."""

    def __init__(self):
        self.now_ms = NOW_MS
        self.log = MemoryLog(lambda: self.now_ms)
        self.port = 0

    async def names(self):
        return [entry.event.name for entry in (await self.log.read("test", 100)).entries]


@pytest_asyncio.fixture(loop_scope="session")
async def collector(site):
    collector = Collector()
    text = f"site: {{origins: ['{site.url('').rstrip('/')}']}}\nlimits: {{site_per_s: 1, site_burst: 2}}\nbots: {{action: keep}}"
    config = await asyncio.to_thread(read, text, Path("config.yaml"), {})
    keys = Keyring.parse(generate_key())
    app = await asyncio.to_thread(make_app, config, collector.log, keys, lambda: collector.now_ms)
    runner = ExpressRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.port = runner.addresses[0][1]
    yield collector
    await runner.cleanup()


async def test_what_is_over_the_limit_arrives_later_once_and_in_order(site, page, collector):
    site.pages["/"] = site.page(GRANT, src=f"http://t.shop.example:{collector.port}/tracker.js")
    statuses = []
    page.on("response", lambda answer: statuses.append(answer.status) if answer.request.method == "POST" else None)
    await stop_clock(page)
    await page.goto(site.url("/"))
    for name in NAMES:  # the first goes with the view: that empties the bucket
        await page.evaluate("name => firsthand('track', name)", name)
        await page.clock.run_for(100)

    async def arrived():
        await page.clock.run_for(500)
        if 429 in statuses:  # not before: it would refill the bucket
            collector.now_ms += 500
        return len(await collector.names()) > len(NAMES)

    await site.until(arrived)
    assert 429 in statuses
    assert await collector.names() == ["page_view", *NAMES]
