"""Keeps one place filled: a child that ends by itself is replaced, sooner the first time and ever later in a row.

Says so once when it begins to happen again and again, and once when it is over; never touches another place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from proxy.observe.logs import get_logger
from proxy.observe.metrics import process_restarts
from proxy.supervise.process import Process

STEADY_S = 30.0
"""A child that lived this long has begun well: what happens to it next is a new story."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 30.0

Start = Callable[[], Coroutine[Any, Any, Process]]

_log = get_logger("serve")


def pause_s(deaths: int) -> float:
    """Before the next start. `deaths`: early ones in a row, the last included (from 1)."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(deaths - 1, 30))


class Keeper:
    """`process` is the child of now, prepared when handed in."""

    def __init__(
        self,
        process: Process,
        start: Start,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        steady_s: float = STEADY_S,
    ) -> None:
        self.process, self.role = process, process.role
        self._start, self._sleep, self._steady_s = start, sleep, steady_s
        self._deaths = 0
        self._keeping: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[Process] | None = None

    def go(self) -> None:
        self.process.go()
        self.keep()

    def keep(self) -> None:
        """As `go`, for a child that is going already."""
        self._keeping = asyncio.create_task(self._keep(), name=f"keeper of a {self.role}")

    async def leave(self, linger_s: float, deadline_s: float) -> None:
        """The child ends and is not replaced."""
        await self.let_go()
        await self.process.leave(linger_s, deadline_s)

    async def let_go(self) -> None:
        """The child is not replaced any more, and otherwise left alone."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._starting is not None:
            with suppress(OSError):
                self.process = await self._starting  # it may have been on its way just now

    def hurry(self) -> None:
        self.process.hurry()

    async def _keep(self) -> None:
        while True:
            await self._watch()
            process_restarts.labels(self.role).inc()
            self._deaths += 1
            if self._deaths == 1:
                _log.warning("process ended", role=self.role, status=self.process.status)
            elif self._deaths == 2:  # noqa: PLR2004 - the second in a row makes it a loop
                _log.error("process keeps ending", role=self.role, status=self.process.status)
            await self._sleep(pause_s(self._deaths))
            self._starting = asyncio.create_task(self._start())
            try:
                self.process = await asyncio.shield(self._starting)
            except OSError:  # the machine has no process or memory to give: one more early death
                continue
            if await self.process.prepared():
                self.process.go()

    async def _watch(self) -> None:
        """Until the child has ended."""
        try:
            await asyncio.wait_for(self.process.ended.wait(), self._steady_s)
        except TimeoutError:
            if self._deaths > 1:
                _log.info("process runs again", role=self.role)
            self._deaths = 0
            await self.process.ended.wait()
