"""Whatever bytes come to the public listener, on whichever route: no 5xx, no traceback, no long log line, and it lives."""

import asyncio

import pytest
import structlog
from hypothesis import HealthCheck, given, settings

from proxy.collector.express import ExpressRunner
from tests.any_bytes import is_fine, requests, thrown


@pytest.fixture
def runner():
    return ExpressRunner


async def test_no_bytes_upset_a_route(start):
    site, loop = await start("limits: {site_per_s: null}"), asyncio.get_running_loop()
    address = (site.client.host, site.client.port)
    paths = sorted({route.resource.canonical for route in site.client.app.router.routes() if route.resource})

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(data=requests(paths))
    def try_it(data):
        answer = asyncio.run_coroutine_threadsafe(thrown(address, data), loop).result(60)
        assert is_fine(answer), (data, answer)

    with structlog.testing.capture_logs() as lines:
        await asyncio.to_thread(try_it)
    assert all(len(str(line)) < 1_000 for line in lines)
    assert (await site.client.get("/healthz")).status == 200
