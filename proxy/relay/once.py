"""Of the events a rule sends once per order or visitor: which may go now, which wait, which were sent before. Pure.

An event owns its key from the moment the destination has taken it (`EventLog.claims`), not before: a dead letter leaves
the way free for the next one. So of several in one request only the first goes; the others wait for what becomes of it.
The owner itself always passes: a repeat after a crash, or a replay, is the same event with the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proxy.relay.plan import Item, Loss, SkipReason
from proxy.rules.decision import Once, Per


class Sifted(msgspec.Struct, frozen=True, kw_only=True):
    """Every item in exactly one of the three, in the order given."""

    now: tuple[Item, ...]
    waiting: tuple[Item, ...]
    before: tuple[Loss, ...]


def keys(items: Iterable[Item]) -> set[str]:
    return {item.once.key for item in items if item.once is not None}


def sift(items: Sequence[Item], owners: Mapping[str, int]) -> Sifted:
    """`owners`: by key, the sequence number of the event that was sent."""
    now, waiting, before = [], [], []
    first: dict[str, int] = {}
    for item in items:
        if item.once is None:
            now.append(item)
            continue
        owner = owners.get(item.once.key)
        if owner is not None and owner != item.seq:
            before.append(Loss(item, SkipReason.ONCE.value, _sent_before(item.once), SkipReason.ONCE))
        elif first.setdefault(item.once.key, item.seq) == item.seq:
            now.append(item)
        else:
            waiting.append(item)
    return Sifted(now=tuple(now), waiting=tuple(waiting), before=tuple(before))


def _sent_before(once: Once) -> str:
    return f"rule '{once.rule}' sends once {once.per.words}; {_BEFORE[once.per]}"


def unless(once: Once) -> str:
    """The condition in words, for whoever cannot look into the log."""
    return f"unless {_BEFORE[once.per]} (once {once.per.words})"


_BEFORE = {Per.ORDER: "this order was sent before", Per.VISITOR: "one of this visitor was sent before"}
