"""The one task of a process that writes to the log: whatever waits is stored as one group, in one transaction.

While a group is on its way to the disk the next one gathers, so one fsync pays for all of them and a lone event waits
for nobody. Invariants: a future is resolved only after its rows are on disk, or with `LogUnavailable` and nothing of
its group stored; no future is left waiting; a caller that goes away (cancelled) leaves its rows to be stored. (When a
disk takes longer than `STALL_S` to say whether it stored a group, its senders are refused and it may be stored after
all: they send it again, and it is recognised.)
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite
import msgspec

from proxy.clock import Clock
from proxy.errors import LogUnavailable
from proxy.log.sealing import Row
from proxy.observe.logs import get_logger

GROUP = 256  # events in one transaction: beyond this a group only gets slower to answer
WAITING = 20_000  # events; some 30 MB. More means that the disk has stopped, not that it is slow
STALL_S = 15.0  # then those who wait are refused: more than both waits for a lock (turns.py, database.py) together
_LOOK_EVERY = 0.01  # of the permitted size may be written between two looks at the size

T = TypeVar("T")
Job: TypeAlias = Callable[[aiosqlite.Connection], Awaitable[Any]]

_log = get_logger("log")


class _Append(msgspec.Struct, frozen=True):
    rows: Sequence[Row]
    done: asyncio.Future[int]


class _Task(msgspec.Struct, frozen=True):
    job: Job
    done: asyncio.Future[Any]
    transaction: bool  # False: a single statement is its own


class Committer:
    """Owns the writing connection. `transactions` counts those with events, for tests and figures."""

    def __init__(
        self,
        database: aiosqlite.Connection,
        path: Path,
        clock: Clock,
        *,
        max_bytes: int | None = None,
        stored: Callable[[int], None],
    ) -> None:
        """`stored` is called with the highest sequence number of each group once it is on disk."""
        self.transactions = 0
        self._database = database
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._unmeasured = max_bytes or 0  # bytes since the last look at the size
        self._stored = stored
        self._head = 0  # the last sequence number given here
        self._queue: deque[_Append | _Task] = deque()
        self._waiting = 0  # events in the queue
        self._wake = asyncio.Event()
        self._trouble = ""  # why appends fail now
        self._stalled = ""  # why nothing moves now
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="log committer")

    def append(self, rows: Sequence[Row]) -> asyncio.Future[int]:
        """How many of `rows` were new, once all are on disk."""
        done: asyncio.Future[int] = self._loop.create_future()
        if not rows:
            done.set_result(0)
        elif self._waiting + len(rows) > WAITING and self._waiting:
            _fail(done, LogUnavailable(f"busy: {self._waiting} events wait to be written to {self._path}"))
        else:
            self._enqueue(_Append(rows, done))
        return done

    async def run(self, job: Callable[[aiosqlite.Connection], Awaitable[T]], *, transaction: bool = True) -> T:
        """`job` inside a transaction of its own: what it did is on disk, or undone and its error raised here."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._enqueue(_Task(job, done, transaction))
        return await done

    async def once(self, sql: str, parameters: Sequence[Any]) -> int:
        """A single statement, on disk; how many rows it changed."""

        async def statement(database: aiosqlite.Connection) -> int:
            return (await database.execute(sql, parameters)).rowcount

        return await self.run(statement, transaction=False)

    async def close(self) -> None:
        """Store what waits, then stop. Later calls of `append` and `run` are refused."""
        self._closing = True
        self._wake.set()
        await self._task

    def _enqueue(self, entry: _Append | _Task) -> None:
        if self._closing or self._stalled:
            _fail(entry.done, LogUnavailable(self._stalled or f"{self._path} is closed"))
            return
        if isinstance(entry, _Append):
            self._waiting += len(entry.rows)
        self._queue.append(entry)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._queue or not self._closing:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._next()
        finally:
            self._closing = True  # also when this task was killed: nobody may wait for a task that is no more
            for entry in self._queue:
                _fail(entry.done, LogUnavailable(f"{self._path}: the writer has stopped"))

    async def _next(self) -> None:
        first = self._queue[0]
        group = self._take()
        in_hand: Sequence[_Append | _Task] = group or [first]
        alarm = self._loop.call_later(STALL_S, self._stall, in_hand)
        try:
            if isinstance(first, _Task):
                self._queue.popleft()
                await self._do(first)
            else:
                await self._store(group)
        finally:
            alarm.cancel()
            self._stalled = ""

    def _stall(self, in_hand: Sequence[_Append | _Task]) -> None:
        """Nobody waits for a disk, or another process in the middle of writing, that does not move."""
        self._stalled = f"{self._path}: the disk, or another process that is writing, has not moved for {STALL_S:.0f} s"
        _log.error("log stalled", reason=self._stalled)
        for entry in (*in_hand, *self._queue):
            _fail(entry.done, LogUnavailable(self._stalled))
        self._queue.clear()
        self._waiting = 0

    def _take(self) -> list[_Append]:
        """The next group: whole appends, in order, up to `GROUP` events (or one larger append alone); [] for a task."""
        group: list[_Append] = []
        size = 0
        while self._queue and isinstance(entry := self._queue[0], _Append):
            if group and size + len(entry.rows) > GROUP:
                break
            size += len(entry.rows)
            group.append(entry)
            self._queue.popleft()
        self._waiting -= size
        return group

    async def _store(self, group: list[_Append]) -> None:
        rows = [row for append in group for row in append.rows]
        try:
            await self._settle_down()
            await self._check_room(rows)
            counts = await self._insert_group(group, rows)
        except BaseException as error:  # a supervisor loop: whatever it was, the senders must hear of it
            self._fail_group(group, error)
            if not isinstance(error, Exception):
                raise
            return
        self.transactions += 1
        if self._trouble:
            self._trouble = ""
            _log.info("log takes events again", path=str(self._path))
        self._stored(self._head)
        for append, count in zip(group, counts, strict=True):
            if not append.done.done():
                append.done.set_result(count)

    def _fail_group(self, group: list[_Append], error: BaseException) -> None:
        reason = str(error) if isinstance(error, LogUnavailable) else f"writing {self._path}: {error or 'interrupted'}"
        if not self._trouble:
            _log.error("log takes no events", reason=reason)
        self._trouble = reason
        for append in group:
            _fail(append.done, LogUnavailable(reason))

    async def _insert_group(self, group: list[_Append], rows: Sequence[Row]) -> list[int]:
        if len(rows) <= GROUP:
            try:
                await self._insert(rows)
                return [len(append.rows) for append in group]
            except sqlite3.IntegrityError:  # some were stored before, or stand in this group twice: find out which
                pass
        return await self._transaction(partial(self._insert_new, group))

    async def _insert(self, rows: Sequence[Row]) -> None:
        # One statement for the whole group: a transaction in itself, one trip to the thread, one release of the GIL.
        # CPU in SQLite for groups of 64, no index: 6.2 us an event; executemany 7.8; one blob cut up by json_each 7.4.
        values = chain.from_iterable((row.key, row.visitor, row.body) for row in rows)
        inserted = await self._database.execute_insert(_insert_sql(len(rows)), (self._clock(), *values))
        assert inserted is not None
        self._head = inserted[0]

    async def _insert_new(self, group: list[_Append]) -> list[int]:
        """Inside a transaction: what is not known yet; how many of each append that was."""
        known: set[bytes] = set()
        for keys in _chunks([row.key for append in group for row in append.rows]):
            sql = f"SELECT key FROM event WHERE key IN ({','.join('?' * len(keys))})"  # noqa: S608 - question marks only
            known.update(key for (key,) in await self._database.execute_fetchall(sql, keys))
        new: list[Row] = []
        counts = []
        for append in group:
            before = len(new)
            for row in append.rows:
                if row.key not in known:
                    known.add(row.key)
                    new.append(row)
            counts.append(len(new) - before)
        for rows in _chunks(new):
            await self._insert(rows)
        return counts

    async def _do(self, entry: _Task) -> None:
        try:
            await self._settle_down()
            job = partial(entry.job, self._database)
            result = await (self._transaction(job) if entry.transaction else job())
        except sqlite3.Error as error:
            _fail(entry.done, LogUnavailable(f"writing {self._path}: {error}"))
        except Exception as error:  # noqa: BLE001 - a supervisor loop: a job's fault belongs to whoever asked for it
            _fail(entry.done, error)
        except BaseException:
            _fail(entry.done, LogUnavailable(f"writing {self._path}: interrupted"))
            raise
        else:
            if not entry.done.done():
                entry.done.set_result(result)

    async def _transaction(self, job: Callable[[], Awaitable[T]]) -> T:
        try:
            await self._database.execute_fetchall("BEGIN IMMEDIATE")
            result = await job()
            await self._database.execute_fetchall("COMMIT")
        except BaseException:
            await self._settle_down()
            raise
        return result

    async def _settle_down(self) -> None:
        """No transaction is open, whatever happened before."""
        if self._database.in_transaction:
            await self._database.rollback()

    async def _check_room(self, rows: Sequence[Row]) -> None:
        if self._max_bytes is None:
            return
        self._unmeasured += sum(len(row.body) for row in rows)
        if self._unmeasured < self._max_bytes * _LOOK_EVERY:
            return
        ((used,),) = await self._database.execute_fetchall(_USED_BYTES)
        if used >= self._max_bytes:
            raise LogUnavailable(
                f"{self._path} holds {used} bytes and log.max_bytes is {self._max_bytes}: raise it or shorten "
                "log.retention_days; `firsthand status` shows which destination is behind"
            )
        self._unmeasured = 0


_USED_BYTES = """
SELECT (pages.page_count - free.freelist_count) * size.page_size
FROM pragma_page_count pages, pragma_freelist_count free, pragma_page_size size
"""


@lru_cache(maxsize=GROUP)
def _insert_sql(rows: int) -> str:
    return "INSERT INTO event (stored_at_ms, key, visitor, body) VALUES " + ",".join(["(?1,?,?,?)"] * rows)  # noqa: S608 - question marks only


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + GROUP] for start in range(0, len(items), GROUP))


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
