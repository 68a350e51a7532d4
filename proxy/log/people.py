"""All that the log holds about one person: found, and where it went. Reading only; erasing is `upkeep.py`'s.

A visitor's events stand in an index. Whoever is known by an e-mail, a phone number or an order is found by opening
every event (some 50,000 a second); the visitor ids on what is found lead to the rest of their events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum

import msgspec

from proxy.log.accepted import Accepted
from proxy.log.base import Entry
from proxy.log.settling import numbers
from proxy.log.view import LogView
from proxy.privacy.selector import By, Selector

PIECE = 500  # events in memory at once
TOLD_EVERY = 50_000  # events between two calls of `progress`

Progress = Callable[[int], object]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    visitors: tuple[str, ...]
    seqs: tuple[int, ...]


class Fate(StrEnum):
    """What became of an event at one destination."""

    DELIVERED = "delivered"  # accepted at least once
    DEAD = "dead"
    WAITING = "waiting"
    NOT_SENT = "not_sent"  # the rules or the consent of the time, or a dead letter that is no more


async def find(view: LogView, selector: Selector, *, only_matching: bool, progress: Progress) -> Person:
    """`only_matching`: without the other events of the visitors found, and without those visitors."""
    if selector.by is By.VISITOR:
        return Person(visitors=(selector.value,), seqs=tuple(await view.of_visitor(selector.value)))
    found: set[int] = set()
    visitors: dict[str, None] = {}
    looked = 0
    async for entry in view.scan():
        looked += 1
        if looked % TOLD_EVERY == 0:
            progress(looked)
        if selector.finds(entry.event):
            found.add(entry.seq)
            if entry.event.visitor is not None:
                visitors[entry.event.visitor.id] = None
    if only_matching:
        return Person(visitors=(), seqs=tuple(sorted(found)))
    for visitor in visitors:
        found.update(await view.of_visitor(visitor))
    return Person(visitors=tuple(visitors), seqs=tuple(sorted(found)))


async def entries(view: LogView, seqs: Sequence[int]) -> AsyncIterator[Entry]:
    """Those of `seqs` that are (still) there and can be read."""
    for start in range(0, len(seqs), PIECE):
        for entry in await view.these(seqs[start : start + PIECE]):
            yield entry


async def fates(view: LogView, seqs: Sequence[int]) -> dict[str, dict[int, Fate]]:
    """By destination, as far as it has a place in the log: what became of each event."""
    chosen = numbers(seqs)
    dead = {
        (reader, seq)
        for reader, seq in await view.rows(
            "SELECT reader, seq FROM dead WHERE seq IN (SELECT value FROM json_each(?))", chosen
        )
    }
    above = {(reader, seq) for reader, seq in await view.rows("SELECT reader, seq FROM settled")}
    again = {(reader, seq) for reader, seq in await view.rows("SELECT reader, seq FROM again")}
    found: dict[str, dict[int, Fate]] = {}
    for reader, cursor in await view.rows("SELECT name, cursor FROM reader ORDER BY name"):
        accepted = await view.accepted(reader)

        def fate(seq: int, reader: str = reader, cursor: int = cursor, accepted: Accepted = accepted) -> Fate:
            if seq in accepted:
                return Fate.DELIVERED
            if (reader, seq) in dead:
                return Fate.DEAD
            is_waiting = (reader, seq) in again or (seq > cursor and (reader, seq) not in above)
            return Fate.WAITING if is_waiting else Fate.NOT_SENT

        found[reader] = {seq: fate(seq) for seq in seqs}
    return found


async def dead_letters(view: LogView, seqs: Sequence[int]) -> int:
    ((count,),) = await view.rows(
        "SELECT count(*) FROM dead WHERE seq IN (SELECT value FROM json_each(?))", numbers(seqs)
    )
    return int(count)
