"""`send_to:` entries: a destination's name, or a mapping with `destination` and how the event looks there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from proxy.rules import changes
from proxy.rules.faults import Faults, Path, did_you_mean, kind_of, shown
from proxy.rules.once import HELP, read_once
from proxy.rules.rules import Target
from proxy.rules.values import number

KEYS = {
    "destination": "its name in `destinations`",
    "as": "the event's name there, word for word",
    "sample": "the share of visitors sent there",
    "once": HELP,
    **changes.KEYS,
}
"""Keys of an entry of `send_to`, and what they say."""


def read_targets(
    rule: Mapping[Any, Any], path: Path, destinations: Collection[str], faults: Faults
) -> tuple[Target, ...]:
    """The entries of a rule's `send_to` that have no fault; the faults of the others are noted."""
    if "send_to" not in rule:
        return ()
    raw, path = rule["send_to"], (*path, "send_to")
    if isinstance(raw, (str, Mapping)):
        return _checked(((raw, path),), destinations, faults)
    if not isinstance(raw, (list, tuple)) or not raw:
        faults.add(path, f"expected a list of destinations, got {kind_of(raw) if raw != [] else 'an empty one'}")
        return ()
    return _checked(tuple((one, (*path, at)) for at, one in enumerate(raw)), destinations, faults)


def _checked(
    entries: tuple[tuple[Any, Path], ...], destinations: Collection[str], faults: Faults
) -> tuple[Target, ...]:
    seen: set[tuple[str, str | None]] = set()
    targets = []
    for raw, path in entries:
        target = _target(raw, path, destinations, faults)
        if target is None:
            continue
        if (target.destination, target.name) in seen:
            faults.add(path, f"{shown(target.destination)} is named twice", "once, or each time with another `as`")
        seen.add((target.destination, target.name))
        targets.append(target)
    return tuple(targets)


def _target(raw: Any, path: Path, destinations: Collection[str], faults: Faults) -> Target | None:
    known = len(faults)
    given: Mapping[Any, Any] = raw if isinstance(raw, Mapping) else {"destination": raw}
    for key in given:
        if key not in KEYS:
            faults.add((*path, key), f"unknown key {shown(key)}", did_you_mean(key, KEYS))
    name = given.get("destination")
    here = (*path, "destination") if isinstance(raw, Mapping) and "destination" in raw else path
    if not isinstance(name, str):
        faults.add(here, f"expected a destination, got {kind_of(name)}", "name one of `destinations`")
    elif name not in destinations:
        otherwise = "" if destinations else "there are no `destinations` yet"
        faults.add(here, f"unknown destination {shown(name)}", did_you_mean(name, destinations, otherwise))
    alias = given.get("as")
    if "as" in given and (not isinstance(alias, str) or not alias.strip() or len(alias) > NAME_LENGTH):
        faults.add((*path, "as"), f"expected an event name, got {kind_of(alias)}")
    sample = read_sample(given, path, faults)
    once = read_once(given, path, faults)
    shape = changes.read_shape(given, path, faults)
    if shape is not None and shape.gives is not None:
        faults.add((*path, "set", "event"), "the name at one destination is called `as`", f"write as: {shape.gives}")
    if len(faults) > known:
        return None
    return Target(destination=str(name), name=alias, sample=sample, shape=shape, once=once)


def read_sample(raw: Mapping[Any, Any], path: Path, faults: Faults) -> float | None:
    """The `sample` of a rule or an entry of `send_to`: above 0, up to 1."""
    if "sample" not in raw:
        return None
    given = number(raw["sample"])
    if given is None or not 0 < given <= 1:
        advice = f"did you mean {given / 100:f}?" if given is not None and 1 < given <= PERCENT else ""
        faults.add((*path, "sample"), f"expected a share above 0, up to 1, got {shown(raw['sample'])}", advice)
        return None
    return float(given)


NAME_LENGTH = 100
PERCENT = 100
