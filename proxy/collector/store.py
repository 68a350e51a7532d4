"""The last step: events onto disk, and everything counted. Nothing is acknowledged before it is `stored`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from proxy.clock import SECOND_MS, Clock
from proxy.collector.pipeline import DropReason
from proxy.errors import LogUnavailable
from proxy.event import Event
from proxy.log.base import EventLog
from proxy.observe import metrics
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal
from proxy.wire import RefusedEvent, field_label

_FRESH_MS = 10 * SECOND_MS


class Left(msgspec.Struct, frozen=True):
    """What of a request is not stored, and what was left out of what is."""

    dropped: Sequence[DropReason] = ()
    refused: Sequence[RefusedEvent] = ()
    ignored: Sequence[str] = ()
    removed: Sequence[str] = ()  # fields out of which personal text was taken (`proxy/privacy/scrub.py`)


NOTHING_LEFT = Left()


class Storing(msgspec.Struct, frozen=True):
    """Events on their way to the disk. Once it is known what became of them (`known` is done), `settle` counts them or
    raises `LogUnavailable`: nothing was stored. To be called once."""

    known: asyncio.Future[int]
    settle: Callable[[], None]


class Store:
    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._failed_ms: int | None = None
        self._why = ""
        self._stored = {source: metrics.events_stored.labels(source) for source in ("browser", "pixel", "server")}
        self._dropped = {reason: metrics.events_dropped.labels(reason) for reason in DropReason}

    def keep(
        self,
        events: Sequence[Event],
        source: str,
        left: Left = NOTHING_LEFT,
        proof: Proof | None = None,
        refusal: Refusal | None = None,
    ) -> Storing:
        proofs, refusals = () if proof is None else (proof,), () if refusal is None else (refusal,)
        new = asyncio.ensure_future(self._log.append(events, proofs, refusals))
        return Storing(new, partial(self._settle, new, len(events), source, left, decided=proof is not None))

    def _settle(self, stored: asyncio.Future[int], count: int, source: str, left: Left, *, decided: bool) -> None:
        try:
            new = stored.result()
        except LogUnavailable as error:
            self._failed_ms, self._why = self._clock(), str(error)
            raise
        self._failed_ms = None
        if decided:
            metrics.consents_logged.inc()
        self._stored[source].inc(new)
        if new < count:
            metrics.events_duplicate.inc(count - new)
        self.count(left)

    async def trouble(self) -> str:
        """Why the log takes no events now, or "". A failure counts for ten seconds, then it is worth a try."""
        if self._failed_ms is not None and self._clock() - self._failed_ms < _FRESH_MS:
            return self._why
        try:
            await self._log.stats()
        except LogUnavailable as error:
            return str(error)
        return ""

    def count(self, left: Left) -> None:
        for reason in left.dropped:
            self._dropped[reason].inc()
        for event in left.refused:
            metrics.events_refused.labels(event.reason).inc()
        for field in left.removed:
            metrics.personal_removed.labels(field).inc()
        if left.ignored:
            for field, times in Counter(map(field_label, left.ignored)).items():
                metrics.fields_ignored.labels(field).inc(times)
