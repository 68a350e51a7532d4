"""No more requests a minute than a platform allows: a small bucket that refills evenly. Time comes from outside.

A tenth may go in a burst and the rest is spread, so that no minute, wherever it begins, holds more than the limit.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from proxy.clock import SECOND_MS, Clock

MINUTE_MS = 60 * SECOND_MS
BURST = 10  # the tenth part

Sleep = Callable[[float], Awaitable[object]]


class Pace:
    def __init__(self, per_minute: int | None, clock: Clock, sleep: Sleep) -> None:
        """`per_minute` None: no limit."""
        self._clock, self._sleep = clock, sleep
        self._most = 0.0 if per_minute is None else max(1.0, per_minute // BURST)
        self._per_ms = None if per_minute is None else max(per_minute - self._most, 1.0) / MINUTE_MS
        self._left, self._at_ms = self._most, clock()

    async def turn(self) -> None:
        """Returns when the next request may go."""
        if self._per_ms is None:
            return
        self._refill(self._per_ms)
        while self._left < 1:
            await self._sleep(math.ceil((1 - self._left) / self._per_ms) / SECOND_MS)
            self._refill(self._per_ms)
        self._left -= 1

    def _refill(self, per_ms: float) -> None:
        now_ms = self._clock()
        passed_ms = max(0, now_ms - self._at_ms)  # a clock that was set back refills nothing, and blocks nothing
        self._left, self._at_ms = min(self._most, self._left + passed_ms * per_ms), now_ms
