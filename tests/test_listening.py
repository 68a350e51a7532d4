"""One socket, several applications: whoever leaves takes nothing along."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web

from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.config.load import read
from proxy.listening import Listener, bind, close, url
from proxy.log.memory import MemoryLog
from proxy.privacy.keys import Keyring, generate_key


def app_that_says(word):
    async def say(_):
        return web.Response(text=word)

    app = web.Application()
    app.router.add_get("/", say)
    return app


@pytest.fixture
def sockets():
    bound = bind("127.0.0.1", 0, "listen")
    yield bound
    close(bound)


async def test_a_kept_connection_gets_one_more_answer_that_ends_it(sockets):
    old, new = Listener(app_that_says("old"), "listen"), Listener(app_that_says("new"), "listen")
    address = url("127.0.0.1", sockets)
    await old.start(sockets)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        async with http.get(address) as answer:
            assert await answer.text() == "old"
        await new.start(sockets)
        leaving = old.leave(30)
        while not any(connection._request_handler.__name__ == "answer" for connection in old._server.connections):
            await asyncio.sleep(0)
        async with http.get(address) as answer:
            assert await answer.text() == "old"
            assert answer.headers["Connection"] == "close"
        await leaving  # at once, not after 30 s: nobody is left
        async with http.get(address) as answer:
            assert await answer.text() == "new"
            assert "Connection" not in answer.headers
    await new.stop()


async def test_a_connection_that_says_nothing_more_is_closed_when_there_is_a_hurry(sockets):
    listener = Listener(app_that_says("old"), "listen")
    await listener.start(sockets)
    async with aiohttp.ClientSession() as http, http.get(url("127.0.0.1", sockets)) as answer:
        await answer.text()
        listener.leave(3600)
        await asyncio.wait_for(listener.stop(), 60)
        assert not listener._runner.sites


async def test_a_connection_waits_in_the_queue_for_the_next_application(sockets):
    """Connected while nobody accepts: neither refused nor reset, but answered."""
    old, new = Listener(app_that_says("old"), "listen"), Listener(app_that_says("new"), "listen")
    await old.start(sockets)
    await old.stop()
    reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await new.start(sockets)
    assert (await reader.read()).endswith(b"new")
    writer.close()
    await writer.wait_closed()
    await new.stop()


async def test_a_listener_that_never_began_can_stop():
    await Listener(app_that_says("nothing"), "listen").stop()


def test_every_address_of_a_name_is_bound():
    found = bind("::1", 0, "listen")
    assert [one.family for one in found] == [socket.AF_INET6]
    close(found)


async def test_many_cookies_are_no_offence_and_too_many_are_answered_without_quoting_them(sockets, tmp_path):
    """Sites that set three kilobytes here and there push a visitor over aiohttp's 8 kB; his sale must not be lost."""
    config = await asyncio.to_thread(
        read, "site: {origins: [https://www.shop.example]}\nconsent: {default: granted}", tmp_path / "c.yaml", {}
    )
    app = await asyncio.to_thread(make_app, config, MemoryLog(system_clock), Keyring.parse(generate_key()))
    listener = Listener(app, "public")
    await listener.start(sockets)
    headers = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for size, status in ((30_000, 204), (60_000, 400)):
            cookies = {"Cookie": f"other={'secret' * (size // 6)}"}
            address = url("127.0.0.1", sockets) + "/e"
            async with http.post(address, data=b'{"name": "lead"}', headers=cookies) as reply:
                assert reply.status == status
                assert b"secret" not in await reply.read()
                assert status == 204 or reply.content_type == "application/json"
    await listener.stop()
