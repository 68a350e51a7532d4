"""What goes wrong below the handlers: counted, or one line without the visitor's data."""

import asyncio

import structlog
from aiohttp import web

from proxy.collector.bad_http import server_logger


async def served(handler):
    """An application behind our logger on a free port."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None, logger=server_logger())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def exchange(runner, request):
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_noise_from_the_internet_is_counted_and_not_logged(count):
    async def never(_):
        raise AssertionError

    noise = count("requests_refused", reason="bad_http")
    runner = await served(never)
    with structlog.testing.capture_logs() as lines:
        answer = await exchange(runner, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
    await runner.cleanup()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert (noise(), lines) == (1, [])


async def test_a_fault_of_ours_is_one_line_with_its_kind_and_place_but_not_its_text():
    async def broken(_):
        raise RuntimeError("ann@example.com")

    runner = await served(broken)
    with structlog.testing.capture_logs() as lines:
        answer = await exchange(runner, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await runner.cleanup()
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"ann@" not in answer
    (line,) = lines
    assert (line["event"], line["fault"]) == ("request failed", "RuntimeError")
    assert "test_bad_http.py:" in line["place"]
    assert "ann@" not in str(line)
