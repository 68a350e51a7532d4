"""Token buckets: what they give, when there is more, and what they forget."""

import pytest
from hypothesis import given, strategies as st

from proxy.collector.buckets import Buckets

NOW = 1_790_000_000_000


def took(buckets, name, now_ms, times=1_000):
    """How many of so many tries succeed."""
    return sum(buckets.take(name, now_ms) == 0.0 for _ in range(times))


def test_a_full_bucket_holds_the_burst_and_no_more():
    assert took(Buckets(10, 25), "a", NOW) == 25


def test_it_says_when_there_is_one_and_then_there_is():
    buckets = Buckets(10, 25)
    took(buckets, "a", NOW)
    assert buckets.take("a", NOW + 30) == pytest.approx(70)
    assert buckets.take("a", NOW + 99) > 0
    assert buckets.take("a", NOW + 100) == 0.0


def test_refusals_cost_nothing():
    buckets = Buckets(10, 25)
    took(buckets, "a", NOW, times=10_000)
    assert took(buckets, "a", NOW + 1_000) == 10


def test_everybody_has_their_own():
    buckets = Buckets(10, 25)
    took(buckets, "a", NOW)
    assert took(buckets, "b", NOW) == 25


def test_what_is_charged_must_come_back_first_but_never_more_than_the_debt():
    buckets = Buckets(10, 25, debt=100)
    took(buckets, "a", NOW)
    for _ in range(50):
        buckets.charge("a", 99, NOW)
    assert buckets.take("a", NOW) == pytest.approx(100 * 100 + 100)


def test_a_part_can_be_kept_for_others():
    buckets = Buckets(10, 100)
    assert sum(buckets.take("a", NOW, 0.2) == 0.0 for _ in range(200)) == 80
    assert took(buckets, "a", NOW) == 20


def test_a_clock_set_back_makes_nobody_wait():
    buckets = Buckets(10, 25)
    took(buckets, "a", NOW)
    assert buckets.take("a", NOW - 3_600_000) == 0.0


def test_memory_is_bounded_and_too_many_senders_are_forgotten_in_their_favour():
    buckets = Buckets(1, 5, most=100)
    for number in range(10_000):
        buckets.take(f"n{number}", NOW)
        assert len(buckets._young) + len(buckets._old) <= 200
    took(buckets, "a", NOW)
    for number in range(300):
        buckets.take(f"m{number}", NOW)
    assert took(buckets, "a", NOW) == 5


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 4_000), st.integers(0, 8)),
        max_size=80,
    )
)
def test_forgetting_full_buckets_changes_nothing(steps):
    """Against the buckets as everybody describes them: a number that grows with time up to the burst."""
    per_s, burst, debt = 4, 10, 8
    buckets, held, at, now = Buckets(per_s, burst, debt), {}, {}, NOW
    for name, later_ms, charged in steps:
        now += later_ms
        level = min(burst, held.get(name, burst) + (now - at.get(name, now)) / 1_000 * per_s)
        took_one = buckets.take(name, now) == 0.0
        if abs(level - 1) > 1e-6:
            assert took_one == (level > 1)
        level = max(-debt, level - took_one - charged)
        if charged:
            buckets.charge(name, charged, now)
        held[name], at[name] = level, now
