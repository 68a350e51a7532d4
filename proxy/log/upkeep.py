"""What keeps the log small and its dead letters in hand: retention, erasure, retry and drop. Transactions for the
committer, each a bounded piece of work, because appends wait while one runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite

from proxy.log.base import Purged
from proxy.log.settling import numbers

CHUNK = 500  # events deleted in one transaction: 3.3 ms at a million events

_CHOSEN = """(?1 IS NULL OR reader = ?1) AND (?2 IS NULL OR seq IN (SELECT value FROM json_each(?2)))
             AND (?3 IS NULL OR why = ?3)"""
_HELD = _CHOSEN + " AND seq IN (SELECT seq FROM event)"  # noqa: S608 - constants


async def purge(database: aiosqlite.Connection, events_before_ms: int, dead_before_ms: int) -> Purged:
    """Delete the oldest events, delivered or not, and dead letters; count what readers had not settled."""
    old = await database.execute_fetchall(
        "SELECT seq FROM event WHERE stored_at_ms < ? ORDER BY stored_at_ms LIMIT ?", (events_before_ms, CHUNK)
    )
    seqs = [seq for (seq,) in old]
    undelivered = {} if not seqs else await _undelivered(database, seqs)
    for reader, count in undelivered.items():
        await database.execute_fetchall("UPDATE reader SET expired = expired + ? WHERE name = ?", (count, reader))
    if seqs:
        await _delete(database, seqs)
        await database.execute_fetchall("DELETE FROM accepted WHERE upto < (SELECT min(seq) FROM event)")
    letters = await _changed(
        database,
        """DELETE FROM dead WHERE (reader, seq) IN (SELECT reader, seq FROM dead WHERE at_ms < ? LIMIT ?)""",
        (dead_before_ms, CHUNK),
    )
    return Purged(events=len(seqs), dead=letters, undelivered=undelivered, more=len(seqs) == CHUNK or letters == CHUNK)


async def erase(database: aiosqlite.Connection, seqs: Sequence[int]) -> int:
    """Delete these events with their dead letters, and overwrite what they held in the file; how many there were."""
    await database.execute_fetchall("PRAGMA secure_delete=ON")
    try:
        await database.execute_fetchall(
            "DELETE FROM dead WHERE seq IN (SELECT value FROM json_each(?))", (numbers(seqs),)
        )
        return await _delete(database, seqs)
    finally:
        await database.execute_fetchall("PRAGMA secure_delete=FAST")


async def retry_dead(
    database: aiosqlite.Connection, reader: str | None, seqs: Sequence[int] | None, why: str | None
) -> int:
    """Letters whose event is gone are left."""
    chosen = (reader, None if seqs is None else numbers(seqs), why)
    await database.execute_fetchall(
        f"INSERT OR IGNORE INTO again (reader, seq) SELECT reader, seq FROM dead WHERE {_HELD}",  # noqa: S608 - constants
        chosen,
    )
    return await _changed(database, f"DELETE FROM dead WHERE {_HELD}", chosen)  # noqa: S608 - constants


async def drop_dead(
    database: aiosqlite.Connection, reader: str | None, seqs: Sequence[int] | None, why: str | None
) -> int:
    chosen = (reader, None if seqs is None else numbers(seqs), why)
    return await _changed(database, f"DELETE FROM dead WHERE {_CHOSEN}", chosen)  # noqa: S608 - constants


async def _undelivered(database: aiosqlite.Connection, seqs: Sequence[int]) -> dict[str, int]:
    """Of these events, how many each reader has not settled; readers that settled all are left out."""
    rows = await database.execute_fetchall(
        """WITH gone AS (SELECT value AS seq FROM json_each(?))
           SELECT name,
                  (SELECT count(*) FROM gone WHERE seq > cursor)
                  - (SELECT count(*) FROM gone JOIN settled USING (seq) WHERE reader = name AND seq > cursor)
                  + (SELECT count(*) FROM gone JOIN again USING (seq) WHERE reader = name) AS lost
           FROM reader WHERE lost > 0""",
        (numbers(seqs),),
    )
    return {name: lost for name, lost in rows}  # noqa: C416 - rows are sqlite's, not pairs


async def _delete(database: aiosqlite.Connection, seqs: Sequence[int]) -> int:
    gone = (numbers(seqs),)
    await database.execute_fetchall("DELETE FROM again WHERE seq IN (SELECT value FROM json_each(?))", gone)
    await database.execute_fetchall("DELETE FROM claim WHERE seq IN (SELECT value FROM json_each(?))", gone)
    return await _changed(database, "DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?))", gone)


async def _changed(database: aiosqlite.Connection, sql: str, parameters: Sequence[object]) -> int:
    await database.execute_fetchall(sql, parameters)
    ((count,),) = await database.execute_fetchall("SELECT changes()")
    return int(count)
