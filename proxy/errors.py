"""Every fault we raise on purpose.

    ProxyError
    ├── ConfigError       the operator's file cannot be used: lists *all* faults, each with its place and the way out
    ├── WireError         a request body (or an EVENT.json) is not events: says where and what
    └── LogUnavailable    an event could not be made durable: the sender must keep it and try later

Siblings differ by what the caller does next: stop and show, answer 4xx, answer 503.
What platforms do every day is not here: it is a value (`proxy/destinations/verdict.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ProxyError(Exception):
    """The root: `except ProxyError` at an edge catches what we meant to raise, and nothing else."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a configuration.

    `path` is the place in the data (`("destinations", "meta", "pixel_id")`, list positions as ints, counted from 0);
    `line` and `column` count from 1 and are 0 while the fault has not been located in a file yet.
    `advice` is the way out, a full sentence, or "" when the message says it already.
    """

    path: tuple[str | int, ...]
    message: str
    advice: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else (f"{self.file}: " if self.file else "")
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{place}{where}{self.message}" + (f" ({self.advice})" if self.advice else "")


class ConfigError(ProxyError):
    """The configuration cannot be used; `faults` holds every reason found, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class WireError(ProxyError):
    """Bytes that are no events. `where` is a JSON path such as `events[2].data.value`, "" for the whole body."""

    def __init__(self, message: str, where: str = "", reason: str = "malformed") -> None:
        self.message, self.where, self.reason = message, where, reason
        super().__init__(f"{where}: {message}" if where else message)


class LogUnavailable(ProxyError):  # noqa: N818 - it names a state the sender waits out, not a mistake
    """The event log cannot take events now; nothing of this append was stored."""


def dotted(path: Sequence[str | int]) -> str:
    """`("rules", 2, "when")` as people write it: `rules[2].when`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
