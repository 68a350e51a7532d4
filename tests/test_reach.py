"""Where a webhook may lead: the open internet, and no neighbour of this server."""

import pytest
from hypothesis import given, strategies as st

from proxy.reach import is_public, unreachable

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.0.8",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:0:0:0:0:80ff:fffe",  # Teredo of 127.0.0.1
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "64:ff9b::cb00:7109"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_inner_networks_are_not_public(address):
    assert not is_public(address)
    assert unreachable(f"[{address}]" if ":" in address else address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_open_internet_are_public(address):
    assert is_public(address)
    assert unreachable(f"[{address}]" if ":" in address else address) is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "db",
        "x.localhost",
        "printer.local",
        "metadata.google.internal",
        "nas.home.arpa",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "1.2.3.4.5",
    ],
)
def test_names_of_the_local_network_and_odd_spellings_of_addresses_are_unreachable(host):
    assert unreachable(host)


@pytest.mark.parametrize(
    "host", ["crm.example", "shop.example.", "xn--bcher-kva.example", "10.example", "a.internal.example"]
)
def test_other_names_are_judged_when_they_are_resolved(host):
    assert unreachable(host) is None


@given(st.text())
def test_nothing_raises(text):
    assert is_public(text) in (True, False)
    assert unreachable(text) is None or unreachable(text)
