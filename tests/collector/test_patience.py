"""A connection that says nothing does not stay; one that works does."""

import asyncio

from aiohttp import web

from proxy.collector.patience import close_silent

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_only_connections_without_a_request_are_closed():
    async def answer(_):
        return web.Response(text="x")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    watching = asyncio.create_task(close_silent(runner.server, 0.04))

    silent, silent_writer = await asyncio.open_connection(*runner.addresses[0])
    slow, slow_writer = await asyncio.open_connection(*runner.addresses[0])
    slow_writer.write(REQUEST[:-10])
    working, working_writer = await asyncio.open_connection(*runner.addresses[0])
    working_writer.write(REQUEST)
    assert (await working.readuntil(b"\r\n\r\nx")).startswith(b"HTTP/1.1 200")

    assert await asyncio.wait_for(silent.read(), 10) == b""
    assert await asyncio.wait_for(slow.read(), 10) == b""
    working_writer.write(REQUEST)
    assert (await working.readuntil(b"\r\n\r\nx")).startswith(b"HTTP/1.1 200")

    watching.cancel()
    for writer in (silent_writer, slow_writer, working_writer):
        writer.close()
    await runner.cleanup()
