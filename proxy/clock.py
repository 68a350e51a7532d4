"""Time as a parameter: whoever needs "now" is given a `Clock`, so tests and `explain --now` choose it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns Unix milliseconds, UTC."""

SECOND_MS = 1_000
DAY_S = 86_400
DAY_MS = DAY_S * SECOND_MS


def system_clock() -> int:
    return time.time_ns() // 1_000_000
