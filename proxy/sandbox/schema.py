"""The shape of a JSON body as plain data, and what is wrong with one: where, which rule; in no platform's words.

A platform whose schema is published writes it down as `Table`s of these and puts each `Wrong` into its own error form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

Path = tuple[str | int, ...]
Rule = Literal["unknown", "type", "required", "choice", "range"]

_DIGITS = re.compile(r"-?[0-9]{1,19}\Z")  # an int64 at most


class Wrong(msgspec.Struct, frozen=True):
    """`what`: the unknown or missing key, the type expected, the choices, the bound; `value`: what stood there."""

    path: Path
    rule: Rule
    what: str
    value: Any = None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    longest: int | None = None
    shortest: int = 0
    choices: frozenset[str] | None = None
    nullable: bool = False


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A whole number. `from_text`: digits in quotes count as well."""

    low: int | None = None
    high: int | None = None
    nullable: bool = False
    from_text: bool = False


class Number(msgspec.Struct, frozen=True, kw_only=True):
    from_text: bool = False


class Flag(msgspec.Struct, frozen=True):
    pass


class Anything(msgspec.Struct, frozen=True):
    pass


class Many(msgspec.Struct, frozen=True, kw_only=True):
    of: Shape
    least: int = 0
    most: int | None = None


class OneOrMany(msgspec.Struct, frozen=True):
    of: Shape


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """`is_open`: keys that are not named may be there. `null_is_absent`: a null counts as not given."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    is_open: bool = False
    null_is_absent: bool = False


Shape = Text | Whole | Number | Flag | Anything | Many | OneOrMany | Table


def check(shape: Shape, value: Any, path: Path = ()) -> Iterator[Wrong]:
    """Everything that is wrong, in the order of the body; a wrong value is not looked into."""
    return _CHECKS[type(shape)](shape, value, path)


def is_number(value: Any) -> bool:
    """A JSON number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_numeric_text(value: Any) -> bool:
    """`"49.90"`; not `"49,90"`, `"nan"`, `" 1"`."""
    if not isinstance(value, str) or not value.isascii() or "_" in value or value != value.strip():
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _table(shape: Table, value: Any, path: Path) -> Iterator[Wrong]:
    if not isinstance(value, dict):
        yield Wrong(path, "type", "object", value)
        return
    given = {key: inner for key, inner in value.items() if not (shape.null_is_absent and inner is None)}
    for key, inner in given.items():
        known = shape.fields.get(key)
        if known is not None:
            yield from check(known, inner, (*path, key))
        elif not shape.is_open:
            yield Wrong(path, "unknown", key, inner)
    for key in shape.required:
        if key not in given:
            yield Wrong(path, "required", key)


def _many(shape: Many, value: Any, path: Path) -> Iterator[Wrong]:
    if not isinstance(value, list):
        yield Wrong(path, "type", "array", value)
    elif len(value) < shape.least:
        yield Wrong(path, "range", f"at least {shape.least} entries", len(value))
    elif shape.most is not None and len(value) > shape.most:
        yield Wrong(path, "range", f"at most {shape.most} entries", len(value))
    else:
        for position, inner in enumerate(value):
            yield from check(shape.of, inner, (*path, position))


def _text(shape: Text, value: Any, path: Path) -> Iterator[Wrong]:
    if value is None and shape.nullable:
        return
    if not isinstance(value, str):
        yield Wrong(path, "type", "string", value)
    elif shape.choices is not None and value not in shape.choices:
        yield Wrong(path, "choice", ", ".join(sorted(shape.choices)), value)
    elif shape.longest is not None and len(value) > shape.longest:
        yield Wrong(path, "range", f"at most {shape.longest} characters", value)
    elif len(value) < shape.shortest:
        yield Wrong(path, "range", f"at least {shape.shortest} characters", value)


def _whole(shape: Whole, value: Any, path: Path) -> Iterator[Wrong]:
    if value is None and shape.nullable:
        return
    if shape.from_text and isinstance(value, str) and _DIGITS.match(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        yield Wrong(path, "type", "integer", value)
    elif shape.low is not None and value < shape.low:
        yield Wrong(path, "range", f"at least {shape.low}", value)
    elif shape.high is not None and value > shape.high:
        yield Wrong(path, "range", f"at most {shape.high}", value)


def _one_or_many(shape: OneOrMany, value: Any, path: Path) -> Iterator[Wrong]:
    return check(Many(of=shape.of, least=1) if isinstance(value, list) else shape.of, value, path)


def _number(shape: Number, value: Any, path: Path) -> Iterator[Wrong]:
    if not is_number(value) and not (shape.from_text and is_numeric_text(value)):
        yield Wrong(path, "type", "number", value)


def _flag(_: Flag, value: Any, path: Path) -> Iterator[Wrong]:
    if not isinstance(value, bool):
        yield Wrong(path, "type", "boolean", value)


def _anything(_: Anything, __: Any, ___: Path) -> Iterator[Wrong]:
    return iter(())


_CHECKS: dict[type, Callable[[Any, Any, Path], Iterator[Wrong]]] = {
    Table: _table,
    Many: _many,
    OneOrMany: _one_or_many,
    Text: _text,
    Whole: _whole,
    Number: _number,
    Flag: _flag,
    Anything: _anything,
}
