"""The tracker script as it is served: settings baked in, comments gone, compressed once, the same bytes for everybody.

Its ETag is the hash of its text and tells one version from another, never one visitor from another. The name with the
hash in it (`/tracker.<hash>.js`) never changes its content and may be cached for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files

import brotli  # type: ignore[import-untyped]
import msgspec

from proxy.collector.answers import Answer
from proxy.config.settings import PurposeDefaults, Settings
from proxy.event import encode_json

_PLACE = "__FIRSTHAND__"  # the last line of tracker.js is `})(__FIRSTHAND__);`
_BLOCK_COMMENT = re.compile(r"^\s*/\*.*?\*/\s*$\n?", re.MULTILINE | re.DOTALL)
_SHORT = b"Cache-Control: public, max-age=3600, stale-while-revalidate=86400\r\n"
_FOR_EVER = b"Cache-Control: public, max-age=31536000, immutable\r\n"
_ANYONE = b"Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\nVary: Accept-Encoding\r\n"


def source() -> str:
    return (files("proxy") / "static" / "tracker.js").read_text(encoding="utf-8")


def strip(script: str) -> str:
    """Without comments that stand on lines of their own, indentation and empty lines; other bytes stay as they are."""
    lines = (line.strip() for line in _BLOCK_COMMENT.sub("", script).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def baked(settings: Settings) -> bytes:
    """The script for this configuration."""
    paths, tracker, default = settings.paths, settings.tracker, settings.consent.default
    consent = default.model_dump() if isinstance(default, PurposeDefaults) else dict.fromkeys(_PURPOSES, default)
    facts = {
        "events": paths.prefix + paths.events,
        "global": tracker.global_name,
        "pageViews": tracker.page_views,
        "retryQueue": tracker.retry_queue,
        "gpc": settings.consent.gpc != "ignore",
        "consent": consent,
    }
    return strip(source()).replace(_PLACE, encode_json(facts).decode()).encode()


_PURPOSES = tuple(PurposeDefaults.model_fields)


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
