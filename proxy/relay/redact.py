"""Credentials out of text: what is shown, stored or logged never carries a destination's secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

MASK = "***"
SHORT = 16
"""Characters. Platforms' credentials are longer; one that is shorter (`tok`, `secret`) may be part of a common word."""
TINY = 8
"""Characters. What is shorter still may be a common word itself."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret as `***`, also where it stands percent-encoded or inside a JSON string.

    `secrets`: longest first (`Destination.secrets()`), so that no secret hides inside what is left of another. A short
    one is masked where it stands as a word: `access_token=tok` loses its value, `tiktok` keeps its end.
    """
    for secret in secrets:
        for pattern in _patterns(secret):
            text = pattern.sub(MASK, text)
    return text


def redact_url(url: str, secrets: Iterable[str]) -> str:
    """As `redact`; scheme and host, which hold no credentials, stay."""
    start = url.find("/", url.find("://") + 3)
    return url if start < 0 else url[:start] + redact(url[start:], secrets)


def redact_value(text: str, secrets: Iterable[str]) -> str:
    """As `redact`, for a text somebody wrote (`Men's` is no leak of the secret `s`): tiny secrets only as a whole."""
    known = tuple(secrets)
    return MASK if text in known else redact(text, (secret for secret in known if len(secret) >= TINY))


@lru_cache(maxsize=256)
def _patterns(secret: str) -> tuple[re.Pattern[str], ...]:
    """Matches each of its spellings, the longest first."""
    in_json = msgspec.json.encode(secret)[1:-1].decode()
    forms = {secret, in_json, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    word = r"(?<![A-Za-z0-9_]){}(?![A-Za-z0-9_])" if len(secret) < SHORT else "{}"
    return tuple(re.compile(word.format(re.escape(form))) for form in sorted(forms, key=lambda one: (-len(one), one)))
