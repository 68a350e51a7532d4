"""How a platform's reply is read. What platforms do every day is a value, so the relay needs no `except`.

| Verdict      | the relay                                                                             |
| ------------ | ------------------------------------------------------------------------------------- |
| `Delivered`  | moves on; rows named in `rejected` become dead letters (the platform took the others)  |
| `RetryLater` | keeps the same events and tries again later                                            |
| `Rejected`   | nothing was taken: named `rows` become dead letters and the rest is sent again;        |
|              | unnamed: halves the request until the culprit stands alone                             |
| `AuthBroken` | pauses the destination, keeps its place in the log, tells a human                      |
"""

from __future__ import annotations

import msgspec


class RowFault(msgspec.Struct, frozen=True):
    """One event of a request that the platform refused: `row` counts from 0 within the request."""

    row: int
    why: str  # short, stable, bounded: a metric label such as "2804003"
    detail: str = ""  # the platform's own words


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    rejected: tuple[RowFault, ...] = ()
    warnings: tuple[str, ...] = ()
    receipt: str = ""  # the platform's name for this request, where it says later what became of it


class RetryLater(msgspec.Struct, frozen=True):
    why: str
    after_s: float | None = None  # the platform's own figure, if it gave one
    detail: str = ""


class Rejected(msgspec.Struct, frozen=True):
    why: str
    detail: str = ""
    rows: tuple[RowFault, ...] = ()


class AuthBroken(msgspec.Struct, frozen=True):
    why: str
    detail: str = ""  # what the platform said; `advice` says what the operator does about it
    advice: str = ""


Verdict = Delivered | RetryLater | Rejected | AuthBroken
