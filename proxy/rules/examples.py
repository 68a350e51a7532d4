"""`examples:` of a rule: an event in the rules' own words, and what this rule must do with it. `trial.py` runs them.

given     fields and values; what is not given has a default (consent granted, a fixed time, a website's event)
sends_to  the destinations this rule sends it to, whatever other rules do; an entry may say more about the event
          there: {destination: crm, as: BigOrder, sets: {custom.shop: de}, removes: [user.email]}
sends     true or false: whether this rule sends it anywhere
drops     true or false: whether this rule drops it
sets      fields and values the event has after this rule
removes   fields that are absent after this rule
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from proxy.event import ConsentState, Event, Item, Purpose
from proxy.rules.conditions import Condition
from proxy.rules.faults import Faults, Path, did_you_mean, kind_of, shown
from proxy.rules.fields import EVENT, ITEM, Field, Table
from proxy.rules.values import Kind, Unfit, parse, scalars, text

EXAMPLE_TIME_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HOST = "www.shop.example"

SHAPE_KEYS = {
    "sets": "fields and values it has then",
    "removes": "fields that are absent then",
}
TARGET_KEYS = {
    "destination": "its name in `destinations`",
    "as": "the event's name there",
    **SHAPE_KEYS,
}
KEYS = {
    "given": "the event: fields and values",
    "sends_to": "where this rule sends it",
    "sends": "whether this rule sends it anywhere",
    "drops": "whether this rule drops it",
    **SHAPE_KEYS,
}


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """How the event must look."""

    sets: tuple[tuple[Field, tuple[str, ...]], ...] = ()  # values as texts
    removes: tuple[Field, ...] = ()


class ExpectedRoute(msgspec.Struct, frozen=True, kw_only=True):
    destination: str
    name: str | None = None  # None: any name will do
    shape: Expected = Expected()


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """None: the example says nothing about it."""

    path: Path
    given: str  # as written, on one line
    event: Event
    sends_to: tuple[ExpectedRoute, ...] | None = None
    sends: bool | None = None
    drops: bool | None = None
    shape: Expected | None = None


def read_examples(
    rule: Mapping[Any, Any], path: Path, when: Condition | None, destinations: Collection[str], faults: Faults
) -> tuple[Example, ...]:
    """The examples without a fault; the faults of the others are noted."""
    if "examples" not in rule:
        return ()
    raw, path = rule["examples"], (*path, "examples")
    if not isinstance(raw, (list, tuple)) or not raw:
        faults.add(path, f"expected a list of examples, got {kind_of(raw) if raw != [] else 'an empty one'}")
        return ()
    reader = _Reader(faults, destinations, when)
    found = [reader.example(one, (*path, at)) for at, one in enumerate(raw)]
    return tuple(example for example in found if example is not None)


class _Reader:
    def __init__(self, faults: Faults, destinations: Collection[str], when: Condition | None) -> None:
        self.faults = faults
        self.destinations = destinations
        self.names = when.names if when else None

    def example(self, raw: Any, path: Path) -> Example | None:
        known = len(self.faults)
        if not self._is_mapping(raw, KEYS, path, "{given: {…}, sends_to: […]}"):
            return None
        if not any(key in raw for key in KEYS if key != "given"):
            self.faults.add(path, "the example expects nothing", "add sends_to, sends, drops, sets or removes")
        event = self._given(raw.get("given", {}), (*path, "given"))
        example = Example(
            path=path,
            given=in_words(raw.get("given", {})),
            event=event or Event(id="", name="", time=0),
            sends_to=self._sends_to(raw, path),
            sends=self._claim(raw, "sends", path),
            drops=self._claim(raw, "drops", path),
            shape=self._shape(raw, path) if any(key in raw for key in SHAPE_KEYS) else None,
        )
        return example if len(self.faults) == known else None

    def _given(self, raw: Any, path: Path) -> Event | None:
        if not isinstance(raw, Mapping):
            self.faults.add(path, f"expected {{field: value}}, got {kind_of(raw)}")
            return None
        known = len(self.faults)
        parts = _Parts()
        seen: dict[str, Any] = {}
        for key, value in raw.items():
            field = self._field(key, (*path, key), EVENT)
            if field is None:
                continue
            if field.path in seen:
                self.faults.add((*path, key), f"'{key}' and '{seen[field.path]}' are the same field")
            seen[field.path] = key
            parts.add(field, self._value(field, value, (*path, key)))
        if "event" not in seen:
            if self.names is None or len(self.names) != 1:
                self.faults.add(path, "no event is named", "add event: NAME")
                return None
            parts.top["name"] = next(iter(self.names))
        if "page.url" in seen and parts.has_url_parts:
            self.faults.add((*path, seen["page.url"]), "page.url beside a part of it", "keep one of them")
        return parts.event() if len(self.faults) == known else None

    def _value(self, field: Field, raw: Any, path: Path) -> Any:
        if field.kind is Kind.ITEMS:
            return self._items(raw, path)
        if field.kind is Kind.FREE:
            return raw
        is_list = isinstance(raw, (list, tuple))
        if is_list and not field.many:
            self.faults.add(path, f"expected {field.kind}, got a list")
            return None
        values = [
            self._parsed(field, part, (*path, at) if is_list else path)
            for at, part in enumerate(raw if is_list else (raw,))
        ]
        return tuple(values) if field.many else values[0]

    def _parsed(self, field: Field, raw: Any, path: Path) -> Any:
        try:
            return parse(field.kind, raw, field.choices)
        except Unfit as error:
            self.faults.add(path, f"expected {error}, got {shown(raw)}", error.advice)
            return None

    def _items(self, raw: Any, path: Path) -> list[dict[str, Any]]:
        if not isinstance(raw, (list, tuple)):
            self.faults.add(path, f"expected a list of items, got {kind_of(raw)}", "write [{id: sku-1, price: 10}]")
            return []
        items = []
        for at, one in enumerate(raw):
            item = {}
            if not isinstance(one, Mapping):
                self.faults.add((*path, at), f"expected an item, got {kind_of(one)}", "write {id: sku-1, price: 10}")
                continue
            for key, value in one.items():
                field = self._field(key, (*path, at, key), ITEM)
                if field is not None:
                    item[field.path] = self._parsed(field, value, (*path, at, key))
            items.append(item)
        return items

    def _sends_to(self, raw: Mapping[Any, Any], path: Path) -> tuple[ExpectedRoute, ...] | None:
        if "sends_to" not in raw:
            return None
        given, path = raw["sends_to"], (*path, "sends_to")
        if isinstance(given, (str, Mapping)):
            given = [given]
        elif not isinstance(given, (list, tuple)):
            self.faults.add(path, f"expected a list of destinations, got {kind_of(given)}", "[] when it sends nothing")
            return None
        routes = [self._route(one, (*path, at)) for at, one in enumerate(given)]
        return tuple(route for route in routes if route is not None)

    def _route(self, raw: Any, path: Path) -> ExpectedRoute | None:
        entry: Mapping[Any, Any] = raw if isinstance(raw, Mapping) else {"destination": raw}
        if not self._is_mapping(entry, TARGET_KEYS, path, ""):
            return None
        name = entry.get("destination")
        if name not in self.destinations:
            here = (*path, "destination") if "destination" in entry and entry is raw else path
            self.faults.add(here, f"unknown destination {shown(name)}", did_you_mean(name, self.destinations))
            return None
        alias = entry.get("as")
        if alias is not None and not isinstance(alias, str):
            self.faults.add((*path, "as"), f"expected an event name, got {kind_of(alias)}")
        return ExpectedRoute(destination=str(name), name=alias, shape=self._shape(entry, path))

    def _shape(self, raw: Mapping[Any, Any], path: Path) -> Expected:
        sets = []
        given = raw.get("sets", {})
        if not isinstance(given, Mapping):
            self.faults.add((*path, "sets"), f"expected {{field: value}}, got {kind_of(given)}")
            given = {}
        for key, value in given.items():
            field = self._field(key, (*path, "sets", key), EVENT)
            if field is not None:
                sets.append((field, held(field, self._value(field, value, (*path, "sets", key)))))
        named = raw.get("removes", [])
        removed = [named] if isinstance(named, str) else named
        if not isinstance(removed, (list, tuple)):
            self.faults.add((*path, "removes"), f"expected a list of fields, got {kind_of(removed)}")
            removed = []
        fields = [self._field(key, (*path, "removes", at), EVENT) for at, key in enumerate(removed)]
        return Expected(sets=tuple(sets), removes=tuple(field for field in fields if field is not None))

    def _claim(self, raw: Mapping[Any, Any], key: str, path: Path) -> bool | None:
        claim = raw.get(key)
        if key in raw and not isinstance(claim, bool):
            self.faults.add((*path, key), f"expected true or false, got {shown(claim)}")
            return None
        return claim

    def _field(self, name: Any, path: Path, table: Table) -> Field | None:
        field = table.find(name)
        if field is None:
            self.faults.add(path, f"unknown field {shown(name)}", table.advice(name))
        return field

    def _is_mapping(self, raw: Any, keys: Mapping[str, str], path: Path, form: str) -> bool:
        if not isinstance(raw, Mapping):
            self.faults.add(path, f"expected {form}, got {kind_of(raw)}")
            return False
        for key in raw:
            if key not in keys:
                self.faults.add((*path, key), f"unknown key {shown(key)}", did_you_mean(key, keys))
        return True


class _Parts:
    """The event of an example, gathered field by field."""

    def __init__(self) -> None:
        self.top: dict[str, Any] = {"id": "example", "time": EXAMPLE_TIME_MS}
        self._sections: dict[str, dict[str, Any]] = {
            "consent": {purpose.value: ConsentState.GRANTED for purpose in Purpose},
            "visitor": {"id": "example-visitor", "first_seen": EXAMPLE_TIME_MS},
        }
        self._url: dict[str, str] = {}

    @property
    def has_url_parts(self) -> bool:
        return bool(self._url)

    def add(self, field: Field, value: Any) -> None:
        if not field.section:
            self.top["name" if field.kind is Kind.NAME else field.key] = value
        elif field.path in ("page.host", "page.path") or field.path.startswith("page.query."):
            self._url[field.key] = str(value)
        else:
            self._sections.setdefault(field.section, {})[field.key] = value

    def event(self) -> Event:
        sections = dict(self._sections)
        time = self.top["time"]
        if "click_ids" in sections:
            clicks = sections["click_ids"].items()
            sections["click_ids"] = {name: {"value": value, "clicked_at": time} for name, value in clicks}
        if self._url:
            sections["page"] = {**sections.get("page", {}), "url": self._composed()}
        return msgspec.convert({**self.top, **sections}, Event)

    def _composed(self) -> str:
        path = self._url.get("path", "/")
        query = {key.removeprefix("query."): value for key, value in self._url.items() if key.startswith("query.")}
        address = f"https://{self._url.get('host', HOST)}{path if path.startswith('/') else f'/{path}'}"
        return f"{address}?{urlencode(query)}" if query else address


def held(field: Field, value: Any) -> tuple[str, ...]:
    """What a field holds, as texts to compare and to show; () when it is absent."""
    if field.kind is Kind.ITEMS:
        return tuple(map(_item, value or ()))
    return tuple(part for part in scalars(value) if part)


def _item(item: Item | Mapping[str, Any]) -> str:
    values = msgspec.structs.asdict(item) if isinstance(item, Item) else item
    return ", ".join(f"{key}: {text(values[key])}" for key in ITEM.fields if values.get(key) is not None)


def in_words(raw: Any) -> str:
    """YAML on one line, as people write it."""
    if isinstance(raw, Mapping):
        return ", ".join(f"{key}: {_inner(value)}" for key, value in raw.items())
    return _inner(raw)


def _inner(raw: Any) -> str:
    if isinstance(raw, Mapping):
        return f"{{{in_words(raw)}}}"
    if isinstance(raw, (list, tuple)):
        return f"[{', '.join(map(_inner, raw))}]"
    return str(raw).lower() if isinstance(raw, bool) else str(raw)
