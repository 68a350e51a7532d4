"""The search alone, against a platform that is a function: what it finds, and what it costs."""

from collections import deque

from hypothesis import given, strategies as st

from proxy.destinations.verdict import RetryLater
from proxy.event import Event, replace
from proxy.log.base import Aside, ReaderState
from proxy.relay import search
from proxy.relay.plan import Item
from proxy.rules.decision import Once, Per

LATER = RetryLater("http_500")


def items(count):
    return tuple(Item(seq=n, part=0, event=Event(id=f"e{n}", name="lead", time=1), rules=()) for n in range(count))


class Turn:
    """One turn of a reader: what was sent, what was taken, set aside, left over."""

    def __init__(self, state, count, takes):
        looking = search.begin(state)
        work = deque([items(count)]) if count else deque()
        self.sent, self.taken, self.aside, self.waits = [], [], [], False
        while work:
            group = work.popleft()
            looking, parts = looking.parts(group)
            if parts != (group,):
                work.extendleft(reversed(parts))
                continue
            seqs = [item.seq for item in group]
            self.sent.append(seqs)
            if takes(seqs):
                step = looking.answered()
                self.taken += seqs
            else:
                step = looking.later(LATER, group)
                self.aside += [item.seq for item in step.aside]
                if step.wait:
                    self.waits = True
                    break
            looking = step.search
            work.extendleft(reversed(step.again))
        self.passed = [item.seq for item in looking.passed]
        self.left = [item.seq for group in work for item in group] + self.passed


def stuck_after(attempts):
    return ReaderState(attempts=attempts)


def test_patience_comes_first():
    turn = Turn(stuck_after(search.PATIENCE - 1), 10, lambda _: False)
    assert turn.sent == [[*range(10)]]
    assert turn.waits
    assert turn.aside == []


@given(st.integers(1, 60), st.sets(st.integers(0, 59), max_size=4), st.integers(search.PATIENCE, 20))
def test_an_event_is_taken_or_set_aside_or_still_waits_and_only_culprits_are_set_aside(count, culprits, attempts):
    turn = Turn(stuck_after(attempts), count, lambda seqs: not culprits & {*seqs})
    settled = sorted([*turn.taken, *turn.aside])
    assert len({*settled}) == len(settled), "no event has two fates"
    assert {*turn.aside} <= culprits
    assert not {*turn.taken} & culprits
    assert turn.taken == sorted(turn.taken), "what is taken goes in order"
    if not turn.waits:
        assert {*settled, *turn.passed} == {*range(count)}


@given(st.integers(2, 500), st.integers(0, 499))
def test_one_culprit_is_found_at_the_first_look_and_cheaply(count, culprit):
    culprit %= count
    turn = Turn(stuck_after(search.PATIENCE), count, lambda seqs: culprit not in seqs)
    assert turn.taken == [n for n in range(count) if n != culprit]
    # The last of all stays in its place: nothing that comes after it shows that the platform is alive.
    assert (turn.aside, turn.passed) == (([culprit], []) if culprit < count - 1 else ([], [culprit]))
    assert len(turn.sent) <= 2 * count.bit_length() + 3


def test_a_platform_that_is_down_is_asked_little_and_loses_nobody():
    for attempts, asked in ((search.PATIENCE, 2), (search.PATIENCE + 1, 3), (search.PATIENCE + 40, 33)):
        turn = Turn(stuck_after(attempts), 1000, lambda _: False)
        assert turn.sent == [[n] for n in range(asked)]
        assert turn.waits
        assert turn.aside == turn.taken == []


def test_culprits_side_by_side_at_the_head_are_passed_over_in_the_end():
    culprits = {*range(20)}
    for attempts in range(search.PATIENCE, search.PATIENCE + 6):
        turn = Turn(stuck_after(attempts), 50, lambda seqs: not culprits & {*seqs})
        if not turn.waits:
            break
    assert turn.aside == sorted(culprits)
    assert turn.taken == [*range(20, 50)]


@given(st.integers(0, 40))
def test_a_platform_that_comes_back_during_the_search_gets_everything(answers_until_then):
    answers = iter([False] * answers_until_then)
    turn = Turn(stuck_after(search.PATIENCE + 10), 40, lambda _: next(answers, True))
    assert turn.aside == []
    assert turn.waits == (answers_until_then > search.PASSED_MOST)
    if not turn.waits:
        assert sorted(turn.taken) == [*range(40)]


def test_a_platform_that_goes_down_during_the_search_is_noticed():
    answers = iter([True] * 3)
    turn = Turn(stuck_after(search.PATIENCE), 500, lambda seqs: next(answers, False) and len(seqs) < 100)
    assert turn.waits
    assert turn.aside == []
    assert len(turn.sent) < 3 * search.PASSED_MOST


def test_where_events_were_set_aside_lately_it_looks_sooner():
    known = ReaderState(attempts=search.PATIENCE_KNOWN, aside=(Aside(seq=7, tried_ms=0, due_ms=0),))
    assert Turn(known, 5, lambda seqs: 0 not in seqs).aside == [0]
    assert Turn(stuck_after(search.PATIENCE_KNOWN), 5, lambda seqs: 0 not in seqs).aside == []


def test_an_answer_that_names_a_time_is_obeyed():
    looking = search.begin(stuck_after(search.PATIENCE + 5)).answered().search
    assert looking.later(RetryLater("throttled", 30), items(4)).wait
    assert looking.later(RetryLater("throttled", 30), items(1)).wait


def test_what_was_set_aside_before_is_set_aside_again_at_once():
    state = ReaderState(aside=(Aside(seq=0, tried_ms=0, due_ms=0),))
    (item,) = items(1)
    step = search.begin(state).later(LATER, (item,))
    assert (step.aside, step.wait) == ((item,), False)
    step = search.begin(state).later(RetryLater("throttled", 30), (item,))
    assert (step.aside, step.wait) == ((item,), True)


def test_events_of_one_order_wait_behind_the_one_that_was_passed_over():
    """The platform may have taken it after all; then a second one would count twice."""
    first, other, second = (
        replace(item, once=None if item.seq == 1 else Once(Per.ORDER, "all", "A")) for item in items(3)
    )
    looking = search.begin(stuck_after(search.PATIENCE)).later(LATER, (first,)).search
    looking, parts = looking.parts((second, other))
    assert (looking.passed, parts) == ((first, second), ((other,),))
    assert looking.answered().again == ((first,), (second,))
