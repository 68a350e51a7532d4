import pytest
from hypothesis import given, strategies as st

from proxy.doctor.finding import Level
from proxy.doctor.safari import Place, Row, finding, is_near, judge, lifetimes, matching_bits

PAGE = "www.shop.example"


def page(*addresses, aliases=()):
    return Place(host=PAGE, addresses=addresses, aliases=aliases)


def collector(*addresses, host="t.shop.example", aliases=()):
    return Place(host=host, addresses=addresses, aliases=aliases)


@pytest.mark.parametrize(
    ("address", "other", "near"),
    [
        ("203.0.113.5", "203.0.200.9", True),  # sixteen bits are equal
        ("203.0.113.5", "203.1.0.1", False),
        ("203.0.113.5", "2001:db8::1", False),  # two versions share nothing
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),  # sixty-four bits are equal
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
    ],
)
def test_how_many_leading_bits_must_be_equal(address, other, near):
    assert is_near(address, other) is near


@given(st.ip_addresses(v=4), st.integers(0, 31))
def test_flipping_a_bit_leaves_the_bits_before_it(address, bit):
    flipped = type(address)(int(address) ^ (1 << (31 - bit)))
    assert matching_bits(str(address), str(flipped)) == bit


@given(st.ip_addresses())
def test_an_address_matches_itself_wholly(address):
    assert matching_bits(str(address), str(address)) == address.max_prefixlen


@pytest.mark.parametrize(
    ("here", "there", "row", "days"),
    [
        (page("198.51.100.1"), collector("198.51.100.2", host=PAGE), Row.SAME_HOST, None),
        (page("198.51.100.1"), collector("198.51.100.2", host="t.provider.example"), Row.OTHER_SITE, 0),
        (page("198.51.100.1"), collector("198.51.7.2"), Row.NEAR, None),
        (page("198.51.100.1"), collector("203.0.113.2"), Row.FAR, 7),
        (page("198.51.100.1", "198.51.200.1"), collector("198.51.7.2"), Row.NEAR, None),
        # round robin over two networks: who gets the second one is capped
        (page("198.51.100.1", "203.0.113.9"), collector("198.51.7.2"), Row.MIXED, 7),
        # an IPv6 record on one side only: visitors with IPv6 get two versions
        (page("198.51.100.1"), collector("198.51.7.2", "2001:db8::2"), Row.MIXED, 7),
        (page("198.51.100.1", "2001:db8::1"), collector("198.51.7.2"), Row.MIXED, 7),
        (page("198.51.100.1", "2001:db8::1"), collector("198.51.7.2", "2001:db8::2"), Row.NEAR, None),
        (page("2001:db8::1"), collector("2001:db8::2"), Row.NEAR, None),
        (page("2001:db8::1"), collector("198.51.7.2"), Row.FAR, 7),
        # with a CNAME the addresses are not looked at
        (page("198.51.100.1"), collector("203.0.113.2", aliases=("lb.shop.example",)), Row.ALIAS_OF_OWN, None),
        (page("198.51.100.1"), collector("198.51.100.2", aliases=("x.provider.example",)), Row.ALIAS_FOREIGN, 7),
        # of a chain the last one counts
        (
            page("198.51.100.1"),
            collector("192.0.2.1", aliases=("a.shop.example", "b.other.example")),
            Row.ALIAS_FOREIGN,
            7,
        ),
        (
            page("198.51.100.1", aliases=("w.cdn.example",)),
            collector("203.0.113.2", aliases=("t.cdn.example",)),
            Row.ALIAS_SHARED,
            None,
        ),
        # the page's CNAME does not excuse a collector without one
        (page("198.51.100.1", aliases=("w.cdn.example",)), collector("203.0.113.2"), Row.FAR, 7),
    ],
)
def test_the_matrix(here, there, row, days):
    verdict = judge(here, there)
    assert (verdict.row, verdict.cap_days) == (row, days)


def test_every_row_has_words_and_a_way_out_where_cookies_are_lost():
    cases = [
        (page("198.51.100.1"), collector("198.51.100.2", host="t.provider.example"), Level.FAULT),
        (page("198.51.100.1"), collector("203.0.113.2"), Level.WARNING),
        (page("198.51.100.1"), collector("192.0.2.1", aliases=("x.provider.example",)), Level.WARNING),
        (page("198.51.100.1"), collector("192.0.2.1", aliases=("x.shop.example",)), Level.NOTE),
        (page("198.51.100.1"), collector("198.51.100.2"), Level.OK),
    ]
    for here, there, level in cases:
        said = finding(here, there)
        assert said.level is level
        assert bool(said.advice) is (level is not Level.OK)


def test_sites_are_told_apart_by_the_public_suffix_list():
    shop = Place(host="a.myshopify.com", addresses=("198.51.100.1",))
    other = Place(host="b.myshopify.com", addresses=("198.51.100.1",))
    assert judge(shop, other).row is Row.OTHER_SITE


def test_a_lifetime_is_never_longer_than_configured():
    far = judge(page("198.51.100.1"), collector("203.0.113.2"))
    near = judge(page("198.51.100.1"), collector("198.51.100.2"))
    assert lifetimes(near, 395) == {"Chrome, Edge": 395, "Firefox": 395, "Brave": 180, "Safari": 395}
    assert lifetimes(far, 395)["Safari"] == 7
    assert set(lifetimes(far, 3).values()) == {3}
