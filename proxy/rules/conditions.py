"""`when:` as closures. A condition is a mapping of fields to what is wanted of them; all must hold.

Beside fields it may hold `any: […]`, `all: […]`, `not: {…}`, `any_item: {…}` (one item of the order satisfies all of
it) and `is: NAME` (a condition named by a `define:` entry further up). Bounded: no loops but over items and lists.
Every fault is reported at its own key; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from proxy.rules.faults import Faults, Path, did_you_mean, kind_of, shown
from proxy.rules.fields import EVENT, ITEM, Field, Table
from proxy.rules.operators import ALLOWED, LISTS, Test, argument, compare, describe
from proxy.rules.values import Kind, Unfit


class Condition(msgspec.Struct, frozen=True):
    """`test` decides; `say` is the condition in words; `why` tells why it does not hold for a subject."""

    test: Test
    say: str
    why: Callable[[Any], str]
    names: frozenset[str] | None = None  # event names (as compared) it can hold for; None: any
    names_only: bool = False  # it asks for nothing but those names
    parts: tuple[Condition, ...] = ()  # what `every` joined

    def beyond_names(self) -> Test | None:
        """What is left to ask of an event known to have one of `names`; None: nothing."""
        if self.names_only:
            return None
        left = [part.test for part in self.parts if not part.names_only]
        return _all(left) if left else self.test


class Reader:
    """Reads conditions of one rules list; knows its `define:` entries and its faults."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.defined: dict[str, Condition] = {}

    def read(self, raw: Any, path: Path, table: Table = EVENT, depth: int = 0) -> Condition | None:
        """The condition, or None when it has faults (all of them are noted)."""
        if depth > DEPTH:
            self.faults.add(path, "conditions are nested too deeply", "split the rule in two, or use define:")
            return None
        if not isinstance(raw, Mapping):
            advice = "leave `when` out to match every event" if raw is None and path[-1] == "when" else ""
            self.faults.add(path, f"expected a mapping of fields, got {kind_of(raw)}", advice)
            return None
        if not raw:
            self.faults.add(path, "an empty condition", "leave it out to match every event, or name a field")
            return None
        known = len(self.faults)
        parts = [self._part(key, value, path, table, depth) for key, value in raw.items()]
        self._repeated(raw, path, table)
        found = [part for part in parts if part is not None]
        if len(self.faults) > known:
            return None
        joined = every(found)
        if joined.names is not None and not joined.names:
            self.faults.add(path, "no event can have all these names at once", "use one_of, or any: […]")
            return None
        return joined

    def _part(self, key: Any, raw: Any, path: Path, table: Table, depth: int) -> Condition | None:
        here = (*path, key)
        if key in ("any", "all"):
            return self._several(str(key), raw, here, table, depth)
        if key == "not":
            inner = self.read(raw, here, table, depth + 1)
            return inner and negated(inner)
        if key == "any_item" and table is EVENT:
            inner = self.read(raw, here, ITEM, depth + 1)
            return inner and _any_item(inner)
        if key == "is" and table is EVENT:
            return self._defined(raw, here)
        field = table.find(key)
        if field is None:
            combinators = COMBINATORS if table is EVENT else ("any", "all", "not")
            near = did_you_mean(key, combinators, table.advice(key))
            self.faults.add(here, f"unknown field {shown(key)}", near)
            return None
        return self._field(field, raw, here)

    def _several(self, key: str, raw: Any, path: Path, table: Table, depth: int) -> Condition | None:
        if not isinstance(raw, (list, tuple)) or not raw:
            self.faults.add(path, f"expected a list of conditions, got {kind_of(raw) if raw != [] else 'an empty one'}")
            return None
        parts = [self.read(one, (*path, at), table, depth + 1) for at, one in enumerate(raw)]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        return some(found) if key == "any" else every(found)

    def _defined(self, raw: Any, path: Path) -> Condition | None:
        found = self.defined.get(raw) if isinstance(raw, str) else None
        if found is None:
            otherwise = "" if self.defined else "put a `- define:` entry with it above this rule"
            self.faults.add(
                path, f"no condition {shown(raw)} is defined above", did_you_mean(raw, self.defined, otherwise)
            )
        return found

    def _repeated(self, raw: Mapping[Any, Any], path: Path, table: Table) -> None:
        seen: dict[str, Any] = {}
        for key in raw:
            field = table.find(key)
            if field is None:
                continue
            if field.path in seen:
                self.faults.add(
                    (*path, key), f"'{key}' and '{seen[field.path]}' are the same field", "join them into one"
                )
            seen[field.path] = key

    def _field(self, field: Field, raw: Any, path: Path) -> Condition | None:
        if raw is None:
            self.faults.add(path, "nothing to compare with", "ask for {present: true} or {absent: true}")
            return None
        if isinstance(raw, Mapping):
            return self._operators(field, raw, path)
        return self._operator(field, "one_of" if isinstance(raw, (list, tuple)) else "equals", raw, path)

    def _operators(self, field: Field, raw: Mapping[Any, Any], path: Path) -> Condition | None:
        if not raw:
            self.faults.add(path, "nothing to compare with", "ask for {present: true} or {absent: true}")
            return None
        known = len(self.faults)
        parts = []
        for key, value in raw.items():
            if key not in ALLOWED:
                self.faults.add(
                    (*path, key),
                    f"unknown operator {shown(key)}",
                    did_you_mean(key, ALLOWED, f"known: {', '.join(ALLOWED)}"),
                )
                continue
            parts.append(self._operator(field, key, value, (*path, key)))
        found = [part for part in parts if part is not None]
        if len(self.faults) > known:
            return None
        self._impossible(field, raw, path)
        return every(found)

    def _operator(self, field: Field, name: str, raw: Any, path: Path) -> Condition | None:
        if field.kind not in ALLOWED[name]:
            can = [other for other, kinds in ALLOWED.items() if field.kind in kinds]
            advice = "use any_item, or num_items" if field.kind is Kind.ITEMS else f"it understands {', '.join(can)}"
            self.faults.add(path, f"{field.path} is {field.kind} and does not understand {name}", advice)
            return None
        many = isinstance(raw, (list, tuple))
        if many and name not in LISTS:
            self.faults.add(path, f"expected one value, got {kind_of(raw)}", "")
            return None
        if name == "one_of" and not many:
            self.faults.add(path, f"expected a list, got {kind_of(raw)}", "one value goes with equals")
            return None
        if many and not raw:
            self.faults.add(path, "an empty list matches nothing", "name at least one value")
            return None
        values: Sequence[Any] = raw if many else (raw,)
        wanted = []
        for at, value in enumerate(values):
            try:
                wanted.append(argument(field, name, value))
            except Unfit as error:
                self.faults.add((*path, at) if many else path, f"expected {error}, got {shown(value)}", error.advice)
        if len(wanted) < len(values):
            return None
        done = compare(field, name, wanted, [_said(value) for value in values])
        return Condition(
            test=done.test,
            say=f"{field.path} {done.say}",
            why=partial(_why, field, done.say),
            names=done.names,
            names_only=done.names is not None,
        )

    def _impossible(self, field: Field, raw: Mapping[str, Any], path: Path) -> None:
        """Contradictions that are cheap to see: bounds that leave nothing between them, present and absent at once."""
        if field.many or field.kind is Kind.FREE:
            return
        low = [(argument(field, key, raw[key]), key == "above") for key in ("at_least", "above") if key in raw]
        high = [(argument(field, key, raw[key]), key == "below") for key in ("at_most", "below") if key in raw]
        for least, open_low in low:
            for most, open_high in high:
                if least > most or (least == most and (open_low or open_high)):
                    self.faults.add(path, f"no {field.path} is between {least} and {most}", "swap the bounds?")
                    return
        present = {key: raw[key] == (key == "present") for key in ("present", "absent") if key in raw}
        others = any(key not in present for key in raw)
        if len(set(present.values())) > 1 or (others and False in present.values()):
            self.faults.add(path, f"{field.path} cannot be absent and be anything", "keep one of them")


