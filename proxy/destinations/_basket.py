"""What an event was about, in the parts platforms agree on: which items count, their ids, how many. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.event import Data, Item
from proxy.identity.personal import harmless


def bought(data: Data) -> list[Item]:
    """The items a catalogue can know: those with an id, of which at least one is meant."""
    return [item for item in data.items if item.id and (item.quantity is None or item.quantity > 0)]


def ids(data: Data, items: Sequence[Item]) -> list[str] | None:
    """As the site gave them, else those of `items`, each once; None when there are none."""
    return list(dict.fromkeys(one for one in data.content_ids or (item.id for item in items) if one)) or None


def count(data: Data, items: Sequence[Item]) -> int | None:
    """As the site gave it, else the quantities added up, one for an item without; None when there is nothing."""
    return data.num_items if data.num_items is not None else sum(item.quantity or 1 for item in items) or None


def own_texts(custom: Mapping[str, Any], names: Sequence[str]) -> dict[str, str | None]:
    """Properties a platform documents and an event has no field for, taken from `custom` by the platform's name."""
    return {name: harmless(value) if isinstance(value := custom.get(name), str) else None for name in names}
