from hypothesis import given, strategies as st

from proxy.destinations.verdict import Delivered, Rejected, RowFault
from proxy.event import Event, replace
from proxy.relay.plan import Item
from proxy.relay.verdicts import consequences


def items(count, **changes):
    return tuple(
        Item(seq=10 + n, part=0, event=Event(id=f"e{n}", name="lead", time=1), rules=("r",), **changes)
        for n in range(count)
    )


def never(event, why):
    return None


def always(event, why):
    return replace(event, name=f"repaired after {why}")


ROWS = st.lists(st.integers(-2, 12), max_size=6).map(lambda rows: tuple(RowFault(row, "w", "d") for row in rows))
VERDICTS = st.one_of(
    st.builds(Delivered, rejected=ROWS), st.builds(Rejected, st.just("w"), st.just("d"), st.one_of(st.just(()), ROWS))
)


@given(VERDICTS, st.integers(1, 12), st.sampled_from([never, always]), st.booleans())
def test_every_event_has_exactly_one_fate(verdict, count, repair, repaired):
    given_items = items(count, repaired=repaired)
    result = consequences(verdict, given_items, repair)
    fates = [
        *result.delivered,
        *(loss.item for loss in result.losses),
        *(item for group in result.again for item in group),
    ]
    assert sorted(item.seq for item in fates) == [item.seq for item in given_items]
    assert all(result.again), "no empty group"


@given(VERDICTS, st.integers(1, 12))
def test_a_search_gets_nearer_to_its_end(verdict, count):
    """Smaller groups, or the same with one more event repaired: else it would go on for ever."""
    before = items(count)
    for group in consequences(verdict, before, always).again:
        assert len(group) < count or any(item.repaired for item in group)


@given(ROWS, st.integers(1, 12))
def test_a_repaired_event_refused_again_is_lost(rows, count):
    result = consequences(Rejected("w", "d", rows), items(count, repaired=True), always)
    assert all(len(group) < count for group in result.again)


def test_a_refusal_without_a_name_halves_in_order():
    result = consequences(Rejected("w"), items(5), never)
    assert [[item.seq for item in group] for group in result.again] == [[10, 11], [12, 13, 14]]


def test_the_platforms_words_go_with_the_loss():
    result = consequences(Rejected("2804003", "too old, it says"), items(1), never)
    ((loss),) = result.losses
    assert (loss.item.seq, loss.why, loss.detail) == (10, "2804003", "too old, it says")


def test_repaired_events_keep_their_place():
    result = consequences(Rejected("w", rows=(RowFault(1, "click", ""),)), items(3), always)
    ((a, b, c),) = result.again
    assert [a.seq, b.seq, c.seq] == [10, 11, 12]
    assert b.event.name == "repaired after click"
    assert b.repaired
    assert not a.repaired
