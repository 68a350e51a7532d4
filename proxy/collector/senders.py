"""Who is sending: one of our pages, or one of the operator's servers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

_SCHEME = "bearer "


class IngestKeys:
    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def permits(self, authorization: str) -> bool:
        """Does this `Authorization` header carry one of the keys? Takes as long for a near miss as for a far one."""
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        given = authorization[len(_SCHEME) :].strip().encode("utf-8", "surrogateescape")
        matches = [hmac.compare_digest(given, key) for key in self._keys]
        return any(matches)
