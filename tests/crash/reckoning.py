"""The reckoning: what was acknowledged against what arrived, destination by destination. Pure but for printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.relay import aside
from tests.crash.faults import Fault


@dataclass
class Reckoning:
    due: dict[str, frozenset[str]] = field(default_factory=dict)
    """Acknowledged event ids, and the destinations that should get each."""
    odd: int = 0
    put_off: int = 0
    """How many of them are due at a platform that does not take them, or always puts them off: dead letters to be."""
    arrivals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By destination: event ids as they arrived, repeated ones each time."""
    dead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By destination: event id and why it is a dead letter."""
    stored: Sequence[str] = ()
    """Event ids in the order of the log; acknowledged or not."""
    answers: Counter[int] = field(default_factory=Counter)
    """To the site, by status; 0: none came."""
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    requests: int = 0
    refused: Sequence[str] = ()
    """Why a platform refused a whole request."""

    @property
    def missing(self) -> dict[str, set[str]]:
        """By destination: due, not arrived and no dead letter (yet)."""
        names = {name for due in self.due.values() for name in due}
        there = {name: {*self.arrivals.get(name, ()), *self.dead.get(name, ())} for name in names}
        missing: dict[str, set[str]] = {}
        for event_id, due in self.due.items():
            for name in due:
                if event_id not in there[name]:
                    missing.setdefault(name, set()).add(event_id)
        return missing

    @property
    def lost(self) -> int:
        return sum(map(len, self.missing.values()))

    @property
    def strays(self) -> int:
        """Arrived at a destination that should not have got them."""
        return sum(
            name not in self.due[event_id]
            for name, ids in self.arrivals.items()
            for event_id in set(ids)
            if event_id in self.due
        )

    @property
    def stored_twice(self) -> int:
        return len(self.stored) - len(set(self.stored))

    @property
    def repeated(self) -> int:
        """Arrivals of an event that had arrived there before, with the same event id."""
        return sum(len(ids) - len(set(ids)) for ids in self.arrivals.values())

    @property
    def out_of_order(self) -> int:
        """First arrivals at a destination after one that stands behind them in the log. Where events are set aside, one
        that met a fault while others were looked at may come behind them (docs/delivery.md): not counted there."""
        place = {event_id: number for number, event_id in enumerate(self.stored)}
        return sum(
            _descents(list(dict.fromkeys(ids)), place)
            for name, ids in self.arrivals.items()
            if aside.WHY not in self.dead.get(name, {}).values()
        )

    def lines(self) -> Iterator[str]:
        yield f"kills            {self.kills.total():>8,}   {_counts(self.kills)}"
        yield f"answers          {self.answers.total():>8,}   {_counts(self.answers)} (0: none, the process was killed)"
        yield f"acknowledged     {len(self.due):>8,}   events; in the log {len(self.stored):,}"
        yield f"stored twice     {self.stored_twice:>8,}"
        for name, ids in self.arrivals.items():
            why = Counter(self.dead.get(name, {}).values())
            dead = f", dead letters {why.total():,} ({_counts(why)})" if why else ""
            yield f"  {name:<14} {len(set(ids)):>8,}   arrived{dead}, lost {len(self.missing.get(name, ())):,}"
        yield f"LOST             {self.lost:>8,}"
        yield f"strays           {self.strays:>8,}   arrived where they should not"
        yield f"repeated         {self.repeated:>8,}   arrivals with an event id that had arrived there before"
        yield f"out of order     {self.out_of_order:>8,}   first arrivals behind a later event of the log"
        yield f"requests         {self.requests:>8,}   to platforms, of which spoiled {self.faults.total():,}:"
        for fault in Fault:
            yield f"                 {self.faults[fault]:>8,}   {fault}"
        if self.refused:
            yield f"refused requests {len(self.refused):>8,}   first: {self.refused[0]}"


def _descents(ids: Sequence[str], place: Mapping[str, int]) -> int:
    furthest, count = -1, 0
    for event_id in ids:
        at = place[event_id]
        count += at < furthest
        furthest = max(furthest, at)
    return count


def _counts(counter: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{key} {count:,}" for key, count in sorted(counter.items(), key=str))
