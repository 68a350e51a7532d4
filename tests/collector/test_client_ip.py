"""Whose address is it: `X-Forwarded-For` is believed from the right, and only as far as the hops are ours."""

from ipaddress import ip_network

import pytest
import structlog

from proxy.collector.client_ip import TrustedProxies, is_inner, parse

OURS = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1, 10.0.0.9, 10.1.2.3"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1, 10.0.0.9"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("2001:db8:ffff::1", ["2001:db8:1::5, 2001:db8:ffff::2"], "2001:db8:1::5"),
        ("10.0.0.1", ["198.51.100.1, , "], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], None),
        ("10.0.0.1", ["198.51.100.1, <script>"], None),
        (None, ["198.51.100.1"], None),
    ],
)
def test_the_first_address_from_the_right_that_is_not_ours_is_the_visitors(peer, forwarded, client):
    assert OURS.client_ip(peer, forwarded) == client


def test_without_trusted_proxies_no_header_counts():
    nobody = TrustedProxies([])
    assert nobody.client_ip("203.0.113.7", ["198.51.100.1"], "198.51.100.2") == "203.0.113.7"


def test_a_cdn_header_goes_before_the_list_but_only_from_a_trusted_peer():
    assert OURS.client_ip("10.0.0.1", ["198.51.100.1"], "192.0.2.9") == "192.0.2.9"
    assert OURS.client_ip("10.0.0.1", ["198.51.100.1"], "nonsense") == "198.51.100.1"
    assert OURS.client_ip("203.0.113.7", ["198.51.100.1"], "192.0.2.9") == "203.0.113.7"


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        *[(address, True) for address in ("10.0.0.1", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1")],
        *[(address, False) for address in ("9.9.9.9", "2001:4860::1", "", None)],
    ],
)
def test_an_inner_address_is_no_visitors(address, is_one):
    assert is_inner(address) is is_one


async def test_a_proxy_that_nobody_named_is_said_once_and_never_a_visitors_address(start):
    body = {"name": "page_view", "consent": {"marketing": "granted"}}
    for text, expected in (("", 1), ("listen: {trusted_proxies: [127.0.0.1/32]}", 0)):
        site = await start(text)
        with structlog.testing.capture_logs() as lines:
            await site.post(body)
            assert lines == []
            for _ in range(3):
                await site.post(body, headers={"X-Forwarded-For": "9.9.9.9"})
        assert [line["proxy"] for line in lines if line["event"] == "a proxy is not trusted"] == [
            "127.0.0.1"
        ] * expected
        assert "9.9.9.9" not in str(lines)


@pytest.mark.parametrize(
    "text", ["", "unknown", "1.2.3", "1.2.3.4.5", "[::1", "300.1.1.1", "1.2.3.4:5:6", "::ffff:1.2.3.4.5"]
)
def test_what_is_no_address_is_none(text):
    assert parse(text) is None
