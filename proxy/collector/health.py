"""`/healthz`: the process answers. `/readyz`: it can do its work, so a balancer may send visitors here."""

from __future__ import annotations

from aiohttp import web

from proxy.clock import Clock
from proxy.collector.answers import failure, success
from proxy.collector.store import Store

_ALIVE = success({"status": "ok"})


class Health:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def alive(self, _: web.Request) -> web.StreamResponse:
        return _ALIVE.reply(self._clock())

    async def ready(self, _: web.Request) -> web.StreamResponse:
        """503 while the event log takes nothing. Why it does not is in the log lines and on the operator's listener:
        this answer is public."""
        if await self._store.trouble():
            return failure(503, "the event log takes nothing now", b"Retry-After: 5\r\n").reply(self._clock())
        return _ALIVE.reply(self._clock())
