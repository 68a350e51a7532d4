"""The visitor's address behind our own reverse proxies.

`X-Forwarded-For` is read from the right, as far as the hops are ours; the first address that is not ours is the
visitor's, and what stands left of it is hearsay. No header is looked at when the connection itself does not come from
a trusted network. A CDN's own header, if configured, goes before.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_BRACKETED = re.compile(r"\[([^\]]+)\](?::\d+)?")
_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+")


def parse(text: str) -> Address | None:
    """An address as proxies write it: with port, brackets or zone; IPv4 inside IPv6 is IPv4. None: not an address."""
    text = text.strip()
    match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((match[1] if match else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_inner(text: str | None) -> bool:
    """An address of the house (private, loopback): what comes from there comes through a proxy of ours, not from a
    visitor."""
    address = parse(text) if text is not None else None
    return address is not None and (address.is_private or address.is_loopback)


class TrustedProxies:
    """The operator's reverse proxies, and whose word counts because of them."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._known = lru_cache(maxsize=8192)(self._look_up)

    def __contains__(self, address: str | None) -> bool:
        """Is this the address of one of them?"""
        return bool(self._networks) and address is not None and self._known(address)[1]

    def client_ip(self, peer: str | None, forwarded: Sequence[str], stated: str | None = None) -> str | None:
        """`peer`: the connection's other end. `forwarded`: every `X-Forwarded-For`, in order. `stated`: what the
        configured CDN header says. None when it cannot be known: a trusted proxy that forwards nonsense."""
        if peer is None or peer not in self:
            return None if peer is None else self._known(peer)[0]
        if stated is not None and (client := self._known(stated)[0]) is not None:
            return client
        client = peer
        for hop in reversed(",".join(forwarded).split(",") if forwarded else ()):
            if not hop.strip():
                continue
            address, is_ours = self._known(hop)
            if address is None or not is_ours:
                return address
            client = address
        return client

    def _look_up(self, text: str) -> tuple[str | None, bool]:
        address = parse(text)
        if address is None:
            return None, False
        return str(address), any(address in network for network in self._networks)
