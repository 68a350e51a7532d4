"""A point in time as an option of a command. Holds no command of its own."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import click

from proxy.clock import DAY_MS, SECOND_MS, system_clock

_LONGEST_MS = 14  # digits: until the year 5138
_AGO = re.compile(r"([0-9]{1,6})\s*([smhd])")
_UNITS_MS = {"s": SECOND_MS, "m": 60 * SECOND_MS, "h": 3600 * SECOND_MS, "d": DAY_MS}


class Moment(click.ParamType[int]):
    """RFC 3339 (`2026-11-23T12:00:00Z`) or Unix milliseconds."""

    name = "TIME"
    expected = "neither RFC 3339 (2026-11-23T12:00:00Z) nor Unix milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= _LONGEST_MS:
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(f"{text!r} is {self.expected}", param, ctx)
        return round(moment.timestamp() * SECOND_MS)


class PastMoment(Moment):
    """Also `90m`, `36h` or `7d`: so long ago."""

    expected = "neither a span (90m, 36h, 7d), RFC 3339 (2026-11-23T12:00:00Z) nor Unix milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        ago = _AGO.fullmatch(str(value).strip())
        if ago is not None:
            return system_clock() - int(ago[1]) * _UNITS_MS[ago[2]]
        return super().convert(value, param, ctx)
