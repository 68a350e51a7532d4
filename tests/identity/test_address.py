"""Only addresses that can be a visitor's."""

import pytest
from hypothesis import given, strategies as st

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
