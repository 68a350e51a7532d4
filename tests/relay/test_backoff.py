import pytest
from hypothesis import given, strategies as st

from proxy.relay.backoff import ASKED_MAX_S, FLOOR_S, delay_s


@pytest.mark.parametrize(("attempts", "ceiling"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (5000, 300)])
def test_the_ceiling_doubles_until_the_cap(attempts, ceiling):
    assert delay_s(attempts, cap_s=300, dice=1.0) == ceiling


def test_jitter_is_full_but_never_zero():
    assert delay_s(8, cap_s=300, dice=0.5) == 64
    assert delay_s(8, cap_s=300, dice=0.0) == FLOOR_S


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, ASKED_MAX_S))
def test_never_sooner_than_the_platform_asked_even_beyond_the_cap(attempts, dice, after_s):
    assert delay_s(attempts, cap_s=10, dice=dice, after_s=after_s) >= after_s


@pytest.mark.parametrize("asked", [1e12, float("inf")])
def test_a_platform_cannot_stop_us_for_a_year(asked):
    assert delay_s(1, cap_s=300, dice=0.99, after_s=asked) <= ASKED_MAX_S * 1.1


def test_a_negative_figure_of_the_platform_is_no_hurry():
    assert delay_s(3, cap_s=300, dice=0.5, after_s=-5) == 2
