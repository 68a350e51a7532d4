"""What the doctor says: one finding per thing looked at, with the way out where something should change."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do
    WARNING = "warning"  # works, but costs attribution for some visitors or at some time
    FAULT = "fault"  # does not work


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`check` is a stable name for scripts; `text` and `advice` are for people."""

    check: str
    level: Level
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check=check, level=Level.OK, text=text)


def note(check: str, text: str, advice: str = "") -> Finding:
    return Finding(check=check, level=Level.NOTE, text=text, advice=advice)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, text=text, advice=advice)


def fault(check: str, text: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.FAULT, text=text, advice=advice)


def worst(findings: Iterable[Finding]) -> Level:
    """The most serious level among `findings`; OK when there are none."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)
