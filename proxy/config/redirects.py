"""Click redirects: short links of the site's own, `/c/<code>`, and the pages they lead to. Never anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRINTABLE = re.compile(r"[!-~]{1,2000}")


def _usable_code(code: str) -> str:
    if not _CODE.fullmatch(code):
        raise ValueError("not usable in a link: letters, digits, - and _ only, at most 64")
    return code


def _usable_target(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not an address to lead to; write it like https://www.shop.example/summer")
    if not _PRINTABLE.fullmatch(url):
        raise ValueError("an address has at most 2,000 characters, and spaces and other letters percent-encoded")
    return url


RedirectMap = dict[Annotated[str, AfterValidator(_usable_code)], Annotated[str, AfterValidator(_usable_target)]]
"""Code -> address."""


def leading_away(redirects: RedirectMap, origins: tuple[str, ...], hosts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Codes, and the foreign hosts they lead to: on no origin of the site, and not in `hosts` either."""
    own = {urlsplit(origin).hostname or "" for origin in origins}
    for code, url in redirects.items():
        host = urlsplit(url).hostname or ""
        below = any(one.startswith("*.") and host.endswith(one[1:]) for one in own)
        if not (host in own or below or host in hosts):
            yield code, host
