"""The visitor's network address, when it is one that can identify a visitor: never a private, local or made-up one."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

_DOCUMENTATION = tuple(
    ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def public_ip(text: str) -> str | None:
    """The address in its shortest form, IPv4 in IPv6 unwrapped; None when it is none or not a visitor's.

    Documentation addresses count as public: examples and tests use them.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    documentation = any(address in network for network in _DOCUMENTATION if network.version == address.version)
    visitor = documentation or (address.is_global and not address.is_multicast)
    return str(address) if visitor else None
