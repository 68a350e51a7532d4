"""Which visitor's event named which order, so that a server's event about the order finds them (`log.find_orders`).

Only what a browser's own event named counts, and the first time it did: a click of after the order did not lead to it.
An order that two visitors name is nobody's, because one of them made it up. Nothing is stored but keyed digests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from proxy.event import Event
from proxy.log.sealing import Row

_NOTE = """
INSERT INTO known_order (key, seq, visitor) SELECT ?, seq, visitor FROM event WHERE key = ? AND seq > ?
ON CONFLICT (key) DO UPDATE SET is_shared = 1 WHERE visitor <> excluded.visitor
"""

OF_ORDERS = """
SELECT known_order.key, {columns} FROM known_order JOIN event USING (seq)
WHERE known_order.key IN (SELECT value FROM json_each(?)) AND NOT is_shared
"""


def order_of(event: Event) -> str | None:
    """The order a visitor's own browser names with this event."""
    return event.data.order_id if event.visitor is not None and event.source == "browser" else None


def note(database: sqlite3.Connection, rows: Sequence[Row], after: int) -> None:
    """Within the transaction that has stored `rows`, with numbers above `after`; those known before say nothing."""
    new: dict[bytes, Row] = {}
    for row in rows:
        new.setdefault(row.key, row)
    database.executemany(_NOTE, [(row.order, row.key, after) for row in new.values() if row.order is not None])
