"""Values that platforms compare as they were written: a site's own ids, and what stands in other people's cookies.

Nothing is changed but outer spaces; what is no value at all is left out.
"""

from __future__ import annotations

import re

from proxy.identity import hashing

_TOKEN = re.compile(r"[A-Za-z0-9._~=:+/|-]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # no UTF-8, so nothing to hash or send


def text(value: str) -> str | None:
    """Trimmed, case kept; None for junk ("", "null", "undefined" and the like)."""
    trimmed = value.strip()
    return None if hashing.is_junk(trimmed) or _LONE_SURROGATE.search(trimmed) else trimmed


def token(value: str | None, longest: int = 128) -> str | None:
    """The value of a pixel's cookie: its form is the pixel's business, but it has no spaces and no controls."""
    fits = value is not None and len(value) <= longest and _TOKEN.fullmatch(value)
    return value if fits and value is not None and not hashing.is_junk(value) else None
