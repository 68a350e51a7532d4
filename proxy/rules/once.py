"""`once: per_order | per_visitor`: how it is written, and which events count as the same.

Pure: what was sent before is known to the event log alone, so a route only carries the key to look it up by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.event import Event
from proxy.rules.decision import Once, Per
from proxy.rules.faults import Faults, Path, did_you_mean, shown

HELP = "one event per order (per_order) or per visitor (per_visitor); a reloaded thank-you page sends nothing more"


def read_once(raw: Mapping[Any, Any], path: Path, faults: Faults) -> Per | None:
    """The `once` of a rule or an entry of `send_to`."""
    if "once" not in raw:
        return None
    given = raw["once"]
    if given not in tuple(Per):
        advice = did_you_mean(given, tuple(Per), "write one of them")
        faults.add((*path, "once"), f"expected {' or '.join(Per)}, got {shown(given)}", advice)
        return None
    return Per(given)


def once(per: Per, rule: str, name: str, came: Event, left: Event) -> Once | None:
    """None when there is no order, or no visitor, to go by: such an event is always sent.

    `name`: the event's name at the destination. `came` and `left`: the event before and after the rule's changes, so a
    rule may give it an `order_id` and may take the visitor out.
    """
    whose = _subject(per, left) or _subject(per, came)
    if not whose:
        return None
    return Once(per, rule, f"{per} {len(rule)}:{rule}{len(name)}:{name}{whose}")


def _subject(per: Per, event: Event) -> str | None:
    if per is Per.ORDER:
        return event.data.order_id
    return None if event.visitor is None else event.visitor.id
