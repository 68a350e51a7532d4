"""Bytes to JSON values. Numbers with a fraction become `Decimal` and never pass through a float.

The usual body takes msgspec's decoder. What that refuses is read once more by a tolerant one, because a half emoji in
a page title must not cost a sale: byte-order mark, broken UTF-8, lone surrogates and raw control characters are
repaired; NaN, Infinity and integers of thousands of digits become a non-finite `Decimal`, so that only the event that
carries them is refused. Of duplicate keys the last one counts.
"""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from proxy.errors import WireError
from proxy.wire.readers import Reason

_NOT_FINITE = Decimal("NaN")
_MAX_DIGITS = 400


def _decimal(written: str) -> Decimal:
    try:
        return Decimal(written)
    except InvalidOperation:  # an exponent of twenty digits
        return _NOT_FINITE


_usual = msgspec.json.Decoder(float_hook=_decimal)

# Every escape sequence is consumed in turn, so that an escaped backslash before "ud83d" is not taken for a surrogate.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def values(body: bytes) -> Any:
    """The JSON value in `body`. Raises `WireError` when there is none, or it is nested beyond reading."""
    try:
        return _usual.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _tolerant(body)
    except RecursionError:
        raise WireError("nested too deeply", reason=Reason.TOO_DEEP) from None


def _tolerant(body: bytes) -> Any:
    text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    if not text.strip():
        raise WireError("empty body: expected one event, a list of events or an envelope", reason=Reason.EMPTY)
    try:
        return json.loads(
            _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text),
            parse_float=_decimal,
            parse_int=lambda digits: int(digits) if len(digits) <= _MAX_DIGITS else _NOT_FINITE,
            parse_constant=lambda _: _NOT_FINITE,
            strict=False,
        )
    except json.JSONDecodeError as error:
        raise WireError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise WireError("nested too deeply", reason=Reason.TOO_DEEP) from None
