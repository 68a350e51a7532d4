"""How much of an address is passed on: by region, and the least where the region is not known."""

import pytest
from hypothesis import given, strategies as st

from proxy.privacy.address import ip_rule, part_of

BY_REGION = {"EEA": "none", "UK": "truncated", "US-CA": "truncated", "other": "full"}


@pytest.mark.parametrize(
    ("ip", "truncated"),
    [
        ("203.0.113.9", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("no address", None),
    ],
)
def test_truncated_is_the_network(ip, truncated):
    assert part_of(ip, "truncated") == truncated
    assert part_of(ip, "full") == ip
    assert part_of(ip, "none") is None


@given(st.ip_addresses(v=4))
def test_the_last_byte_of_a_truncated_address_is_gone(address):
    assert part_of(str(address), "truncated").endswith(".0")


@pytest.mark.parametrize(
    ("region", "left"),
    [
        ("DE", None),
        ("GB", "203.0.113.0"),
        ("US-CA", "203.0.113.0"),
        ("US-TX", "203.0.113.9"),
        ("US", "203.0.113.0"),
        ("JP", "203.0.113.9"),
        (None, None),
    ],
)
def test_the_region_decides(region, left):
    assert ip_rule(BY_REGION)("203.0.113.9", region) == left


def test_the_operator_can_say_what_holds_for_the_unknown():
    assert ip_rule({**BY_REGION, "unknown": "truncated"})("203.0.113.9", None) == "203.0.113.0"


def test_one_word_holds_everywhere():
    for region in ("DE", None):
        assert ip_rule("truncated")("203.0.113.9", region) == "203.0.113.0"
