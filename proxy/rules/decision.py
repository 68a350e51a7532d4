"""What the rules decided for one event: where it goes, in which shape, and why not elsewhere."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from proxy.event import Event


class Per(StrEnum):
    """What a rule with `once` sends one event for."""

    ORDER = "per_order"
    VISITOR = "per_visitor"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


class Once(msgspec.Struct, frozen=True):
    """Of all events with this `key`, the destination gets one. The key names an order or a visitor in plain text: it
    is not for logs, and the event log keeps it as a keyed digest."""

    per: Per
    rule: str
    key: str


class Route(msgspec.Struct, frozen=True):
    """One event for one destination, already shaped (`set`, `rename`, `remove`, `only`, `as`)."""

    destination: str
    event: Event
    rules: tuple[str, ...]  # names of the rules that sent it, in order
    once: Once | None = None  # None: sent whatever was sent before


class Step(msgspec.Struct, frozen=True):
    """What one rule did, for `explain`: `matched`, and `why` in words ("event is page_view, not purchase")."""

    rule: str
    matched: bool
    why: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    routes: tuple[Route, ...]
    dropped_by: str | None = None
    trace: tuple[Step, ...] = ()  # filled only when asked for
