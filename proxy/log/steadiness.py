"""Is the clock to be believed? Retention deletes by it, so a clock that jumps ahead would delete what nobody has sent.

The clock is compared with the time that really passes (as the kernel counts it, sleep included). When it has gained
more than `SLIP_MS`, retention waits: until the clock is back, or for a day, after which it is taken for the right one.
"""

from __future__ import annotations

import time

from proxy.clock import DAY_MS, Clock
from proxy.observe.logs import get_logger

SLIP_MS = 3_600_000
"""An hour: more than any correction of a clock that was nearly right, less than any retention that matters."""

_log = get_logger("log")


def passed_ms() -> int:
    """Since the machine was started."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Steadiness:
    """Of a clock, from now on. A clock that was wrong before cannot be told."""

    def __init__(self, clock: Clock, passed: Clock = passed_ms) -> None:
        self._clock, self._passed = clock, passed
        self._ahead_ms = clock() - passed()
        self._doubted_since: int | None = None

    def is_steady(self) -> bool:
        """To be asked now and then; says in the log when it begins to doubt and when that is over."""
        passed_ms = self._passed()
        gained_ms = self._clock() - passed_ms - self._ahead_ms
        if gained_ms <= SLIP_MS:
            if self._doubted_since is not None:
                _log.info("clock is back, retention goes on")
            self._doubted_since = None
            self._ahead_ms += min(gained_ms, 0)  # set back: what counts is where it goes from there
            return True
        if self._doubted_since is None:
            self._doubted_since = passed_ms
            advice = "nothing is deleted for a day; set the clock right if it is wrong now"
            _log.warning("clock jumped ahead, retention waits", seconds=gained_ms // 1000, advice=advice)
        if passed_ms - self._doubted_since < DAY_MS:
            return False
        self._ahead_ms += gained_ms
        self._doubted_since = None
        _log.info("clock is believed again, retention goes on")
        return True
