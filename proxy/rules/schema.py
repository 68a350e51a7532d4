"""JSON Schema of the rules list, so that an editor completes fields, operators and destinations while one types.

Derived from the same tables the compiler reads. It may accept what the compiler refuses (contradictions, names that
must be defined above); it never refuses what the compiler accepts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from proxy.rules import changes, compile as rule, examples, targets
from proxy.rules.fields import EVENT, GROUPS, ITEM, Field, Table
from proxy.rules.operators import ALLOWED, LISTS, ORDERING
from proxy.rules.values import Kind

Schema = dict[str, Any]

_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_SHARE: Schema = {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": 1}
_VALUES: dict[Kind, Schema] = {
    Kind.NUMBER: {"type": ["number", "string"]},
    Kind.WHOLE: {"type": ["integer", "string"]},
    Kind.FLAG: {"enum": [True, False, "true", "false"]},
    Kind.CURRENCY: {"type": "string", "pattern": "^[A-Za-z]{3}$"},
    Kind.FREE: _SCALAR,
}
_TEXT: Schema = {"type": ["string", "number"]}


def rules_schema(destinations: Collection[str] | None = None) -> Schema:
    """Schema of the value of `rules`. `destinations`: names to offer; None: any name."""
    made = _Maker(destinations)
    return {"type": "array", "items": {"anyOf": [made.rule(), made.define()]}}


class _Maker:
    def __init__(self, destinations: Collection[str] | None) -> None:
        self.destination: Schema = {"type": "string"} if destinations is None else {"enum": sorted(destinations)}

    def rule(self) -> Schema:
        shapes = {
            "name": {"type": "string", "minLength": 1},
            "when": _condition(EVENT),
            "drop": {"type": "boolean"},
            "sample": _SHARE,
            **_changes(),
            "send_to": _one_or_many({"anyOf": [self.destination, self._target()]}),
            "examples": {"type": "array", "minItems": 1, "items": self._example()},
        }
        return _object(_described(shapes, rule.KEYS))

    def define(self) -> Schema:
        conditions = {"type": "object", "minProperties": 1, "additionalProperties": _condition(EVENT)}
        described = {**conditions, "description": "named conditions for the rules below: is: NAME"}
        return _object({"define": described}, required=["define"])

    def _target(self) -> Schema:
        shapes = {"destination": self.destination, "as": {"type": "string"}, "sample": _SHARE, **_changes()}
        return _object(_described(shapes, targets.KEYS), required=["destination"])

    def _example(self) -> Schema:
        shape = {"sets": _fields(EVENT.fields.values(), _given), "removes": _one_or_many(_named(_all_names()))}
        target = _object(
            _described({"destination": self.destination, "as": {"type": "string"}, **shape}, examples.TARGET_KEYS),
            required=["destination"],
        )
        shapes = {
            "given": _fields(EVENT.fields.values(), _given),
            "sends_to": {
                "anyOf": [self.destination, target, {"type": "array", "items": {"anyOf": [self.destination, target]}}]
            },
            "sends": {"type": "boolean"},
            "drops": {"type": "boolean"},
            **shape,
        }
        return _object(_described(shapes, examples.KEYS))


def _changes() -> dict[str, Schema]:
    settable = [field for field in EVENT.fields.values() if field.settable]
    removable = [name for name in _all_names() if _field(name).removable]
    groups = [f"{group}.*" for group in GROUPS]
    user = [path for path in EVENT.fields if path.startswith("user.")]
    shapes = {
        "rename": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        "set": _fields(settable, _set),
        "default": _fields(settable, _set),
        "remove": _one_or_many(_named([*removable, *groups])),
        "only": _one_or_many(_named([*removable, *changes.ALWAYS_KEPT, *groups])),
        "hash_only": _one_or_many({"enum": [*user, "user.*"]}),
    }
    return _described(shapes, changes.KEYS)


def _condition(table: Table) -> Schema:
    """Nested conditions are left open one level down: a schema that contains itself needs a name of its own."""
    properties = {name: _matcher(_field(name, table)) for name in _all_names(table)}
    inner: Schema = {"type": "object", "minProperties": 1}
    properties |= {
        "any": {"type": "array", "minItems": 1, "items": inner, "description": "one of these conditions holds"},
        "all": {"type": "array", "minItems": 1, "items": inner, "description": "all of these conditions hold"},
        "not": {**inner, "description": "this condition does not hold"},
    }
    if table is EVENT:
        properties["any_item"] = {**_condition(ITEM), "description": "one item satisfies all of this"}
        properties["is"] = {"type": "string", "description": "a condition named by `define`"}
    schema = _object(properties, minProperties=1)
    if table is EVENT:
        schema["patternProperties"] = {_FAMILIES: _matcher(EVENT.families["custom"]("key"))}
    return schema


def _matcher(field: Field) -> Schema:
    one = _value(field)
    operators = {}
    for name, kinds in ALLOWED.items():
        if field.kind not in kinds:
            continue
        argument = one
        if name in ("present", "absent"):
            argument = {"type": "boolean"}
        elif name in ORDERING:
            argument = {"type": ["number", "string"]}
        elif name not in ("equals", "one_of"):
            argument = _TEXT
        operators[name] = _one_or_many(argument) if name in LISTS else argument
    forms = [_object(operators, minProperties=1)]
    return {
        "anyOf": forms if field.kind is Kind.ITEMS else [one, {"type": "array", "minItems": 1, "items": one}, *forms]
    }


def _value(field: Field) -> Schema:
    if field.choices:
        return {"enum": list(map(str, field.choices))}
    return _VALUES.get(field.kind, _TEXT)


def _set(field: Field) -> Schema:
    fixed = _one_or_many(_value(field)) if field.many else _value(field)
    return {"anyOf": [fixed, {"type": "string", "pattern": r"\$\{"}]}


def _given(field: Field) -> Schema:
    if field.kind is Kind.ITEMS:
        item = _object({key: _value(part) for key, part in ITEM.fields.items()})
        return {"type": "array", "items": item}
    return _one_or_many(_value(field)) if field.many else _value(field)


def _fields(fields: Iterable[Field], shape: Any) -> Schema:
    """An object of fields, by their full and their short names; families take anything."""
    named = {field.path: shape(field) for field in fields}
    named |= {alias: named[path] for alias, path in EVENT.aliases.items() if path in named}
    return {**_object(named), "patternProperties": {_FAMILIES: {}}}


def _named(names: Iterable[str]) -> Schema:
    return {"anyOf": [{"enum": list(names)}, {"type": "string", "pattern": _FAMILIES}]}


def _all_names(table: Table = EVENT) -> list[str]:
    return [*table.fields, *table.aliases]


def _field(name: str, table: Table = EVENT) -> Field:
    field = table.find(name)
    assert field is not None
    return field


_FAMILIES = rf"^({'|'.join(family.replace('.', '[.]') for family in EVENT.families)})[.][^*]"


def _object(properties: Mapping[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


def _one_or_many(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


def _described(shapes: Mapping[str, Schema], words: Mapping[str, str]) -> dict[str, Schema]:
    """The same keys, each with its help text; both name the same keys."""
    assert shapes.keys() == words.keys(), shapes.keys() ^ words.keys()
    return {key: {**shapes[key], "description": text} for key, text in words.items()}