COMBINATORS = ("any", "all", "not", "any_item", "is")
DEPTH = 12
"""How deep conditions may be nested; also stops a YAML alias that contains itself."""


def every(parts: Sequence[Condition]) -> Condition:
    """All hold."""
    if len(parts) == 1:
        return parts[0]
    named = [part.names for part in parts if part.names is not None]
    return Condition(
        test=_all([part.test for part in parts]),
        say=" and ".join(part.say for part in parts),
        why=partial(_first_why, parts),
        names=frozenset.intersection(*named) if named else None,
        names_only=all(part.names_only for part in parts),
        parts=tuple(parts),
    )


def some(parts: Sequence[Condition]) -> Condition:
    """At least one holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)
    named = [part.names for part in parts if part.names is not None]
    say = " or ".join(part.say for part in parts)
    return Condition(
        test=lambda subject: any(test(subject) for test in tests),
        say=f"({say})",
        why=lambda subject: "; ".join(part.why(subject) for part in parts),
        names=frozenset().union(*named) if len(named) == len(parts) else None,
        names_only=all(part.names_only for part in parts),
    )


def negated(inner: Condition) -> Condition:
    test = inner.test
    return Condition(
        test=lambda subject: not test(subject), say=f"not ({inner.say})", why=lambda _: f"{inner.say}: excluded by not"
    )


def _any_item(inner: Condition) -> Condition:
    test = inner.test

    def held(event: Any) -> bool:
        return any(test(item) for item in event.data.items)

    say = f"an item with {inner.say}"
    return Condition(test=held, say=say, why=lambda event: f"none of {len(event.data.items)} item(s) has {inner.say}")


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - the common rule: a name and one more
        first, second = tests
        return lambda subject: first(subject) and second(subject)
    frozen = tuple(tests)

    def held(subject: Any) -> bool:
        for test in frozen:  # noqa: SIM110 - twice as fast as all() with a generator
            if not test(subject):
                return False
        return True

    return held


def _why(field: Field, wanted: str, subject: Any) -> str:
    return describe(field, subject, wanted)


def _first_why(parts: Sequence[Condition], subject: Any) -> str:
    return next((part.why(subject) for part in parts if not part.test(subject)), "")


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, (bool, Decimal)) else str(value)
