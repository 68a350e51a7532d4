"""What keeps the log small and its dead letters in hand: retention, erasure, retry and drop. Transactions for the
committer, each a bounded piece of work, because appends wait while one runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from proxy.event import replace
from proxy.log.base import Purged
from proxy.log.sealing import Sealing
from proxy.log.settling import numbers

CHUNK = 500  # events deleted in one transaction: 3.3 ms at a million events

_CHOSEN = """(?1 IS NULL OR reader = ?1) AND (?2 IS NULL OR seq IN (SELECT value FROM json_each(?2)))
             AND (?3 IS NULL OR why = ?3)"""
_HELD = _CHOSEN + " AND seq IN (SELECT seq FROM event)"  # noqa: S608 - constants


class Before(msgspec.Struct, frozen=True):
    """What is older than this goes: ms, per kind of data."""

    events: int
    dead: int
    consents: int
    erased: int


def purge(database: sqlite3.Connection, before: Before, now_ms: int, *, goes_on: bool) -> Purged:
    """Delete the oldest events, delivered or not, and the rest; count what readers had not settled.

    `goes_on`: it is a further piece of one run, whose counts add up."""
    old = database.execute(
        "SELECT seq FROM event WHERE stored_at_ms < ? ORDER BY stored_at_ms LIMIT ?", (before.events, CHUNK)
    )
    seqs = [seq for (seq,) in old]
    gone = _drop(database, seqs)
    letters = database.execute(
        "DELETE FROM dead WHERE (reader, seq) IN (SELECT reader, seq FROM dead WHERE at_ms < ? LIMIT ?)",
        (before.dead, CHUNK),
    ).rowcount
    consents = database.execute(
        "DELETE FROM consent WHERE id IN (SELECT id FROM consent WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        (before.consents, CHUNK),
    ).rowcount
    database.execute("DELETE FROM erased WHERE at_ms < ?", (before.erased,))
    database.execute("DELETE FROM refusal WHERE upto < (SELECT coalesce(min(seq), 1 << 62) FROM event)")
    kept = "purge.{0} + excluded.{0}" if goes_on else "excluded.{0}"
    counts = ", ".join(f"{name} = {kept.format(name)}" for name in ("events", "dead", "consents"))
    database.execute(
        f"""INSERT INTO purge (one, at_ms, events, dead, consents) VALUES (1, ?, ?, ?, ?)
            ON CONFLICT (one) DO UPDATE SET at_ms = excluded.at_ms, {counts}""",  # noqa: S608 - constants
        (now_ms, len(seqs), letters, consents),
    )
    return replace(gone, dead=letters, consents=consents, more=gone.more or CHUNK in (letters, consents))


def drop_delivered(database: sqlite3.Connection, readers: Collection[str] | None) -> Purged:
    """Delete the oldest events that all of `readers` (None: all there are) have settled and that are nobody's dead
    letter, so that nothing is lost by it."""
    places: dict[str, int] = dict(database.execute("SELECT name, cursor FROM reader"))
    (head,) = database.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    upto = min((places.get(name, 0) for name in (places if readers is None else readers)), default=head)
    old = database.execute(
        """SELECT seq FROM event WHERE seq <= ? AND NOT EXISTS (
             SELECT 1 FROM reader
             WHERE EXISTS (SELECT 1 FROM dead WHERE dead.reader = name AND dead.seq = event.seq)
                OR EXISTS (SELECT 1 FROM again WHERE again.reader = name AND again.seq = event.seq))
           ORDER BY seq LIMIT ?""",
        (upto, CHUNK),
    )
    return _drop(database, [seq for (seq,) in old])


def drop_oldest(database: sqlite3.Connection) -> Purged:
    """Delete the oldest events, delivered or not; count what readers had not settled."""
    old = database.execute("SELECT seq FROM event ORDER BY seq LIMIT ?", (CHUNK,))
    return _drop(database, [seq for (seq,) in old])


def _drop(database: sqlite3.Connection, seqs: Sequence[int]) -> Purged:
    """Delete these, and note for readers that had not settled them that they never will."""
    if not seqs:
        return Purged()
    undelivered = _undelivered(database, seqs)
    for reader, count in undelivered.items():
        database.execute("UPDATE reader SET expired = expired + ? WHERE name = ?", (count, reader))
    _delete(database, seqs)
    database.execute("DELETE FROM accepted WHERE upto < (SELECT min(seq) FROM event)")
    return Purged(events=len(seqs), undelivered=undelivered, more=len(seqs) == CHUNK)


def erase(database: sqlite3.Connection, seqs: Sequence[int]) -> int:
    """Delete these events with their dead letters, and overwrite what they held in the file; how many there were."""
    database.execute("PRAGMA secure_delete=ON")
    try:
        database.execute("DELETE FROM dead WHERE seq IN (SELECT value FROM json_each(?))", (numbers(seqs),))
        return _delete(database, seqs)
    finally:
        database.execute("PRAGMA secure_delete=FAST")


def forget_refusals(database: sqlite3.Connection, visitor: int) -> None:
    """Once nothing of the visitor is left that they could be about."""
    database.execute("DELETE FROM refusal WHERE visitor = ?", (visitor,))


def revoke(database: sqlite3.Connection, sealing: Sealing, visitors: Sequence[int], now_ms: int) -> None:
    """Remember that these visitors were erased; their proofs of consent lose what leads to them."""
    database.execute("PRAGMA secure_delete=ON")
    try:
        for visitor in visitors:
            database.execute("INSERT OR REPLACE INTO erased (at_ms, visitor) VALUES (?, ?)", (now_ms, visitor))
            kept = database.execute("SELECT id, body FROM consent WHERE visitor = ?", (visitor,)).fetchall()
            for number, body in kept:
                if (proof := sealing.opened_proof(visitor, body)) is not None:
                    bare = sealing.proof_body(visitor, proof.without_traces())
                    database.execute("UPDATE consent SET body = ? WHERE id = ?", (bare, number))
    finally:
        database.execute("PRAGMA secure_delete=FAST")


def fold_in(database: sqlite3.Connection) -> bool:
    """Outside a transaction. Waits for readers as long as any statement does."""
    busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def retry_dead(database: sqlite3.Connection, reader: str | None, seqs: Sequence[int] | None, why: str | None) -> int:
    """Letters whose event is gone are left."""
    chosen = (reader, None if seqs is None else numbers(seqs), why)
    database.execute(
        f"INSERT OR IGNORE INTO again (reader, seq) SELECT reader, seq FROM dead WHERE {_HELD}",  # noqa: S608 - constants
        chosen,
    )
    return database.execute(f"DELETE FROM dead WHERE {_HELD}", chosen).rowcount  # noqa: S608 - constants


def drop_dead(database: sqlite3.Connection, reader: str | None, seqs: Sequence[int] | None, why: str | None) -> int:
    chosen = (reader, None if seqs is None else numbers(seqs), why)
    return database.execute(f"DELETE FROM dead WHERE {_CHOSEN}", chosen).rowcount  # noqa: S608 - constants


def _undelivered(database: sqlite3.Connection, seqs: Sequence[int]) -> dict[str, int]:
    """Of these events, how many each reader has not settled; readers that settled all are left out."""
    rows = database.execute(
        """WITH gone AS (SELECT value AS seq FROM json_each(?))
           SELECT name,
                  (SELECT count(*) FROM gone WHERE seq > cursor)
                  - (SELECT count(*) FROM gone JOIN settled USING (seq) WHERE reader = name AND seq > cursor)
                  + (SELECT count(*) FROM gone JOIN again USING (seq) WHERE reader = name) AS lost
           FROM reader WHERE lost > 0""",
        (numbers(seqs),),
    )
    return {name: lost for name, lost in rows}  # noqa: C416 - rows are sqlite's, not pairs


def _delete(database: sqlite3.Connection, seqs: Sequence[int]) -> int:
    gone = (numbers(seqs),)
    database.execute("DELETE FROM again WHERE seq IN (SELECT value FROM json_each(?))", gone)
    database.execute("DELETE FROM claim WHERE seq IN (SELECT value FROM json_each(?))", gone)
    database.execute("DELETE FROM known_order WHERE seq IN (SELECT value FROM json_each(?))", gone)
    return database.execute("DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?))", gone).rowcount
