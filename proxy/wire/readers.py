"""Readers: one JSON value in, one typed value out. `None` out means "not given" (null, "", only spaces).

A reader raises `Unreadable` with words for the sender. `dispensable` marks what an event can do without: from a
browser it is left out and counted, a server is told. Messages may quote numbers and keywords, never match keys.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from proxy.event import ConsentState
from proxy.privacy.region import region_code


class Reason(StrEnum):
    """Why a body or an event was refused; a metric label, listed in docs/http.md."""

    MALFORMED = "malformed"  # not JSON, or not an object where an event should be
    EMPTY = "empty"  # no body, or a list of no events
    TOO_DEEP = "too_deep"  # nested beyond reading
    TOO_MANY = "too_many"  # more events than one request may carry
    MISSING = "missing"  # a field every event needs
    UNKNOWN_FIELD = "unknown_field"  # a name we do not know, from a server
    WRONG_TYPE = "wrong_type"  # a list where a number belongs, …
    BAD_VALUE = "bad_value"  # right type, impossible content
    OUT_OF_RANGE = "out_of_range"  # NaN, 400 digits, a negative quantity, the year 1970
    TOO_LONG = "too_long"  # an identifier that would have to be cut


class Unreadable(Exception):  # noqa: N818 - a verdict on a value, not a program's error
    """This value cannot be used. `path` grows outwards while the exception travels up: `("items", 3, "price")`."""

    def __init__(self, message: str, reason: Reason, *, dispensable: bool = False) -> None:
        super().__init__(message)
        self.message, self.reason, self.dispensable = message, reason, dispensable
        self.path: tuple[str | int, ...] = ()

    def under(self, *parts: str | int) -> Unreadable:
        self.path = (*parts, *self.path)
        return self


T = TypeVar("T")
Reader = Callable[[Any], T | None]

MAX_DEPTH = 5  # of free values
MAX_MEMBERS = 100  # keys of one free object, members of one free list
TEXT = 2_048  # characters of free text
TEN_THOUSAND_YEARS = 315_569_520_000_000  # ms
_AMOUNT_DIGITS = 15  # before the decimal point
_AMOUNT_DECIMALS = Decimal("1E-12")
COUNT_MAX = 1_000_000_000
_INT64 = 2**63

# Control characters but tab and line ends, which become spaces. Also the byte-order mark, which pages paste along.
_CONTROLS: dict[int, str | None] = dict.fromkeys((*range(32), *range(127, 160), 65279))
_CONTROLS |= dict.fromkeys(map(ord, "\t\n\r"), " ")


def clean(value: str) -> str:
    return (value if value.isprintable() else value.translate(_CONTROLS)).strip()


def _as_text(value: Any) -> str:
    match value:
        case str():
            return clean(value)
        case bool() | list() | dict() | None:
            raise Unreadable(f"expected text, got {kind_of(value)}", Reason.WRONG_TYPE)
        case Decimal() if not value.is_finite():
            raise Unreadable("expected text, got a number beyond all bounds", Reason.OUT_OF_RANGE)
    return str(value)  # an order id that is a number


def kind_of(value: Any) -> str:
    """A JSON value's type in the words of a sentence."""
    names = {bool: "true or false", list: "a list", dict: "an object", str: "text", type(None): "null"}
    return names.get(type(value), "a number")


def text(limit: int) -> Reader[str]:
    """Descriptive text: cut at `limit` characters."""

    def read(value: Any) -> str | None:
        return _as_text(value)[:limit] or None

    return read


def identifier(limit: int, *, dispensable: bool = False) -> Reader[str]:
    """Text that means nothing once cut: longer than `limit` characters is unreadable."""

    def read(value: Any) -> str | None:
        found = _as_text(value)
        if len(found) > limit:
            raise Unreadable(f"longer than {limit} characters", Reason.TOO_LONG, dispensable=dispensable)
        return found or None

    return read


def several(reader: Reader[str], most: int) -> Reader[tuple[str, ...]]:
    """One value or a list of them; the first `most` count."""

    def read(value: Any) -> tuple[str, ...]:
        found = (
            [reader(member) for member in value[:most] if member is not None]
            if type(value) is list
            else [reader(value)]
        )
        return tuple(filter(None, found))

    return read


def token(limit: int) -> Reader[str]:
    """A value out of a URL or a cookie, kept to the letter. What cannot stand in a header, or still is the ad
    platform's unfilled macro (`{gclid}`, `__CLICKID__`), is no value at all."""

    def read(value: Any) -> str | None:
        if type(value) is int:
            value = str(value)
        if type(value) is not str:
            raise Unreadable(f"expected text, got {kind_of(value)}", Reason.WRONG_TYPE, dispensable=True)
        if not value:
            return None
        if len(value) > limit:
            raise Unreadable(f"longer than {limit} characters", Reason.TOO_LONG, dispensable=True)
        if not _TOKEN.fullmatch(value) or (value.startswith("__") and value.endswith("__")):
            raise Unreadable("not an identifier as a URL or a cookie carries it", Reason.BAD_VALUE, dispensable=True)
        return value

    return read


_TOKEN = re.compile(r"[A-Za-z0-9!$%&'()*+./:=?@_~-]+")


