"""Connections that do not get on are closed. aiohttp bounds the pause between two requests, and the handlers the wait
for a body; without this, anybody could hold every connection by saying nothing, or little, or by not listening."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import NoReturn

import msgspec
from aiohttp import web


class Patience(msgspec.Struct, frozen=True):
    """How long what may take."""

    head_s: float = 20.0  # from the first byte of a request head, or from the connection, to its last
    answer_s: float = 20.0  # until the other end has taken an answer


PATIENCE = web.AppKey("patience", Patience)
"""Set by an application that has its own."""


class _Wait(Enum):
    HEAD = auto()
    ANSWER = auto()


async def close_stuck(server: web.Server, patience: Patience) -> NoReturn:
    """Runs beside `server` until cancelled."""
    loop = asyncio.get_running_loop()
    longest_s = {_Wait.HEAD: patience.head_s, _Wait.ANSWER: patience.answer_s}
    since: dict[web.RequestHandler, tuple[_Wait, float]] = {}
    while True:
        await asyncio.sleep(min(longest_s.values()) / 4)
        now = loop.time()
        before, since = since, {}
        for connection in server.connections:
            wait = _wait_of(connection)
            if wait is None:
                continue
            was = before.get(connection)
            since[connection] = was if was is not None and was[0] is wait else (wait, now)
            if now - since[connection][1] >= longest_s[wait] and connection.transport is not None:
                connection.transport.abort()  # `close` would wait for what nobody takes


def _wait_of(connection: web.RequestHandler) -> _Wait | None:
    transport = connection.transport
    if transport is not None and transport.get_write_buffer_size():
        return _Wait.ANSWER
    # Nothing public tells the first; a test fails when it is gone. The second is our own connection's.
    is_new = connection._request_count == 0  # noqa: SLF001
    return _Wait.HEAD if is_new or getattr(connection, "unfinished", False) else None
