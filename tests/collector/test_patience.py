"""Connections that do not get on, and too many of them: each is closed, and those that work go on."""

import asyncio
import socket

import pytest
import structlog

from proxy.collector.app import make_app
from proxy.collector.bad_http import HEAD_MAX
from proxy.collector.door import Door
from proxy.listening import Listener, bind, close
from tests.collector.conftest import ORIGIN, configuration

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = f"POST /e HTTP/1.1\r\nHost: t.shop.example\r\nOrigin: {ORIGIN}\r\nContent-Length: 50\r\n".encode()
EVENT = POST.replace(b"50", b"2") + b"\r\n{}"
OK = b"HTTP/1.1 200"
QUICK = "head_s: 0.1"


class Wire:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    async def answer(self):
        """The head of the next answer (empty: there was none); its body is read too."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)
        except (ConnectionResetError, asyncio.IncompleteReadError):
            return b""
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
        await self.reader.readexactly(length)
        return head

    async def rest(self):
        """All that comes until it is closed."""
        try:
            return await asyncio.wait_for(self.reader.read(), 30)
        except ConnectionResetError:
            return b""


async def served(dial):
    """A connection that has had an answer. On a busy machine one may be taken for silent before it has spoken."""
    while True:
        wire = await dial()
        wire.send(REQUEST)
        if (await wire.answer()).startswith(OK):
            return wire


@pytest.fixture
async def listen(log, keyring):
    """`dial = await listen("head_s: 1")`, then `wire = await dial()`."""
    listeners, bound, wires = [], [], []

    def made(limits):
        return make_app(configuration(f"limits: {{{limits}}}"), log, keyring)

    async def listening(limits):
        listeners.append(Listener(await asyncio.to_thread(made, limits), "listen"))
        bound.append(bind("127.0.0.1", 0, "listen"))
        bound[-1][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # soon full when nobody reads
        await listeners[-1].start(bound[-1])
        address = bound[-1][0].getsockname()

        async def dial():
            wires.append(Wire(*await asyncio.open_connection(*address)))
            return wires[-1]

        return dial

    listening.connections = lambda: [one for listener in listeners for one in listener._server.connections]
    yield listening
    for wire in wires:
        wire.writer.transport.abort()
    for listener in listeners:
        await listener.stop()
    for sockets in bound:
        close(sockets)


async def test_a_connection_that_says_nothing_is_closed(listen):
    dial = await listen(QUICK)
    assert await (await dial()).rest() == b""


async def test_a_head_that_does_not_end_is_closed(listen):
    wire = await (await listen(QUICK))()
    wire.send(REQUEST[:-10])
    assert await wire.rest() == b""


async def test_nor_does_the_head_of_a_later_request_take_for_ever(listen):
    wire = await served(await listen("head_s: 0.1, idle_s: 75"))
    wire.send(REQUEST[:-10])
    assert await wire.rest() == b""


async def test_a_drop_now_and_then_is_not_enough(listen):
    """Slowloris: a header line each time the patience seems to end."""
    wire = await (await listen("head_s: 0.2"))()
    wire.send(REQUEST[:-2])

    async def drip():
        while True:
            wire.send(b"X-Slow: 1\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await wire.rest() == b""
    dripping.cancel()
    await asyncio.wait([dripping])


async def test_a_body_that_does_not_come_is_answered_400(listen, count):
    refused = count("requests_refused", reason="incomplete")
    wire = await (await listen("body_s: 0.1"))()
    wire.send(POST + b'\r\n{"name": "lea')
    assert (await wire.answer()).startswith(b"HTTP/1.1 400")
    assert refused() == 1


async def test_a_connection_is_idle_only_so_long(listen):
    wire = await served(await listen("idle_s: 0.2"))
    assert await wire.rest() == b""


async def test_one_that_works_is_left_alone(listen):
    wire = await served(await listen("head_s: 0.05, body_s: 0.05, idle_s: 75"))
    for _ in range(8):
        await asyncio.sleep(0.02)
        wire.send(REQUEST)
        assert (await wire.answer()).startswith(OK)


@pytest.mark.parametrize("request_", [REQUEST.replace(b"healthz", b"tracker.js"), EVENT], ids=["script", "events"])
async def test_who_sends_and_does_not_read_is_not_answered_without_end_and_then_closed(listen, request_):
    wire = await (await listen("body_s: 0.8, site_per_s: null"))()
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.writer.transport.pause_reading()
    waiting = []

    async def send():
        while True:
            wire.send(request_)
            await wire.writer.drain()
            for _ in range(10):  # the server shares this loop: let it see this request by itself
                await asyncio.sleep(0)

    async def watch():
        while connections := listen.connections():
            waiting.extend(one.transport.get_write_buffer_size() for one in connections if one.transport)
            await asyncio.sleep(0.01)

    wire.send(request_)
    while not listen.connections():
        await asyncio.sleep(0)
    sending = asyncio.create_task(send())
    await asyncio.wait_for(watch(), 30)
    assert 0 < max(waiting) < 100_000
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_head_has_a_greatest_size(listen, count):
    refused = count("requests_refused", reason="bad_http")
    wire = await (await listen("head_s: 20"))()
    wire.send(REQUEST[:-2] + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8_000) for n in range(HEAD_MAX // 8_000 + 2)))
    answer = await wire.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")  # a reset may overtake it
    assert refused() == 1


@pytest.mark.parametrize(
    "head",
    [
        REQUEST.replace(b"/healthz", b"/" + b"a" * 9_000),
        REQUEST[:-2] + b"X: " + b"a" * 33_000 + b"\r\n\r\n",
        REQUEST[:-2] + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    ],
    ids=["address", "line", "lines"],
)
async def test_so_have_its_parts(listen, count, head):
    refused = count("requests_refused", reason="bad_http")
    wire = await (await listen("head_s: 20"))()
    wire.send(head)
    assert (await wire.answer()).startswith(b"HTTP/1.1 400")
    assert refused() == 1


async def test_more_connections_than_allowed_are_told_so(listen, count):
    refused = count("requests_refused", reason="connections")
    dial = await listen("connections: 10")
    wires = [await dial() for _ in range(10)]
    for wire in wires:
        wire.send(REQUEST)
        assert (await wire.answer()).startswith(OK)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            answer = await (await dial()).rest()
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: 5" in answer
    assert refused() == 3
    assert [(line["event"], line["reason"]) for line in lines] == [("too many connections", "connections")]
    wires[0].writer.close()
    for _ in range(100):
        wire = await dial()
        wire.send(REQUEST)
        if (await wire.answer()).startswith(OK):
            break
    else:
        pytest.fail("a place that was free again was not given")


def test_one_address_has_a_share_of_them_and_proxies_have_none():
    door = Door(100, 3)
    assert [door.enter("203.0.113.7") for _ in range(4)] == [True, True, True, False]
    assert door.enter("203.0.113.8")
    assert all(door.enter("10.0.0.1") for _ in range(20))
    door.leave("203.0.113.7")
    assert door.enter("203.0.113.7")
    assert not door.enter("203.0.113.7")
    household = [door.enter(f"2001:db8:1:2::{n}") for n in range(4)]
    assert household == [True, True, True, False]


def test_what_has_left_is_forgotten():
    door = Door(100, 3)
    for n in range(1_000):
        door.enter(f"198.51.100.{n % 250}")
        door.leave(f"198.51.100.{n % 250}")
    assert not door._by_address
    assert door._open == 0
