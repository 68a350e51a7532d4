"""JSON Schema of the rules list, so that an editor completes fields, operators and destinations while one types.

Derived from the same tables the compiler reads. It may accept what the compiler refuses (contradictions, names that
must be defined above); it never refuses what the compiler accepts, nor a `${…}` that stands for a value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from proxy.rules import changes, compile as rule, examples, targets
from proxy.rules.decision import Per
from proxy.rules.fields import EVENT, GROUPS, ITEM, Field, Table
from proxy.rules.operators import ALLOWED, LISTS, ORDERING
from proxy.rules.values import Kind

Schema = dict[str, Any]

_SHARE: Schema = {"type": ["number", "string"], "exclusiveMinimum": 0, "maximum": 1}
_TEXT: Schema = {"type": ["string", "number"]}
_ANY: Schema = {"type": ["string", "number", "boolean"]}
_VALUES: dict[Kind, Schema] = {
    Kind.FLAG: {"enum": [True, False]},
    Kind.FREE: _ANY,
}
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{"}


def rules_schema(destinations: Collection[str] | None = None) -> Schema:
    """A schema of the value of `rules` that stands alone. `destinations`: names to offer; None: any name."""
    return {"type": "array", "items": _ref("rule"), "$defs": rule_definitions(destinations)}


def rule_definitions(destinations: Collection[str] | None = None) -> dict[str, Schema]:
    """What goes below `$defs` of a schema whose rules are `{"$ref": "#/$defs/rule"}`; every name begins with `rule`."""
    matchers = {_matcher_name(field): _matcher(field) for table in (EVENT, ITEM) for field in _fields(table)}
    return {
        "rule": {"if": {"required": ["define"]}, "then": _define(), "else": _rule()},
        "rule_condition": _condition(EVENT, "rule_condition"),
        "rule_item_condition": _condition(ITEM, "rule_item_condition"),
        "rule_destination": {"type": "string"} if destinations is None else {"enum": sorted(destinations)},
        "rule_target": _target(),
        "rule_example": _object(examples.KEYS, {**_expected(), "given": _values(_fields(EVENT), _given)}),
        "rule_example_target": _object(examples.TARGET_KEYS, _expected(), required=["destination"]),
        "rule_set": _values([field for field in _fields(EVENT) if field.settable], _fixed),
        **matchers,
    }


def _rule() -> Schema:
    target = {"anyOf": [_ref("rule_destination"), _ref("rule_target")]}
    return _object(
        rule.KEYS,
        {
            **_changes(),
            "name": {"type": "string", "minLength": 1},
            "when": _ref("rule_condition"),
            "drop": {"type": "boolean"},
            "send_to": _one_or_many(target),
            "examples": {"type": "array", "minItems": 1, "items": _ref("rule_example")},
        },
    )


def _define() -> Schema:
    conditions = {"type": "object", "minProperties": 1, "additionalProperties": _ref("rule_condition")}
    return _object({"define": "named conditions for the rules below: is: NAME"}, {"define": conditions})


def _target() -> Schema:
    forms = {**_changes(), "destination": _ref("rule_destination"), "as": {"type": "string"}}
    return _object(targets.KEYS, forms, required=["destination"])


def _expected() -> dict[str, Schema]:
    target = {"anyOf": [_ref("rule_destination"), _ref("rule_example_target")]}
    return {
        "destination": _ref("rule_destination"),
        "as": {"type": "string"},
        "sends_to": {"anyOf": [target, {"type": "array", "items": target}]},
        "sends": {"type": "boolean"},
        "drops": {"type": "boolean"},
        "sets": _values(_fields(EVENT), _given),
        "removes": _one_or_many(_name_of(_fields(EVENT))),
    }


def _changes() -> dict[str, Schema]:
    """The forms of `changes.KEYS`, of `sample` and `once`."""
    groups = [f"{group}.*" for group in GROUPS]
    removable = [field for field in _fields(EVENT) if field.removable]
    kept = [field for field in _fields(EVENT) if field.removable or field.path in changes.ALWAYS_KEPT]
    return {
        "rename": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        "set": _ref("rule_set"),
        "default": _ref("rule_set"),
        "remove": _one_or_many(_name_of(removable, groups)),
        "only": _one_or_many(_name_of(kept, groups)),
        "hash_only": _one_or_many({"enum": [path for path in EVENT.fields if path.startswith("user.")] + ["user.*"]}),
        "sample": _SHARE,
        "once": {"enum": list(map(str, Per))},
    }


def _condition(table: Table, name: str) -> Schema:
    forms = {written: _ref(_matcher_name(field)) for field in _fields(table) for written in _names_of(field, table)}
    several = {"type": "array", "minItems": 1, "items": _ref(name)}
    forms |= {
        "any": {**several, "description": "one of these conditions holds"},
        "all": {**several, "description": "all of these conditions hold"},
        "not": {"description": "this condition does not hold", "allOf": [_ref(name)]},
    }
    if table is EVENT:
        forms["any_item"] = {"description": "one item satisfies all of this", "allOf": [_ref("rule_item_condition")]}
        forms["is"] = {"type": "string", "description": "a condition named by `define` further up"}
    schema: Schema = {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": forms}
    if table.families:
        schema["patternProperties"] = {FAMILIES: _ref(_matcher_name(table.families["custom"]("key")))}
    return schema


def _matcher_name(field: Field) -> str:
    """One matcher serves all fields of a kind, and of a set of choices."""
    if field.choices:
        return f"rule_wanted_{field.path.rpartition('.')[2] if field.path == 'action_source' else 'consent'}"
    return f"rule_wanted_{field.kind.name.lower()}"


def _matcher(field: Field) -> Schema:
    one = _value(field)
    operators = {}
    for name, kinds in ALLOWED.items():
        if field.kind not in kinds:
            continue
        argument = one if name in ("equals", "one_of") else _TEXT
        if name in ("present", "absent"):
            argument = {"type": "boolean"}
        elif name in ORDERING:
            argument = {"type": ["number", "string"]}
        operators[name] = _one_or_many(argument) if name in LISTS else argument
    asked = {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": operators}
    return asked if field.kind is Kind.ITEMS else {"anyOf": [*_one_or_many(one)["anyOf"], asked]}


def _value(field: Field) -> Schema:
    if field.choices:
        return {"anyOf": [{"enum": list(map(str, field.choices))}, _REFERENCE]}
    return _VALUES.get(field.kind, _TEXT)


def _fixed(field: Field) -> Schema:
    one: Schema = {"anyOf": [_value(field), _REFERENCE]} if field.kind is Kind.FLAG else _value(field)
    return _one_or_many(one) if field.many or field.kind is Kind.FREE else one


def _given(field: Field) -> Schema:
    if field.kind is Kind.ITEMS:
        parts = {part.path: _value(part) for part in _fields(ITEM)}
        return {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": parts}}
    return {} if field.kind is Kind.FREE else _fixed(field)


def _values(fields: Iterable[Field], form: Callable[[Field], Schema]) -> Schema:
    """{field: value}, by full and by short names."""
    named = {written: form(field) for field in fields for written in _names_of(field, EVENT)}
    families = {FAMILIES: form(EVENT.families["custom"]("key"))}
    return {"type": "object", "additionalProperties": False, "properties": named, "patternProperties": families}


def _name_of(fields: Iterable[Field], groups: Iterable[str] = ()) -> Schema:
    names = [written for field in fields for written in _names_of(field, EVENT)]
    return {"anyOf": [{"enum": [*names, *groups]}, {"type": "string", "pattern": FAMILIES}]}


def _fields(table: Table) -> list[Field]:
    families = [make("key") for make in table.families.values()] if table is EVENT else []
    return [*table.fields.values(), *(field for field in families if field.kind is Kind.FREE)]


def _names_of(field: Field, table: Table) -> list[str]:
    """How a field may be written; nothing for a family, whose names are a pattern."""
    if field.path not in table.fields:
        return []
    return [*(alias for alias, path in table.aliases.items() if path == field.path), field.path]


FAMILIES = rf"^({'|'.join(family.replace('.', '[.]') for family in EVENT.families)})[.][^*]"


def _object(helps: Mapping[str, str], forms: Mapping[str, Schema], **more: Any) -> Schema:
    """An object with exactly the keys of `helps`, each with its help text."""
    properties = {key: {"description": text, **forms[key]} for key, text in helps.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _one_or_many(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
