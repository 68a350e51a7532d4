"""Sockets and the applications behind them, kept apart so that one can outlive the other.

A listening socket is bound once and handed to whoever serves: the application before and after a reload, in this
process or in several. All of them accept from the same queue, so a connection that waits there is nobody's: it is
taken by whoever is free, and lost with no one who stops or is killed (docs/decisions/0004-one-socket-for-all.md).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from aiohttp import web

from proxy.collector.bad_http import HEADER_MAX, server_logger
from proxy.collector.express import ExpressRunner
from proxy.collector.patience import PATIENCE, Patience, close_stuck
from proxy.errors import ConfigError, Fault

ANSWER_S = 10.0
"""On stopping: how long requests under way may take."""
LINGER_S = 75.0
"""On a reload: how long the old application keeps answering connections it has. As long as they may be idle anyhow, so
that none is closed under a request that is just being sent."""
IN_A_ROW_S = 5.0
"""What the next reload leaves of that: busy connections move on within milliseconds, only idle ones need the time."""
BACKLOG = 1024
_LOOK_S = 0.05

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def bind(host: str, port: int, section: str) -> list[socket.socket]:
    """Listening sockets, one for each address of `host`. `ConfigError` about `section`.host or .port when taken."""
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            one = socket.socket(family, kind, protocol)
            found.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError as error:
        close(found)
        raise _cannot_listen(error, host, port, section) from None
    return found


def close(sockets: Sequence[socket.socket]) -> None:
    for one in sockets:
        one.close()


def url(host: str, sockets: Sequence[socket.socket]) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{sockets[0].getsockname()[1]}"


class Listener:
    """One application, for as long as it is served. The sockets stay open: their owner closes them."""

    def __init__(self, app: web.Application, name: str) -> None:
        self._runner = ExpressRunner(
            app, access_log=None, logger=server_logger(), shutdown_timeout=ANSWER_S, max_field_size=HEADER_MAX
        )
        self._name = name
        self._hurry = asyncio.Event()
        self._patience: asyncio.Task[NoReturn] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        await self._runner.setup()
        for one in sockets:
            await web.SockSite(self._runner, one.dup(), backlog=BACKLOG).start()
        patience = self._runner.app.get(PATIENCE, Patience())
        self._patience = asyncio.create_task(close_stuck(self._server, patience), name=f"{self._name} patience")

    async def stop_accepting(self) -> None:
        """Whoever connects from now on is somebody else's."""
        for site in list(self._runner.sites):
            await site.stop()

    def leave(self, linger_s: float) -> asyncio.Task[None]:
        """Accepts nothing more; what is under way is answered. For `linger_s` idle connections stay open, each for one
        last request, whose answer asks the client to come back on a new connection."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(linger_s), name=f"{self._name} leaves")
        return self._leaving

    async def stop(self) -> None:
        """Leave without lingering (any longer); returns when that is done."""
        self._hurry.set()
        await self.leave(0)

    async def _leave(self, linger_s: float) -> None:
        await self.stop_accepting()
        if linger_s > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._linger(), linger_s)
        if self._patience is not None:
            self._patience.cancel()
            with suppress(asyncio.CancelledError):
                await self._patience
        await self._runner.cleanup()

    @property
    def _server(self) -> web.Server:
        assert self._runner.server is not None
        return self._runner.server

    async def _linger(self) -> None:
        last = _last_answer(self._server.request_handler)
        await asyncio.sleep(_LOOK_S)  # what was accepted a moment ago becomes a connection
        while (connections := self._server.connections) and not self._hurry.is_set():
            for connection in connections:
                # Nothing public says "one more request"; `close` drops what the client is just sending.
                connection._request_handler = last  # noqa: SLF001 - a test fails when it is gone
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _LOOK_S)


def _last_answer(handler: _Handler) -> _Handler:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = await handler(request)
        response.force_close()
        return response

    return answer


def _cannot_listen(error: OSError, host: str, port: int, section: str) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        words, advice = f"port {port} of {host} is in use", f"stop what uses it, or choose another {section}.port"
        return ConfigError([Fault((section, "port"), words, advice)])
    reason = (os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM):
        advice = "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one"
        return ConfigError([Fault((section, "port"), f"listening on {host}:{port}: {reason}", advice)])
    advice = "0.0.0.0 means every address of this machine"
    return ConfigError([Fault((section, "host"), f"listening on {host}:{port}: {reason}", advice)])
