"""The head of a usual request, read once: the next that differs only in cookies, length and address is recognised.

`Heads.read` answers None whenever a chunk is not one whole request as browsers and proxies usually write it, or might
not be; it never refuses, repairs or guesses. A head is cut into lines of its own (`OWN`) and the rest, which a browser
repeats from request to request and shares with its like. What the rest says is worked out once and remembered, so that
nineteen of twenty heads cost a look into a dictionary (2.4 instead of 6.6 us, and 5 us less for what follows from it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

OWN = ("Cookie", "Content-Length", "X-Forwarded-For")
"""Headers that differ from one visitor, or one request, to the next."""
_LONGEST_HEAD = 8_000  # characters; a longer head is rare, and read by aiohttp
_MOST_HEADERS = 60
_REMEMBERED = 1_024  # heads; some 5 MB
_LONGEST_REMEMBERED = 2_000  # characters
_UNUSUAL = frozenset(
    {"transfer-encoding", "content-encoding", "expect", "upgrade", "sec-websocket-key1", "trailer", "te"}
)
_PRINTABLE = bytes(range(32, 127))
_END = b"\r\n\r\n"

T = TypeVar("T")


class Lines:
    """The headers of a usual request: plain ASCII, each name once."""

    __slots__ = ("_own", "_rest")

    def __init__(self, rest: Mapping[str, str], own: Mapping[str, str]) -> None:
        """Both by lower-case name."""
        self._rest, self._own = rest, own

    def get(self, key: str, /) -> str | None:
        key = key.lower()
        value = self._own.get(key)
        return self._rest.get(key) if value is None else value

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]:
        value = self.get(key)
        return default if value is None else (value,)


class Usual(msgspec.Struct, Generic[T], frozen=True):
    headers: Lines
    told: T  # what follows from the rest
    body: bytes


class Heads(Generic[T]):
    def __init__(self, first_line: bytes, told: Callable[[Lines], T], own: Iterable[str] = OWN) -> None:
        """`first_line` with its line end. `told`: what follows from headers other than `own`; it is remembered."""
        self._first_line = first_line
        self._told = told
        names = "|".join(re.escape(name) for name in own)
        self._own = re.compile(rf"\r\n((?i:{names})): ([^\r]*)".encode("ascii"))
        self._known: dict[bytes, tuple[dict[str, str], T]] = {}

    def read(self, chunk: bytes, most: int) -> Usual[T] | None:
        """The one whole usual request that `chunk` is, its body 1 to `most` bytes. None: something else, or perhaps."""
        if not chunk.startswith(self._first_line):
            return None
        start = len(self._first_line) - 2
        end = chunk.find(_END, start, _LONGEST_HEAD)
        if end < 0:
            return None
        parts = self._own.split(chunk[start:end])  # rest, name, value, rest, name, value, …, rest
        rest, names, values = b"".join(parts[::3]), parts[1::3], parts[2::3]
        known = self._known.get(rest) or self._learn(rest)
        if known is None or b"".join(values).translate(None, _PRINTABLE):
            return None
        fields, told = known
        own = {name.decode().lower(): value.decode().strip(" ") for name, value in zip(names, values, strict=True)}
        body = chunk[end + len(_END) :]
        length = own.get("content-length") or fields.get("content-length")
        if (
            length != str(len(body))
            or not 0 < len(body) <= most
            or len(own) != len(names)  # a name came twice
            or not fields.keys().isdisjoint(own)
        ):
            return None
        return Usual(Lines(fields, own), told, body)

    def _learn(self, rest: bytes) -> tuple[dict[str, str], T] | None:
        fields = _fields(rest.split(b"\r\n")[1:])
        if (
            fields is None
            or len(fields) > _MOST_HEADERS
            or "host" not in fields
            or not _UNUSUAL.isdisjoint(fields)
            or fields.get("connection", "keep-alive") != "keep-alive"
        ):
            return None
        known = fields, self._told(Lines(fields, {}))
        if len(rest) <= _LONGEST_REMEMBERED and "authorization" not in fields:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[rest] = known
        return known


def _fields(lines: Sequence[bytes]) -> dict[str, str] | None:
    """By lower-case name; None when a line is odd, or a name comes twice."""
    text = b"\r\n".join(lines)
    if text.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        return None
    fields = {}
    for line in text.decode("ascii").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            return None
        fields[name.lower()] = value.strip(" ")
    if len(fields) != len(lines) or not "".join(fields).replace("-", "").isalnum() or "" in fields:
        return None
    return fields
