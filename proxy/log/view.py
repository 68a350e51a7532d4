"""Reading the log's file, and nothing but reading: a connection of its own that refuses every change.

The service reads through it beside its writer; `firsthand status` and `dead list` use it alone, so they are safe while
serving. Every fault of the database becomes `LogUnavailable`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite
import msgspec

from proxy.errors import LogUnavailable
from proxy.event import Event, Purpose
from proxy.log import database
from proxy.log.accepted import Accepted
from proxy.log.base import (
    DeadLetter,
    Entry,
    LastPurge,
    LogStats,
    ReaderState,
    ReaderStats,
    Replay,
    Replayable,
    StoredDeadLetter,
    StoredProof,
)
from proxy.log.orders import OF_ORDERS
from proxy.log.room import USED_BYTES
from proxy.log.sealing import Sealing, refused
from proxy.log.settling import numbers
from proxy.privacy.keys import Keyring

_ROWS = 10_000  # fetched at once where all of the log is gone through
_STATS = f"""
SELECT ({USED_BYTES}), (SELECT coalesce(max(id) - min(id) + 1, 0) FROM consent), (SELECT count(*) FROM erased)
"""  # noqa: S608 - constants
_BODIES = 500  # the same, with their bodies
_HANDED_OUT = """event.seq, stored_at_ms, CAST(event.key AS BLOB), CAST(body AS BLOB),
    (SELECT group_concat(refused, '') FROM refusal WHERE refusal.visitor = event.visitor AND upto >= event.seq)"""


_KEPT_OPEN = 1_000  # events; some 5 MB


class Place(msgspec.Struct, frozen=True):
    """Where a reader stands, and how far the log goes."""

    cursor: int
    epoch: int
    state: ReaderState
    head: int
    retries: bool  # it has dead letters to try again


class Found(msgspec.Struct, frozen=True):
    """A stored event; `event` is None when no key opens it or it is damaged."""

    seq: int
    stored_at_ms: int
    event: Event | None
    refused: tuple[Purpose, ...] = ()


class LogView:
    def __init__(self, path: Path, sealing: Sealing, connection: aiosqlite.Connection) -> None:
        self._path = path
        self.sealing = sealing
        self._connection = connection
        self._opened: dict[int, tuple[bytes, Event]] = {}  # what was read last, by number: sealed, and the event

    @classmethod
    async def open(cls, folder: Path, keyring: Keyring) -> Self:
        """`ConfigError` when there is no log in `folder` or `keyring` does not open it."""
        path = database.path_of(folder)
        await asyncio.to_thread(database.must_exist, path)
        connection = await database.reading(path)
        try:
            return cls(path, Sealing(await database.rooted(connection, path, keyring)), connection)
        except BaseException:
            await connection.close()
            raise

    async def close(self) -> None:
        await self._connection.close()

    async def head(self) -> int:
        """The highest sequence number ever given."""
        rows = await self.rows("SELECT seq FROM sqlite_sequence WHERE name = 'event'")
        return int(rows[0][0]) if rows else 0

    async def place(self, reader: str) -> Place | None:
        rows = await self.rows(
            """SELECT cursor, epoch, state, (SELECT seq FROM sqlite_sequence WHERE name = 'event'),
                      EXISTS (SELECT 1 FROM again WHERE reader = name)
               FROM reader WHERE name = ?""",
            reader,
        )
        if not rows:
            return None
        ((cursor, epoch, state, head, retries),) = rows
        return Place(cursor, epoch, self.sealing.opened_state(reader, state), head or 0, bool(retries))

    # The casts: in a damaged file a body may pass for text, which would fail to decode before we could judge it.

    async def retries(self, reader: str, limit: int) -> list[Found]:
        rows = await self.rows(
            f"""SELECT {_HANDED_OUT} FROM again JOIN event USING (seq)
                WHERE reader = ? ORDER BY seq LIMIT ?""",  # noqa: S608 - constants
            reader,
            limit,
        )
        return [self._found(*row) for row in rows]

    async def unsettled(self, reader: str, place: Place, limit: int) -> list[Found]:
        """Above the cursor, up to the head, in order."""
        rows = await self.rows(
            f"""SELECT {_HANDED_OUT} FROM event
                WHERE seq > ?2 AND seq <= ?3
                  AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.reader = ?1 AND settled.seq = event.seq)
                ORDER BY seq LIMIT ?4""",  # noqa: S608 - constants
            reader,
            place.cursor,
            place.head,
            limit,
        )
        return [self._found(*row) for row in rows]

    async def claims(self, reader: str, keys: Collection[str]) -> dict[str, int]:
        """Those of `keys` that are claimed, and by which event."""
        digests = {self.sealing.claim(reader, key): key for key in keys}
        rows = await self.rows(
            "SELECT key, seq FROM claim WHERE reader = ? AND key IN (SELECT value FROM json_each(?))",
            reader,
            numbers(digests),
        )
        return {digests[digest]: seq for digest, seq in rows}

    async def of_orders(self, orders: Collection[str]) -> dict[str, Entry]:
        """By order, the visitor's event that named it."""
        digests = {self.sealing.order(order): order for order in orders}
        rows = await self.rows(OF_ORDERS.format(columns=_HANDED_OUT), numbers(digests))
        found = {digests[digest]: self._found(*row) for digest, *row in rows}
        return {
            order: Entry(one.seq, one.stored_at_ms, one.event, one.refused)
            for order, one in found.items()
            if one.event is not None
        }

    async def of_visitor(self, visitor: str) -> list[int]:
        """Sequence numbers of a visitor's events: scans an index, 0.05 s for a million events."""
        digest = self.sealing.visitor(visitor)
        rows = await self.rows("SELECT seq FROM event INDEXED BY event_stored WHERE visitor = ?", digest)
        return sorted(seq for (seq,) in rows)

    async def proofs(
        self, since_ms: int = 0, until_ms: int | None = None, visitor: str | None = None
    ) -> AsyncIterator[StoredProof]:
        """What was decided in that time, oldest first; of one visitor, if given (finds those in an index)."""
        sql = """SELECT at_ms, visitor, body FROM consent
                 WHERE at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR visitor = ?3) ORDER BY at_ms, id"""
        digest = None if visitor is None else self.sealing.visitor(visitor)
        ends_ms = 2**62 if until_ms is None else until_ms
        async for at_ms, owner, body in self.each(sql, since_ms, ends_ms, digest):
            name = format(owner & (2**64 - 1), "016x")
            yield StoredProof(at_ms=at_ms, visitor=name, proof=self.sealing.opened_proof(owner, body))

    async def refusals(self, visitor: str) -> list[tuple[int, tuple[Purpose, ...]]]:
        """What a visitor has taken back, and up to which event."""
        sql = "SELECT upto, refused FROM refusal WHERE visitor = ? ORDER BY upto, id"
        return [(upto, refused(letters)) for upto, letters in await self.rows(sql, self.sealing.visitor(visitor))]

    async def scan(self) -> AsyncIterator[Entry]:
        """Every event, opened, in order; what no key opens is left out."""
        sql = "SELECT seq, stored_at_ms, CAST(key AS BLOB), CAST(body AS BLOB) FROM event ORDER BY seq"
        async for row in self.each(sql, size=_BODIES):
            found = self._found(*row)
            if found.event is not None:
                yield Entry(found.seq, found.stored_at_ms, found.event)

    async def these(self, seqs: Sequence[int]) -> list[Entry]:
        """Those of these events that are there and can be opened, in order."""
        rows = await self.rows(
            """SELECT seq, stored_at_ms, CAST(key AS BLOB), CAST(body AS BLOB) FROM event
               WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq""",
            numbers(seqs),
        )
        found = [self._found(*row) for row in rows]
        return [Entry(one.seq, one.stored_at_ms, one.event) for one in found if one.event is not None]

    async def is_erased(self, visitor: str) -> bool:
        return bool(await self.rows("SELECT 1 FROM erased WHERE visitor = ?", self.sealing.visitor(visitor)))

    async def first_since(self, ms: int) -> int | None:
        """The first event stored at or after `ms`. By the index: the table itself would be read with every body."""
        sql = "SELECT min(seq) FROM event INDEXED BY event_stored WHERE stored_at_ms >= ?"
        ((seq,),) = await self.rows(sql, ms)
        return None if seq is None else int(seq)

    async def accepted(self, reader: str) -> Accepted:
        """What its platform has taken, of what is retained."""
        places = await self.rows("SELECT cursor, run, runs FROM reader WHERE name = ?", reader)
        moved = await self.rows("SELECT runs FROM accepted WHERE reader = ?", reader)
        return Accepted(
            "".join(runs for *_, runs in (*moved, *places)), *((run + 1, cursor) for cursor, run, _ in places)
        )

    async def to_replay(self, replay: Replay, size: int) -> AsyncIterator[list[int]]:
        """The sequence numbers, some that wait anyway included, in groups of at most `size`."""
        accepted = await self.accepted(replay.reader) if replay.only_missing else Accepted("")
        group: list[int] = []
        async for seq in self._stored(replay):
            if seq not in accepted:
                group.append(seq)
            if len(group) == size:
                yield group
                group = []
        if group:
            yield group

    async def replayable(self, replay: Replay) -> Replayable:
        """What `OperatedLog.replay` would do now."""
        accepted = await self.accepted(replay.reader)
        cursor = 0 if (place := await self.place(replay.reader)) is None else place.cursor
        rows = await self.rows(
            "SELECT seq, 1 FROM settled WHERE reader = ?1 UNION ALL SELECT seq, 0 FROM again WHERE reader = ?1",
            replay.reader,
        )
        above = {seq for seq, is_settled in rows if is_settled}
        given_back = {seq for seq, is_settled in rows if not is_settled}
        stored = taken = waiting = again = 0
        async for seq in self._stored(replay):
            stored += 1
            is_accepted = seq in accepted
            taken += is_accepted
            if seq in given_back or (seq > cursor and seq not in above):
                waiting += 1
            elif not (replay.only_missing and is_accepted):
                again += 1
        return Replayable(stored=stored, accepted=taken, waiting=waiting, again=again)

    async def _stored(self, replay: Replay) -> AsyncIterator[int]:
        """The numbers of all events in the time of a replay, in order of their time: by the index, bodies unread."""
        sql = """SELECT seq FROM event INDEXED BY event_stored
                 WHERE stored_at_ms >= ? AND stored_at_ms < ? ORDER BY stored_at_ms"""
        async for (seq,) in self.each(sql, replay.since_ms, replay.ends_ms):
            yield seq

    async def stats(self) -> LogStats:
        ((first, oldest_ms),) = await self.rows(
            "SELECT (SELECT min(seq) FROM event), (SELECT min(stored_at_ms) FROM event)"
        )
        head = await self.head()
        before = head if first is None else first - 1  # everything up to here was deleted
        readers = await self.rows(
            """SELECT name, cursor, state, expired,
                      (SELECT count(*) FROM again WHERE reader = name),
                      (SELECT count(*) FROM dead WHERE reader = name),
                      (SELECT stored_at_ms FROM event WHERE seq > cursor ORDER BY seq LIMIT 1)
               FROM reader ORDER BY name"""
        )
        ((used, consents, erased),) = await self.rows(_STATS)
        purges = await self.rows("SELECT at_ms, events, dead, consents FROM purge")
        return LogStats(
            events=head - before,
            oldest_ms=oldest_ms,
            bytes=await asyncio.to_thread(database.size, self._path),
            used=used,
            consents=consents,
            erased=erased,
            last_purge=next(
                (LastPurge(at_ms=at, events=events, dead=dead, consents=proofs) for at, events, dead, proofs in purges),
                None,
            ),
            head=head,
            readers=tuple(
                ReaderStats(
                    reader=name,
                    cursor=cursor,
                    waiting=max(0, head - max(cursor, before)) + again,
                    oldest_waiting_ms=oldest,
                    dead=dead,
                    state=self.sealing.opened_state(name, state),
                    expired=expired,
                )
                for name, cursor, state, expired, again, dead, oldest in readers
            ),
        )

    async def dead(
        self,
        reader: str | None = None,
        limit: int = 1000,
        seqs: Sequence[int] | None = None,
        why: str | None = None,
    ) -> list[StoredDeadLetter]:
        """Newest first; of one reader, of these numbers, with this reason, if given."""
        rows = await self.rows(
            """SELECT reader, seq, at_ms, why, detail, CAST(key AS BLOB), CAST(body AS BLOB)
               FROM dead LEFT JOIN event USING (seq)
               WHERE (?1 IS NULL OR reader = ?1) AND (?3 IS NULL OR seq IN (SELECT value FROM json_each(?3)))
                 AND (?4 IS NULL OR why = ?4)
               ORDER BY at_ms DESC, seq DESC, reader LIMIT ?2""",
            reader,
            limit,
            None if seqs is None else numbers(seqs),
            why,
        )
        return [
            StoredDeadLetter(
                reader=name,
                letter=DeadLetter(seq=seq, why=why, detail=self.sealing.opened_detail(name, detail), at_ms=at_ms),
                event=None if body is None else self.sealing.event(key, body),
            )
            for name, seq, at_ms, why, detail, key, body in rows
        ]

    def _found(self, seq: int, stored_at_ms: int, key: bytes, body: bytes, letters: str | None = None) -> Found:
        """Readers are mostly near each other: what the first of them opens and decodes (20 us) the others find done."""
        opened = self._opened.get(seq)
        if opened is not None and opened[0] == body:
            return Found(seq, stored_at_ms, opened[1], refused(letters))
        event = self.sealing.event(key, body)
        if event is not None:
            if len(self._opened) >= _KEPT_OPEN:
                del self._opened[next(iter(self._opened))]  # the oldest
            self._opened[seq] = body, event
        return Found(seq, stored_at_ms, event, refused(letters))

    async def each(self, sql: str, *parameters: Any, size: int = _ROWS) -> AsyncIterator[Any]:
        """As `rows`, for more than memory should hold."""
        try:
            async with self._connection.execute(sql, parameters) as cursor:
                while rows := await cursor.fetchmany(size):
                    for row in rows:
                        yield row
        except sqlite3.Error as error:
            raise LogUnavailable(f"reading {self._path}: {error}") from error

    async def rows(self, sql: str, *parameters: Any) -> list[Any]:
        try:
            rows: Iterable[Any] = await self._connection.execute_fetchall(sql, parameters)
        except sqlite3.Error as error:
            raise LogUnavailable(f"reading {self._path}: {error}") from error
        return list(rows)