def amount(value: Any) -> Decimal | None:
    """Money or another exact number; text such as "59.90" is fine."""
    number = _number(value)
    if number is None:
        return None
    if not number.is_finite() or (number and number.adjusted() >= _AMOUNT_DIGITS):
        raise Unreadable(f"expected a finite number of at most {_AMOUNT_DIGITS} digits", Reason.OUT_OF_RANGE)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and not -12 <= exponent <= 0:  # noqa: PLR2004 - as _AMOUNT_DECIMALS
        return number.quantize(_AMOUNT_DECIMALS if exponent < 0 else Decimal(1))
    return number


def _number(value: Any) -> Decimal | None:
    match value:
        case Decimal():
            return value
        case bool() | list() | dict():
            raise Unreadable(f"expected a number, got {kind_of(value)}", Reason.WRONG_TYPE)
        case int():
            return Decimal(value)
    written = clean(value)
    if not written:
        return None
    try:
        return Decimal(written)
    except InvalidOperation:
        raise Unreadable(f"expected a number such as 59.90, got {written[:40]!r}", Reason.WRONG_TYPE) from None


def count(value: Any) -> int | None:
    """How many: a whole number, not negative."""
    number = amount(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise Unreadable(f"expected a whole number, got {number}", Reason.WRONG_TYPE)
    if not 0 <= number <= COUNT_MAX:
        raise Unreadable(f"expected 0 to {COUNT_MAX:,}, got {number}", Reason.OUT_OF_RANGE)
    return int(number)


def moment(value: Any) -> int | None:
    """Unix milliseconds, as a number or text, or RFC 3339 text with its zone. Not yet checked for sense."""
    if type(value) is int and 0 <= value <= TEN_THOUSAND_YEARS:
        return value
    if isinstance(value, str) and "T" in value:
        return _written_moment(clean(value))
    try:
        number = amount(value)
    except Unreadable as fault:
        raise Unreadable(_NO_MOMENT, fault.reason, dispensable=True) from None
    if number is not None and abs(number) > TEN_THOUSAND_YEARS:
        raise Unreadable(_NO_MOMENT, Reason.OUT_OF_RANGE, dispensable=True)
    return None if number is None else int(number)


_NO_MOMENT = "expected Unix milliseconds, or a time such as 2026-01-31T12:00:00Z"


def _written_moment(written: str) -> int:
    try:
        when = datetime.fromisoformat(written)
        if when.tzinfo is not None:
            return round(when.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise Unreadable(_NO_MOMENT, Reason.WRONG_TYPE, dispensable=True)


def flag(value: Any) -> bool | None:
    if type(value) is not bool:
        raise Unreadable(f"expected true or false, got {kind_of(value)}", Reason.WRONG_TYPE)
    return value


E = TypeVar("E", bound=StrEnum)


def one_of(choices: type[E]) -> Reader[E]:
    words = {choice.value: choice for choice in choices}

    def read(value: Any) -> E | None:
        word = _as_text(value).lower()
        if not word:
            return None
        if word not in words:
            raise Unreadable(f"expected one of {', '.join(words)}; got {word[:40]!r}", Reason.BAD_VALUE)
        return words[word]

    return read


_consent_word = one_of(ConsentState)


def consent(value: Any) -> ConsentState | None:
    """`granted`, `denied`, `unknown`; true and false mean the first two."""
    if type(value) is bool:
        return ConsentState.GRANTED if value else ConsentState.DENIED
    return _consent_word(value)


def currency(value: Any) -> str | None:
    """ISO 4217: three letters, upper-cased. Whether such a currency exists is not asked here."""
    code = _as_text(value).upper()
    if not code:
        return None
    if len(code) != 3 or not (code.isascii() and code.isalpha()):  # noqa: PLR2004 - ISO 4217
        raise Unreadable(f"expected three letters such as EUR, got {code[:40]!r}", Reason.BAD_VALUE)
    return code


def ip(value: Any) -> str | None:
    """An address in its usual spelling; an IPv4 address mapped into IPv6 is the IPv4 address."""
    written = _as_text(value)
    if not written:
        return None
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        raise Unreadable("expected an IP address", Reason.BAD_VALUE, dispensable=True) from None
    return str(getattr(address, "ipv4_mapped", None) or address)


def region(value: Any) -> str | None:
    """Where somebody is: `DE`, `US-CA`; a state elsewhere than in the US and Canada is left away."""
    written = _as_text(value)
    if not written:
        return None
    found = region_code(written)
    if found is None:
        message = "expected a country, in the US and Canada also the state, such as DE or US-CA"
        raise Unreadable(message, Reason.BAD_VALUE, dispensable=True)
    return found


def free(value: Any, depth: int = 1) -> Any:
    """A value nobody described: text is cut, numbers stay numbers a double can hold, size and depth are bounded."""
    match value:
        case str():
            return clean(value)[:TEXT]
        case bool() | None:
            return value
        case int():
            return value if -_INT64 <= value < _INT64 else _double(Decimal(value))
        case Decimal():
            return _double(value)
        case float():
            return value
    if depth >= MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels", Reason.TOO_DEEP)
    if type(value) is list:
        return [free(member, depth + 1) for member in value[:MAX_MEMBERS]]
    return {clean(key)[:100]: free(member, depth + 1) for key, member in list(value.items())[:MAX_MEMBERS]}


def _double(value: Decimal) -> float:
    number = float(value)
    if not value.is_finite() or number in (float("inf"), float("-inf")):
        raise Unreadable("expected a number a double can hold", Reason.OUT_OF_RANGE)
    return number
