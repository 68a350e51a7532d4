"""When to try again: exponential with full jitter, never sooner than the platform asked. Pure: dice are a parameter."""

from __future__ import annotations

BASE_S = 1.0
FLOOR_S = 0.25  # full jitter may roll a zero; a platform in trouble gets at least this
ASKED_MAX_S = 3600.0  # a platform's own figure is believed up to an hour: a slip of theirs must not stop us for a year
ASKED_JITTER = 0.1  # spread above the platform's figure, so that readers do not all return in the same moment


def delay_s(attempts: int, *, cap_s: float, dice: float, after_s: float | None = None) -> float:
    """Seconds until the next attempt.

    `attempts`: failures in a row, this one included (from 1). `dice`: 0 ≤ dice < 1. `after_s`: what the platform asked
    for; then this is the least, whatever `cap_s` says.
    """
    ceiling = min(cap_s, BASE_S * 2.0 ** min(attempts - 1, 60))
    rolled = max(FLOOR_S, dice * ceiling)
    if after_s is None:
        return rolled
    asked = min(max(after_s, 0.0), ASKED_MAX_S)
    return max(rolled, asked * (1 + ASKED_JITTER * dice))
