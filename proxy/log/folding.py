"""Folding the -wal file into the main one beside the writing, not inside a commit.

SQLite by itself folds within whichever commit crosses a limit: everybody whose event is in that group, or gathers
behind it, waits for 16 MB to be copied and synced (docs/performance.md has the figures). Here a connection of its own
copies nearly all of it while the writer goes on. What was written meanwhile is left for a turn of the writer's, because
the file begins anew only when nothing in it is left to fold. SQLite's limit stays, four times as high (`database.py`):
what goes wrong here is made up for there.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiosqlite

from proxy.errors import ConfigError, LogUnavailable
from proxy.log import database

PAGES = 4_000  # 16 MB: how much is written before it is folded
_LITTLE = 400  # pages the writer may be kept busy with
_ROUNDS = 4  # beside a disk that is no faster than the writer it would never end

Turn = Callable[[Callable[[sqlite3.Connection], object]], Awaitable[object]]
"""Runs a job between two groups, outside a transaction."""


class Folding:
    def __init__(self, path: Path, turn: Turn) -> None:
        self._path = path
        self._turn = turn
        self._folded = 0  # pages written when it began last
        self._connection: aiosqlite.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    def wrote(self, pages: int) -> None:
        """About that many by now, since the start; what the file really holds is seen when it is folded."""
        if pages - self._folded >= PAGES and (self._task is None or self._task.done()):
            self._folded = pages
            self._task = asyncio.create_task(self._fold(), name="log folding")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._connection is not None:
            await self._connection.close()

    async def _fold(self) -> None:
        with suppress(sqlite3.Error, LogUnavailable, ConfigError):
            if self._connection is None:
                self._connection = await database.reading(self._path)
            for _ in range(_ROUNDS):
                ((_, pages, folded),) = await self._connection.execute_fetchall(_SQL)
                if pages - folded <= _LITTLE:
                    break
            await self._turn(lambda writer: writer.execute(_SQL).fetchone())


# Passive: as far as readers allow, and without waiting for anybody. The file is synced before, the main one after.
_SQL = "PRAGMA wal_checkpoint(PASSIVE)"
