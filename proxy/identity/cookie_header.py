"""Cookies as header text: reading one name out of `Cookie`, writing `Set-Cookie`.

Reading accepts whatever a browser or an attacker sends and returns candidates; who uses them validates them. Writing
accepts only what RFC 6265 allows in each place, so no name, value or domain can end the header or add an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

MAX_VALUES = 8
"""Of one name we look at that many; browsers send two or three when cookie domains overlap."""
MAX_VALUE_CHARS = 4096
"""Browsers keep no longer cookies; a longer value is not ours."""
_MAX_HEADER_CHARS = 65_536

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_IN_VALUES = bytes(byte for byte in range(0x21, 0x7F) if byte not in b'",;\\')
_LONGEST_VALUE = 4000
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")


def read_cookies(header: str, names: Collection[str]) -> dict[str, list[str]]:
    """Every value of the cookies named, in the order sent. A name that came at all has an entry; empty and oversized
    values are left out of it."""
    found: dict[str, list[str]] = {}
    for pair in header[:_MAX_HEADER_CHARS].split(";"):
        name, _, value = pair.partition("=")
        name = name.strip(" \t")
        if name in names:
            values = found.setdefault(name, [])
            value = value.strip(" \t")
            if 0 < len(value) <= MAX_VALUE_CHARS and len(values) < MAX_VALUES:
                values.append(value)
    return found


def cookie_values(header: str, name: str) -> list[str]:
    """`read_cookies` for one name."""
    return read_cookies(header, (name,)).get(name, []) if name in header else []


def set_cookie(name: str, value: str, *, domain: str | None, max_age_s: int, secure: bool, http_only: bool) -> str:
    """A `Set-Cookie` value: whole site, `SameSite=Lax`. `ValueError` for text that cannot stand there."""
    attributes = _attributes(name, domain, secure, http_only)
    # `translate` deletes what may stand there: 0.2 us for a long value, where a regular expression takes 0.9.
    if len(value) > _LONGEST_VALUE or not value.isascii() or value.encode().translate(None, _IN_VALUES):
        raise ValueError(f"the value of cookie {name} is too long or holds a character that cannot stand in Set-Cookie")
    return f"{name}={value}; Max-Age={max_age_s:d}; {attributes}"


def expire_cookie(name: str, *, domain: str | None, secure: bool, http_only: bool) -> str:
    """Makes the browser forget a cookie set with the same name and domain."""
    return set_cookie(name, "", domain=domain, max_age_s=0, secure=secure, http_only=http_only)


@lru_cache(maxsize=1024)
def _attributes(name: str, domain: str | None, secure: bool, http_only: bool) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a cookie's name holds a character that cannot stand in Set-Cookie")
    if domain is not None and _DOMAIN.fullmatch(domain) is None:
        raise ValueError(f"the domain of cookie {name} is no domain name")
    wanted = (f"Domain={domain}" if domain else "", "Secure" if secure else "", "HttpOnly" if http_only else "")
    return "; ".join(("Path=/", "SameSite=Lax", *filter(None, wanted)))
