"""Which network addresses a request may reach when its address came from somebody we do not fully trust.

A webhook's URL decides where this server connects to; inside a network that must not be a neighbour (a cloud's metadata
service, a database, ourselves). `unreachable` judges what a URL says, at configuration time; `is_public` judges the
address a connection is about to be made to, which is what counts: a name may point somewhere else by then.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_EXAMPLES = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
_INNER = tuple(map(ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10")))  # some Pythons call these global
_NAT64 = ip_network("64:ff9b::/96")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)  # a last label like this is an IPv4 address (URL standard)
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa")


def is_public(text: str) -> bool:
    """Is this an address of the open internet? IPv4 inside IPv6 is judged as the IPv4 address it leads to.

    Documentation addresses count as public: nobody has them, and examples need them. False for what is no address.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inside(address) if isinstance(address, IPv6Address) else None
    address = inner or address
    if address.is_multicast or _is_in(address, _INNER):
        return False
    return address.is_global or _is_in(address, _EXAMPLES)


def unreachable(host: str) -> str | None:
    """Why a URL's host cannot be one of the open internet, in words; None when only its name is known."""
    name = host.strip("[]").removesuffix(".").lower()
    if ":" in name or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return None if is_public(name) else "a private or local address"
    if "." not in name or any(name == local or name.endswith(f".{local}") for local in _LOCAL_NAMES):
        return "a name of the local network"
    return None


def _is_in(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
