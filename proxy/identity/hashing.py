"""SHA-256 the way ad platforms compare it: lower-case hex of the UTF-8 text, made once, never of junk.

Owns what counts as "already hashed" and what counts as "not a value at all". Never normalises: that is
`match_keys.py`, and a platform that deviates does so in its own file. Nothing here is cached or logged.
"""

from __future__ import annotations

import hashlib
import re

JUNK = frozenset({"", "null", "undefined", "none", "nan", "n/a", "[object object]", "+", "-"})
"""What templates and scripts write when they have nothing, in lower case. Its digest matches nobody, or everybody."""

_LONGEST = max(map(len, JUNK))
DIGITS = 64
_DIGEST = re.compile(rf"[0-9a-fA-F]{{{DIGITS}}}")


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_JUNK_DIGESTS = frozenset(
    sha256_hex(spelling) for junk in JUNK for spelling in (junk, junk.upper(), junk.title(), junk.capitalize())
) | {sha256_hex("NaN"), sha256_hex("[object Object]")}


def is_junk(text: str) -> bool:
    """True for "", "null", "undefined", "[object Object]" and the like, whatever their case and outer spaces."""
    text = text.strip()
    return len(text) <= _LONGEST and text.lower() in JUNK


def digest_in(text: str) -> str | None:
    """The digest when `text` is one already (64 hex digits, outer spaces aside), in lower case; None otherwise.

    32 digits are not a digest for us: an MD5 matches nowhere, and a visitor id may look like one.
    The digest of junk counts as no digest at all: see `is_junk_digest`.
    """
    text = text.strip()
    return text.lower() if len(text) == DIGITS and _DIGEST.fullmatch(text) else None


def is_junk_digest(digest: str) -> bool:
    """True for the digests of "" and its friends (a sender that hashed before it looked)."""
    return digest in _JUNK_DIGESTS
