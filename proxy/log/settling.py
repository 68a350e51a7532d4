"""A reader's place in the log: how it starts, moves on and goes back. Transactions for the committer, nothing else.

A reader has settled everything up to its cursor and, above it, what stands in the table `settled`. Dead letters being
tried again and events being replayed stand in `again`; they are settled otherwise. Invariants: the cursor never passes
an event that is not settled; a dead letter is always settled; nothing is in `again` and unsettled at once. Beside its
place a reader remembers what was accepted (`accepted.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proxy.log import accepted
from proxy.log.base import Batch, Outcome, ReaderState
from proxy.log.sealing import Sealing


def start(database: sqlite3.Connection, sealing: Sealing, reader: str) -> None:
    """A new reader stands before the oldest event there is."""
    database.execute(
        """INSERT OR IGNORE INTO reader (name, cursor, state) VALUES (?, coalesce(
             (SELECT min(seq) - 1 FROM event), (SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0), ?)""",
        (reader, sealing.state(reader, ReaderState())),
    )


def settle(database: sqlite3.Connection, sealing: Sealing, batch: Batch, outcome: Outcome) -> None:
    """Store `outcome`; of a batch read before a rewind only state, claims and what was accepted: its events are handed
    out again."""
    ((before, epoch),) = database.execute("SELECT cursor, epoch FROM reader WHERE name = ?", (batch.reader,)).fetchall()
    cursor = before
    if epoch == batch.epoch:
        cursor = _mark(database, sealing, batch, outcome, cursor)
    _claim(database, sealing, batch.reader, outcome.claims)
    _remember(database, batch, outcome, cursor if cursor > before else None)
    database.execute(
        "UPDATE reader SET cursor = ?, state = ? WHERE name = ?",
        (cursor, sealing.state(batch.reader, outcome.state), batch.reader),
    )


class Step(msgspec.Struct, frozen=True):
    """The usual outcome of a request: one stretch of a batch is settled, so that the cursor, once it is at `after` or
    beyond, moves on to `to`. `turn`: what not all of it being accepted means."""

    after: int
    to: int
    turn: accepted.Turn | None


_STEP = """
UPDATE reader SET state = ?1, cursor = max(cursor, ?2) {more}
WHERE name = ?3 AND epoch = ?4 AND cursor >= ?5
  AND NOT EXISTS (SELECT 1 FROM settled WHERE reader = ?3) AND NOT EXISTS (SELECT 1 FROM again WHERE reader = ?3)
"""
_ON = _STEP.format(more="")
_TURN = (
    _STEP.format(more=f", runs = runs || {accepted.CLOSE.format(end='?6')} || ?7, run = ?8")
    + f"AND cursor <= ?6 AND length(runs) < {accepted.FULL}"
)


def statement(batch: Batch, step: Step, state: bytes) -> tuple[str, Sequence[object]]:
    """`settle` for a `Step`, in one statement; it changes nothing where the step does not fit (then `settle` does
    it)."""
    usual = (state, step.to, batch.reader, batch.epoch, step.after)
    if step.turn is None:
        return _ON, usual
    return _TURN, (*usual, step.turn.end, step.turn.runs, step.turn.run)


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
    to = batch.entries[end].seq - 1 if end < len(marks) else batch.scanned_to
    missed = outcome.missed
    return Step(
        after, to, accepted.turn([entry.seq for entry in batch.entries[first:end]], missed, to) if missed else None
    )


def _mark(database: sqlite3.Connection, sealing: Sealing, batch: Batch, outcome: Outcome, cursor: int) -> int:
    """Everything but the cursor, which is returned."""
    reader, again = batch.reader, set(batch.again)
    offered = {entry.seq for entry in batch.entries}
    dead = [letter for letter in outcome.dead if letter.seq in offered]
    settled = offered.intersection(outcome.settled).union(letter.seq for letter in dead)
    for letter in dead:  # an event erased meanwhile leaves no letter
        database.execute(
            """INSERT OR REPLACE INTO dead (reader, seq, at_ms, why, detail)
               SELECT ?, seq, ?, ?, ? FROM event WHERE seq = ?""",
            (reader, letter.at_ms, letter.why, sealing.detail(reader, letter.detail), letter.seq),
        )
    database.execute(
        "DELETE FROM again WHERE reader = ? AND seq IN (SELECT value FROM json_each(?))",
        (reader, numbers(settled)),
    )
    kept = database.execute("SELECT seq FROM settled WHERE reader = ?", (reader,))
    done = settled.union(seq for (seq,) in kept)
    left = (e.seq for e in batch.entries if e.seq > cursor and e.seq not in again and e.seq not in done)
    moved = max(cursor, next((seq - 1 for seq in left), batch.scanned_to))
    database.execute(
        "INSERT OR IGNORE INTO settled (reader, seq) SELECT ?, value FROM json_each(?)",
        (reader, numbers(seq for seq in settled - again if seq > moved)),
    )
    return moved


def _claim(database: sqlite3.Connection, sealing: Sealing, reader: str, claims: Mapping[str, int]) -> None:
    for key, seq in claims.items():  # an event erased meanwhile leaves no claim
        database.execute(
            "INSERT OR IGNORE INTO claim (reader, key, seq) SELECT ?, ?, seq FROM event WHERE seq = ?",
            (reader, sealing.claim(reader, key), seq),
        )


def _remember(database: sqlite3.Connection, batch: Batch, outcome: Outcome, moved_to: int | None) -> None:
    """What was accepted. A cursor that moves ends its stretch: how it moved here is not simple."""
    lost = {letter.seq for letter in outcome.dead}
    taken = {seq for seq in outcome.settled if seq not in outcome.missed and seq not in lost}
    runs = accepted.text((entry.seq for entry in batch.entries), taken)
    if moved_to is not None:
        database.execute(
            f"UPDATE reader SET runs = runs || {accepted.CLOSE.format(end='cursor')}, run = ? WHERE name = ?",  # noqa: S608 - constants
            (moved_to, batch.reader),
        )
    if runs:
        database.execute("UPDATE reader SET runs = runs || ? WHERE name = ?", (runs, batch.reader))
    ((kept,),) = database.execute("SELECT runs FROM reader WHERE name = ?", (batch.reader,))
    if len(kept) >= accepted.FULL:
        database.execute(
            "INSERT INTO accepted (reader, upto, runs) VALUES (?, ?, ?)", (batch.reader, accepted.highest(kept), kept)
        )
        database.execute("UPDATE reader SET runs = '' WHERE name = ?", (batch.reader,))


def rewind(database: sqlite3.Connection, reader: str, first: int) -> None:
    """Everything from `first` on is unsettled again, its dead letters included; nothing else changes."""
    for sql in (
        f"""UPDATE reader SET runs = runs || {accepted.CLOSE.format(end="cursor")}, run = min(cursor, ?2 - 1),
            cursor = min(cursor, ?2 - 1), epoch = epoch + 1 WHERE name = ?1""",  # noqa: S608 - constants
        "DELETE FROM settled WHERE reader = ?1 AND seq >= ?2",
        "DELETE FROM again WHERE reader = ?1 AND seq >= ?2",
        "DELETE FROM dead WHERE reader = ?1 AND seq >= ?2 AND seq IN (SELECT seq FROM event)",
    ):
        database.execute(sql, (reader, first))


def hand_out_again(database: sqlite3.Connection, reader: str, seqs: Sequence[int]) -> int:
    """Those of these events that are settled come to the reader once more, dead letters too; how many did not yet."""
    chosen = (reader, numbers(seqs))
    found = database.execute(
        """INSERT OR IGNORE INTO again (reader, seq)
           SELECT name, seq FROM event, reader
           WHERE name = ?1 AND seq IN (SELECT value FROM json_each(?2))
             AND (seq <= cursor OR EXISTS (SELECT 1 FROM settled WHERE reader = ?1 AND settled.seq = event.seq))
           RETURNING seq""",
        chosen,
    ).fetchall()
    database.execute(
        """DELETE FROM dead WHERE reader = ?1 AND seq IN (SELECT value FROM json_each(?2))
           AND EXISTS (SELECT 1 FROM again WHERE again.reader = ?1 AND again.seq = dead.seq)""",
        chosen,
    )
    return len(found)


def numbers(seqs: Iterable[int]) -> str:
    """A list of sequence numbers as one parameter, read back with `json_each`."""
    return msgspec.json.encode(sorted(seqs)).decode()
