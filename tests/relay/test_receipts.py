"""When to ask what became of accepted events, and what the answers add up to."""

from proxy.destinations.base import Processed
from proxy.destinations.verdict import RetryLater
from proxy.log.base import ReaderState, Receipt
from proxy.relay.receipts import ASKS, FIRST_MS, KEEP, LONGEST_MS, REASONS, answered, due, remembered

NOW_MS = 1_790_000_000_000
ONE = Receipt(id="r", due_ms=NOW_MS)


def test_a_receipt_is_due_after_half_an_hour():
    state = remembered(ReaderState(), "r", NOW_MS)
    assert due(state, NOW_MS + FIRST_MS - 1) is None
    assert due(state, NOW_MS + FIRST_MS).id == "r"


def test_no_receipt_is_nothing_to_remember_and_too_many_are_a_sample():
    assert remembered(ReaderState(), "", NOW_MS) == ReaderState()
    state = ReaderState()
    for number in range(KEEP + 5):
        state = remembered(state, f"r-{number}", NOW_MS)
    assert [one.id for one in state.receipts] == [f"r-{number}" for number in range(KEEP)]


def test_waits_double_to_a_limit_and_end():
    state, waits = ReaderState(receipts=(ONE,)), []
    while state.receipts:
        state = answered(state, state.receipts[0], RetryLater("processing"), NOW_MS)
        waits += [one.due_ms - NOW_MS for one in state.receipts]
    assert waits[:3] == [2 * FIRST_MS, 4 * FIRST_MS, 8 * FIRST_MS]
    assert waits[-1] == LONGEST_MS
    assert len(waits) == ASKS - 1
    assert state.outcomes == {}


def test_answers_add_up():
    state = ReaderState(receipts=(ONE, Receipt(id="s", due_ms=1)), outcomes={"processed": 2})
    after = answered(state, ONE, Processed({"processed": 3, "invalid_gclid": 1}), NOW_MS)
    assert after.outcomes == {"processed": 5, "invalid_gclid": 1}
    assert [one.id for one in after.receipts] == ["s"]
    assert state.outcomes == {"processed": 2}


def test_the_number_of_different_outcomes_is_bounded():
    state = answered(ReaderState(), ONE, Processed({f"reason_{n}": 1 for n in range(REASONS + 3)}), NOW_MS)
    assert len(state.outcomes) == REASONS + 1
    assert state.outcomes["other"] == 3
