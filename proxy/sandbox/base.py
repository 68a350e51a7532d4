"""What a stand-in is: one HTTP request in, the platform's answer out, and what it would have recorded. Pure.

The server around it (`server.py`) keeps the records, counts duplicates and can play the platform being down.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrived. `path` starts with `/` and has no query; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON values; None when it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class RefusedRow(msgspec.Struct, frozen=True):
    """One row the platform would not record although it took others, and why in our words."""

    row: Mapping[str, Any]
    faults: Sequence[str]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's reply, and what it would record: `accepted` rows. `faults`: why, in our words, the whole request
    was not taken; `refused`: the single rows that were not, where the platform tells them apart."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = {}
    accepted: Sequence[Mapping[str, Any]] = ()
    accounts: Sequence[str] = ()  # whose each accepted row is (pixel, ad account, conversion action); empty: unknown
    faults: Sequence[str] = ()
    refused: Sequence[RefusedRow] = ()


class StandIn(abc.ABC):
    kind: ClassVar[str]
    rows_key: ClassVar[str] = "data"  # the list of rows in a request's body
    spoiled: ClassVar[Mapping[str, Any]]  # laid over a good row, it makes the platform refuse that row

    def __init_subclass__(cls, *, kind: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = kind
        registry[kind] = cls

    @abc.abstractmethod
    def owns(self, call: Call) -> bool:
        """Is this one of the platform's paths? The server asks every stand-in."""

    @abc.abstractmethod
    def answer(self, call: Call, now_ms: int) -> Answer:
        """What the platform would say. Never raises."""

    @abc.abstractmethod
    def name_of(self, row: Mapping[str, Any]) -> str:
        """The event's name in an accepted row, for people."""

    @abc.abstractmethod
    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        """What the platform merges repeated rows of one account by; None: it does not."""

    def with_rows(self, body: Any, change: Callable[[Any], Any]) -> Any:
        """The body with `change` made to every row; a body without rows as it is."""
        rows = body.get(self.rows_key) if isinstance(body, dict) else None
        return {**body, self.rows_key: [change(row) for row in rows]} if isinstance(rows, list) else body

    def resealed(self, call: Call) -> Call:
        """A request whose body was changed on purpose, with whatever proves its body made anew."""
        return call

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - for platforms with two edges
        """The answer to `call` while playing `down`, `throttled` or `bad_token`."""
        match mode:
            case "throttled":
                return Answer(status=429, body={"error": "slow down"}, headers={"Retry-After": "2"})
            case "bad_token":
                return Answer(status=401, body={"error": "the token was revoked"})
            case _:
                return Answer(status=503, body="temporarily unavailable")


registry: dict[str, type[StandIn]] = {}

TOKEN = "sandbox-token"  # noqa: S105 - the one credential every stand-in takes
REFUSED_TOKEN = "revoked-token"  # noqa: S105 - the one that is always answered as revoked
