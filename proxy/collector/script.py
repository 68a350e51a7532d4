"""The tracker script as it is served: compressed once, the same bytes for everybody. `compose.py` writes it.

Its ETag is the hash of its text and tells one version from another, never one visitor from another. The name with the
hash in it (`/tracker.<hash>.js`) never changes its content and may be cached for ever.
"""

from __future__ import annotations

import gzip
import hashlib

import brotli  # type: ignore[import-untyped]
import msgspec

from proxy.collector.answers import Answer

_SHORT = b"Cache-Control: public, max-age=3600, stale-while-revalidate=86400\r\n"
_FOR_EVER = b"Cache-Control: public, max-age=31536000, immutable\r\n"
_ANYONE = b"Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\nVary: Accept-Encoding\r\n"


class Script:
    """One text and its ready answers."""

    def __init__(self, text: bytes) -> None:
        self.hash = hashlib.sha256(text).hexdigest()[:16]
        self._lasting = _Encoded.all(text, self.hash, _FOR_EVER)
        self._current = _Encoded.all(text, self.hash, _SHORT)

    def hashed_path(self, path: str) -> str:
        """`/tracker.js` with the hash before its ending."""
        stem, dot, ending = path.rpartition(".")
        return f"{stem}.{self.hash}.{ending}" if dot and "/" not in ending else f"{path}.{self.hash}"

    def answer(self, accept_encoding: str | None, if_none_match: str | None, *, lasting: bool = False) -> Answer:
        encoded = (self._lasting if lasting else self._current)[_coding(accept_encoding)]
        known = if_none_match is not None and (self.hash in if_none_match or if_none_match.strip() == "*")
        return encoded.not_modified if known else encoded.whole


class _Encoded(msgspec.Struct, frozen=True):
    whole: Answer
    not_modified: Answer

    @classmethod
    def all(cls, text: bytes, tag: str, caching: bytes) -> dict[str, _Encoded]:
        bodies = {"br": brotli.compress(text), "gzip": gzip.compress(text, 9, mtime=0), "": text}
        return {coding: cls.one(body, coding, tag, caching) for coding, body in bodies.items()}

    @classmethod
    def one(cls, body: bytes, coding: str, tag: str, caching: bytes) -> _Encoded:
        etag = f'ETag: "{tag}{"-" if coding else ""}{coding}"\r\n'.encode()
        encoding = f"Content-Encoding: {coding}\r\n".encode() if coding else b""
        whole = Answer(200, caching, _ANYONE, etag, encoding, body=body, content_type="text/javascript; charset=utf-8")
        return cls(whole, Answer(304, caching, _ANYONE, etag))


def _coding(accept_encoding: str | None) -> str:
    """The best coding the browser takes: br, gzip or none."""
    accepted = set()
    for part in (accept_encoding or "").lower().split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip())
    return next((coding for coding in ("br", "gzip") if coding in accepted), "")
