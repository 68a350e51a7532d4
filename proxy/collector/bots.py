"""Is it a person? What a request says against it, and documents a browser fetches before anybody looks at them.

Only signs that browsers people use cannot give: the lists know crawlers by name, a browser always has a user agent,
says so itself when it is driven by a program, and cannot send a script's request as if it loaded a document. A missing
`Sec-Fetch-…` says nothing: old browsers and some proxies have none.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Protocol

import crawleruseragents  # type: ignore[import-untyped]

_LOOKED_AT = 512  # characters of a user agent; the lists match far earlier, and their patterns take time
_DESTS = frozenset({None, "empty", "image"})  # Sec-Fetch-Dest of fetch and beacon, of the pixel


class Sign(StrEnum):
    """Why a request counts as a bot's; a `DropReason`, and the value of `Event.bot`."""

    NO_USER_AGENT = "no_user_agent"
    CRAWLER = "crawler"  # known by its user agent
    AUTOMATION = "automation"  # a browser that says a program drives it
    FETCH_METADATA = "fetch_metadata"  # what it says about the request cannot be true


class _Headers(Protocol):
    def get(self, key: str, /) -> str | None: ...


def sign_in(headers: _Headers, user_agent: str | None) -> Sign | None:
    """The first sign in the headers of a request that brings events."""
    if not user_agent:
        return Sign.NO_USER_AGENT
    if is_crawler(user_agent):
        return Sign.CRAWLER
    if "HeadlessChrome" in (headers.get("Sec-CH-UA") or ""):
        return Sign.AUTOMATION
    return None if headers.get("Sec-Fetch-Dest") in _DESTS else Sign.FETCH_METADATA


def opens_pages(sign: Sign | None) -> bool:
    """May a request that opens a document be a person's? There it is no sign that it says so."""
    return sign in (None, Sign.FETCH_METADATA)


def is_crawler(user_agent: str) -> bool:
    return _is_listed(user_agent[:_LOOKED_AT])


@lru_cache(maxsize=8192)
def _is_listed(user_agent: str) -> bool:
    return bool(crawleruseragents.is_crawler(user_agent))


def is_prefetch(purpose: str | None) -> bool:
    """`Sec-Purpose: prefetch` or `prefetch;prerender`: the page is not shown to anybody yet."""
    return purpose is not None and purpose.strip().lower().startswith("prefetch")
