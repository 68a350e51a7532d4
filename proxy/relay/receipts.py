"""What a platform says hours after it took events: which receipts to ask for, when, and what their answers add up to.

Pure, and for people only: accepted events are settled, nothing is sent again because of a receipt. They live in the
reader's stored state, so a restart forgets none. At most `KEEP` wait at a time: of a busy destination it is a sample.
"""

from __future__ import annotations

from proxy.clock import SECOND_MS
from proxy.destinations.base import Processed
from proxy.destinations.verdict import RetryLater
from proxy.event import replace
from proxy.log.base import ReaderState, Receipt

FIRST_MS = 30 * 60 * SECOND_MS  # platforms need that long; asking sooner costs requests for nothing
LONGEST_MS = 8 * 3600 * SECOND_MS
ASKS = 10  # then it is forgotten: about two days
KEEP = 50
REASONS = 30  # different outcomes kept; beyond that they count as "other"


def remembered(state: ReaderState, receipt: str, now_ms: int) -> ReaderState:
    if not receipt or len(state.receipts) >= KEEP:
        return state
    return replace(state, receipts=(*state.receipts, Receipt(id=receipt, due_ms=now_ms + FIRST_MS)))


def due(state: ReaderState, now_ms: int) -> Receipt | None:
    """The receipt to ask for now."""
    return next((one for one in state.receipts if one.due_ms <= now_ms), None)


def answered(state: ReaderState, receipt: Receipt, answer: Processed | RetryLater, now_ms: int) -> ReaderState:
    """The state after asking: counted, or asked again later with doubled waits, or given up."""
    others = tuple(one for one in state.receipts if one.id != receipt.id)
    if isinstance(answer, RetryLater):
        asked = receipt.asked + 1
        wait_ms = min(FIRST_MS * 2**asked, LONGEST_MS)
        later = () if asked >= ASKS else (replace(receipt, due_ms=now_ms + wait_ms, asked=asked),)
        return replace(state, receipts=(*others, *later))
    outcomes = dict(state.outcomes)
    for outcome, count in answer.counts.items():
        name = outcome if outcome in outcomes or len(outcomes) < REASONS else "other"
        outcomes[name] = outcomes.get(name, 0) + count
    return replace(state, receipts=others, outcomes=outcomes)
