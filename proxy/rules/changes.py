"""The keys of a rule (and of a `send_to` entry) that change an event, read into a `Shape`.

Every field and value is checked here, at load: unknown fields, fields a rule cannot change, values of the wrong kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proxy.rules.faults import Faults, Path, kind_of, shown
from proxy.rules.fields import EVENT, GROUPS, Field
from proxy.rules.references import Produce, moved, read_reference
from proxy.rules.shape import Shape
from proxy.rules.values import Kind, Unfit, event_name, parse

KEYS = {
    "rename": "moves fields: {old: new}",
    "set": "gives fields a value, fixed or from other fields: ${field}",
    "default": "gives fields a value where they have none",
    "remove": "takes fields out; user.* stands for all of user",
    "only": "takes out every field that is not named",
    "hash_only": "replaces what is raw by its SHA-256: user.email, user.*",
}
"""Keys that change an event, and what they say."""


def read_shape(raw: Mapping[Any, Any], path: Path, faults: Faults) -> Shape | None:
    """The change that the keys of `raw` describe; None when they describe none, or have faults."""
    if not any(key in raw for key in KEYS):
        return None
    known = len(faults)
    reader = _Reader(faults)
    removes, remove_groups = reader.names(raw, "remove", path)
    only, only_groups = reader.names(raw, "only", path)
    shape = Shape(
        renames=reader.renames(raw, path),
        sets=reader.puts(raw, "set", path),
        defaults=reader.puts(raw, "default", path),
        removes=removes,
        removes_groups=remove_groups,
        only=only if "only" in raw else None,
        only_groups=frozenset(only_groups),
        hashes=reader.hashes(raw, path),
        gives=reader.gives,
    )
    return shape if len(faults) == known else None


class _Reader:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.gives: str | None = None

    def puts(self, raw: Mapping[Any, Any], key: str, path: Path) -> tuple[tuple[Field, Produce], ...]:
        """`set` or `default`."""
        found: dict[str, tuple[Field, Produce]] = {}
        for name, value, here in self._entries(raw, key, path, "{field: value}"):
            field = self._settable(name, here)
            if field is None:
                continue
            if key == "default" and not field.section:
                self.faults.add(here, f"every event has {field.path}", "use set")
                continue
            produce = self._produce(field, value, here)
            if field.path in found:
                self.faults.add(here, f"{shown(name)} is set twice", "it is the same field under another name")
            if produce is not None:
                found[field.path] = (field, produce)
        return tuple(found.values())

    def renames(self, raw: Mapping[Any, Any], path: Path) -> tuple[tuple[Field, Field, Produce], ...]:
        found = []
        targets: set[str] = set()
        for name, wanted, here in self._entries(raw, "rename", path, "{old field: new field}"):
            source = self._removable(name, here)
            target = self._settable(wanted, here) if source is not None else None
            if source is None or target is None:
                continue
            if source.kind is Kind.ITEMS:
                self.faults.add(here, f"{source.path} is {source.kind} and cannot be renamed")
            elif target.kind is Kind.NAME:
                self.faults.add(here, "a field cannot become the event's name", "use set: {event: NAME}")
            elif target.path == source.path or target.path in targets:
                self.faults.add(here, f"{shown(wanted)} is already taken", "give every field its own new name")
            targets.add(target.path)
            found.append((source, target, moved(source, target)))
        return tuple(found)

    def names(self, raw: Mapping[Any, Any], key: str, path: Path) -> tuple[tuple[Field, ...], tuple[str, ...]]:
        """`remove` or `only`: fields, and the groups named by `group.*`."""
        fields: list[Field] = []
        groups: list[str] = []
        for name, here in self._listed(raw, key, path):
            group = name[:-2] if isinstance(name, str) and name.endswith(".*") else None
            if group in GROUPS and not (key == "only" and group == "page.query"):
                groups.append(group)
            elif key == "only" and isinstance(name, str) and name in ALWAYS_KEPT:
                continue
            else:
                field = self._keepable(name, here) if key == "only" else self._removable(name, here)
                if field is not None:
                    fields.append(field)
        return tuple(fields), tuple(groups)

    def hashes(self, raw: Mapping[Any, Any], path: Path) -> tuple[Field, ...]:
        fields: dict[str, Field] = {}
        for name, here in self._listed(raw, "hash_only", path):
            if name == "user.*":
                fields.update(_USER)
                continue
            field = self._known(name, here)
            if field is None:
                continue
            if field.path not in _USER:
                self.faults.add(here, f"{field.path} is not a field of user", "only those are matched by their hash")
                continue
            fields[field.path] = field
        return tuple(fields.values())

    def _produce(self, field: Field, value: Any, path: Path) -> Produce | None:
        if field.kind is Kind.NAME:
            return self._name(field, value, path)
        if isinstance(value, str) and "${" in value:
            return read_reference(value, field, path, self.faults)
        fixed = self._fixed(field, value, path)
        return None if fixed is None else lambda _: fixed

    def _fixed(self, field: Field, value: Any, path: Path) -> Any:
        if value is None:
            self.faults.add(path, "nothing to set", f"to take it out write remove: [{field.path}]")
            return None
        is_list = isinstance(value, (list, tuple))
        if is_list and not field.many and field.kind is not Kind.FREE:
            self.faults.add(path, f"expected {field.kind}, got a list")
            return None
        values = []
        for at, part in enumerate(value if is_list else (value,)):
            try:
                parsed = parse(field.kind, part, field.choices)
            except Unfit as error:
                here = (*path, at) if is_list else path
                self.faults.add(here, f"expected {error}, got {shown(part)}", error.advice)
                return None
            values.append(part if field.kind is Kind.FREE else parsed)
        if field.many:
            return tuple(values)
        return values if is_list else values[0]

    def _name(self, field: Field, value: Any, path: Path) -> Produce | None:
        if isinstance(value, str) and "${" in value:
            self.faults.add(path, "an event name is fixed", "write one rule per name")
            return None
        name = self._fixed(field, value, path)
        if name is None:
            return None
        self.gives = event_name(name)
        return lambda _: name

    def _settable(self, name: Any, path: Path) -> Field | None:
        field = self._known(name, path)
        if field is not None and not field.settable:
            self.faults.add(path, f"{field.path} cannot be set", _WHY_NOT.get(field.path, _way_out(field)))
            return None
        return field

    def _removable(self, name: Any, path: Path) -> Field | None:
        field = self._known(name, path)
        if field is not None and not field.removable:
            self.faults.add(
                path, f"{field.path} cannot be taken out", _WHY_KEPT.get(field.path, "every event needs it")
            )
            return None
        return field

    def _keepable(self, name: Any, path: Path) -> Field | None:
        field = self._known(name, path)
        if field is not None and field.path.startswith(_PARTS_OF_URL):
            message = f"{field.path} is a part of page.url and cannot be kept alone"
            self.faults.add(path, message, f"keep page.url, or copy it: set: {{custom.part: ${{{field.path}}}}}")
            return None
        return field

    def _known(self, name: Any, path: Path) -> Field | None:
        field = EVENT.find(name)
        if field is None:
            advice = f"did you mean '{name}.*'?" if name in GROUPS else EVENT.advice(name)
            self.faults.add(path, f"unknown field {shown(name)}", advice)
        return field

    def _entries(self, raw: Mapping[Any, Any], key: str, path: Path, form: str) -> Iterator[tuple[Any, Any, Path]]:
        """The entries of a mapping, each with the path of its key."""
        if key not in raw:
            return
        given = raw[key]
        if not isinstance(given, Mapping) or not given:
            self.faults.add((*path, key), f"expected {form}, got {kind_of(given) if given else 'nothing'}")
            return
        for name, value in given.items():
            yield name, value, (*path, key, name)

    def _listed(self, raw: Mapping[Any, Any], key: str, path: Path) -> Iterator[tuple[Any, Path]]:
        if key not in raw:
            return
        given = raw[key]
        if isinstance(given, str):
            yield given, (*path, key)
        elif not isinstance(given, (list, tuple)) or not given:
            self.faults.add((*path, key), f"expected a list of fields, got {kind_of(given) if given else 'nothing'}")
        else:
            for at, name in enumerate(given):
                yield name, (*path, key, at)


ALWAYS_KEPT = frozenset(
    path for path, field in EVENT.fields.items() if path.startswith("consent.") or (not field.section)
)
"""What `only` never takes out: an event cannot be delivered, judged or counted without it."""

_USER = {path: field for path, field in EVENT.fields.items() if path.startswith("user.")}

_PARTS_OF_URL = ("page.query.", "page.host", "page.path")

_WHY_NOT = {
    "page.host": "it is a part of page.url",
    "page.path": "it is a part of page.url",
    "data.items": "items come from the site",
    "id": "platforms know the browser's copy of the event by it",
}
_WHY_KEPT = {"page.host": "take out page.url", "page.path": "take out page.url"}


def _way_out(field: Field) -> str:
    family = field.section or field.path
    return f"{family} comes from the visitor's browser; put your own values into custom.<key>"
