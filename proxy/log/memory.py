"""The event log in memory: the same contract as `sqlite.py`, nothing on disk. The test kit, and its reference.

Set `broken` to a reason and every append answers `LogUnavailable` with it until it is "" again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TypeAlias

import msgspec

from proxy.clock import DAY_MS, Clock
from proxy.config.settings import LogSettings
from proxy.errors import LogUnavailable
from proxy.event import Event, Purpose, replace
from proxy.log.base import (
    Batch,
    DeadLetter,
    Entry,
    LastPurge,
    LogStats,
    Outcome,
    Purged,
    ReaderState,
    ReaderStats,
    Replay,
    StoredDeadLetter,
)
from proxy.log.orders import order_of
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal

DeadKey: TypeAlias = tuple[str, int]  # reader, sequence number


class _Reader(msgspec.Struct):
    cursor: int
    state: ReaderState = ReaderState()
    epoch: int = 0
    settled: set[int] = set()  # above the cursor
    again: set[int] = set()  # dead letters being retried
    expired: int = 0
    accepted: set[int] = set()


class MemoryLog:
    def __init__(self, clock: Clock, settings: LogSettings | None = None) -> None:
        self.broken = ""
        self.proofs: list[Proof] = []
        self.refusals: list[tuple[int, Refusal]] = []  # with the highest sequence number of then
        self._last_purge: LastPurge | None = None
        self._revoked: dict[str, int] = {}  # visitor id -> ms
        self._clock = clock
        self._settings = settings or LogSettings()
        self._entries: dict[int, Entry] = {}
        self._known: dict[tuple[str, str], int] = {}  # (id, name) -> seq
        self._head = 0
        self._readers: dict[str, _Reader] = {}
        self._dead: dict[DeadKey, DeadLetter] = {}
        self._claims: dict[tuple[str, str], int] = {}  # (reader, key) -> seq
        self._orders: dict[str, tuple[int, str, bool]] = {}  # order -> seq, visitor, named by others, too
        self._news = asyncio.Event()

    async def append(
        self, events: Sequence[Event], proofs: Sequence[Proof] = (), refusals: Sequence[Refusal] = ()
    ) -> int:
        if self.broken:
            raise LogUnavailable(self.broken)
        self.proofs.extend(proofs)
        new = 0
        for event in events:
            if (event.id, event.name) in self._known:
                continue
            self._head += 1
            new += 1
            self._entries[self._head] = Entry(self._head, self._clock(), event)
            self._known[event.id, event.name] = self._head
            self._note_order(event)
        self.refusals.extend((max(self._entries, default=0), refusal) for refusal in refusals)
        self._news.set()
        return new

    async def read(self, reader: str, limit: int) -> Batch:
        mine = self._reader(reader)
        again = sorted(mine.again)[:limit]
        above = [seq for seq in self._entries if seq > mine.cursor and seq not in mine.settled][: limit - len(again)]
        full = len(again) + len(above) >= limit
        scanned_to = (above[-1] if above else mine.cursor) if full else self._head
        entries = tuple(self._with_refusals(self._entries[seq]) for seq in sorted({*again, *above}))
        return Batch(reader, entries, scanned_to, mine.state, tuple(again), mine.epoch)

    async def commit(self, batch: Batch, outcome: Outcome) -> None:
        mine = self._readers[batch.reader]
        mine.state = outcome.state
        for key, seq in outcome.claims.items():
            if seq in self._entries:
                self._claims.setdefault((batch.reader, key), seq)
        lost = {letter.seq for letter in outcome.dead}
        mine.accepted |= {entry.seq for entry in batch.entries}.intersection(outcome.settled) - {*outcome.missed} - lost
        if batch.epoch != mine.epoch:
            return
        offered = {entry.seq for entry in batch.entries}
        for letter in outcome.dead:
            if letter.seq in offered and letter.seq in self._entries:
                self._dead[batch.reader, letter.seq] = letter
        settled = offered.intersection([*outcome.settled, *(letter.seq for letter in outcome.dead)])
        mine.again -= settled
        mine.settled |= settled - {*batch.again}
        left = [e.seq for e in batch.entries if e.seq not in batch.again and e.seq > mine.cursor]
        mine.cursor = max(mine.cursor, next((seq - 1 for seq in left if seq not in mine.settled), batch.scanned_to))
        mine.settled = {seq for seq in mine.settled if seq > mine.cursor}

    async def claims(self, reader: str, keys: Collection[str]) -> dict[str, int]:
        return {key: self._claims[reader, key] for key in keys if (reader, key) in self._claims}

    async def of_orders(self, orders: Collection[str]) -> dict[str, Entry]:
        known = {order: self._orders[order] for order in orders if order in self._orders}
        return {o: self._with_refusals(self._entries[seq]) for o, (seq, _, is_shared) in known.items() if not is_shared}

    async def rewind(self, reader: str, to_ms: int) -> int:
        mine = self._reader(reader)
        first = min((seq for seq, entry in self._entries.items() if entry.stored_at_ms >= to_ms), default=None)
        if first is not None:
            mine.cursor = min(mine.cursor, first - 1)
            mine.settled = {seq for seq in mine.settled if seq < first}
            mine.again = {seq for seq in mine.again if seq < first}
            mine.epoch += 1
            given_back = [k for k in self._chosen(reader, None) if k[1] >= first and k[1] in self._entries]
            for key in given_back:
                del self._dead[key]
            self._news.set()
        return self._waiting(mine)

    async def erase(self, visitor: str) -> int:
        gone = {s for s, e in self._entries.items() if e.event.visitor is not None and e.event.visitor.id == visitor}
        self._delete(gone)
        self._dead = {key: letter for key, letter in self._dead.items() if key[1] not in gone}
        self.refusals = [(upto, refusal) for upto, refusal in self.refusals if refusal.visitor != visitor]
        return len(gone)

    async def revoke(self, visitors: Sequence[str]) -> None:
        self._revoked.update(dict.fromkeys(visitors, self._clock()))
        self.proofs = [one.without_traces() if one.visitor in visitors else one for one in self.proofs]

    def is_erased(self, visitor: str) -> bool:
        return visitor in self._revoked

    async def stats(self) -> LogStats:
        readers = [
            ReaderStats(
                reader=name,
                cursor=mine.cursor,
                waiting=self._waiting(mine),
                oldest_waiting_ms=next((e.stored_at_ms for s, e in self._entries.items() if s > mine.cursor), None),
                dead=sum(owner == name for owner, _ in self._dead),
                state=mine.state,
                expired=mine.expired,
            )
            for name, mine in sorted(self._readers.items())
        ]
        return LogStats(
            events=len(self._entries),
            oldest_ms=min((entry.stored_at_ms for entry in self._entries.values()), default=None),
            bytes=0,
            consents=len(self.proofs),
            erased=len(self._revoked),
            last_purge=self._last_purge,
            head=self._head,
            readers=tuple(readers),
        )

    async def wait(self, after_seq: int, timeout_s: float) -> bool:
        if self._head > after_seq:
            return True
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def dead(self, reader: str | None = None, limit: int = 1000) -> list[StoredDeadLetter]:
        keys = sorted(self._chosen(reader, None), key=lambda key: (-self._dead[key].at_ms, -key[1], key[0]))
        return [
            StoredDeadLetter(
                reader=owner,
                letter=self._dead[owner, seq],
                event=self._entries[seq].event if seq in self._entries else None,
            )
            for owner, seq in keys[:limit]
        ]

    async def retry_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        chosen = [key for key in self._chosen(reader, seqs, why) if key[1] in self._entries]
        for owner, seq in chosen:
            self._readers[owner].again.add(seq)
            del self._dead[owner, seq]
        self._news.set()
        return len(chosen)

    async def drop_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        chosen = self._chosen(reader, seqs, why)
        for key in chosen:
            del self._dead[key]
        return len(chosen)

    async def replay(self, replay: Replay) -> int:
        if replay.reader not in self._readers and not replay.is_rewind:
            return 0
        mine = self._reader(replay.reader)
        times = range(replay.since_ms, replay.ends_ms)
        asked = [seq for seq, entry in self._entries.items() if entry.stored_at_ms in times]
        chosen = [
            seq
            for seq in asked
            if (seq <= mine.cursor or seq in mine.settled)
            and seq not in mine.again
            and not (replay.only_missing and seq in mine.accepted)
        ]
        if replay.is_rewind:
            await self.rewind(replay.reader, replay.since_ms)
            return len(chosen)
        mine.again.update(chosen)
        for seq in chosen:
            self._dead.pop((replay.reader, seq), None)
        self._news.set()
        return len(chosen)

    async def purge(self) -> Purged:
        now_ms = self._clock()
        event_cutoff_ms = now_ms - self._settings.retention_days * DAY_MS
        dead_cutoff_ms = now_ms - self._settings.dead_days * DAY_MS
        old = {seq for seq, entry in self._entries.items() if entry.stored_at_ms < event_cutoff_ms}
        undelivered = {}
        for name, mine in self._readers.items():
            count = sum(seq in mine.again or (seq > mine.cursor and seq not in mine.settled) for seq in old)
            if count:
                undelivered[name] = count
                mine.expired += count
        letters = [key for key, letter in self._dead.items() if letter.at_ms < dead_cutoff_ms]
        for key in letters:
            del self._dead[key]
        self._delete(old)
        oldest = min(self._entries, default=self._head + 1)
        self.refusals = [(upto, refusal) for upto, refusal in self.refusals if upto >= oldest]
        lasting = [one for one in self.proofs if one.at >= now_ms - self._settings.consent_days * DAY_MS]
        consents, self.proofs = len(self.proofs) - len(lasting), lasting
        long_ago_ms = now_ms - self._settings.erased_days * DAY_MS
        self._revoked = {visitor: at_ms for visitor, at_ms in self._revoked.items() if at_ms >= long_ago_ms}
        self._last_purge = LastPurge(at_ms=now_ms, events=len(old), dead=len(letters), consents=consents)
        return Purged(events=len(old), dead=len(letters), consents=consents, undelivered=undelivered)

    async def close(self) -> None:
        self.broken = "the log is closed"

    def _chosen(self, reader: str | None, seqs: Sequence[int] | None, why: str | None = None) -> list[DeadKey]:
        return [
            key
            for key, letter in self._dead.items()
            if reader in (None, key[0]) and (seqs is None or key[1] in seqs) and why in (None, letter.why)
        ]

    def _reader(self, name: str) -> _Reader:
        if name not in self._readers:
            self._readers[name] = _Reader(cursor=min(self._entries, default=self._head + 1) - 1)
        return self._readers[name]

    def _note_order(self, event: Event) -> None:
        order = order_of(event) if self._settings.find_orders else None
        if order is not None and event.visitor is not None:
            seq, visitor, is_shared = self._orders.get(order, (self._head, event.visitor.id, False))
            self._orders[order] = seq, visitor, is_shared or visitor != event.visitor.id

    def _with_refusals(self, entry: Entry) -> Entry:
        visitor = None if entry.event.visitor is None else entry.event.visitor.id
        refused = {
            purpose
            for upto, refusal in self.refusals
            if refusal.visitor == visitor and upto >= entry.seq
            for purpose in refusal.purposes
        }
        return replace(entry, refused=tuple(purpose for purpose in Purpose if purpose in refused))

    def _delete(self, seqs: set[int]) -> None:
        for seq in seqs:
            event = self._entries.pop(seq).event
            del self._known[event.id, event.name]
        for mine in self._readers.values():
            mine.again -= seqs
        self._claims = {key: seq for key, seq in self._claims.items() if seq not in seqs}
        self._orders = {order: known for order, known in self._orders.items() if known[0] not in seqs}

    def _waiting(self, mine: _Reader) -> int:
        return self._head - max(mine.cursor, min(self._entries, default=self._head + 1) - 1) + len(mine.again)
