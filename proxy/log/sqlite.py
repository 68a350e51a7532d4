"""The event log in one SQLite file (`<data>/log.db`), for any number of processes on one machine.

Writing goes through this process's committer (`committer.py`: group commit, fsync before the answer) to a thread of its
own (`writing.py`); reading has a connection of its own (`view.py`) and does not wait behind writes. What is on disk is
sealed (`sealing.py`); a reader is a cursor and a few exceptions (`settling.py`); retention, erasure and dead letters
are in `upkeep.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from proxy.clock import DAY_MS, Clock
from proxy.config.settings import LogSettings
from proxy.errors import LogUnavailable
from proxy.event import Event, replace
from proxy.log import database, settling, upkeep
from proxy.log.base import Batch, DeadLetter, Entry, LogStats, Outcome, Purged, ReaderStats, Replay, StoredDeadLetter
from proxy.log.committer import Committer
from proxy.log.erased import Erased
from proxy.log.orders import order_of
from proxy.log.room import Room
from proxy.log.view import Found, LogView, Place
from proxy.log.writing import Writing
from proxy.observe.logs import get_logger
from proxy.privacy.keys import Keyring
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal

UNREADABLE = "unreadable"  # why of a dead letter whose body no key opens, or that is damaged
_POLL_S = 0.25  # how soon a waiting reader notices what another process appended

_NOTHING = Event(id="", name="", time=0)  # stands for an unreadable event while it is being settled

_log = get_logger("log")


class SqliteLog:
    """See `base.OperatedLog` for what each method promises."""

    def __init__(
        self, path: Path, view: LogView, connection: sqlite3.Connection, clock: Clock, settings: LogSettings
    ) -> None:
        """Use `open`."""
        self._view = view
        self._sealing = view.sealing
        self._clock = clock
        self._settings = settings
        self._room = Room(path, settings, clock)
        writing = Writing(connection, path, clock, self._room)
        self._writer = Committer(writing, path, stored=self._appended)
        self._head = 0  # the highest sequence number seen
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expired: dict[str, int] = {}  # by reader, since the last line about it
        self._purging = False  # the last piece of upkeep left more to do
        self._erased = Erased(view)
        self._looking = asyncio.create_task(self._erased.keep_looking(), name="erased visitors")

    @classmethod
    async def open(cls, folder: Path, keyring: Keyring, settings: LogSettings, clock: Clock) -> Self:
        """Create or migrate `folder`/log.db and open it. `ConfigError` or `LogUnavailable`, with path and way out."""
        await asyncio.to_thread(database.prepare, folder, keyring)
        path = database.path_of(folder)
        view = await LogView.open(folder, keyring)
        try:
            connection = await asyncio.to_thread(database.writing, path)
        except BaseException:
            await view.close()
            raise
        log = cls(path, view, connection, clock, settings)
        with suppress(LogUnavailable):  # it is looked up again in a moment
            await log._erased.look()
        return log

    async def close(self) -> None:
        """Store what waits, then close the file."""
        self._looking.cancel()
        await asyncio.wait([self._looking])
        await self._writer.close()
        await self._view.close()
        self._nudge()

    @property
    def transactions(self) -> int:
        """Transactions that stored events, in this process."""
        return self._writer.transactions

    def append(
        self, events: Sequence[Event], proofs: Sequence[Proof] = (), refusals: Sequence[Refusal] = ()
    ) -> asyncio.Future[int]:
        sealing = self._sealing
        named = order_of if self._settings.find_orders else _no_order
        rows = [sealing.row(event, named(event)) for event in events]
        proven = [sealing.proof(proof) for proof in proofs]
        return self._writer.append(rows, proven, [sealing.refusal(refusal) for refusal in refusals])

    async def read(self, reader: str, limit: int) -> Batch:
        """Unreadable events become dead letters on the way: a lost key or a damaged page holds nobody up."""
        while True:
            place = await self._view.place(reader)
            if place is None:
                await self._writer.run(lambda writer: settling.start(writer, self._sealing, reader))
                continue
            again = await self._view.retries(reader, limit) if place.retries else []
            room = limit - len(again)
            above = await self._view.unsettled(reader, place, room) if room > 0 and place.head > place.cursor else []
            batch = _batch(reader, place, again, above, full=len(above) == room)
            unreadable = [found.seq for found in (*again, *above) if found.event is None]
            if not unreadable:
                return batch
            await self._bury(batch, unreadable)

    async def commit(self, batch: Batch, outcome: Outcome) -> None:
        step = settling.next_step(batch, outcome)
        if step is not None:
            state = self._sealing.state(batch.reader, outcome.state)
            if await self._writer.once(*settling.statement(batch, step, state)):
                return
        await self._writer.run(lambda writer: settling.settle(writer, self._sealing, batch, outcome))

    async def claims(self, reader: str, keys: Collection[str]) -> dict[str, int]:
        return await self._view.claims(reader, keys)

    async def of_orders(self, orders: Collection[str]) -> dict[str, Entry]:
        return await self._view.of_orders(orders)

    async def rewind(self, reader: str, to_ms: int) -> int:
        first = await self._view.first_since(to_ms)

        def back(writer: sqlite3.Connection) -> None:
            settling.start(writer, self._sealing, reader)
            if first is not None:
                settling.rewind(writer, reader, first)

        await self._writer.run(back)
        self._nudge()
        return next(stats.waiting for stats in await self.readers() if stats.reader == reader)

    async def erase(self, visitor: str) -> int:
        erased = await self.erase_events(await self._view.of_visitor(visitor))
        digest = self._sealing.visitor(visitor)
        await self._writer.run(partial(upkeep.forget_refusals, visitor=digest))
        return erased

    async def erase_events(self, seqs: Sequence[int]) -> int:
        """Delete these events with their dead letters and claims, in pieces; how many there were."""
        erased = 0
        for start in range(0, len(seqs), upkeep.CHUNK):
            chunk = seqs[start : start + upkeep.CHUNK]
            erased += await self._writer.run(partial(upkeep.erase, seqs=chunk))
        return erased

    async def revoke(self, visitors: Sequence[str]) -> None:
        digests = [self._sealing.visitor(visitor) for visitor in visitors]
        now_ms = self._clock()
        await self._writer.run(partial(upkeep.revoke, sealing=self._sealing, visitors=digests, now_ms=now_ms))
        await self._erased.look()

    def is_erased(self, visitor: str) -> bool:
        return visitor in self._erased

    async def wipe(self) -> bool:
        """Fold the -wal file in and empty it, so that what was overwritten is overwritten in every file. False: readers
        were in the way for too long; it happens by itself later."""
        return await self._writer.run(upkeep.fold_in, transaction=False)

    async def stats(self) -> LogStats:
        return await self._view.stats()

    async def readers(self) -> tuple[ReaderStats, ...]:
        return (await self.stats()).readers

    async def wait(self, after_seq: int, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        news = self._news  # of the beginning: what is told while we look into the file counts too
        while self._head <= after_seq:
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            await asyncio.wait([news], timeout=min(left_s, _POLL_S))
            if news.done():
                return True
            self._head = max(self._head, await self._view.head())
        return True

    async def dead(self, reader: str | None = None, limit: int = 1000) -> list[StoredDeadLetter]:
        return await self._view.dead(reader, limit)

    async def retry_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        count = await self._writer.run(partial(upkeep.retry_dead, reader=reader, seqs=seqs, why=why))
        self._nudge()
        return count

    async def drop_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        return await self._writer.run(partial(upkeep.drop_dead, reader=reader, seqs=seqs, why=why))

    async def replay(self, replay: Replay) -> int:
        if replay.is_rewind:
            before = await self._view.replayable(replay)
            await self.rewind(replay.reader, replay.since_ms)
            return before.again
        count = 0
        async for seqs in self._view.to_replay(replay, upkeep.CHUNK):
            count += await self._writer.run(partial(settling.hand_out_again, reader=replay.reader, seqs=seqs))
        self._nudge()
        return count

    def keep_for(self, readers: Collection[str]) -> None:
        """Whose undelivered events are not dropped to make room (`log.when_full`): the destinations there are now.
        Without it, those of every name that ever had a place in the log."""
        self._room.readers = frozenset(readers)

    async def purge(self) -> Purged:
        now_ms = self._clock()
        events_before_ms = int(now_ms - self._settings.retention_days * DAY_MS)
        dead_before_ms = int(now_ms - self._settings.dead_days * DAY_MS)
        consents_before_ms = int(now_ms - self._settings.consent_days * DAY_MS)
        erased_before_ms = int(now_ms - self._settings.erased_days * DAY_MS)
        before = upkeep.Before(events_before_ms, dead_before_ms, consents_before_ms, erased_before_ms)
        purged = await self._writer.run(partial(upkeep.purge, before=before, now_ms=now_ms, goes_on=self._purging))
        self._purging = purged.more
        for reader, count in purged.undelivered.items():
            self._expired[reader] = self._expired.get(reader, 0) + count
        if not purged.more:
            for reader, count in self._expired.items():
                _log.warning("retention deleted events before delivery", destination=reader, events=count)
            self._expired.clear()
        return purged

    async def _bury(self, batch: Batch, unreadable: Sequence[int]) -> None:
        letters = [
            DeadLetter(seq=seq, why=UNREADABLE, detail="no key opens it, or it is damaged", at_ms=self._clock())
            for seq in unreadable
        ]
        state = replace(batch.state, dead=batch.state.dead + len(letters))
        await self._writer.run(
            lambda writer: settling.settle(writer, self._sealing, batch, Outcome(settled=(), dead=letters, state=state))
        )
        _log.warning("unreadable events became dead letters", destination=batch.reader, events=len(letters))

    def _appended(self, head: int) -> None:
        self._head = max(self._head, head)
        self._nudge()

    def _nudge(self) -> None:
        if not self._news.done():
            self._news.set_result(None)
        self._news = self._news.get_loop().create_future()


def _no_order(_: Event) -> None:
    return None


def _batch(reader: str, place: Place, again: Sequence[Found], above: Sequence[Found], *, full: bool) -> Batch:
    """`full`: the limit was reached, so what lies beyond the last event is not known."""
    beyond = above[-1].seq if above else place.cursor
    scanned_to = beyond if full else max(place.head, place.cursor)
    found = sorted((*again, *above), key=lambda entry: entry.seq)
    entries = tuple(Entry(one.seq, one.stored_at_ms, one.event or _NOTHING, one.refused) for one in found)
    return Batch(reader, entries, scanned_to, place.state, tuple(entry.seq for entry in again), place.epoch)
