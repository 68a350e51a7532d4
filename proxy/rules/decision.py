"""What the rules decided for one event: where it goes, in which shape, and why not elsewhere."""

from __future__ import annotations

import msgspec

from proxy.event import Event


class Route(msgspec.Struct, frozen=True):
    """One event for one destination, already shaped (`set`, `rename`, `remove`, `only`, `as`)."""

    destination: str
    event: Event
    rules: tuple[str, ...]  # names of the rules that sent it, in order


class Step(msgspec.Struct, frozen=True):
    """What one rule did, for `explain`: `matched`, and `why` in words ("event is page_view, not purchase")."""

    rule: str
    matched: bool
    why: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    routes: tuple[Route, ...]
    dropped_by: str | None = None
    trace: tuple[Step, ...] = ()  # filled only when asked for
