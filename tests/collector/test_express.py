"""The express lane: that it is taken, that it is left in doubt, and that nobody can tell from outside.

(Every other test of this folder that starts a collector runs through the lane too, see `runner` in conftest.py.)
"""

import asyncio
import json
from collections import Counter

import pytest
import structlog

from proxy.collector.bad_http import server_logger
from proxy.collector.events import Events
from proxy.collector.express import Connection, ExpressRunner
from proxy.collector.reception import Reception

ORIGIN = "https://www.shop.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
FIRST = b"POST /e HTTP/1.1\r\n"


def body(number=1, **more):
    return json.dumps({"id": f"e-{number}", "name": "lead", "consent": {"marketing": "granted"}, **more}).encode()


def request(content, *lines, first=FIRST, length=None):
    head = [f"Host: t.shop.example\r\nOrigin: {ORIGIN}\r\nUser-Agent: {AGENT}".encode(), *lines]
    head.append(b"Content-Length: %d" % (len(content) if length is None else length))
    return first + b"\r\n".join(head) + b"\r\n\r\n" + content


@pytest.fixture
def runner():
    return ExpressRunner


@pytest.fixture
def no_ordinary_way(monkeypatch):
    async def never(*_):
        raise AssertionError

    monkeypatch.setattr(Events, "post", never)


@pytest.fixture
def ordinary(monkeypatch):
    """How many requests went to aiohttp."""
    seen = []
    post = Events.post

    async def counted(self, request):
        seen.append(request)
        return await post(self, request)

    monkeypatch.setattr(Events, "post", counted)
    return seen


@pytest.fixture
def heard(monkeypatch):
    """How many bytes the server has been given, by who sent them."""
    counts = Counter()
    received, go_on = Connection.data_received, Connection._go_on

    def counted(connection, data):
        counts[connection.transport.get_extra_info("peername")] += len(data)
        received(connection, data)

    def once_each(connection):
        if connection.transport is not None:
            counts[connection.transport.get_extra_info("peername")] -= len(connection._held)  # it is given them again
        go_on(connection)

    monkeypatch.setattr(Connection, "data_received", counted)
    monkeypatch.setattr(Connection, "_go_on", once_each)
    return counts


class Wire:
    """One connection, to write what we like when we like."""

    def __init__(self, reader, writer, heard):
        self.reader, self.writer = reader, writer
        self.heard, self.sent = heard, 0

    async def send(self, *chunks, unread=False):
        """Each by itself: the next when the server has been given the last, or cannot be (`unread`)."""
        me = self.writer.get_extra_info("sockname")
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()
            self.sent += len(chunk)
            async with asyncio.timeout(30):
                while not unread and self.heard[me] < self.sent and not self.reader.at_eof():
                    await asyncio.sleep(0)
            for _ in range(20):  # the server shares this loop: it has done what it can by then
                await asyncio.sleep(0)

    async def head(self):
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)

    async def answers(self, count):
        return [(await self.head()).partition(b"\r\n")[0] for _ in range(count)]

    async def rest(self):
        return await asyncio.wait_for(self.reader.read(), 30)


@pytest.fixture
async def dial(heard):
    wires = []

    async def connect(site):
        wires.append(Wire(*await asyncio.open_connection(site.client.host, site.client.port), heard))
        return wires[-1]

    yield connect
    for wire in wires:
        wire.writer.close()


OK = b"HTTP/1.1 204 No Content"


# Over a socket


async def test_usual_requests_never_reach_aiohttp(start, dial, stored, no_ordinary_way):
    wire = await dial(await start())
    for number in range(3):
        await wire.send(request(body(number)))
        assert await wire.answers(1) == [OK]
    assert [event.id for event in await stored()] == ["e-0", "e-1", "e-2"]


