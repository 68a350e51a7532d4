"""Credentials out of text: what is shown, stored or logged never carries a destination's secret."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import msgspec

MASK = "***"


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret as `***`, also where it stands percent-encoded or inside a JSON string.

    `secrets`: longest first (`Destination.secrets()`), so that no secret hides inside what is left of another.
    """
    for secret in secrets:
        in_json = msgspec.json.encode(secret)[1:-1].decode()
        for form in {secret, in_json, quote(secret, safe=""), quote(secret), quote_plus(secret)}:
            text = text.replace(form, MASK)
    return text
