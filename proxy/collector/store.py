"""The last step: events onto disk, and everything counted. Nothing is acknowledged before `keep` has returned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from proxy.clock import SECOND_MS, Clock
from proxy.collector.pipeline import DropReason
from proxy.errors import LogUnavailable
from proxy.event import Event
from proxy.log.base import EventLog
from proxy.observe import metrics
from proxy.wire import RefusedEvent, field_label

_FRESH_MS = 10 * SECOND_MS


class Store:
    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._failed_ms: int | None = None
        self._why = ""
        self._stored = {source: metrics.events_stored.labels(source) for source in ("browser", "pixel", "server")}
        self._dropped = {reason: metrics.events_dropped.labels(reason) for reason in DropReason}

    async def keep(self, events: Sequence[Event], source: str) -> None:
        """Returns once `events` are durable. Raises `LogUnavailable`; then nothing was stored."""
        try:
            new = await self._log.append(events)
        except LogUnavailable as error:
            self._failed_ms, self._why = self._clock(), str(error)
            raise
        self._failed_ms = None
        self._stored[source].inc(new)
        if new < len(events):
            metrics.events_duplicate.inc(len(events) - new)

    async def trouble(self) -> str:
        """Why the log takes no events now, or "". A failure counts for ten seconds, then it is worth a try."""
        if self._failed_ms is not None and self._clock() - self._failed_ms < _FRESH_MS:
            return self._why
        try:
            await self._log.stats()
        except LogUnavailable as error:
            return str(error)
        return ""

    def count(
        self, dropped: Iterable[DropReason], refused: Iterable[RefusedEvent] = (), ignored: Iterable[str] = ()
    ) -> None:
        """What was not stored, and what was left out of what was."""
        for reason in dropped:
            self._dropped[reason].inc()
        for event in refused:
            metrics.events_refused.labels(event.reason).inc()
        for field, times in Counter(map(field_label, ignored)).items():
            metrics.fields_ignored.labels(field).inc(times)
