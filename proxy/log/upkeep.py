"""What keeps the log small and its dead letters in hand: retention, erasure, retry and drop. Transactions for the
committer, each a bounded piece of work, because appends wait while one runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from proxy.log.base import Purged
from proxy.log.settling import numbers

CHUNK = 500  # events deleted in one transaction: 3.3 ms at a million events

_CHOSEN = """(?1 IS NULL OR reader = ?1) AND (?2 IS NULL OR seq IN (SELECT value FROM json_each(?2)))
             AND (?3 IS NULL OR why = ?3)"""
_HELD = _CHOSEN + " AND seq IN (SELECT seq FROM event)"  # noqa: S608 - constants


def purge(database: sqlite3.Connection, events_before_ms: int, dead_before_ms: int) -> Purged:
    """Delete the oldest events, delivered or not, and dead letters; count what readers had not settled."""
    old = database.execute(
        "SELECT seq FROM event WHERE stored_at_ms < ? ORDER BY stored_at_ms LIMIT ?", (events_before_ms, CHUNK)
    )
    seqs = [seq for (seq,) in old]
    undelivered = {} if not seqs else _undelivered(database, seqs)
    for reader, count in undelivered.items():
        database.execute("UPDATE reader SET expired = expired + ? WHERE name = ?", (count, reader))
    if seqs:
        _delete(database, seqs)
        database.execute("DELETE FROM accepted WHERE upto < (SELECT min(seq) FROM event)")
    letters = database.execute(
        "DELETE FROM dead WHERE (reader, seq) IN (SELECT reader, seq FROM dead WHERE at_ms < ? LIMIT ?)",
        (dead_before_ms, CHUNK),
    ).rowcount
    return Purged(events=len(seqs), dead=letters, undelivered=undelivered, more=len(seqs) == CHUNK or letters == CHUNK)


def erase(database: sqlite3.Connection, seqs: Sequence[int]) -> int:
    """Delete these events with their dead letters, and overwrite what they held in the file; how many there were."""
    database.execute("PRAGMA secure_delete=ON")
    try:
        database.execute("DELETE FROM dead WHERE seq IN (SELECT value FROM json_each(?))", (numbers(seqs),))
        return _delete(database, seqs)
    finally:
        database.execute("PRAGMA secure_delete=FAST")


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
    return database.execute("DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?))", gone).rowcount
