"""A reader's place in the log: how it starts, moves on and goes back. Transactions for the committer, nothing else.

A reader has settled everything up to its cursor and, above it, what stands in the table `settled`. Dead letters being
tried again stand in `again`; they are settled otherwise. Invariants: the cursor never passes an event that is not
settled; a dead letter is always settled; nothing is in `again` and unsettled at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import aiosqlite
import msgspec

from proxy.log.base import Batch, Outcome, ReaderState
from proxy.log.sealing import Sealing


async def start(database: aiosqlite.Connection, sealing: Sealing, reader: str) -> None:
    """A new reader stands before the oldest event there is."""
    await database.execute_fetchall(
        """INSERT OR IGNORE INTO reader (name, cursor, state) VALUES (?, coalesce(
             (SELECT min(seq) - 1 FROM event), (SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0), ?)""",
        (reader, sealing.state(reader, ReaderState())),
    )


async def settle(database: aiosqlite.Connection, sealing: Sealing, batch: Batch, outcome: Outcome) -> None:
    """Store `outcome`; of a batch read before a rewind only state and claims: its events are handed out again."""
    found = await database.execute_fetchall("SELECT cursor, epoch FROM reader WHERE name = ?", (batch.reader,))
    ((cursor, epoch),) = found
    if epoch == batch.epoch:
        cursor = await _mark(database, sealing, batch, outcome, cursor)
    await _claim(database, sealing, batch.reader, outcome.claims)
    await database.execute_fetchall(
        "UPDATE reader SET cursor = ?, state = ? WHERE name = ?",
        (cursor, sealing.state(batch.reader, outcome.state), batch.reader),
    )


class Step(msgspec.Struct, frozen=True):
    """The usual outcome of a request: one stretch of a batch is settled, so that the cursor, once it is at `after` or
    beyond, moves on to `to`."""

    after: int
    to: int


STEP = """
UPDATE reader SET state = ?1, cursor = max(cursor, ?2)
WHERE name = ?3 AND epoch = ?4 AND cursor >= ?5
  AND NOT EXISTS (SELECT 1 FROM settled WHERE reader = ?3) AND NOT EXISTS (SELECT 1 FROM again WHERE reader = ?3)
"""
"""`settle` for a `Step`, in one statement; changes nothing where the step does not fit (then `settle` does it)."""


def next_step(batch: Batch, outcome: Outcome) -> Step | None:
    if outcome.dead or outcome.claims or batch.again or not outcome.settled:
        return None
    settled = set(outcome.settled)
    marks = [entry.seq in settled for entry in batch.entries]
    if not any(marks):
        return None
    first, count = marks.index(True), sum(marks)
    end = first + count
    if not all(marks[first:end]):
        return None
    after = batch.entries[first - 1].seq if first else 0
    return Step(after, batch.entries[end].seq - 1 if end < len(marks) else batch.scanned_to)


async def _mark(database: aiosqlite.Connection, sealing: Sealing, batch: Batch, outcome: Outcome, cursor: int) -> int:
    """Everything but the cursor, which is returned."""
    reader, again = batch.reader, set(batch.again)
    offered = {entry.seq for entry in batch.entries}
    dead = [letter for letter in outcome.dead if letter.seq in offered]
    settled = offered.intersection(outcome.settled).union(letter.seq for letter in dead)
    for letter in dead:  # an event erased meanwhile leaves no letter
        await database.execute_fetchall(
            """INSERT OR REPLACE INTO dead (reader, seq, at_ms, why, detail)
               SELECT ?, seq, ?, ?, ? FROM event WHERE seq = ?""",
            (reader, letter.at_ms, letter.why, sealing.detail(reader, letter.detail), letter.seq),
        )
    await database.execute_fetchall(
        "DELETE FROM again WHERE reader = ? AND seq IN (SELECT value FROM json_each(?))",
        (reader, numbers(settled)),
    )
    kept = await database.execute_fetchall("SELECT seq FROM settled WHERE reader = ?", (reader,))
    done = settled.union(seq for (seq,) in kept)
    left = (e.seq for e in batch.entries if e.seq > cursor and e.seq not in again and e.seq not in done)
    moved = max(cursor, next((seq - 1 for seq in left), batch.scanned_to))
    await database.execute_fetchall(
        "INSERT OR IGNORE INTO settled (reader, seq) SELECT ?, value FROM json_each(?)",
        (reader, numbers(seq for seq in settled - again if seq > moved)),
    )
    return moved


async def _claim(database: aiosqlite.Connection, sealing: Sealing, reader: str, claims: Mapping[str, int]) -> None:
    for key, seq in claims.items():  # an event erased meanwhile leaves no claim
        await database.execute_fetchall(
            "INSERT OR IGNORE INTO claim (reader, key, seq) SELECT ?, ?, seq FROM event WHERE seq = ?",
            (reader, sealing.claim(reader, key), seq),
        )


async def rewind(database: aiosqlite.Connection, reader: str, first: int) -> None:
    """Everything from `first` on is unsettled again, its dead letters included; nothing else changes."""
    for sql in (
        "UPDATE reader SET cursor = min(cursor, ?2 - 1), epoch = epoch + 1 WHERE name = ?1",
        "DELETE FROM settled WHERE reader = ?1 AND seq >= ?2",
        "DELETE FROM again WHERE reader = ?1 AND seq >= ?2",
        "DELETE FROM dead WHERE reader = ?1 AND seq >= ?2 AND seq IN (SELECT seq FROM event)",
    ):
        await database.execute_fetchall(sql, (reader, first))


def numbers(seqs: Iterable[int]) -> str:
    """A list of sequence numbers as one parameter, read back with `json_each`."""
    return msgspec.json.encode(sorted(seqs)).decode()
