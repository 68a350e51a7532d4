"""Settings written out as YAML that reads as if a person had typed it: one line of help above each key.

Turns models into text, for `example.py` and `firsthand init`; never reads YAML. What it writes, `yaml.py` reads back
as the same values.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from proxy.config.scalars import resolve
from proxy.config.words import is_secret, section_of

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./${}:+-]*")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./:+-]*")


def scalar(value: object, *, in_flow: bool = False) -> str:
    """One value on one line; quoted only where YAML would read something else."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Enum():
            return scalar(value.value, in_flow=in_flow)
        case int() | float():
            return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
        case list() | tuple():
            return f"[{', '.join(scalar(entry, in_flow=True) for entry in value)}]"
        case Mapping():
            return f"{{{', '.join(f'{key}: {scalar(entry, in_flow=True)}' for key, entry in value.items())}}}"
        case _:
            text = str(value)
            is_plain = (
                (_PLAIN_IN_FLOW if in_flow else _PLAIN).fullmatch(text)
                and not text.endswith(":")
                and not text.isdigit()
            )
            return text if is_plain and resolve(text) == text and isinstance(resolve(text), str) else json.dumps(text)


def comment(text: str, indent: str = "") -> Iterator[str]:
    """`text` as comment lines of a readable width."""
    for line in textwrap.wrap(text, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False):
        yield f"{indent}# {line}"


def keys_of(
    model: type[BaseModel], values: Mapping[str, Any], indent: str = "", without: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Every key of a section: help, name, and the value in `values` or the default, sections within too."""
    for name, entry in model.model_fields.items():
        if name in without:
            continue
        yield from comment(help_text(entry), indent)
        if (section := section_of(model, name)) is not None:
            yield f"{indent}{name}:"
            yield from keys_of(section, {}, indent + "  ")
            continue
        for alternative in alternatives(entry):
            yield f"{indent}#   or: {scalar(alternative)}"
        yield f"{indent}{name}: {scalar(values.get(name, default_of(entry)))}"


def help_text(entry: FieldInfo) -> str:
    """A field's help, with its choices where the help does not name them all."""
    text = entry.description or ""
    choices = list(_choices(entry.annotation))
    named = all(re.search(rf"(?<!\w){re.escape(str(choice))}(?!\w)", text) for choice in choices)
    head = "Any of" if get_origin(entry.annotation) is tuple else "One of"
    return text if named else f"{text} {head}: {', '.join(map(scalar, choices))}."


def alternatives(entry: FieldInfo) -> Iterator[dict[str, Any]]:
    """For a key that takes a word or a mapping: the mapping, with its defaults."""
    for model in get_args(entry.annotation):
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield {name: default_of(inner) for name, inner in model.model_fields.items()}


def _choices(annotation: object) -> Iterator[object]:
    """The words a field takes, when words are all it takes."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from annotation
    else:
        for part in get_args(annotation):
            yield from _choices(part)


def default_of(entry: FieldInfo) -> Any:
    """A default as written in a file; secrets have none."""
    value = entry.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Path):
        return f"./{value}" if not value.is_absolute() else str(value)
    return None if is_secret(entry.annotation) and value is not None and not isinstance(value, tuple) else value


def is_filled_in(name: str, entry: FieldInfo) -> bool:
    """Does an operator write this key? It is required, or the usual one of several ways: then it has `examples`."""
    return name != "kind" and (entry.is_required() or bool(entry.examples))


def variable(destination: str, key: str) -> str:
    """The environment variable for a destination's credential: `META_ACCESS_TOKEN`."""
    return re.sub(r"[^A-Z0-9]+", "_", f"{destination}_{key}".upper())
