"""`${field}` inside the values of `set` and `default`: what an event says, put into another field.

A value that is one reference alone keeps its type; one with text around it becomes text. When a field that is
referred to is absent, or its value does not fit the field to be set, nothing is set. `$${` is a plain `${`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from proxy.event import Event
from proxy.rules.faults import Faults, Path, shown
from proxy.rules.fields import EVENT, Field
from proxy.rules.values import Kind, Unfit, is_absent, parse, scalars

Produce = Callable[[Event], Any]
"""The value for an event, or None: leave the field alone."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")


def read_reference(text: str, target: Field, path: Path, faults: Faults) -> Produce | None:
    """A closure for a text with references; None after a fault. A text without any gives None and no fault."""
    pieces: list[str | Field] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found[0] == "$${":
            pieces.append("${")
            continue
        field = EVENT.find(found[1]) if found[1] is not None else None
        if field is None or field.kind is Kind.ITEMS:
            _unknown(found[1], path, faults)
            return None
        pieces.append(field)
    pieces.append(text[end:])
    filled = [piece for piece in pieces if piece != ""]
    if len(filled) == 1 and isinstance(filled[0], Field):
        return moved(filled[0], target)
    return _joined(filled, target)


def _unknown(name: str | None, path: Path, faults: Faults) -> None:
    if name is None:
        faults.add(path, "`${` without its `}`", "write ${field}, or $${ for a plain ${")
    else:
        faults.add(path, f"reference to an unknown field {shown(name)}", EVENT.advice(name))


def moved(source: Field, target: Field) -> Produce:
    """The source's value as the target's type."""
    get = source.exact or source.get
    return lambda event: carried(get(event), target)


def _joined(pieces: list[str | Field], target: Field) -> Produce:
    def produce(event: Event) -> Any:
        texts = []
        for piece in pieces:
            if isinstance(piece, str):
                texts.append(piece)
                continue
            found = scalars((piece.exact or piece.get)(event))
            if not found or not found[0]:
                return None
            texts.append(found[0])
        return carried("".join(texts), target)

    return produce


def carried(value: Any, target: Field) -> Any:
    """A value from elsewhere in the event in the target's type; None when it is absent or does not fit."""
    if is_absent(value):
        return None
    if target.kind is Kind.FREE:
        if isinstance(value, tuple):
            return value[0] if len(value) == 1 else list(value)
        return str(value) if isinstance(value, str) else value
    parts = value if isinstance(value, (list, tuple)) else (value,)
    parsed = []
    for part in parts:
        try:
            parsed.append(parse(target.kind, part, target.choices))
        except Unfit:
            continue
    if target.many:
        return tuple(parsed) or None
    return parsed[0] if parsed else None
