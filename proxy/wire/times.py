"""What a sender's times mean on our clock. Servers are believed; browsers are corrected and bounded."""

from __future__ import annotations

from proxy.clock import DAY_MS, SECOND_MS
from proxy.wire.readers import Reason, Unreadable

EVENT_PAST_MS = 7 * DAY_MS
"""A browser's event older than this has a wrong clock, not a long memory: its time becomes the time of arrival."""
LANDING_PAST_MS = DAY_MS
"""The same for the start of a page load."""
CLICK_PAST_MS = 400 * DAY_MS
"""And for clicks and consent decisions, which cookies keep for so long."""
SKEW_MS = 10 * SECOND_MS
"""Clocks that differ by less are left alone: the travel time of a request looks the same."""
_YEAR_2000, _YEAR_2100 = 946_684_800_000, 4_102_444_800_000


class Times:
    __slots__ = ("received_ms", "skew_ms", "trusted")

    def __init__(self, received_ms: int, sent_at: int | None, *, trusted: bool) -> None:
        """`sent_at`: the sender's clock when it sent, as far as it said."""
        skew_ms = 0 if trusted or sent_at is None else received_ms - sent_at
        self.received_ms = received_ms
        self.skew_ms = skew_ms if abs(skew_ms) > SKEW_MS else 0
        self.trusted = trusted

    def landing(self, given: int | None) -> int:
        return self._known(given, LANDING_PAST_MS, self.received_ms)

    def event(self, given: int | None) -> int:
        return self._known(given, EVENT_PAST_MS, self.received_ms, "time")

    def earlier(self, given: int | None, event_ms: int, *where: str) -> int:
        """Something that happened before or with the event; when we cannot know, with it."""
        return self._known(given, CLICK_PAST_MS, event_ms, *where)

    def _known(self, given: int | None, past_ms: int, instead: int, *where: str) -> int:
        """A browser's time corrected, or `instead` when it lies in the future or further back than `past_ms`."""
        if given is None:
            return instead
        if self.trusted:
            if not _YEAR_2000 <= given <= _YEAR_2100:
                hint = "; that looks like seconds" if _YEAR_2000 <= given * 1000 <= _YEAR_2100 else ""
                raise Unreadable(f"expected Unix milliseconds, got {given}{hint}", Reason.OUT_OF_RANGE).under(*where)
            return given
        corrected = given + self.skew_ms
        return corrected if self.received_ms - past_ms <= corrected <= self.received_ms else instead
