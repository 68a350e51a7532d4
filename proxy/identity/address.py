"""The visitor's network address, when it is one that can identify a visitor: never a private, local or made-up one."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# IANA's special-purpose registries (2026-11) as far as they hold no visitors. Documentation ranges are left out on
# purpose: examples and tests use them.
_RESERVED_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16"
    " 198.18.0.0/15 224.0.0.0/3"
)
_RESERVED_V6 = "::/3 2001::/23 2002::/16 3fff::/20 4000::/2 8000::/1"  # visitors live in 2000::/3


def _bounds(networks: str) -> tuple[int, ...]:
    """First and one-past-last address of each network, ascending: an address is inside when it falls after an odd
    number of them. One search instead of a test per network: this runs for every event and destination."""
    bounds: list[int] = []
    for network in map(ip_network, networks.split()):
        bounds += int(network.network_address), int(network.broadcast_address) + 1
    return tuple(bounds)


_V4, _V6 = _bounds(_RESERVED_V4), _bounds(_RESERVED_V6)


def network_of(text: str) -> str | None:
    """The network an address is in, too large to tell one visitor: `198.51.100.0/24`, `2001:db8:1::/48`.

    None when it is no address."""
    try:
        address = ip_address(text.strip())
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return str(ip_network(f"{address}/{24 if isinstance(address, IPv4Address) else 48}", strict=False))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def public_ip(text: str) -> str | None:
    """The address in its shortest form, IPv4 in IPv6 unwrapped; None when it is none or not a visitor's.

    Documentation addresses count as public. Remembered: a visitor's events come one after the other, each for every
    destination, and reading an address takes 5 us.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    bounds = _V4 if isinstance(address, IPv4Address) else _V6
    return None if bisect_right(bounds, int(address)) % 2 else str(address)
