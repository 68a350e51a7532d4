"""`POST /e` without aiohttp's Request, Response, routing and tasks: the express lane.

A connection hands the lane a chunk of bytes. Is it one whole request as browsers and proxies usually write it (`read`),
it goes to the same `Events` the ordinary route uses, and the answer is the same bytes. Anything else, in any detail,
goes to aiohttp untouched; so the lane never refuses, never repairs and never guesses. All of tests/collector runs
through both.

It must not mistake the middle of a request for its beginning. Hence it looks at a chunk only when aiohttp has had
nothing of this connection yet, or waits for a next request (what came before is answered, bodies included) and the
bytes it got last ended with an empty line (so it holds no half of a head). After a request in several pieces a
connection therefore stays with aiohttp until it brings one without a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from proxy.collector.answers import Reply
from proxy.collector.bad_http import unreadable
from proxy.collector.events import MAX_BODY, Events, Later

_LONGEST_HEAD = 8_000  # characters; a longer head is rare, and read by aiohttp
_MOST_HEADERS = 60
_UNUSUAL = frozenset(
    {"transfer-encoding", "content-encoding", "expect", "upgrade", "sec-websocket-key1", "trailer", "te"}
)
_PRINTABLE = bytes(range(32, 127))
_END = b"\r\n\r\n"

A = TypeVar("A")


class Lane(msgspec.Struct, frozen=True):
    """Where the lane leads: which requests it takes, and who answers them."""

    first_line: bytes  # with its line end
    events: Events

    @classmethod
    def to(cls, path: str, events: Events) -> Lane:
        return cls(f"POST {path} HTTP/1.1\r\n".encode(), events)


LANE = web.AppKey("lane", Lane)
"""Set by an application that has one."""


class ExpressRunner(web.AppRunner):
    """`web.AppRunner`, whose connections use the application's lane, if it has one."""

    async def _make_server(self) -> web.Server:
        server, lane = await super()._make_server(), self.app.get(LANE)
        return server if lane is None else _Server(server, lane)


class _Server(web.Server):
    def __init__(self, ordinary: web.Server, lane: Lane) -> None:
        super().__init__(
            ordinary.request_handler,
            request_factory=ordinary.request_factory,
            handler_cancellation=ordinary.handler_cancellation,
            **ordinary._kwargs,  # noqa: SLF001 - what the application wants of its connections
        )
        self._lane = lane

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._lane, loop=self._loop, **self._kwargs)


class Lines:
    """The headers of a usual request: plain ASCII, each name once."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, str]) -> None:
        """`fields` by lower-case name."""
        self._fields = fields

    def get(self, key: str, /) -> str | None:
        return self._fields.get(key.lower())

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]:
        value = self._fields.get(key.lower())
        return default if value is None else (value,)


class Usual(msgspec.Struct, frozen=True):
    headers: Lines
    body: bytes


def read(chunk: bytes, first_line: bytes) -> Usual | None:
    """The one whole usual request that `chunk` is. None: something else, or perhaps something else."""
    if not chunk.startswith(first_line):
        return None
    end = chunk.find(_END, len(first_line), _LONGEST_HEAD)
    if end < 0:
        return None
    head = chunk[len(first_line) : end]
    lines = head.decode("latin-1").split("\r\n")
    if head.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        return None
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        fields[name.lower()] = value.strip(" ")
    body = chunk[end + len(_END) :]
    if (
        len(fields) != len(lines)  # a name came twice
        or len(lines) > _MOST_HEADERS
        or "" in fields
        or not "".join(fields).replace("-", "").isalnum()
        or "host" not in fields
        or not _UNUSUAL.isdisjoint(fields)
        or fields.get("connection", "keep-alive") != "keep-alive"
        or fields.get("content-length") != str(len(body))
        or not 0 < len(body) <= MAX_BODY
    ):
        return None
    return Usual(Lines(fields), body)


class Connection(web.RequestHandler):
    """aiohttp's connection with the lane beside it. Uses what aiohttp keeps to itself (`_waiter`, `_messages`, …);
    tests/collector/test_express.py fails when that changes."""

    __slots__ = ("_held", "_lane", "_left_off", "_under_way")

    def __init__(self, manager: web.Server, lane: Lane, **handling: Any) -> None:
        super().__init__(manager, **handling)
        self._lane = lane
        self._left_off: bytes | None = None  # how the bytes ended that aiohttp got last; None: it has had none
        self._under_way: asyncio.Future[int] | None = None
        self._held = b""  # came while a request of the lane is under way

    def data_received(self, data: bytes) -> None:
        if self._under_way is not None:
            if not self._held and self.transport is not None:
                self.transport.pause_reading()
            self._held += data
        elif not (self._is_idle() and self._take(data)):
            if data:
                self._left_off = data[-len(_END) :]
            super().data_received(data)

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
        usual = read(data, self._lane.first_line)
        if usual is None:
            return False
        self._request_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        answer = self._guarded(partial(self._answer, usual))
        if isinstance(answer, Later):
            self._under_way = answer.storing.known
            self._under_way.add_done_callback(partial(self._settled, answer))
        else:
            self._send(answer)
        return True

    def _answer(self, usual: Usual) -> Reply | Later:
        events, peer, scheme = self._lane.events, self.peername, "http" if self.ssl_context is None else "https"
        admitted = events.admit(usual.headers, peer[0] if isinstance(peer, tuple) else None, scheme)
        return admitted if isinstance(admitted, Reply) else events.take(*admitted, usual.body)

    def _settled(self, later: Later, _: asyncio.Future[int]) -> None:
        self._under_way = None
        self._send(self._guarded(later.reply))

    def _guarded(self, answer: Callable[[], A]) -> A | Reply:
        try:
            return answer()
        except Exception as error:  # noqa: BLE001 - a supervisor loop: what goes wrong ends here, as in aiohttp
            self.log_exception("Error handling request", exc_info=error)
            return self._lane.events.fault()

    def _send(self, reply: Reply) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(reply.wire())
        if self._close or not reply.keep_alive:
            self.transport.close()
        elif self._held:
            held, self._held = self._held, b""
            self.transport.resume_reading()
            self.data_received(held)
