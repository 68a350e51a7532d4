"""Every change to the log's file, as plain sqlite3: groups of rows, and jobs with a transaction of their own.

Nothing here knows of the event loop: `committer.py` calls it from a thread, one call at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar

from proxy.clock import Clock
from proxy.errors import LogUnavailable
from proxy.log import orders
from proxy.log.room import Room
from proxy.log.sealing import ProofRow, RefusalRow, Row

_PAGE = 4096  # bytes
_PAGES_OF_A_CALL = 5  # besides the bodies: ends of the indexes, the table's last page, its highest number
CHUNK = 256  # rows of one statement: beyond this a group only gets slower to answer

T = TypeVar("T")
Job: TypeAlias = Callable[[sqlite3.Connection], T]


class Writing:
    """Owns the writing connection. Every method raises `LogUnavailable` when the file does not take the change; then
    nothing of it was made."""

    def __init__(self, database: sqlite3.Connection, path: Path, clock: Clock, room: Room) -> None:
        self.head = 0  # the last sequence number given here
        self.pages = 0  # about how many were written to the -wal file
        self._database = database
        self._path = path
        self._clock = clock
        self._room = room

    def store(
        self,
        appends: Sequence[Sequence[Row]],
        proofs: Sequence[ProofRow] = (),
        refusals: Sequence[RefusalRow] = (),
    ) -> list[int]:
        """How many of the rows of each append were new, once all are on disk, `proofs` and `refusals` too."""
        rows = [row for append in appends for row in append]
        self.pages += _PAGES_OF_A_CALL + sum([len(row.body) for row in rows]) // _PAGE
        with self._faults_named():
            self._room.check(self._database, rows, self._transaction)
            if proofs or refusals or any(row.order is not None for row in rows):
                with self._transaction():
                    (before,) = self._database.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
                    # A statement that fails undoes itself, not the transaction.
                    new = self._insert_all(appends, rows) or self._insert_new(appends)
                    orders.note(self._database, rows, before)
                    self._insert_decisions(proofs, refusals)
                    return new
            if counts := self._insert_all(appends, rows):
                return counts
            with self._transaction():
                return self._insert_new(appends)

    def do(self, job: Job[T], *, transaction: bool) -> T:
        """`job` inside a transaction; without one (`transaction` False) it is a single statement, which is its own."""
        self.pages += _PAGES_OF_A_CALL
        with self._faults_named():
            if not transaction:
                return job(self._database)
            with self._transaction():
                return job(self._database)

    def close(self) -> None:
        self._database.close()

    def _insert_all(self, appends: Sequence[Sequence[Row]], rows: Sequence[Row]) -> list[int] | None:
        """In one statement; None when it cannot be: some were stored before, stand here twice, or are very many."""
        if len(rows) > CHUNK:
            return None
        try:
            self._insert(rows)
        except sqlite3.IntegrityError:
            return None
        return [len(append) for append in appends]

    def _insert(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        # One statement for the whole group: a transaction in itself, one release of the GIL.
        # CPU in SQLite for groups of 64, no index: 6.2 us an event; executemany 7.8; one blob cut up by json_each 7.4.
        values = chain.from_iterable((row.key, row.visitor, row.body) for row in rows)
        inserted = self._database.execute(_insert_sql(len(rows)), (self._clock(), *values)).lastrowid
        assert inserted is not None
        self.head = inserted

    def _insert_decisions(self, proofs: Sequence[ProofRow], refusals: Sequence[RefusalRow]) -> None:
        """After the events of their group: what was on its way when it was refused is stopped as well."""
        self._database.executemany(
            "INSERT INTO consent (at_ms, visitor, body) VALUES (?, ?, ?)",
            [(proof.at_ms, proof.visitor, proof.body) for proof in proofs],
        )
        self._database.executemany(
            "INSERT INTO refusal (upto, visitor, refused) SELECT coalesce(max(seq), 0), ?, ? FROM event",
            [(refusal.visitor, refusal.refused) for refusal in refusals],
        )

    def _insert_new(self, appends: Sequence[Sequence[Row]]) -> list[int]:
        """Inside a transaction: what is not known yet; how many of each append that was."""
        known: set[bytes] = set()
        for keys in _chunks([row.key for append in appends for row in append]):
            sql = f"SELECT key FROM event WHERE key IN ({','.join('?' * len(keys))})"  # noqa: S608 - question marks only
            known.update(key for (key,) in self._database.execute(sql, keys))
        new: list[Row] = []
        counts = []
        for append in appends:
            before = len(new)
            for row in append:
                if row.key not in known:
                    known.add(row.key)
                    new.append(row)
            counts.append(len(new) - before)
        for rows in _chunks(new):
            self._insert(rows)
        return counts

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        yield
        self._database.execute("COMMIT")

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        """Around every call: SQLite's faults say which file, and no transaction is open before or after."""
        try:
            self._undo()
            try:
                yield
            finally:
                self._undo()
        except sqlite3.Error as error:
            raise LogUnavailable(f"writing {self._path}: {error}") from error

    def _undo(self) -> None:
        if self._database.in_transaction:
            self._database.rollback()


@lru_cache(maxsize=CHUNK)
def _insert_sql(rows: int) -> str:
    return "INSERT INTO event (stored_at_ms, key, visitor, body) VALUES " + ",".join(["(?1,?,?,?)"] * rows)  # noqa: S608 - question marks only


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
