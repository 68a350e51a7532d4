"""An origin as operators write it, in the one form browsers send it: `https://www.shop.example`, `https://*.shop.example`.

Pure; raises `ValueError` with words for people. Matching a request's `Origin` against these is the collector's job.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from proxy.identity.cookie_domain import registrable

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 253


def normalise_origin(text: str) -> str:
    """Lower case, ASCII host (xn--…), no default port. `*.` may stand in front of a host that people can own."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("not an origin; write it like https://www.shop.example") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("not an origin; write scheme and host, like https://www.shop.example")
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("an origin ends after the host (and port); write it like https://www.shop.example")
    wildcard = "*." if parts.hostname.startswith("*.") else ""
    host = ascii_host(parts.hostname.removeprefix("*."))
    if wildcard and (is_address(host) or registrable(host) is None):
        raise ValueError("`*.` must stand before a domain of your own, like https://*.shop.example")
    shown = f"[{host}]" if ":" in host else host
    tail = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{wildcard}{shown}{tail}"


def ascii_host(host: str) -> str:
    """A host name or address, checked, lower case, without trailing dot; other scripts become their xn-- form."""
    if is_address(host):
        return str(ipaddress.ip_address(host))
    try:
        name = host.lower().removesuffix(".").encode("idna").decode() if not host.isascii() else host.lower()
    except UnicodeError:
        raise ValueError("the host is no valid domain name") from None
    name = name.removesuffix(".")
    if len(name) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("the host is no valid domain name")
    return name


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """A loopback address or a name for one: nothing beyond this machine can reach it."""
    if is_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
