"""Plain YAML words as values, by the rules of YAML 1.2 (core schema): `NO`, `yes`, `12:30` and dates stay text.

Two deliberate differences, both because configurations are full of account numbers: digits with a leading zero stay
text (`0123` is an id, not 123), and infinities and not-a-number stay text (no key wants one).

A number remembers how it was written when that differs from how Python would print it, so that a field which wants
text gets `1.10`, `0x1F` or `+4915112345` as it stands in the file.
"""

from __future__ import annotations

import math
import re
from typing import Any, Self

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_LONGEST_NUMBER = 64  # characters; longer digits are no quantity anybody meant


class WrittenInt(int):
    """A whole number written in a way of its own: hexadecimal, octal, with a plus sign."""

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number such as `1.10` or `1e5`, which Python prints otherwise."""

    text: str

    def __new__(cls, value: float, text: str) -> Self:
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word. Raises nothing; what is not clearly something else is text."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        whole = int(text)
        return whole if str(whole) == text else WrittenInt(whole, text)
    if _BASED.fullmatch(text):
        return WrittenInt(int(text, 0), text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number if str(number) == text else WrittenFloat(number, text)
    return text


def plain(value: Any) -> Any:
    """The same data with ordinary numbers, for readers that compare and store them instead of printing them."""
    match value:
        case dict():
            return {key: plain(entry) for key, entry in value.items()}
        case list():
            return [plain(entry) for entry in value]
        case WrittenInt():
            return int(value)
        case WrittenFloat():
            return float(value)
        case _:
            return value
