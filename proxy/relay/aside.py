"""Events set aside: the platform answers "later" to them even alone, while it takes others (`search.py`). Pure.

Each is a dead letter from the moment it is set aside, so that it is stored, seen and kept whatever happens. Beside it
stands, in the reader's stored state, when it is tried again: alone, `TRIES` times with growing waits. Then it stays a
dead letter, and `firsthand dead retry` brings it back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from proxy.clock import SECOND_MS
from proxy.event import replace
from proxy.log.base import Aside, DeadLetter, ReaderState

WHY = "always_later"
FIRST_MS = 5 * 60 * SECOND_MS
GROWTH = 3  # 5, 15 and 45 minutes, 2, 7 and 20 hours
TRIES = 6
LONGEST_MS = FIRST_MS * GROWTH ** (TRIES - 1)
KEEP = 100  # waiting at a time, because each commit writes them; what is beyond is a dead letter and no more


def seqs(state: ReaderState) -> frozenset[int]:
    return frozenset(one.seq for one in state.aside)


def due(state: ReaderState, now_ms: int) -> int | None:
    """The event to try now."""
    if state.paused:
        return None
    # Further away than it was ever put: the clock was set back.
    return next((one.seq for one in state.aside if not now_ms < one.due_ms <= now_ms + LONGEST_MS), None)


def after(
    state: ReaderState, letters: Sequence[DeadLetter], settled: Collection[int], now_ms: int
) -> tuple[ReaderState, list[DeadLetter]]:
    """The state once these are settled, and the letters, which say whether they are tried again. A try only counts when
    the destination took something since the last one: else it may be the platform that is down."""
    if not state.aside and not any(letter.why == WHY for letter in letters):
        return state, list(letters)
    were = {one.seq: one for one in state.aside}
    waiting = {seq: one for seq, one in were.items() if seq not in settled}
    written = []
    for letter in letters:
        before = were.get(letter.seq)
        if letter.why != WHY:
            written.append(letter)
            continue
        tries = 0 if before is None else before.tries + (state.last_delivery_ms > before.tried_ms)
        if tries < TRIES and len(waiting) < KEEP:
            due_ms = now_ms + FIRST_MS * GROWTH**tries
            waiting[letter.seq] = Aside(seq=letter.seq, tried_ms=now_ms, due_ms=due_ms, tries=tries)
            told = f"tried again by itself at {_time(due_ms)}"
        else:
            told = "no longer tried by itself"
        written.append(replace(letter, detail=f"{told}; {letter.detail}"))
    return replace(state, aside=tuple(waiting.values())), written


def forgotten(state: ReaderState, seq: int) -> ReaderState:
    """Somebody dropped it, or the event is gone."""
    return replace(state, aside=tuple(one for one in state.aside if one.seq != seq))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // SECOND_MS, UTC).isoformat().replace("+00:00", "Z")
