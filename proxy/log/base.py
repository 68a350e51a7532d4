"""The event log's interface: an append-only log of encrypted events, read by independent named readers.

An event is stored once, however many destinations there are. A destination is a *cursor* (the sequence number up to
which everything is settled) plus a small table of exceptions above it, not a row per event. Implementations:
`sqlite.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from proxy.event import Event


class Entry(msgspec.Struct, frozen=True):
    """One stored event. `seq` grows with arrival; gaps are normal."""

    seq: int
    stored_at_ms: int
    event: Event


class ReaderState(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader knows across restarts. `next_attempt_ms` 0: at once. `paused`: the reason, "" while running."""

    attempts: int = 0  # failed in a row
    next_attempt_ms: int = 0
    paused: str = ""
    last_error: str = ""
    last_delivery_ms: int = 0
    delivered: int = 0  # ever
    dead: int = 0  # ever


class Batch(msgspec.Struct, frozen=True):
    """What `read` found: entries above the cursor that are not settled yet, in order, and how far it looked.

    Entries are events; what is settled above the cursor is left out. `scanned_to` is the last sequence number looked
    at: when every entry of the batch is settled, the cursor may move there.
    """

    reader: str
    entries: tuple[Entry, ...]
    scanned_to: int
    state: ReaderState


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that one destination will never get, and why."""

    seq: int
    why: str
    detail: str
    at_ms: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch, committed in one transaction. Everything settled is in `settled` (delivered, skipped by
    the rules, or dead); the log moves the cursor past the settled prefix and remembers the rest as exceptions."""

    settled: Sequence[int]
    dead: Sequence[DeadLetter] = ()
    state: ReaderState


class StoredDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    reader: str
    letter: DeadLetter
    event: Event | None  # None: its body is gone (retention, erasure, lost key)


class ReaderStats(msgspec.Struct, frozen=True, kw_only=True):
    reader: str
    cursor: int
    waiting: int  # events between cursor and head, an upper bound of what will be sent
    oldest_waiting_ms: int | None  # stored_at of the oldest of them
    dead: int  # dead letters held now
    state: ReaderState


class LogStats(msgspec.Struct, frozen=True, kw_only=True):
    events: int
    oldest_ms: int | None
    bytes: int
    head: int  # highest sequence number ever given
    readers: tuple[ReaderStats, ...]


class EventLog(Protocol):
    async def append(self, events: Sequence[Event]) -> int:
        """Returns once all are on disk: how many were new (a known id and name is stored once). `LogUnavailable`
        when it cannot; then nothing was stored."""
        ...

    async def read(self, reader: str, limit: int) -> Batch:
        """The next unsettled events of `reader` (created at the start of the retained log if unknown)."""
        ...

    async def commit(self, batch: Batch, outcome: Outcome) -> None:
        """Settle; everything in `outcome` or nothing of it."""
        ...

    async def rewind(self, reader: str, to_ms: int) -> int:
        """Replay: back to the first event stored at or after `to_ms`; how many wait now."""
        ...

    async def erase(self, visitor: str) -> int:
        """Delete every event of a visitor id, dead letters included; how many."""
        ...

    async def stats(self) -> LogStats: ...
