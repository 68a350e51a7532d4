"""`POST /e` without aiohttp's Request, Response, routing and tasks: the express lane.

A connection hands the lane a chunk of bytes. Is it one whole request as browsers and proxies usually write it
(`heads.py`), it goes to the same `Events` the ordinary route uses, and the answer is the same bytes. Anything else, in
any detail, goes to aiohttp untouched; so the lane never refuses, never repairs and never guesses. All of
tests/collector runs through both.

It must not mistake the middle of a request for its beginning. Hence it looks at a chunk only when aiohttp has had
nothing of this connection yet, or waits for a next request (what came before is answered, bodies included) and the
bytes it got last ended with an empty line (so it holds no half of a head). After a request in several pieces a
connection therefore stays with aiohttp until it brings one without a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from aiohttp import web

from proxy.clock import system_clock
from proxy.collector.answers import Answer, Reply, RequestRefusal
from proxy.collector.bad_http import HEAD_MAX, HEAD_TOO_LARGE, unreadable
from proxy.collector.door import DOOR, FULL, Door
from proxy.collector.events import MAX_BODY, Events, Later
from proxy.collector.heads import OWN, Heads
from proxy.observe.metrics import requests_refused

_END = b"\r\n\r\n"

A = TypeVar("A")


class Lane:
    """Where the lane leads: which requests it takes, and who answers them."""

    def __init__(self, path: str, events: Events, client_ip_header: str | None = None) -> None:
        own = OWN if client_ip_header is None else (*OWN, client_ip_header)
        self.heads = Heads(f"POST {path} HTTP/1.1\r\n".encode(), events.manner, own)
        self.events = events


LANE = web.AppKey("lane", Lane)
"""Set by an application that has one."""


class ExpressRunner(web.AppRunner):
    """`web.AppRunner`, whose connections use the application's lane and come through its door, if it has them."""

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self.app.get(LANE), self.app.get(DOOR))


class _Server(web.Server):
    def __init__(self, ordinary: web.Server, lane: Lane | None, door: Door | None) -> None:
        super().__init__(
            ordinary.request_handler,
            request_factory=ordinary.request_factory,
            handler_cancellation=ordinary.handler_cancellation,
            **ordinary._kwargs,  # noqa: SLF001 - what the application wants of its connections
        )
        self._lane, self._door = lane, door

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._lane, self._door, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """aiohttp's connection with the lane beside it. Uses what aiohttp keeps to itself (`_waiter`, `_messages`, …);
    tests/collector/test_express.py fails when that changes."""

    __slots__ = ("_door", "_held", "_ip", "_lane", "_left_off", "_under_way", "unfinished")

    def __init__(self, manager: web.Server, lane: Lane | None, door: Door | None, **handling: Any) -> None:
        super().__init__(manager, **handling)
        self._lane = lane
        self._door = door
        self._ip: str | None = None
        self.unfinished = 0
        """Bytes of a request head that aiohttp has, and that goes on."""
        self._left_off: bytes | None = None  # how the bytes ended that aiohttp got last; None: it has had none
        self._under_way: asyncio.Future[Any] | None = None
        self._held = b""  # came while a request of the lane is under way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._ip = peer[0] if isinstance(peer, tuple) else None
        if self._door is None or self._door.enter(self._ip):
            super().connection_made(transport)
            return
        self._door = None
        self._send_away(cast("asyncio.Transport", transport), FULL)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._door is not None:
            self._door.leave(self._ip)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._under_way is not None:
            if not self._held and self.transport is not None:
                self.transport.pause_reading()
            self._held += data
        elif not (self._is_idle() and self._take(data)):
            if data:
                self._left_off = data[-len(_END) :]
            super().data_received(data)
            self._measure_head(len(data))

    def _measure_head(self, size: int) -> None:
        """aiohttp bounds every line of a head and their number, which makes 4 MB: too much for thousands of them."""
        waiter = self._waiter
        self.unfinished = self.unfinished + size if waiter is not None and not waiter.done() else 0
        if self.unfinished > HEAD_MAX and self.transport is not None:
            requests_refused.labels(RequestRefusal.BAD_HTTP).inc()
            self._send_away(self.transport, HEAD_TOO_LARGE)

    def _send_away(self, transport: asyncio.Transport, answer: Answer) -> None:
        """Closes without having read a request; nothing more of this connection is looked at."""
        self._force_close = True
        transport.write(answer.reply(system_clock()).wire())
        transport.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        return unreadable(super().handle_error(request, status, exc, message).status)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        if self._under_way is not None:
            await asyncio.wait([self._under_way], timeout=timeout)
        await super().shutdown(timeout)

    def _is_idle(self) -> bool:
        """Does aiohttp wait for the first byte of a request, and would treat it as any other?"""
        manager = self._manager
        if manager is None or self._close or self._force_close or self._request_handler is not manager.request_handler:
            return False  # the last case: somebody wants to see what this connection brings, on a reload say
        if self._left_off is None:
            return True
        waiter = self._waiter
        is_waiting = waiter is not None and not waiter.done() and not self._messages and not self._upgraded
        return is_waiting and self._left_off == _END

    def _take(self, data: bytes) -> bool:
        lane = self._lane
        if lane is None or (answer := self._guarded(lane.events, partial(self._answer, lane, data))) is None:
            return False
        self._request_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if isinstance(answer, Later):
            self._under_way = answer.storing.known
            self._under_way.add_done_callback(partial(self._settled, lane.events, answer))
        else:
            self._send(answer)
        return True

    def _answer(self, lane: Lane, data: bytes) -> Reply | Later | None:
        usual = lane.heads.read(data, MAX_BODY)
        if usual is None:
            return None
        events, scheme = lane.events, "http" if self.ssl_context is None else "https"
        admitted = events.admit(usual.headers, self._ip, scheme, usual.told)
        if isinstance(admitted, Reply):
            return admitted
        return None if events.recalls(admitted[0]) else events.take(*admitted, usual.body)

    def _settled(self, events: Events, later: Later, _: asyncio.Future[int]) -> None:
        self._under_way = None
        self._send(self._guarded(events, later.reply))

    def _guarded(self, events: Events, answer: Callable[[], A]) -> A | Reply:
        try:
            return answer()
        except Exception as error:  # noqa: BLE001 - a supervisor loop: what goes wrong ends here, as in aiohttp
            self.log_exception("Error handling request", exc_info=error)
            return events.fault()

    def _send(self, reply: Reply) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(reply.wire())
        if self._close or not reply.keep_alive:
            self.transport.close()
        elif self._paused:  # who sends and does not read must not fill our memory
            self._under_way = self._loop.create_task(self._drain_helper())
            self._under_way.add_done_callback(self._drained)
        else:
            self._go_on()

    def _drained(self, drained: asyncio.Future[Any]) -> None:
        self._under_way = None
        if not drained.cancelled() and drained.exception() is None:
            self._go_on()

    def _go_on(self) -> None:
        """To what has come meanwhile."""
        if self._held and self.transport is not None and not self.transport.is_closing():
            held, self._held = self._held, b""
            self.transport.resume_reading()
            self.data_received(held)
