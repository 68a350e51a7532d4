"""The event log's interface: an append-only log of encrypted events, read by independent named readers.

An event is stored once, however many destinations there are. A destination is a *cursor* (the sequence number up to
which everything is settled) plus a small table of exceptions above it, not a row per event.

`EventLog` is what the collector and the relay use; `OperatedLog` adds what the server's upkeep and the operator's
commands need. Implementations: `sqlite.py` (the service), `memory.py` (tests; nothing survives the process).
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from proxy.event import Event, Purpose
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal


class Entry(msgspec.Struct, frozen=True):
    """One stored event. `seq` grows with arrival; gaps are normal."""

    seq: int
    stored_at_ms: int
    event: Event
    refused: tuple[Purpose, ...] = ()  # what its visitor has taken back since


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's promise to say later what became of an accepted request, and when to ask next."""

    id: str
    due_ms: int
    asked: int = 0  # times


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that its reader tries again by itself, and when."""

    seq: int
    tried_ms: int  # last
    due_ms: int
    tries: int = 0


class ReaderState(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader knows across restarts. `next_attempt_ms` 0: at once. `paused`: the reason, "" while running."""

    attempts: int = 0  # failed in a row
    next_attempt_ms: int = 0
    paused: str = ""
    last_error: str = ""
    last_delivery_ms: int = 0
    delivered: int = 0  # ever
    dead: int = 0  # ever
    receipts: tuple[Receipt, ...] = ()  # still to be asked for, the oldest first
    outcomes: dict[str, int] = {}  # what receipts said: events by outcome, ever
    aside: tuple[Aside, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """What `read` found: entries above the cursor that are not settled yet, in order, and how far it looked.

    Entries are events; what is settled above the cursor is left out. `scanned_to` is the last sequence number looked
    at: when every entry of the batch is settled, the cursor may move there.
    """

    reader: str
    entries: tuple[Entry, ...]
    scanned_to: int
    state: ReaderState
    again: tuple[int, ...] = ()  # those of `entries` that are retried or replayed; the cursor ignores them
    epoch: int = 0  # counts rewinds; a commit of a batch read before a rewind does not move the cursor


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that one destination will never get, and why."""

    seq: int
    why: str
    detail: str
    at_ms: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch, committed in one transaction. Everything settled is in `settled` (delivered or skipped by
    the rules) or `dead`; the log moves the cursor past the settled prefix and remembers the rest as exceptions.

    `missed`: those of `settled` that the platform was not sent. The others it has accepted, which the log remembers.

    `claims`: keys of `once` (the reader is to be sent one event for each) and the sequence number of the event that was
    sent. The first claim of a key stays. A rewind does not undo it: the event was sent."""

    settled: Sequence[int]
    dead: Sequence[DeadLetter] = ()
    missed: Collection[int] = ()
    claims: Mapping[str, int] = {}
    state: ReaderState


class StoredDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    reader: str
    letter: DeadLetter
    event: Event | None  # None: its body is gone (retention, erasure, lost key)


class StoredProof(msgspec.Struct, frozen=True, kw_only=True):
    """`visitor`: the keyed digest, in hex. `proof` is None when no key opens it."""

    at_ms: int
    visitor: str
    proof: Proof | None  # without the visitor id


class ReaderStats(msgspec.Struct, frozen=True, kw_only=True):
    reader: str
    cursor: int
    waiting: int  # events between cursor and head, an upper bound of what will be sent
    oldest_waiting_ms: int | None  # stored_at of the oldest of them
    dead: int  # dead letters held now
    state: ReaderState
    expired: int = 0  # ever deleted by retention before they were settled


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is to be sent again: events stored at `since_ms` or later, and before `until_ms` if given.
    `only_missing`: only those its platform has not accepted."""

    reader: str
    since_ms: int
    until_ms: int | None = None
    only_missing: bool = False

    @property
    def ends_ms(self) -> int:
        return 2**62 if self.until_ms is None else self.until_ms

    @property
    def is_rewind(self) -> bool:
        """Everything since then: as cheap as moving the cursor back."""
        return self.until_ms is None and not self.only_missing


class Replayable(msgspec.Struct, frozen=True, kw_only=True):
    """Of the events in a replay's time. `again`: those it sends again."""

    stored: int
    accepted: int
    waiting: int  # not settled yet: they come anyway
    again: int


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What one bounded `purge` deleted. `more`: there is more to delete, call again soon."""

    events: int = 0
    dead: int = 0
    consents: int = 0
    undelivered: dict[str, int] = {}  # of `events`, by reader: those it had not settled
    more: bool = False


class LastPurge(msgspec.Struct, frozen=True, kw_only=True):
    """When retention was enforced last, and what that run deleted."""

    at_ms: int
    events: int = 0
    dead: int = 0
    consents: int = 0


class LogStats(msgspec.Struct, frozen=True, kw_only=True):
    events: int
    oldest_ms: int | None
    bytes: int  # of its files
    consents: int = 0  # proofs kept
    erased: int = 0  # visitors remembered as erased
    last_purge: LastPurge | None = None
    head: int  # highest sequence number ever given
    readers: tuple[ReaderStats, ...]
    used: int = 0  # of `bytes`, without free pages: what log.max_bytes limits


class EventLog(Protocol):
    def append(
        self, events: Sequence[Event], proofs: Sequence[Proof] = (), refusals: Sequence[Refusal] = ()
    ) -> Awaitable[int]:
        """Once all are on disk, together: how many events were new (a known id and name is stored once).
        `LogUnavailable` when it cannot; then nothing was stored. `refusals` are told with every event of that visitor
        up to here, whenever it is read (`Entry.refused`)."""
        ...

    async def read(self, reader: str, limit: int) -> Batch:
        """The next unsettled events of `reader` (created at the start of the retained log if unknown)."""
        ...

    async def commit(self, batch: Batch, outcome: Outcome) -> None:
        """Settle; everything in `outcome` or nothing of it."""
        ...

    async def retry_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        """Give dead letters (all, of one reader, these numbers, this reason) back to their readers; how many. Those
        whose event is gone stay where they are."""
        ...

    async def claims(self, reader: str, keys: Collection[str]) -> dict[str, int]:
        """Those of `keys` that are claimed (`Outcome.claims`), and by which event; forgotten with that event."""
        ...

    async def of_orders(self, orders: Collection[str]) -> dict[str, Entry]:
        """By order, the first event of a browser that named it; none where two visitors did. Only what was stored while
        `log.find_orders` was on is found."""
        ...

    async def rewind(self, reader: str, to_ms: int) -> int:
        """Replay: back to the first event stored at or after `to_ms`; how many wait now."""
        ...

    async def erase(self, visitor: str) -> int:
        """Delete every event of a visitor id, dead letters and refusals included; how many events."""
        ...

    def is_erased(self, visitor: str) -> bool:
        """Was this visitor id erased, as far as this process knows? Cheap; others learn of it within seconds."""
        ...

    async def stats(self) -> LogStats:
        """Cheap whatever the size of the log: counts are differences of sequence numbers."""
        ...

    async def wait(self, after_seq: int, timeout_s: float) -> bool:
        """Sleep until an event above `after_seq` may be there (True), or `timeout_s` passed (False: read anyway now
        and then; a replay or a retried dead letter asked for by another process wakes nobody)."""
        ...


class OperatedLog(EventLog, Protocol):
    """What upkeep and the operator's commands need besides; all of it is safe while others append and read."""

    async def dead(self, reader: str | None = None, limit: int = 1000) -> list[StoredDeadLetter]:
        """Dead letters of one reader or of all, newest first."""
        ...

    async def drop_dead(
        self, reader: str | None = None, seqs: Sequence[int] | None = None, why: str | None = None
    ) -> int:
        """Forget dead letters; how many."""
        ...

    async def revoke(self, visitors: Sequence[str]) -> None:
        """Remember these visitor ids as erased (`is_erased`), and keep of their proofs of consent only what proves."""
        ...

    async def replay(self, replay: Replay) -> int:
        """Hand settled events out again, once, before anything newer; how many. What waits is left alone: it comes
        anyway."""
        ...

    async def purge(self) -> Purged:
        """Delete what is past its retention: a bounded piece of work per call."""
        ...

    async def close(self) -> None: ...
