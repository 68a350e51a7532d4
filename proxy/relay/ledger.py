"""Which events of a reader's batch are settled: an event is, once all its routes to the destination are.

Lives in memory beside the log's own bookkeeping, for the one thing the log does not know: that one route of an event is
through while another waits for the platform to recover. Losing it (a crash) repeats a route with the same event id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from proxy.log.base import DeadLetter
from proxy.relay.plan import Item, Loss, Plan, Skip


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be committed, in the terms of `proxy.log.base.Outcome`."""

    settled: list[int]
    dead: list[DeadLetter]
    missed: set[int]
    skips: list[Skip]
    claims: dict[str, int]


class Ledger:
    def __init__(self) -> None:
        self.done: set[tuple[int, int]] = set()
        """Keys of settled items whose event is not."""
        self._open: Counter[int] = Counter()
        self._held: dict[int, Loss] = {}  # by seq: the loss of one route while another is open
        self._settled: list[int] = []
        self._lost: list[Loss] = []
        self._skips: list[Skip] = []
        self._claims: dict[str, int] = {}  # once-key -> seq of the event that was delivered for it
        self._taken: set[int] = set()  # the platform took at least one route of these

    def open(self, plan: Plan) -> None:
        """A new stretch of work. What was settled but not taken is forgotten: the log will hand it out again."""
        items = [item for parcel in plan.parcels for item in parcel.items]
        self._open = Counter(item.seq for item in (*items, *(loss.item for loss in plan.losses)))
        self._settled, self._lost, self._skips = [skip.seq for skip in plan.skips], [], list(plan.skips)
        self._claims = {}
        self.lose(plan.losses)

    def deliver(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.once is not None:
                self._claims[item.once.key] = item.seq
            self._taken.add(item.seq)
            self._close(item)

    def lose(self, losses: Iterable[Loss]) -> None:
        for loss in losses:
            held = self._held.get(loss.item.seq)
            if held is None or (held.skip is not None and loss.skip is None):  # what went wrong is not to be hidden
                self._held[loss.item.seq] = loss
            self._close(loss.item)

    def take(self, now_ms: int) -> Settled:
        """Everything settled since the last call, and the once-keys of what was delivered; the caller commits it."""
        taken = Settled(
            settled=self._settled,
            dead=[_letter(loss, now_ms) for loss in self._lost],
            missed={skip.seq for skip in self._skips if skip.seq not in self._taken},
            skips=self._skips,
            claims=self._claims,
        )
        self._taken.difference_update(self._settled)
        self._settled, self._lost, self._skips, self._claims = [], [], [], {}
        return taken

    def _close(self, item: Item) -> None:
        self._open[item.seq] -= 1
        if self._open[item.seq] > 0:
            self.done.add(item.key)
            return
        self.done = {key for key in self.done if key[0] != item.seq} if self.done else self.done
        self._settled.append(item.seq)
        loss = self._held.pop(item.seq, None)
        if loss is None:
            return
        if loss.skip is not None:
            self._skips.append(Skip(item.seq, loss.skip, loss.detail))
        else:
            self._lost.append(loss)


def _letter(loss: Loss, now_ms: int) -> DeadLetter:
    return DeadLetter(seq=loss.item.seq, why=loss.why, detail=loss.detail, at_ms=now_ms)
