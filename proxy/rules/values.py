"""Kinds of values and how text becomes them: what YAML says at load, what `${…}` and `rename` carry at run time.

`parse` is strict and total: a typed value, or `Unfit` with the reason in words. Numbers and text may stand for
each other (YAML writes both), so `value: "120"` and `value: 120` mean the same; true and false never mean a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

from proxy.rules.faults import did_you_mean
from proxy.vocabulary import canonical


class Kind(StrEnum):
    """The value is what messages call it."""

    NAME = "an event name"
    TEXT = "a text"
    CURRENCY = "a currency code such as EUR"
    NUMBER = "a number"
    WHOLE = "a whole number"
    FLAG = "true or false"
    CHOICE = "one of a few words"
    ADDRESS = "an IP address"
    ITEMS = "a list of items"
    FREE = "a text, a number, true or false"


class Unfit(ValueError):  # noqa: N818 - it never leaves this package: readers turn it into a fault
    """A value that is not what was expected; the text says what that is, `advice` may know the way out."""

    def __init__(self, expected: str, advice: str = "") -> None:
        self.advice = advice
        super().__init__(expected)


_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_EXACT_BITS = 256


def is_absent(value: Any) -> bool:
    """Not given: None, an empty text, an empty list or mapping."""
    return value is None or (isinstance(value, _SIZED) and not value)


_SIZED = (str, tuple, list, dict)


def number(raw: Any) -> Decimal | None:
    """A finite number of sane size, or None. Text counts when it is written like a number."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, Decimal):
        return raw if raw.is_finite() else None
    if isinstance(raw, int):
        return Decimal(raw) if raw.bit_length() <= _EXACT_BITS else None
    if isinstance(raw, float):
        return Decimal(repr(raw)) if math.isfinite(raw) else None
    if isinstance(raw, str) and _NUMBER.fullmatch(raw):
        return Decimal(raw)
    return None


def text(raw: Any) -> str | None:
    """A scalar as people write it: 42, 42.0 and Decimal("42.00") are all "42"; None for lists, mappings and nothing."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    found = number(raw)
    if found is None:
        return None
    if found == 0:
        return "0"
    if abs(found.adjusted()) > _EXACT_BITS:
        return str(found)
    return f"{found.normalize():f}"


def scalars(raw: Any) -> tuple[str, ...]:
    """The texts a free value offers to a comparison: one for a scalar, each element of a list, none for a mapping."""
    one = text(raw)
    if one is not None:
        return (one,)
    if isinstance(raw, (list, tuple)):
        return tuple(part for part in map(text, raw) if part is not None)
    return ()


def event_name(raw: str) -> str:
    """How event names are compared: canonical, without regard to case."""
    name: str = canonical(raw)
    return name.lower()


def parse(kind: Kind, raw: Any, choices: tuple[str, ...] = ()) -> Any:
    """`raw` as a value of `kind`; raises `Unfit`."""
    if kind is Kind.CHOICE:
        if raw in choices:
            return raw
        raise Unfit(f"one of {', '.join(choices)}", did_you_mean(raw, choices, "write one of them"))
    value = _PARSERS[kind](raw)
    if value is None:
        raise Unfit(kind.value)
    return value


def _text(raw: Any) -> str | None:
    return None if isinstance(raw, bool) else text(raw) or None


def _name(raw: Any) -> str | None:
    found = _text(raw)
    return canonical(found) if found else None


def _currency(raw: Any) -> str | None:
    return raw.upper() if isinstance(raw, str) and _CURRENCY.fullmatch(raw.upper()) else None


def _whole(raw: Any) -> int | None:
    found = number(raw)
    if found is None or found.adjusted() > _EXACT_BITS or found != found.to_integral_value():
        return None
    return int(found)


def _flag(raw: Any) -> bool | None:
    return raw if isinstance(raw, bool) else {"true": True, "false": False}.get(str(raw))


_PARSERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.NAME: _name,
    Kind.TEXT: _text,
    Kind.ADDRESS: _text,
    Kind.CURRENCY: _currency,
    Kind.NUMBER: number,
    Kind.WHOLE: _whole,
    Kind.FLAG: _flag,
    Kind.FREE: text,
    Kind.ITEMS: lambda _: None,
}
