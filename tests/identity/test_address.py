"""Only addresses that can be a visitor's."""

from ipaddress import ip_network

import pytest
from hypothesis import assume, given, strategies as st

from proxy.identity.address import public_ip


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("100.63.255.255", "100.63.255.255"),
    ],
)
def test_a_public_address_passes_in_its_shortest_form(written, address):
    assert public_ip(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "203.0.113.9, 10.0.0.1",
        "unknown",
        "",
    ],
)
def test_a_private_or_broken_address_is_none(written):
    assert public_ip(written) is None


@given(st.text() | st.ip_addresses().map(str))
def test_any_text_is_answered(text):
    address = public_ip(text)
    assert address is None or public_ip(address) == address


# Where we and the standard library differ on purpose: documentation is fine, protocols and multicast are nobody.
DIFFERENT = [
    ip_network(network)
    for network in (
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "::/3", "4000::/2", "8000::/1"),
    )
]


@given(st.ip_addresses())
def test_elsewhere_it_agrees_with_the_standard_library(address):
    assume(not any(address in network for network in DIFFERENT if network.version == address.version))
    assert (public_ip(str(address)) is not None) == address.is_global


@pytest.mark.parametrize("network", ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "198.18.0.0/15", "2001::/23"])
def test_a_reserved_network_is_refused_to_its_ends_and_no_further(network):
    network = ip_network(network)
    assert public_ip(str(network[0])) is None
    assert public_ip(str(network[-1])) is None
    assert public_ip(str(network[-1] + 1)) is not None
