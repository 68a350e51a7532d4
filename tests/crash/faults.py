"""What a platform does to a request on a bad day, as a script: which fault comes when is rolled from a seed."""

from __future__ import annotations

import random
from enum import StrEnum


class Fault(StrEnum):
    DOWN = "503 before taking"
    DOWN_AFTER = "503 after taking"
    THROTTLED = "429 without Retry-After"
    THROTTLED_FOR = "429 with Retry-After"
    SILENT = "timeout before taking"
    SILENT_AFTER = "timeout after taking"
    HUNG_UP = "closed before an answer"
    CUT = "answer cut mid-body, after taking"
    GARBAGE = "200 with garbage, nothing taken"
    GARBAGE_AFTER = "200 with garbage, after taking"
    DRIP = "the answer in slow drips"
    DRIP_FOR_EVER = "drips beyond the timeout, after taking"


TAKING = frozenset(
    {
        Fault.DOWN_AFTER,
        Fault.SILENT_AFTER,
        Fault.CUT,
        Fault.GARBAGE_AFTER,
        Fault.DRIP,
        Fault.DRIP_FOR_EVER,
    }
)
"""The platform keeps the events although we may not learn it."""

SPARED = {
    "webhook": {Fault.GARBAGE},  # any 2xx is a yes, whatever stands in it: nothing could tell this lie from the truth
    "pinterest": {Fault.THROTTLED},  # its file then waits a minute, as Pinterest asks; each one would cost the run that
}
"""What a kind of platform is not made to do here."""


class Script:
    """The same seed gives the same faults in the same order; which request meets which one is up to the machine."""

    def __init__(self, seed: str, share: float, kind: str = "") -> None:
        """`share`: how many of all requests meet a fault, 0 to 1."""
        self._dice, self._share = random.Random(seed), share
        self._faults = [fault for fault in Fault if fault not in SPARED.get(kind, ())]

    def next(self) -> Fault | None:
        return self._dice.choice(self._faults) if self._dice.random() < self._share else None
