"""What waits to be written to the log: it gathers here and is stored as one group, in one transaction.

While a group is on its way to the disk (in a thread, one trip for each group) the next one gathers, so one fsync pays
for all of them and a lone event waits for nobody. Invariants: a future is resolved only after its rows are on disk, or
with `LogUnavailable` and nothing of its group stored; no future is left waiting; a caller that goes away (cancelled)
leaves its rows to be stored. (When a disk takes longer than `STALL_S` to say whether it stored a group, its senders are
refused and it may be stored after all: they send it again, and it is recognised.)
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from proxy.errors import LogUnavailable
from proxy.log.folding import Folding
from proxy.log.sealing import ProofRow, RefusalRow, Row
from proxy.log.worker import Worker
from proxy.log.writing import CHUNK, Job, Writing
from proxy.observe.logs import get_logger

WAITING = 20_000  # events; some 30 MB. More means that the disk has stopped, not that it is slow
STALL_S = 15.0  # then those who wait are refused: more than both waits for a lock (turns.py, database.py) together

T = TypeVar("T")

_log = get_logger("log")


class _Append(msgspec.Struct, frozen=True):
    rows: Sequence[Row]
    proofs: Sequence[ProofRow]
    refusals: Sequence[RefusalRow]
    done: asyncio.Future[int]


class _Task(msgspec.Struct, frozen=True):
    job: Job[Any]
    done: asyncio.Future[Any]
    transaction: bool


class Committer:
    """`transactions` counts those with events, for tests and figures."""

    def __init__(self, writing: Writing, path: Path, *, stored: Callable[[int], None]) -> None:
        """`stored` is called with the highest sequence number of each group once it is on disk."""
        self.transactions = 0
        self._writing = writing
        self._path = path
        self._stored = stored
        self._queue: deque[_Append | _Task] = deque()
        self._waiting = 0  # events in the queue
        self._busy = False  # the thread has something to do, or is about to be given it
        self._trouble = ""  # why appends fail now
        self._stalled = ""  # why nothing moves now
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._thread = Worker("log writer")
        self._folding = Folding(path, partial(self.run, transaction=False))

    def append(
        self, rows: Sequence[Row], proofs: Sequence[ProofRow] = (), refusals: Sequence[RefusalRow] = ()
    ) -> asyncio.Future[int]:
        """How many of `rows` were new, once all are on disk, `proofs` and `refusals` too."""
        done: asyncio.Future[int] = self._loop.create_future()
        if not rows and not proofs and not refusals:
            done.set_result(0)
        elif self._waiting + len(rows) > WAITING and self._waiting:
            _fail(done, LogUnavailable(f"busy: {self._waiting} events wait to be written to {self._path}"))
        else:
            self._enqueue(_Append(rows, proofs, refusals, done))
        return done

    async def run(self, job: Job[T], *, transaction: bool = True) -> T:
        """`job` inside a transaction of its own: what it did is on disk, or undone and its error raised here.

        It runs in the writer's thread. Without a `transaction` it must be a single statement."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._enqueue(_Task(job, done, transaction))
        return await done

    async def once(self, sql: str, parameters: Sequence[Any]) -> int:
        """A single statement, on disk; how many rows it changed."""

        def statement(database: sqlite3.Connection) -> int:
            return database.execute(sql, parameters).rowcount

        return await self.run(statement, transaction=False)

    async def close(self) -> None:
        """Store what waits, then close the file. Later calls of `append` and `run` are refused."""
        if not self._closing:
            self._closing = True
            if not self._busy:
                self._finish()
        await asyncio.wait([self._closed])
        await self._folding.close()

    def _finish(self) -> None:
        self._thread.submit(self._writing.close, lambda *_: self._closed.set_result(None))
        self._thread.stop()

    def _enqueue(self, entry: _Append | _Task) -> None:
        if self._closing or self._stalled:
            _fail(entry.done, LogUnavailable(self._stalled or f"{self._path} is closed"))
            return
        if isinstance(entry, _Append):
            self._waiting += len(entry.rows)
        self._queue.append(entry)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)  # not at once: what came together is stored together

    def _next(self) -> None:
        if not self._queue:
            self._busy = False
            if self._closing:
                self._finish()
            return
        in_hand: Sequence[_Append | _Task]
        if isinstance(first := self._queue[0], _Task):
            in_hand = [self._queue.popleft()]
            call, told = (
                partial(self._writing.do, first.job, transaction=first.transaction),
                partial(_tell, first, self._path),
            )
        else:
            in_hand = group = self._take()
            proofs = [proof for one in group for proof in one.proofs]
            refusals = [refusal for one in group for refusal in one.refusals]
            call = partial(self._writing.store, [one.rows for one in group], proofs, refusals)
            told = partial(self._answer, group)
        alarm = self._loop.call_later(STALL_S, self._stall, in_hand)
        self._thread.submit(call, partial(self._told, told, alarm))

    def _told(
        self, answer: Callable[..., None], alarm: asyncio.TimerHandle, result: Any, failure: BaseException | None
    ) -> None:
        alarm.cancel()
        self._stalled = ""
        answer(result, failure)
        self._folding.wrote(self._writing.pages)
        self._next()

    def _stall(self, in_hand: Sequence[_Append | _Task]) -> None:
        """Nobody waits for a disk, or another process in the middle of writing, that does not move."""
        self._stalled = f"{self._path}: the disk, or another process that is writing, has not moved for {STALL_S:.0f} s"
        _log.error("log stalled", reason=self._stalled)
        for entry in (*in_hand, *self._queue):
            _fail(entry.done, LogUnavailable(self._stalled))
        self._queue.clear()
        self._waiting = 0

    def _take(self) -> list[_Append]:
        """The next group: whole appends, in order, up to `CHUNK` events (or one larger append alone)."""
        group: list[_Append] = []
        size = 0
        while self._queue and isinstance(entry := self._queue[0], _Append):
            if group and size + len(entry.rows) > CHUNK:
                break
            size += len(entry.rows)
            group.append(entry)
            self._queue.popleft()
        self._waiting -= size
        return group

    def _answer(self, group: Sequence[_Append], counts: Sequence[int], failure: BaseException | None) -> None:
        if failure is not None:
            reason = _reason(failure, self._path)
            if not self._trouble:
                _log.error("log takes no events", reason=reason)
            self._trouble = reason
            for append in group:
                _fail(append.done, LogUnavailable(reason))
            return
        self.transactions += 1
        if self._trouble:
            self._trouble = ""
            _log.info("log takes events again", path=str(self._path))
        self._stored(self._writing.head)
        for append, count in zip(group, counts, strict=True):
            if not append.done.done():
                append.done.set_result(count)


def _tell(task: _Task, path: Path, result: Any, failure: BaseException | None) -> None:
    if failure is None:
        if not task.done.done():
            task.done.set_result(result)
    else:  # a job's own fault belongs to whoever asked for it
        _fail(task.done, failure if isinstance(failure, Exception) else LogUnavailable(_reason(failure, path)))


def _reason(failure: BaseException, path: Path) -> str:
    return str(failure) if isinstance(failure, LogUnavailable) else f"writing {path}: {failure or 'interrupted'}"


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
