"""What one destination would be sent for a stretch of the log: rules, consent, age, then the platform's own build.

Pure, and the only place where these four meet: the relay sends what it says and `firsthand explain` prints it, so the
two cannot disagree. It never opens a connection and never changes an event.

One entry may have several routes to one destination (two rules with different `as` names); each route is an `Item`, and
the entry is settled when all its items are.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from enum import StrEnum

import msgspec

from proxy.clock import DAY_S, SECOND_MS
from proxy.destinations.base import Destination, Refusal, Request
from proxy.event import Event, replace
from proxy.log.base import Entry
from proxy.privacy import consent
from proxy.privacy.refusal import still_allowed
from proxy.rules.decision import Decision, Once

Decide = Callable[[Event], Decision]
"""The compiled rules: `Rules.decide`."""


class SkipReason(StrEnum):
    """Why an event is not meant for a destination; the label of `firsthand_skipped_total`."""

    NO_RULE = "no_rule"
    DROPPED = "dropped"
    CONSENT = "consent"
    NOT_TAKEN = "not_taken"  # the platform has no such event
    BOT = "bot"  # marked as a bot's, and no rule asks for it
    ONCE = "once"  # its rule sends once per order or visitor, and has


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One route of one entry: what becomes a row of a request. `part` counts the entry's routes here, from 0."""

    seq: int
    part: int
    event: Event  # as the rules shaped it
    rules: tuple[str, ...]
    once: Once | None = None
    repaired: bool = False  # changed once by `Destination.repair`; a second rejection is final

    @property
    def key(self) -> tuple[int, int]:
        return self.seq, self.part


class Parcel(msgspec.Struct, frozen=True):
    """One request and the items it carries: `items[i]` is the request's row i."""

    request: Request
    items: tuple[Item, ...]


class Skip(msgspec.Struct, frozen=True):
    seq: int
    reason: SkipReason
    detail: str


class Loss(msgspec.Struct, frozen=True):
    """An item the destination will never get: `why` is short and bounded, `detail` is the rule in words."""

    item: Item
    why: str
    detail: str
    skip: SkipReason | None = None  # nothing went wrong: the event is not meant for the destination


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Every entry is in `skips`, or all its items are in `parcels`, `losses` or were `done` before."""

    parcels: tuple[Parcel, ...] = ()
    skips: tuple[Skip, ...] = ()
    losses: tuple[Loss, ...] = ()


def plan(
    destination: Destination,
    entries: Sequence[Entry],
    decide: Decide,
    now_ms: int,
    done: Container[tuple[int, int]] = frozenset(),
) -> Plan:
    """`done`: keys of items that were settled earlier while another route of their entry was not.

    Raises nothing of its own; what a destination's code raises passes through (`proxy/relay/guard.py`).
    """
    skips, losses, items = [], [], []
    for stored in entries:
        entry = _obeyed(stored)
        if entry is None:
            skips.append(Skip(stored.seq, SkipReason.CONSENT, "consent: taken back by the visitor since"))
            continue
        decision = decide(entry.event)
        routes = [route for route in decision.routes if route.destination == destination.name]
        skip = _skip(destination, entry, decision, routed=bool(routes))
        if skip is not None:
            skips.append(skip)
            continue
        too_old = _too_old(destination, entry.event, now_ms)
        for part, route in enumerate(routes):
            item = Item(seq=entry.seq, part=part, event=route.event, rules=route.rules, once=route.once)
            if item.key in done:
                continue
            if too_old:
                losses.append(Loss(item, "expired", too_old))
            else:
                items.append(item)
    built = build(destination, items, now_ms)
    return Plan(parcels=built.parcels, skips=tuple(skips), losses=(*losses, *built.losses))


def build(destination: Destination, items: Sequence[Item], now_ms: int) -> Plan:
    """Items as requests within the platform's limits; also how a part of a rejected request is asked for again."""
    if not items:
        return Plan()
    built = destination.build([item.event for item in items], now_ms)
    if sorted([*(row for one in built.requests for row in one.rows), *(one.row for one in built.refused)]) != [
        *range(len(items))
    ]:
        raise ValueError(f"{destination.kind}: build must put every event into one request or refuse it")
    losses = [_loss(items[refused.row], refused.refusal) for refused in built.refused]
    parcels: list[Parcel] = []
    for request in built.requests:
        parcel = Parcel(request, tuple(items[row] for row in request.rows))
        size = len(request.body or b"")
        if size <= destination.limits.body_bytes:
            parcels.append(parcel)
        elif len(parcel.items) == 1:
            limit = destination.limits.body_bytes
            losses.append(Loss(parcel.items[0], "too_large", f"{size} bytes; {destination.kind} takes {limit}"))
        else:
            for half in halves(parcel.items):
                smaller = build(destination, half, now_ms)
                parcels.extend(smaller.parcels)
                losses.extend(smaller.losses)
    return Plan(parcels=tuple(parcels), losses=tuple(losses))


def _loss(item: Item, refusal: Refusal) -> Loss:
    return Loss(item, refusal.why, refusal.detail, SkipReason.NOT_TAKEN if refusal.routine else None)


def halves(items: tuple[Item, ...]) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _obeyed(entry: Entry) -> Entry | None:
    """As far as its visitor has not taken consent back since it was stored."""
    if not entry.refused:
        return entry
    event = still_allowed(entry.event, entry.refused)
    return None if event is None else replace(entry, event=event)


def _skip(destination: Destination, entry: Entry, decision: Decision, *, routed: bool) -> Skip | None:
    event = entry.event
    if not routed:
        if decision.dropped_by is not None:
            return Skip(entry.seq, SkipReason.DROPPED, f"rule '{decision.dropped_by}' drops it")
        if event.bot is not None:
            return Skip(entry.seq, SkipReason.BOT, f"bot: {event.bot}; no rule asks for it (`when: {{bot: …}}`)")
        return Skip(entry.seq, SkipReason.NO_RULE, f"no rule sends '{event.name}' here")
    # The visitor's own consent, not what a rule may have set on the route's copy.
    refused = consent.permits(event.consent, destination.settings)
    return None if refused is None else Skip(entry.seq, SkipReason.CONSENT, refused)


def _too_old(destination: Destination, event: Event, now_ms: int) -> str:
    age_s = (now_ms - event.time) / SECOND_MS
    limit_s = destination.max_age_s_of(event)
    if age_s <= limit_s:
        return ""
    return f"happened {_span(age_s)} ago; {destination.kind} takes events up to {_span(limit_s)} old"


def _span(seconds: float) -> str:
    """`8.2 days`, `3 hours`, `90 seconds`: the unit people would use."""
    for unit, length in (("days", DAY_S), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} seconds"
