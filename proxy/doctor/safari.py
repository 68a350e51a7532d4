"""How long Safari lets cookies live that the collector sets, from where DNS says page and collector are.

WebKit caps `Set-Cookie` of a same-site subresource at seven days when the answer seems to come from somebody else's
machine: by the last CNAME, or without one by the address. Documents are never capped.
Source: WebKit, NetworkTaskCocoa.mm and DNS.cpp (read 2026-11); what follows from them is in docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from ipaddress import ip_address

import msgspec

from proxy.doctor.finding import Finding, fault, note, ok, warning
from proxy.identity.cookie_domain import registrable

CAP_DAYS = 7
_ENOUGH_BITS = {4: 16, 6: 64}  # leading bits that must be equal, by IP version
_WIDTH = {4: 32, 6: 128}
CHECK = "safari"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A host as DNS shows it: `aliases` are the CNAME targets in order, `addresses` IPv4 and IPv6 in text."""

    host: str
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Row(StrEnum):
    """The rows of the matrix in docs/doctor.md."""

    SAME_HOST = "same host"
    OTHER_SITE = "another site"
    ALIAS_OF_OWN = "CNAME to the same site"
    ALIAS_SHARED = "CNAME to where the page's CNAME leads"
    ALIAS_FOREIGN = "CNAME to another provider"
    NEAR = "addresses in one network"
    FAR = "addresses in different networks"
    MIXED = "addresses in different networks for some visitors"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`cap_days` None: no cap, the cookie lives as long as we say. `pairs`: the address pairs too far apart."""

    row: Row
    cap_days: int | None = None
    pairs: tuple[tuple[str, str], ...] = ()


def matching_bits(address: str, other: str) -> int:
    """Leading bits two addresses share; 0 for addresses of different versions. `ValueError` for what is no address."""
    one, two = ip_address(address), ip_address(other)
    if one.version != two.version:
        return 0
    return _WIDTH[one.version] - (int(one) ^ int(two)).bit_length()


def is_near(address: str, other: str) -> bool:
    """May a cookie from `other` live on while the page came from `address`?"""
    return matching_bits(address, other) >= _ENOUGH_BITS[ip_address(address).version]


def judge(page: Place, collector: Place) -> Verdict:
    """The row of the matrix that applies to this pair, and the cap it brings."""
    if page.host == collector.host:
        return Verdict(row=Row.SAME_HOST)
    site = _domain(page.host)
    if _domain(collector.host) != site:
        return Verdict(row=Row.OTHER_SITE, cap_days=0)
    if collector.aliases:
        leads_to = _domain(collector.aliases[-1])
        if leads_to == site:
            return Verdict(row=Row.ALIAS_OF_OWN)
        if page.aliases and leads_to == _domain(page.aliases[-1]):
            return Verdict(row=Row.ALIAS_SHARED)
        return Verdict(row=Row.ALIAS_FOREIGN, cap_days=CAP_DAYS)
    pairs = _pairs(page.addresses, collector.addresses)
    far = tuple(pair for pair in pairs if not is_near(*pair))
    if not far:
        return Verdict(row=Row.NEAR)
    return Verdict(row=Row.FAR if len(far) == len(pairs) else Row.MIXED, cap_days=CAP_DAYS, pairs=far)


def finding(page: Place, collector: Place) -> Finding:
    """`judge` in words, with the way to a better row."""
    verdict = judge(page, collector)
    first = f", for instance {verdict.pairs[0][0]} and {verdict.pairs[0][1]}" if verdict.pairs else ""
    row, path_of_the_site = verdict.row, "serve the collector on a path of the site itself (docs/landing.md)"
    match row:
        case Row.OTHER_SITE:
            return fault(
                CHECK,
                f"{collector.host} and {page.host} are different sites: to every browser our cookies are third-party",
                f"give the collector a host name under {_domain(page.host)}, or {path_of_the_site}",
            )
        case Row.SAME_HOST | Row.NEAR | Row.ALIAS_SHARED:
            return ok(CHECK, f"{row}: Safari does not shorten our cookies")
        case Row.ALIAS_OF_OWN:
            return note(
                CHECK,
                f"{row} ({collector.aliases[-1]}): Safari does not shorten our cookies today, but nothing documents it",
                "an A and an AAAA record in the page's network are safer",
            )
        case Row.ALIAS_FOREIGN:
            return warning(
                CHECK,
                f"{row} ({collector.aliases[-1]}): Safari cuts our cookies to {CAP_DAYS} days after each answer",
                f"{path_of_the_site}, or point the name at an address in the page's network",
            )
        case Row.FAR | Row.MIXED:
            return warning(
                CHECK,
                f"{row}{first}: Safari cuts our cookies to {CAP_DAYS} days after each answer",
                f"{path_of_the_site}, or give both hosts addresses in one /16 (IPv4) and one /64 (IPv6), both versions "
                "on both hosts",
            )


def lifetimes(verdict: Verdict, max_age_days: int) -> dict[str, int]:
    """Days the visitor cookie lives after an answer, by browser (caps as of 2026-11; sources in docs/doctor.md)."""
    safari = max_age_days if verdict.cap_days is None else min(verdict.cap_days, max_age_days)
    return {
        "Chrome, Edge": min(400, max_age_days),
        "Firefox": min(400, max_age_days),
        "Brave": min(180, max_age_days),
        "Safari": safari,
    }


def _domain(host: str) -> str:
    """The registrable domain; for hosts that have none, the host itself."""
    return registrable(host) or host


def _pairs(page: Sequence[str], collector: Sequence[str]) -> list[tuple[str, str]]:
    """Addresses visitors meet together: with both versions they prefer IPv6 for each host, others have IPv4 only."""
    met: dict[tuple[str, str], None] = {}
    for versions in ((6, 4), (4,)):
        ours = _preferred(page, versions), _preferred(collector, versions)
        met.update(dict.fromkeys((address, other) for address in ours[0] for other in ours[1]))
    return list(met)


def _preferred(addresses: Sequence[str], versions: Sequence[int]) -> list[str]:
    for version in versions:
        if found := [address for address in addresses if ip_address(address).version == version]:
            return found
    return []
