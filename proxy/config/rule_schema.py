"""The rule language as JSON Schema definitions, as far as its own tables state it: keys, fields, operators.

What a schema cannot say (which operator suits which field, which destinations exist) is left to `firsthand check`.
"""

from __future__ import annotations

from typing import Any

from proxy.rules import compile as rule, examples, targets
from proxy.rules.fields import EVENT, ITEM, Table
from proxy.rules.operators import ALLOWED


def rule_definitions() -> dict[str, Any]:
    """`$defs` named rule, condition, item and wanted."""
    scalar = {"type": ["string", "number", "boolean"]}
    names = {"type": "array", "items": {"type": "string"}}
    change: dict[str, Any] = {
        "set": {"type": "object"},
        "default": {"type": "object"},
        "rename": {"type": "object", "additionalProperties": {"type": "string"}},
        "remove": {"anyOf": [{"type": "string"}, names]},
        "only": {"anyOf": [{"type": "string"}, names]},
        "hash_only": {"anyOf": [{"type": "string"}, names]},
        "sample": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    }
    target = {**change, "destination": {"type": "string"}, "as": {"type": "string"}}
    target = {"anyOf": [{"type": "string"}, _object(targets.KEYS, target, required=["destination"])]}
    forms = {
        **change,
        "name": {"type": ["string", "number"]},
        "when": {"$ref": "#/$defs/condition"},
        "drop": {"type": "boolean"},
        "send_to": {"anyOf": [target, {"type": "array", "items": target}]},
        "examples": {"type": "array", "items": _object(examples.KEYS, {"given": {"type": "object"}})},
    }
    define = {
        "type": "object",
        "required": ["define"],
        "additionalProperties": False,
        "properties": {
            "define": {
                "description": "Conditions by name, for `is: NAME` in the rules below.",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/condition"},
            }
        },
    }
    operators = {name: {"anyOf": [scalar, {"type": "array", "items": scalar}]} for name in ALLOWED}
    wanted = {
        "anyOf": [
            scalar,
            {"type": "array", "items": scalar},
            {"type": "object", "additionalProperties": False, "properties": operators},
        ]
    }
    return {
        "rule": {"if": {"required": ["define"]}, "then": define, "else": _object(rule.KEYS, forms)},
        "condition": _condition(EVENT, "condition", any_item={"$ref": "#/$defs/item"}, **{"is": {"type": "string"}}),
        "item": _condition(ITEM, "item"),
        "wanted": wanted,
    }


def _object(helps: dict[str, str], forms: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object with exactly the keys of `helps`; a key without a form here may hold anything."""
    properties = {key: {"description": text, **forms.get(key, {})} for key, text in helps.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _condition(table: Table, name: str, **more: Any) -> dict[str, Any]:
    itself = {"$ref": f"#/$defs/{name}"}
    wanted = {"$ref": "#/$defs/wanted"}
    several = {"type": "array", "items": itself}
    families = "|".join(family.replace(".", r"\.") for family in table.families)
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys((*table.aliases, *table.fields), wanted),
            "any": several,
            "all": several,
            "not": itself,
            **more,
        },
        **({"patternProperties": {rf"^({families})\.": wanted}} if families else {}),
    }
