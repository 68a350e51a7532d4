"""The supervisor of destinations' code: a fault in it costs at most the event that triggers it, never the queue.

Platform files promise to raise nothing. Should one break that promise, the event is found by halving and becomes a dead
letter `internal_error` that names the place in the code; every other event goes on. The text never holds the
exception's message: it may quote an event.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from proxy.destinations.base import Destination, Processed, Reply
from proxy.destinations.verdict import RetryLater, Verdict
from proxy.event import Event
from proxy.log.base import Entry
from proxy.relay import plan as planning
from proxy.relay.plan import Decide, Item, Loss, Plan, halves

INTERNAL = "internal_error"

T = TypeVar("T")


def shielded(work: Callable[[], T], on_fault: Callable[[str], T]) -> T:
    """`work()`, or `on_fault(description)` when it raises."""
    try:
        return work()
    except Exception as fault:  # noqa: BLE001 - the one place that supervises destinations' code
        return on_fault(describe(fault))


def describe(fault: BaseException) -> str:
    """`KeyError at meta.py:123`: what and where, nothing of the data."""
    at = fault.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
    return f"{type(fault).__name__}{place}"


def plan(
    destination: Destination, entries: Sequence[Entry], decide: Decide, now_ms: int, done: Container[tuple[int, int]]
) -> Plan:
    """`proxy.relay.plan.plan`, with what raises set aside as losses."""

    def on_fault(fault: str) -> Plan:
        if len(entries) == 1:
            entry = entries[0]
            return Plan(losses=(Loss(Item(seq=entry.seq, part=0, event=entry.event, rules=()), INTERNAL, fault),))
        middle = len(entries) // 2
        return joined(plan(destination, part, decide, now_ms, done) for part in (entries[:middle], entries[middle:]))

    return shielded(lambda: planning.plan(destination, entries, decide, now_ms, done), on_fault)


def build(destination: Destination, items: tuple[Item, ...], now_ms: int) -> Plan:
    """`proxy.relay.plan.build`, with what raises set aside as losses."""

    def on_fault(fault: str) -> Plan:
        if len(items) == 1:
            return Plan(losses=(Loss(items[0], INTERNAL, fault),))
        return joined(build(destination, half, now_ms) for half in halves(items))

    return shielded(lambda: planning.build(destination, items, now_ms), on_fault)


def judge(destination: Destination, reply: Reply) -> Verdict:
    """A reply that cannot even be judged is tried again later."""
    return shielded(lambda: destination.judge(reply), lambda fault: RetryLater(INTERNAL, detail=fault))


def read_receipt(destination: Destination, reply: Reply) -> Processed | RetryLater:
    return shielded(lambda: destination.read_receipt(reply), lambda fault: RetryLater(INTERNAL, detail=fault))


def repair(destination: Destination, event: Event, why: str) -> Event | None:
    return shielded(lambda: destination.repair(event, why), lambda _: None)


def joined(plans: Iterable[Plan]) -> Plan:
    whole = tuple(plans)
    return Plan(
        parcels=tuple(parcel for part in whole for parcel in part.parcels),
        skips=tuple(skip for part in whole for skip in part.skips),
        losses=tuple(loss for part in whole for loss in part.losses),
    )
