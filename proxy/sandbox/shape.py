"""Checks that several platforms share: what a hash, an address, a currency looks like. Each returns a fault or None."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

_HEX64 = re.compile(r"[0-9a-f]{64}\Z")

JUNK_DIGESTS = frozenset(
    {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  # ""
        "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b",  # null
        "eb045d78d273107348b0300c01d29b7552d622abbc6faf81b3ec55359aa9950c",  # undefined
        "dc937b59892604f5a86ac96936cd7ff09e25f18ae6b758e8014a24c7fa039e91",  # None
        "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe",  # none
        "9b2d5b4678781e53038e91ea5324530a03f27dc1d0e5f6c9bc9d493a23be9de0",  # nan
        "d5b592c05dc25b5032553f1b27f4139be95e881f73db33b02b05ab20c3f9981e",  # NaN
        "b28c94b2195c8ed259f0b415aaee3f39b0b2920a4537611499fa044956917a21",  # [object Object]
        "a318c24216defe206feeb73ef5be00033fa9c4a74d0b967f6532a26ca5906d3b",  # +
    }
)


def digest(where: str, value: Any) -> str | None:
    """A lower-case SHA-256 in hex, and not of nothing."""
    if not isinstance(value, str) or not _HEX64.match(value):
        return f"{where}: expected a lower-case SHA-256 in hex"
    return f"{where}: the hash of an empty or junk value" if value in JUNK_DIGESTS else None


def digests(where: str, value: Any) -> list[str]:
    """A digest, or a list of them that is not empty."""
    if value == []:
        return [f"{where}: an empty list"]
    values = value if isinstance(value, list) else [value]
    return [fault for fault in (digest(where, one) for one in values) if fault]


def ip(where: str, value: Any) -> str | None:
    """An IPv4 or IPv6 address in the clear, public or not."""
    try:
        ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return f"{where}: not an IP address"
    return None


def public_ip(where: str, value: Any) -> str | None:
    """An address the visitor could have on the internet; documentation ranges count, so that examples work."""
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None:
        return f"{where}: not an IP address"
    documentation = str(address).startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"))
    return None if address.is_global or documentation or address.is_loopback else f"{where}: a private address"


def only(where: str, value: dict[str, Any], allowed: frozenset[str]) -> list[str]:
    """One fault per key the platform does not know."""
    return [f"{where}: unknown key {key!r}" for key in value if key not in allowed]


def currency(where: str, value: Any) -> str | None:
    """Three upper-case letters."""
    ok = isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper()  # noqa: PLR2004 - ISO 4217
    return None if ok else f"{where}: expected three upper-case letters (ISO 4217)"


def number(where: str, value: Any) -> str | None:
    """A JSON number, not a text, not true."""
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if ok else f"{where}: expected a number"
