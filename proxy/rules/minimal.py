"""What one destination never gets, whichever rule sends it: `fields` and `client_ip` of its settings, as a `Change`.

`fields` speaks the language of rules (`only`, `remove`, `hash_only`) and is read by the same code. It comes last: after
what rules did, before the platform's own file.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.destinations.base import DestinationSettings
from proxy.event import Event
from proxy.privacy.address import ip_cut
from proxy.rules.changes import read_shape
from proxy.rules.faults import Faults, Path, did_you_mean, shown

KEYS = ("only", "remove", "hash_only")
"""Of a rule's changes, those that only ever make an event smaller."""

Change = Callable[[Event], Event]


def read_minimal(settings: DestinationSettings, path: Path, faults: Faults) -> Change | None:
    """None: it gets everything. `path`: of the destination, for faults."""
    fields, here = settings.fields or {}, (*path, "fields")
    for key in fields:
        if key not in KEYS:
            faults.add((*here, key), f"unknown key {shown(key)}", did_you_mean(key, KEYS))
    address = None if settings.client_ip == "full" else ip_cut(settings.client_ip)
    return joined(address, read_shape(fields, here, faults))


def joined(first: Change | None, second: Change | None) -> Change | None:
    """One after the other."""
    if first is None or second is None:
        return first or second
    return lambda event: second(first(event))
