"""Collects every fault of a rules list: an operator sees all of them at once, each with its place and a way out.

Never raises by itself: whoever compiles goes on after a fault and raises one `ConfigError` at the end.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from proxy.errors import Fault

Path = tuple[str | int, ...]


class Faults:
    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: Path, message: str, advice: str = "") -> None:
        self.found.append(Fault(path=path, message=message, advice=advice))

    def __len__(self) -> int:
        return len(self.found)


def did_you_mean(word: object, choices: Iterable[str], otherwise: str = "") -> str:
    """Advice for a misspelt word: the nearest of `choices`, else `otherwise`, else all of them when they are few."""
    known = sorted(set(choices))
    folded = {choice.casefold(): choice for choice in reversed(known)}
    near = difflib.get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    if otherwise:
        return otherwise
    return f"known: {', '.join(known)}" if known and len(known) <= FEW else ""


FEW = 16


def shown(value: object) -> str:
    """A scalar of the operator's file as people write it, at most a line; of collections only what they are."""
    if isinstance(value, (bool, type(None), list, tuple, dict)):
        return str(value).lower() if isinstance(value, bool) else kind_of(value)
    text = " ".join((f"'{value}'" if isinstance(value, str) else str(value)).split())
    return text if len(text) <= LINE else f"{text[: LINE - 1]}…"


LINE = 80


def kind_of(value: object) -> str:
    """What a YAML value is, in the operator's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return "a text" if isinstance(value, str) else "a number"
