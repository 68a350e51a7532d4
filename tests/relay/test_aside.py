"""When an event that was set aside is tried again, and what counts as a try."""

from proxy.event import replace
from proxy.log.base import DeadLetter, ReaderState
from proxy.relay import aside

NOW_MS = 1_790_000_000_000


def letter(seq=1, why=aside.WHY):
    return DeadLetter(seq=seq, why=why, detail="http_500", at_ms=NOW_MS)


def put(state, now_ms, *letters):
    return aside.after(state, letters or (letter(),), [1], now_ms)


def test_the_tries_are_so_far_apart_and_then_end():
    state, now_ms, waits = ReaderState(), NOW_MS, []
    state, (written,) = put(state, now_ms)
    assert written.detail == "tried again by itself at 2026-09-21T14:18:20Z; http_500"
    while state.aside:
        assert aside.due(state, now_ms) is None
        (one,) = state.aside
        waits.append((one.due_ms - now_ms) // 60_000)
        now_ms = one.due_ms
        assert aside.due(state, now_ms) == 1
        state = replace(state, last_delivery_ms=now_ms)
        state, (written,) = put(state, now_ms)
    assert waits == [5, 15, 45, 135, 405, 1215]
    assert written.detail == "no longer tried by itself; http_500"


def test_a_try_while_nothing_else_was_taken_does_not_count():
    """It may be the platform that is down."""
    state, _ = put(replace(ReaderState(), last_delivery_ms=NOW_MS - 1), NOW_MS)
    for _ in range(20):
        state, _ = put(state, state.aside[0].due_ms)
    assert state.aside[0].tries == 0


def test_what_is_taken_or_lost_for_another_reason_is_no_longer_aside():
    state, _ = put(ReaderState(), NOW_MS)
    assert aside.after(state, (), [1], NOW_MS)[0].aside == ()
    assert aside.after(state, (letter(why="expired"),), [1], NOW_MS) == (ReaderState(), [letter(why="expired")])
    assert aside.after(state, (), [2], NOW_MS)[0] == state
    assert aside.forgotten(state, 1) == ReaderState()


def test_a_paused_destination_tries_none():
    state, _ = put(ReaderState(), NOW_MS)
    due_ms = state.aside[0].due_ms
    assert aside.due(replace(state, paused="token_expired"), due_ms) is None
    assert aside.due(state, due_ms) == 1


def test_a_clock_set_back_by_a_year_does_not_keep_it_aside():
    state, _ = put(ReaderState(), NOW_MS)
    assert aside.due(state, NOW_MS - 365 * 86_400_000) == 1


def test_only_so_many_wait_and_the_others_say_so():
    letters = [letter(seq) for seq in range(aside.KEEP + 1)]
    state, written = aside.after(ReaderState(), letters, range(aside.KEEP + 1), NOW_MS)
    assert len(state.aside) == aside.KEEP
    assert [one.detail for one in written].count("no longer tried by itself; http_500") == 1
