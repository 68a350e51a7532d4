"""Which events of a reader's batch are settled: an event is, once all its routes to the destination are.

Lives in memory beside the log's own bookkeeping, for the one thing the log does not know: that one route of an event is
through while another waits for the platform to recover. Losing it (a crash) repeats a route with the same event id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from proxy.log.base import DeadLetter
from proxy.relay.plan import Item, Loss, Plan, Skip, SkipReason


class Ledger:
    def __init__(self) -> None:
        self.done: set[tuple[int, int]] = set()
        """Keys of settled items whose event is not."""
        self._open: Counter[int] = Counter()
        self._held: dict[int, Loss] = {}  # by seq: the loss of one route while another is open
        self._settled: list[int] = []
        self._lost: list[Loss] = []
        self._skips: list[Skip] = []

    def open(self, plan: Plan) -> None:
        """A new stretch of work. What was settled but not taken is forgotten: the log will hand it out again."""
        items = [item for parcel in plan.parcels for item in parcel.items]
        self._open = Counter(item.seq for item in (*items, *(loss.item for loss in plan.losses)))
        self._settled, self._lost, self._skips = [skip.seq for skip in plan.skips], [], list(plan.skips)
        self.lose(plan.losses)

    def deliver(self, items: Iterable[Item]) -> None:
        for item in items:
            self._close(item)

    def lose(self, losses: Iterable[Loss]) -> None:
        for loss in losses:
            self._held.setdefault(loss.item.seq, loss)
            self._close(loss.item)

    def take(self, now_ms: int) -> tuple[list[int], list[DeadLetter], list[Skip]]:
        """Everything settled since the last call; the caller commits it."""
        settled, lost, skips = self._settled, self._lost, self._skips
        self._settled, self._lost, self._skips = [], [], []
        return settled, [_letter(loss, now_ms) for loss in lost], skips

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
        if loss.routine:
            self._skips.append(Skip(item.seq, SkipReason.NOT_TAKEN, loss.detail))
        else:
            self._lost.append(loss)


def _letter(loss: Loss, now_ms: int) -> DeadLetter:
    return DeadLetter(seq=loss.item.seq, why=loss.why, detail=loss.detail, at_ms=now_ms)
