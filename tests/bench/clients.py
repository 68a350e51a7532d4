"""The load of the collector's benches: keep-alive connections that wait for an answer before they ask again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from servers import Server

Ask = Callable[[], bytes]
"""The next request."""


@dataclass
class Round:
    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


class Client(asyncio.Protocol):
    """One connection. `idle` is told when an answer is in, and how long it took."""

    def __init__(self, idle: Callable[[Client, float], None]) -> None:
        self._idle = idle
        self._left = -1  # bytes of the answer's body still to come; below 0: its head is
        self._head = b""
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def ask(self, request: bytes, due: float | None = None) -> None:
        """`due`: when it should have been sent, if that was earlier."""
        self._began = time.perf_counter() if due is None else due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            head, end, body = (self._head + data).partition(b"\r\n\r\n")
            if not end:
                self._head = head
                return
            self._head = b""
            if head[9:12] not in (b"204", b"200", b"304"):
                self.lost.set_exception(AssertionError(head[:300]))
                self.transport.close()
                return
            length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            self._left = int(length or 0) - len(body) if head[9:12] == b"200" else 0
        else:
            self._left -= len(data)
        if self._left == 0:
            self._left = -1
            self._idle(self, time.perf_counter() - self._began)

    def connection_lost(self, _) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


async def without_pause(server: Server, ask: Ask, connections: int, seconds: float) -> Round:
    """Every connection asks again at once."""
    took: list[float] = []
    stopping = False

    def again(client: Client, answer_s: float) -> None:
        took.append(answer_s)
        if stopping:
            client.transport.close()
        else:
            client.ask(ask())

    clients = await connected(server, connections, again)
    cpu, began = server.cpu_s(), time.perf_counter()
    for client in clients:
        client.ask(ask())
    await asyncio.sleep(seconds)
    stopping = True
    await asyncio.gather(*(client.lost for client in clients))
    return _round(took, time.perf_counter() - began, server.cpu_s() - cpu)


async def at_rate(server: Server, ask: Ask, connections: int, seconds: float, per_second: float) -> Round:
    """Requests fall due evenly; an answer's time counts from then, so that waiting for a free connection counts."""
    took: list[float] = []
    free: list[Client] = []
    due: list[float] = []

    def idle(client: Client, answer_s: float) -> None:
        took.append(answer_s)
        if due:
            client.ask(ask(), due.pop(0))
        else:
            free.append(client)

    free += await connected(server, connections, idle)
    every = list(free)
    cpu, began = server.cpu_s(), time.perf_counter()
    for number in itertools.count():
        moment = began + number / per_second
        if moment > began + seconds:
            break
        if (wait := moment - time.perf_counter()) > 0.0005:
            await asyncio.sleep(wait)
        if free:
            free.pop().ask(ask(), moment)
        else:
            due.append(moment)
    while len(free) < len(every):
        await asyncio.sleep(0.01)
    used = server.cpu_s() - cpu
    for client in every:
        client.transport.close()
    return _round(took, time.perf_counter() - began, used)


async def connected(server: Server, count: int, idle: Callable[[Client, float], None]) -> list[Client]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(lambda: Client(idle), "127.0.0.1", server.port))[1] for _ in range(count)]


def _round(took: list[float], wall_s: float, cpu_s: float) -> Round:
    took.sort()
    count = len(took)
    return Round(count / wall_s, cpu_s / count * 1e6, took[count // 2] * 1e3, took[count * 99 // 100] * 1e3)


def in_turn(requests: list[tuple[bytes, bytes]], numbers: Iterator[int]) -> Ask:
    """`requests`: what stands before and after the event id, which is new each time, and made as the tracker makes it
    (a UUIDv7, which begins with the time): ids of another kind cost the log's index more."""
    endless = itertools.cycle(requests)

    def ask() -> bytes:
        before, after = next(endless)
        now_ms = time.time_ns() // 1_000_000
        return b"%b%08x-%04x-7000-8000-%012x%b" % (before, now_ms >> 16, now_ms & 0xFFFF, next(numbers), after)

    return ask
