"""Stopping in order: what is under way is answered, then the listener is gone."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from proxy.errors import ConfigError
from proxy.serve import _listening


async def test_a_request_under_way_is_answered_while_the_listener_stops():
    asked, durable = asyncio.Event(), asyncio.Event()

    async def slow(_):
        asked.set()
        await durable.wait()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/e", slow)
    stopped = asyncio.Event()
    told_to_stop = asyncio.Event()
    address = asyncio.get_running_loop().create_future()

    async def listen():
        async with _listening(app, "127.0.0.1", 0, "listen") as url:
            address.set_result(url)
            await told_to_stop.wait()
        stopped.set()

    listening = asyncio.create_task(listen())
    url = await address
    async with aiohttp.ClientSession() as http:
        posting = asyncio.create_task(http.post(f"{url}/e", data=b"x"))
        await asked.wait()
        told_to_stop.set()
        for _ in range(20):
            await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.post(f"{url}/e", data=b"x")
        assert not stopped.is_set()
        durable.set()
        answer = await posting
        assert answer.status == 204
    await listening


async def test_a_port_in_use_names_the_key_of_the_configuration():
    async with _listening(web.Application(), "127.0.0.1", 0, "listen") as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"admin.port: port {port} of 127.0.0.1 is in use"):
            async with _listening(web.Application(), "127.0.0.1", port, "admin"):
                pass


async def test_an_ipv6_address_is_written_with_brackets():
    async with _listening(web.Application(), "::1", 0, "listen") as url:
        assert url.startswith("http://[::1]:")
