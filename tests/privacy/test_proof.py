import pytest

from proxy.event import Consent, ConsentState
from proxy.identity.address import network_of
from proxy.identity.browsers import browser_family
from proxy.privacy.proof import AGAIN_MS, Logged, due, proof

GRANTED, DENIED, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
NOW_MS = 1_790_000_000_000


def decision(source="tcf", **purposes):
    return Consent(**{"marketing": GRANTED, "analytics": GRANTED, **purposes}, source=source)


def test_a_first_decision_is_due_and_then_remembered():
    logged = due(decision(), None, NOW_MS)
    assert logged == Logged("gguu", NOW_MS)
    assert due(decision(), logged, NOW_MS + 1) is None


@pytest.mark.parametrize("purpose", ["marketing", "analytics", "personalization", "sale"])
def test_every_purpose_counts(purpose):
    logged = due(decision(), None, NOW_MS)
    assert due(decision(**{purpose: DENIED}), logged, NOW_MS) is not None


def test_another_source_of_the_same_decision_is_no_news():
    logged = due(decision(), None, NOW_MS)
    assert due(decision(source="api"), logged, NOW_MS) is None


def test_a_decision_that_holds_is_written_again_after_half_a_year():
    logged = due(decision(), None, NOW_MS)
    assert due(decision(), logged, NOW_MS + AGAIN_MS - 1) is None
    assert due(decision(), logged, NOW_MS + AGAIN_MS) == Logged("gguu", NOW_MS + AGAIN_MS)


@pytest.mark.parametrize("source", ["default", "gpc", "remembered"])
def test_defaults_and_signals_are_no_decisions(source):
    assert due(decision(source=source), None, NOW_MS) is None
    assert due(None, None, NOW_MS) is None


def test_a_proof_says_what_when_whence_and_nothing_finer_than_a_network_and_a_family():
    found = proof(
        Consent(marketing=GRANTED, analytics=DENIED, time=NOW_MS - 5),
        visitor="v_a",
        now_ms=NOW_MS,
        config="c0ffee",
        origin="https://www.shop.example:8443",
        ip="198.51.100.77",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        region="US-CA",
    )
    assert (found.marketing, found.analytics, found.sale) == (GRANTED, DENIED, UNKNOWN)
    assert (found.at, found.decided_at, found.source, found.config) == (NOW_MS, NOW_MS - 5, "api", "c0ffee")
    assert (found.host, found.network, found.browser) == ("www.shop.example", "198.51.100.0/24", "Firefox")
    assert found.region == "US-CA"


@pytest.mark.parametrize("origin", [None, "null", "http://[", ""])
def test_an_origin_that_names_no_host_is_left_out(origin):
    found = proof(decision(), visitor="v", now_ms=1, config="c", origin=origin, ip=None, user_agent=None)
    assert (found.host, found.network, found.browser) == (None, None, None)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("::1", "::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("not an address", None),
        ("", None),
    ],
)
def test_an_address_is_cut_to_its_network(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0", "Edge"),
        (
            "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
            "Safari",
        ),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/500.0]", "Facebook"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 Instagram 400.0", "Instagram"),
        ("Lynx/2.9", "other"),
        ("", None),
        (None, None),
    ],
)
def test_a_browser_is_named_by_its_family_only(agent, family):
    assert browser_family(agent) == family
