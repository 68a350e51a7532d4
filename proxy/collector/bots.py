"""Is it a person? Known crawlers, empty user agents, and documents a browser fetches before anybody looks at them."""

from __future__ import annotations

from functools import lru_cache

import crawleruseragents  # type: ignore[import-untyped]

_LOOKED_AT = 512  # characters of a user agent; the lists match far earlier, and their patterns take time


def is_crawler(user_agent: str | None) -> bool:
    """No user agent at all counts as one: browsers always send it."""
    return not user_agent or _is_listed(user_agent[:_LOOKED_AT])


@lru_cache(maxsize=8192)
def _is_listed(user_agent: str) -> bool:
    return bool(crawleruseragents.is_crawler(user_agent))


def is_prefetch(purpose: str | None) -> bool:
    """`Sec-Purpose: prefetch` or `prefetch;prerender`: the page is not shown to anybody yet."""
    return purpose is not None and purpose.strip().lower().startswith("prefetch")
