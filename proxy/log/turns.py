"""A writing connection that waits for its turn in the kernel instead of polling for SQLite's write lock.

SQLite lets a second writer sleep 1, 2, 5, 10 … 100 ms between two looks at the lock, while transactions here last well
under one. With two processes under full load, turns at a lock file beside the log gave 0.98 to 1.46 times the events
(median 1.16) for the same CPU and a p99 of 3-9 instead of 10-24 ms, in six interleaved runs of the last part of
`tests/bench/log_append.py`. It only orders those who take part: what keeps transactions apart is still SQLite's own
lock, so other programs, and file systems without `flock`, merely wait the old way.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

PATIENCE_S = 5.0  # a turn that comes later than this is refused: whoever asked for it may have given up

T = TypeVar("T")


class TurnTaking(sqlite3.Connection):
    """Use `at(lock_file)` as `factory`. Every transaction, single statements included, is one turn."""

    _lock: int

    @classmethod
    def at(cls, lock_file: Path) -> Callable[..., sqlite3.Connection]:
        """`lock_file` is made where there is none; it stays empty. Not the log itself: closing a second handle on it
        would drop SQLite's locks."""

        def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            lock = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                connection = cls(*args, **kwargs)
            except BaseException:
                os.close(lock)
                raise
            connection._lock = lock
            return connection

        return connect

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self._in_turn(lambda: super(TurnTaking, self).execute(sql, parameters))

    def rollback(self) -> None:
        self._in_turn(super().rollback)

    def close(self) -> None:
        super().close()
        os.close(self._lock)

    def _in_turn(self, act: Callable[[], T]) -> T:
        asked_s = time.monotonic()
        if not self.in_transaction:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if time.monotonic() - asked_s > PATIENCE_S:
                raise sqlite3.OperationalError("database is locked")  # as SQLite says after its own patience
            return act()
        finally:
            if not self.in_transaction:
                with suppress(OSError):
                    fcntl.flock(self._lock, fcntl.LOCK_UN)