async def test_the_answer_is_the_same_to_the_byte(start, dial):
    site = await start()
    express, slow = await dial(site), await dial(site)
    for content in (body(), b"{", b'[{"name": 1}]'):
        await express.send(request(content))
        await slow.send(request(content)[:40], request(content)[40:])
        lanes = [await wire.head() for wire in (express, slow)]
        one, other = [b"\r\n".join(line for line in head.split(b"\r\n") if b"Set-Cookie" not in line) for head in lanes]
        assert one == other
        length = int(one.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
        assert await express.reader.readexactly(length) == await slow.reader.readexactly(length)


async def test_however_it_is_cut_it_is_answered_once(start, dial, stored):
    site = await start()
    whole = request(body())
    for cut in range(1, len(whole), 7):
        wire = await dial(site)
        await wire.send(whole[:cut], whole[cut:])
        assert await wire.answers(1) == [OK]
        await wire.send(whole)
        assert await wire.answers(1) == [OK]
    assert {event.id for event in await stored()} == {"e-1"}


async def test_a_body_that_looks_like_a_request_stays_a_body(start, dial, stored):
    inner = request(body(666))
    content = body(1, custom={"a": "b"})[:-1] + b', "x": "\r\n\r\n'  # the first piece ends with an empty line
    wire = await dial(await start())
    await wire.send(request(content, length=len(content) + len(inner)))
    await wire.send(inner)
    assert (await wire.head()).startswith(b"HTTP/1.1 400")
    assert await stored() == []


async def test_half_a_head_is_finished_before_anything_else(start, dial, stored):
    wire = await dial(await start())
    await wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Half: ", request(body(666)))
    assert b"HTTP/1.1 400" in await wire.rest() or await stored() == []
    assert await stored() == []


async def test_a_request_without_a_body_brings_a_connection_back(start, dial, ordinary):
    wire = await dial(await start())
    whole = request(body())
    await wire.send(whole[:50], whole[50:])
    await wire.head()
    await wire.send(whole)
    await wire.head()
    assert len(ordinary) == 2
    await wire.send(b"GET /n.gif HTTP/1.1\r\nHost: t.shop.example\r\n\r\n")
    await wire.head()
    await wire.reader.readexactly(43)
    await wire.send(whole)
    await wire.head()
    assert len(ordinary) == 2


class HeldLog:
    """Stores nothing before it may."""

    def is_erased(self, visitor):
        return False

    def __init__(self):
        self.may, self.asked = asyncio.Event(), asyncio.Event()

    async def append(self, events, proofs=(), refusals=()):
        self.asked.set()
        await self.may.wait()
        return len(events)


async def test_pipelined_requests_wait_their_turn(start, dial):
    log = HeldLog()
    wire = await dial(await start(the_log=log))
    await wire.send(request(body(1)), request(body(2)))
    await wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", unread=True)
    log.may.set()
    assert await wire.answers(3) == [OK, OK, b"HTTP/1.1 200 OK"]


async def test_what_comes_meanwhile_is_not_read_without_bound(start, dial):
    log = HeldLog()
    site = await start(the_log=log)
    wire = await dial(site)
    await wire.send(request(body(1)), request(body(2)))
    (connection,) = site.client.server.runner.server.connections
    assert not connection.transport.is_reading()
    log.may.set()
    assert await wire.answers(2) == [OK, OK]
    assert connection.transport.is_reading()


async def test_while_nobody_takes_the_answer_nothing_more_is_read(start, dial):
    site = await start()
    wire = await dial(site)
    await wire.send(request(body()))
    assert await wire.answers(1) == [OK]
    (connection,) = await connections(site)
    connection.pause_writing()  # as the transport says when its buffer is full
    await wire.send(request(body(2)), request(body(3)))
    assert await wire.answers(1) == [OK]
    assert connection._under_way is not None
    assert not connection.transport.is_reading()
    connection.resume_writing()
    assert await wire.answers(1) == [OK]
    assert connection.transport.is_reading()


async def test_stopping_waits_for_the_answer_under_way(start, dial):
    log = HeldLog()
    site = await start(the_log=log)
    wire = await dial(site)
    await wire.send(request(body()))
    await log.asked.wait()
    stopping = asyncio.create_task(site.client.server.runner.cleanup())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not stopping.done()
    log.may.set()
    assert (await wire.rest()).startswith(OK)
    await stopping


async def test_a_client_that_goes_away_does_not_lose_its_event(start, dial, log, stored):
    class Slow(HeldLog):
        async def append(self, events, proofs=(), refusals=()):
            await super().append(events, proofs, refusals)
            count = await log.append(events)
            done.set()
            return count

    slow, done = Slow(), asyncio.Event()
    wire = await dial(await start(the_log=slow))
    await wire.send(request(body()))
    await slow.asked.wait()
    wire.writer.transport.abort()
    slow.may.set()
    await asyncio.wait_for(done.wait(), 30)
    assert [event.id for event in await stored()] == ["e-1"]


async def test_a_connection_given_another_handler_leaves_the_lane(start, dial, ordinary):
    site = await start()
    wire = await dial(site)
    await wire.send(request(body()))
    await wire.head()
    (connection,) = site.client.server.runner.server.connections
    handler = connection._request_handler

    async def last(request):
        response = await handler(request)
        response.force_close()
        return response

    connection._request_handler = last
    await wire.send(request(body()))
    assert b"Connection: close" in await wire.rest()
    assert len(ordinary) == 1


async def test_a_fault_of_ours_is_500_logged_without_its_text_and_closes(start, dial, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("ann@example.com")

    site = await start()
    monkeypatch.setattr(Reception, "browser", broken)
    wire = await dial(site)
    (connection,) = await connections(site)
    connection.logger = server_logger()
    with structlog.testing.capture_logs() as lines:
        await wire.send(request(body()))
        answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"Connection: close" in answer
    assert b"ann@" not in answer
    (line,) = lines
    assert (line["event"], line["fault"]) == ("request failed", "RuntimeError")
    assert "ann@" not in str(line)


async def connections(site):
    server = site.client.server.runner.server
    async with asyncio.timeout(30):
        while not server.connections:
            await asyncio.sleep(0)
    return server.connections


async def test_a_connection_in_the_lane_is_not_called_silent(start, dial):
    site = await start()
    wire = await dial(site)
    await wire.send(request(body()))
    await wire.head()
    assert [connection._request_count for connection in await connections(site)] == [1]
