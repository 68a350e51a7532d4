"""A reader's standing after each answer, as it is stored beside its cursor: running, failing or paused. Pure.

A failing reader waits (`backoff.py`) and tries again; a paused one waits for a human and tries one event now and then.
"""

from __future__ import annotations

from enum import StrEnum

from proxy.clock import SECOND_MS
from proxy.config.settings import RelaySettings
from proxy.destinations.verdict import AuthBroken, RetryLater
from proxy.event import replace
from proxy.log.base import ReaderState
from proxy.relay.backoff import delay_s


class Change(StrEnum):
    """What is worth one line in the log."""

    FAILING = "destination_failing"
    RECOVERED = "destination_recovered"
    PAUSED = "destination_paused"
    RESUMED = "destination_resumed"


def running(state: ReaderState, *, delivered: int, now_ms: int, warning: str = "") -> ReaderState:
    """The platform answered and took or refused events: whatever was wrong with the way there is over. `warning`: what
    it said besides."""
    return replace(
        state,
        attempts=0,
        next_attempt_ms=0,
        paused="",
        last_error=f"taken, with a warning: {warning}" if warning else "",
        last_delivery_ms=now_ms if delivered else state.last_delivery_ms,
        delivered=state.delivered + delivered,
    )


def held(
    state: ReaderState, verdict: RetryLater | AuthBroken, *, settings: RelaySettings, dice: float, now_ms: int
) -> ReaderState:
    """The same events are tried again later. Paused stays paused until the platform takes or refuses events."""
    attempts = state.attempts + 1
    match verdict:
        case AuthBroken(why=why, detail=detail, advice=advice):
            paused = f"{why}: {advice or detail or 'the platform refuses the credentials'}"
            wait_s = settings.probe_s
        case RetryLater(after_s=after_s):
            paused = state.paused
            wait_s = delay_s(attempts, cap_s=settings.backoff_max_s, dice=dice, after_s=after_s)
            if paused:
                wait_s = max(wait_s, settings.probe_s)
    return replace(
        state,
        attempts=attempts,
        next_attempt_ms=now_ms + round(wait_s * SECOND_MS),
        paused=paused,
        last_error=words(verdict),
    )


def words(verdict: RetryLater | AuthBroken) -> str:
    return f"{verdict.why}: {verdict.detail}" if verdict.detail else verdict.why


def change(before: ReaderState, after: ReaderState) -> Change | None:
    if after.paused:
        return None if before.paused else Change.PAUSED
    if before.paused:
        return Change.RESUMED
    if after.attempts:
        return None if before.attempts else Change.FAILING
    # A reader that gave its events up keeps the error it failed with: that is no recovery.
    return Change.RECOVERED if before.attempts and after.last_error != before.last_error else None
