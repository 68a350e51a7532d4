"""What an answer means for each event of a request: delivered, lost, or sent again in smaller company. Pure.

A request refused without a culprit is halved until the culprit stands alone: nothing of a refused request was taken, so
nothing is counted twice, and k culprits among n events cost about 2·k·log2(n) requests. A lone culprit is changed once
by `Destination.repair` if the platform's file knows how; refused again, it is lost with the platform's words.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from proxy.destinations.verdict import Delivered, Rejected, RowFault
from proxy.event import Event, replace
from proxy.relay.plan import Item, Loss, halves

Repair = Callable[[Event, str], Event | None]


class Consequences(msgspec.Struct, frozen=True, kw_only=True):
    """Every item of the request is in exactly one of the three. `again`: groups to send now, in this order."""

    delivered: tuple[Item, ...] = ()
    losses: tuple[Loss, ...] = ()
    again: tuple[tuple[Item, ...], ...] = ()


def consequences(verdict: Delivered | Rejected, items: tuple[Item, ...], repair: Repair) -> Consequences:
    match verdict:
        case Delivered(rejected=rejected):
            faults = {fault.row: fault for fault in rejected}
            others, repaired, losses = _part(items, faults, repair)
            return Consequences(delivered=others, losses=losses, again=(repaired,) if repaired else ())
        case Rejected(why=why, detail=detail, rows=rows):
            named = all(0 <= fault.row < len(items) for fault in rows)  # else the answer names nothing we can trust
            if not named or not rows:
                if len(items) > 1:
                    return Consequences(again=halves(items))
                rows = (RowFault(0, why, detail),)
            faults = {fault.row: fault for fault in rows}
            others, repaired, losses = _part(items, faults, repair)
            rest = tuple(sorted((*others, *repaired), key=lambda item: item.key))
            return Consequences(losses=losses, again=(rest,) if rest else ())


def _part(
    items: tuple[Item, ...], faults: dict[int, RowFault], repair: Repair
) -> tuple[tuple[Item, ...], tuple[Item, ...], tuple[Loss, ...]]:
    """Those without a fault, the repaired ones, and those that are lost."""
    others, repaired, losses = [], [], []
    for row, item in enumerate(items):
        fault = faults.get(row)
        if fault is None:
            others.append(item)
            continue
        changed = None if item.repaired else repair(item.event, fault.why)
        if changed is None:
            losses.append(Loss(item, fault.why, fault.detail))
        else:
            repaired.append(replace(item, event=changed, repaired=True))
    return tuple(others), tuple(repaired), tuple(losses)
