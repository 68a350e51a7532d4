"""The visitor's network address, when it is one that can identify a visitor: never a private, local or made-up one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NOT_A_VISITOR = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT: the inside of it
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",  # multicast and reserved, 255.255.255.255 too
        "::/127",  # unspecified, loopback
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)


def public_ip(text: str) -> str | None:
    """The address in its shortest form, IPv4 in IPv6 unwrapped; None when it is none or not a visitor's.

    Documentation addresses (192.0.2.0/24 and so on) count as public: examples and tests use them.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    return None if _is_internal(address) else str(address)


def _is_internal(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _NOT_A_VISITOR if network.version == address.version)
