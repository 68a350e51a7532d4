"""The domain our cookies are set on, so that every host of the site shares them and browsers accept them.

The registrable domain comes from the Public Suffix List with its private section (browsers refuse `Domain=github.io`
as they refuse `Domain=co.uk`), bundled with the `publicsuffixlist` package: no network, about 60 ms when first asked.
Hosts come from requests, so anything may be in them: what is no host name gets a host-only cookie.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from urllib.parse import urlsplit

import msgspec
from publicsuffixlist import PublicSuffixList

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PORT = re.compile(r":[0-9]*\Z")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes the whole an IPv4 address (URL standard)


class CookieDomain(msgspec.Struct, frozen=True):
    """`domain`: the Domain attribute, None for a host-only cookie. `subdomain_index`: Meta's, the dots in the domain
    the cookie lives on, 0 for addresses and single labels."""

    domain: str | None = None
    subdomain_index: int = 0


@lru_cache(maxsize=1024)
def cookie_domain(host: str, setting: str = "auto") -> CookieDomain:
    """Where cookies set by an answer to `host` (a Host header, port and all) belong.

    `setting`: `auto`, the registrable domain; `host`, that host only; or a domain, which counts when it is the host or
    above it. A host under another domain than the configured one gets host-only cookies.
    """
    name = host_name(host)
    if name is None or "." not in name:
        return CookieDomain()
    domain = None
    if setting == "auto":
        domain = _suffixes().privatesuffix(name)
    elif setting != "host":
        wanted = host_name(setting.removeprefix("."))
        if wanted is not None and (name == wanted or name.endswith("." + wanted)) and not _is_suffix(wanted):
            domain = wanted
    return CookieDomain(domain, (domain or name).count("."))


def refuse_public_suffix(name: str) -> None:
    """For the configuration: `ValueError` unless browsers would accept a cookie for the domain `name`."""
    domain = host_name(name.removeprefix("."))
    if domain is None:
        raise ValueError(f"{name!r} is no domain name: use auto, host or a name such as shop.example")
    if _is_suffix(domain):
        raise ValueError(f"{name!r} is a public suffix, browsers refuse cookies for it: use auto or your own domain")


@lru_cache(maxsize=1024)
def registrable(host: str) -> str | None:
    """The domain somebody registered, `example.co.uk` for `shop.example.co.uk`; None for addresses and suffixes."""
    name = host_name(host)
    return _suffixes().privatesuffix(name) if name is not None else None


def same_site(url: str, other_url: str) -> bool:
    """Do two URLs belong to one registrable domain? For addresses and single labels: to one host."""
    host, other = _host_of(url), _host_of(other_url)
    if not host or not other:
        return False
    domain = registrable(host)
    return host == other if domain is None else domain == registrable(other)


def host_name(host: str) -> str | None:
    """Lower case, ASCII, without port and trailing dot; None for IP addresses and whatever is no host name."""
    name = _PORT.sub("", host).lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    if _HOST.fullmatch(name) is None or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return None
    return name


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an unfinished IPv6 bracket
        return None


def _is_suffix(name: str) -> bool:
    return _suffixes().privatesuffix(name) is None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
