"""Connections that never send a request are closed. aiohttp bounds the pause between two requests, not the wait for the
first: without this, anybody could hold every file descriptor by opening connections and saying nothing, or little."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from aiohttp import web

FIRST_REQUEST_S = 20.0
"""How long a new connection may take to bring its first request head."""


async def close_silent(server: web.Server, patience_s: float = FIRST_REQUEST_S) -> NoReturn:
    """Runs beside `server` until cancelled."""
    loop = asyncio.get_running_loop()
    since: dict[web.RequestHandler, float] = {}
    while True:
        await asyncio.sleep(patience_s / 4)
        now = loop.time()
        silent = [connection for connection in server.connections if _is_silent(connection)]
        since = {connection: since.get(connection, now) for connection in silent}
        for connection, first_seen in since.items():
            if now - first_seen >= patience_s:
                connection.force_close()


def _is_silent(connection: web.RequestHandler) -> bool:
    return connection._request_count == 0  # noqa: SLF001 - nothing public tells; a test fails when it is gone
