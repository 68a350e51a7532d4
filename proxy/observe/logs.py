"""Log lines: one structured JSON line per change of state, none for healthy traffic.

`get_logger("relay")` gives a logger; `configure()` is called once by commands that serve. Never logged: match keys,
cookies, bodies, URLs with a query, credentials.
"""

from __future__ import annotations

import sys
from typing import Any

import structlog

from proxy.clock import SECOND_MS

_REMINDER_MS = 60 * SECOND_MS


def configure(*, pretty: bool = False) -> None:
    """`pretty`: lines for people (`firsthand demo`), coloured on a terminal, else JSON on standard error."""
    in_colour = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer(colors=in_colour) if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        # One write a line: what several processes write into one pipe stays apart.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def get_logger(area: str) -> Any:
    """`area`: which part speaks (collector, relay, log, config)."""
    return structlog.get_logger(area=area)  # lazy: modules ask for theirs before `configure` is called


class Reminder:
    """For what goes on and on: one line a minute, not one each."""

    def __init__(self) -> None:
        self._said_ms: dict[str, int] = {}

    def is_due(self, what: str, now_ms: int) -> bool:
        """True: say it; it was not said within the last minute."""
        said_ms = self._said_ms.get(what)
        if said_ms is not None and 0 <= now_ms - said_ms < _REMINDER_MS:
            return False
        self._said_ms[what] = now_ms
        return True
