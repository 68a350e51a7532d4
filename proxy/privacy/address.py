"""How much of a visitor's IP address is stored or sent: all of it, its network, or nothing; by region if wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator

from proxy.event import Event, replace
from proxy.privacy.region import possible, region_name

Part = Literal["full", "truncated", "none"]

OTHER, UNKNOWN = "other", "unknown"


def _place(text: str) -> str:
    return text.lower() if text.lower() in (OTHER, UNKNOWN) else region_name(text)


Place = Annotated[str, AfterValidator(_place)]
"""A region, `other` (those that are not named) or `unknown`."""

_NETWORK = {4: 24, 6: 48}
_LEAST: tuple[Part, ...] = ("none", "truncated", "full")


def ip_rule(wanted: Part | Mapping[str, Part]) -> Callable[[str, str | None], str | None]:
    """A function of an address and its region (None: not known) that gives what may be passed on of the address.

    Where the region is not known, and `unknown` says nothing about that, the least of all that is configured.
    """
    if isinstance(wanted, str):
        return lambda ip, _: part_of(ip, wanted)
    regions = {name: part for name, part in wanted.items() if name not in (OTHER, UNKNOWN)}
    other, unknown = wanted.get(OTHER, "full"), wanted.get(UNKNOWN)

    def rule(ip: str, region: str | None) -> str | None:
        if region is None and unknown is not None:
            return part_of(ip, unknown)
        return part_of(ip, min(possible(regions, region, other), key=_LEAST.index))

    return rule


def ip_cut(wanted: Part | Mapping[str, Part]) -> Callable[[Event], Event]:
    """`ip_rule` for an event's client."""
    rule = ip_rule(wanted)

    def cut(event: Event) -> Event:
        client = event.client
        if client.ip is None:
            return event
        return replace(event, client=replace(client, ip=rule(client.ip, client.region)))

    return cut


def part_of(ip: str, part: Part) -> str | None:
    """`203.0.113.9` truncated is `203.0.113.0`; of IPv6 48 bits stay. What is no address is never truncated: None."""
    if part == "none":
        return None
    if part == "full":
        return ip
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, _NETWORK[address.version]), strict=False).network_address)
