"""How much the log may hold (`log.max_bytes`), and what happens when it does (`log.when_full`).

Refusing is the default: nothing old goes silently, and whoever sends is told to come back. The other two delete the
oldest events, a bounded piece with every group that is stored, until there is a little room again; each deletion is
counted, and said in the log when it begins and then once an hour.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from proxy.clock import Clock
from proxy.config.settings import LogSettings
from proxy.errors import LogUnavailable
from proxy.log import upkeep
from proxy.log.base import Purged
from proxy.log.sealing import Row
from proxy.observe import metrics
from proxy.observe.logs import get_logger

LOOK_EVERY = 0.01  # of the permitted size may be written between two looks at the size
_SAID_EVERY_MS = 3_600_000

USED_BYTES = """
SELECT (pages.page_count - free.freelist_count) * size.page_size
FROM pragma_page_count pages, pragma_freelist_count free, pragma_page_size size
"""

_log = get_logger("log")


class Room:
    def __init__(self, path: Path, settings: LogSettings, clock: Clock) -> None:
        self.readers: Collection[str] | None = None
        """Whose undelivered events `drop_delivered` keeps; None: of every name that has a place in the log."""
        self._path, self._clock = path, clock
        self._most, self._policy = settings.max_bytes, settings.when_full
        self._unmeasured = self._most or 0  # bytes since the last look at the size
        self._dropped = Purged()  # since it was last said
        self._said_ms: int | None = None

    def check(
        self,
        database: sqlite3.Connection,
        rows: Sequence[Row],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Before `rows` are stored; no transaction is open. `LogUnavailable` when they may not be."""
        if self._most is None:
            return
        self._unmeasured += sum(len(row.body) for row in rows)
        if self._unmeasured < self._most * LOOK_EVERY:
            return
        (used,) = database.execute(USED_BYTES).fetchone()
        if used >= self._most * (1 - LOOK_EVERY) and self._policy != "refuse":
            with transaction():
                dropped = self._drop(database)
            self._tell(dropped)
            if dropped.events:
                return  # and look again with the next group, until there is room
        if used >= self._most:
            raise LogUnavailable(self._reason(used))
        self._unmeasured = 0

    def _drop(self, database: sqlite3.Connection) -> Purged:
        if self._policy == "drop_oldest":
            return upkeep.drop_oldest(database)
        return upkeep.drop_delivered(database, self.readers)

    def _tell(self, dropped: Purged) -> None:
        if not dropped.events:
            return
        metrics.log_dropped.inc(dropped.events)
        for reader, count in dropped.undelivered.items():
            metrics.log_dropped_undelivered.labels(reader).inc(count)
        lost = {
            name: self._dropped.undelivered.get(name, 0) + dropped.undelivered.get(name, 0)
            for name in {*self._dropped.undelivered, *dropped.undelivered}
        }
        self._dropped = Purged(events=self._dropped.events + dropped.events, undelivered=lost)
        now_ms = self._clock()
        if self._said_ms is None or not 0 <= now_ms - self._said_ms < _SAID_EVERY_MS:
            self._said_ms = now_ms
            _log.warning("log is full, the oldest events go", events=self._dropped.events, undelivered=lost)
            self._dropped = Purged()

    def _reason(self, used: int) -> str:
        still = "" if self._policy == "refuse" else "nothing in it is delivered everywhere, "
        return (
            f"{self._path} holds {used} bytes and log.max_bytes is {self._most}: {still}raise it or shorten "
            "log.retention_days; `firsthand status` shows which destination is behind"
        )
