"""What a destination's platform has accepted: stretches of sequence numbers, cheap to keep, exact for ever.

A cursor says what is settled, not how: delivered, or skipped by the rules of that day. The difference matters to a
replay that must not send twice, and to whoever asks where an event went. Healthy traffic is one long stretch, so the
stretch that reaches up to the cursor is kept as its beginning alone (`reader.run`) and grows with the cursor at no
cost. A stretch that ends is written down as text (`12-18,`) and never taken back: what was accepted stays accepted,
through replays and changed rules. docs/decisions/0006 has the choice and its figures. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence

import msgspec

FULL = 4000
"""Characters of stretches in a reader's row; then they are moved to a row of their own."""

CLOSE = "CASE WHEN run < {end} THEN (run + 1) || '-' || {end} || ',' ELSE '' END"
"""SQL: the stretch of a reader's row, ended at `{end}`, as text; nothing if there is none."""


class Turn(msgspec.Struct, frozen=True):
    """What a stretch of settled events, not all of them accepted, does to a reader's row."""

    end: int  # the running stretch ends here, before the first that was not accepted
    runs: str  # whole stretches after that
    run: int  # everything above this was accepted


def turn(settled: Sequence[int], missed: Container[int], to: int) -> Turn | None:
    """`settled`: in order, none left out; `to`: where the cursor moves. None: all were accepted, it runs on."""
    first = next((seq for seq in settled if seq in missed), None)
    if first is None:
        return None
    last = next(seq for seq in reversed(settled) if seq in missed)
    runs = text(settled, {seq for seq in settled if first < seq < last and seq not in missed})
    return Turn(first - 1, runs, to if last == settled[-1] else last)


def text(among: Iterable[int], accepted: Container[int]) -> str:
    """The stretches of `accepted` numbers, where only those `among` exist: `12-18,20-20,`."""
    found = []
    first = last = 0
    for seq in among:
        if seq in accepted:
            first, last = first or seq, seq
        elif first:
            found.append(f"{first}-{last},")
            first = 0
    if first:
        found.append(f"{first}-{last},")
    return "".join(found)


def highest(runs: str) -> int:
    """The last number in a text of stretches; 0 for none."""
    return max((last for _, last in _pairs(runs)), default=0)


class Accepted:
    """Stretches as a set of numbers: `7 in accepted`."""

    def __init__(self, runs: str, *more: tuple[int, int]) -> None:
        """`more`: further stretches, first and last. Overlaps are fine."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted((*_pairs(runs), *more)):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            elif first <= last:
                merged.append((first, last))
        self._firsts = [first for first, _ in merged]
        self._lasts = [last for _, last in merged]

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq <= self._lasts[at]


def _pairs(runs: str) -> Iterable[tuple[int, int]]:
    for run in runs.split(",")[:-1]:
        first, _, last = run.partition("-")
        yield int(first), int(last)
