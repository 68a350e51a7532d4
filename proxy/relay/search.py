"""Is the platform down, or is it one event? What to do about answers that say "later" again and again. Pure.

While a platform is down everything waits, in order. But an event to which it answers "later" for ever would hold up all
events behind it. So a reader that was told so often enough looks: it sends events one by one, passing over those that
get the same answer again, until the platform takes (or refuses) one. If it takes none, it is down, and all of them wait
as before. If it does, it is alive, and those passed over are sent once more, alone: what it does not take even now is
set aside (`aside.py`). From then on a request that is answered "later" is halved, as one that is refused without naming
a culprit.

An answer that names a time is obeyed: it speaks of the platform or the account, and nothing is sent before. A search
lives for one turn of the reader; a crash forgets it and loses nothing, because what it passes over is not settled.
"""

from __future__ import annotations

import msgspec

from proxy.destinations.verdict import RetryLater
from proxy.event import replace
from proxy.log.base import ReaderState
from proxy.relay import aside
from proxy.relay.plan import Item, halves

PATIENCE = 8  # answers "later" in a row, about two minutes with the usual backoff, before it looks
PATIENCE_KNOWN = 3  # the same where events were set aside lately: it is known that single events are to blame
PASSED_MOST = (
    32  # passed over in a row; the first look passes over 1, the next 2, 4, …: a dead platform is asked little
)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer means besides what it says: groups to send again at once, events to set aside, or (`wait`) that
    the reader's turn ends here and everything else is held."""

    search: Search
    again: tuple[tuple[Item, ...], ...] = ()
    aside: tuple[Item, ...] = ()
    wait: bool = False


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """`allowed`: how many events may be passed over in a row, 0: none, be patient."""

    allowed: int
    apart: frozenset[int]  # numbers of events that were set aside before and are being tried again
    is_alive: bool = False  # the platform took or refused something in this turn
    passed: tuple[Item, ...] = ()  # since it did, in order
    doubted: frozenset[tuple[int, int]] = frozenset()  # keys of all that was passed over in this turn

    def parts(self, items: tuple[Item, ...]) -> tuple[Search, tuple[tuple[Item, ...], ...]]:
        """In what groups to send these: one by one until it is known that the platform is alive. What shares its
        once-key with an event that was passed over waits with it: the platform may have taken that one after all."""
        if not self.allowed:
            return self, (items,)
        keys = {item.once.key for item in self.passed if item.once is not None}
        behind = tuple(item for item in items if item.once is not None and item.once.key in keys)
        if behind:
            now = tuple(item for item in items if item not in behind)
            return replace(self, passed=(*self.passed, *behind)), (now,) if now else ()
        return self, (items,) if self.is_alive or len(items) == 1 else (items[:1], items[1:])

    def later(self, answer: RetryLater, items: tuple[Item, ...]) -> Step:
        if items[0].seq in self.apart:
            return Step(search=self, aside=items, wait=answer.after_s is not None)
        if not self.allowed or answer.after_s is not None:
            return Step(search=self, wait=True)
        if len(items) > 1:
            return Step(search=self, again=halves(items))
        (item,) = items
        if self.is_alive and item.key in self.doubted:
            return Step(search=self, aside=items)
        if len(self.passed) >= self.allowed:
            return Step(search=self, wait=True)
        return Step(search=replace(self, passed=(*self.passed, item), doubted=self.doubted | {item.key}))

    def answered(self) -> Step:
        """The platform took or refused something: it is alive, and what was passed over gets its second chance."""
        if not self.allowed:
            return Step(search=self)
        alive = replace(self, allowed=PASSED_MOST, is_alive=True, passed=())
        return Step(search=alive, again=tuple((item,) for item in self.passed))


def begin(state: ReaderState) -> Search:
    """At the beginning of a reader's turn."""
    looks = state.attempts - (PATIENCE_KNOWN if state.aside else PATIENCE)
    allowed = 0 if looks < 0 else min(2 ** min(looks, 30), PASSED_MOST)
    return Search(allowed=allowed, apart=aside.seqs(state))
