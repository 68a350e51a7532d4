"""The configuration's JSON Schema, for editors: completion, help texts and red lines while typing.

Describes the file as people write it, before `${...}` is expanded: a reference may stand for any scalar, and a number
may stand where text is wanted. Derived from the same models that `load.py` validates with.
"""

from __future__ import annotations

import json
from typing import Any

from proxy.config.settings import Settings
from proxy.destinations import load_all
from proxy.destinations.base import Destination
from proxy.rules.schema import rule_definitions

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = {"type": "string", "pattern": r"\$\{.*\}", "description": "${NAME}, ${NAME:-default} or ${file:/path}"}
_OR_REFERENCE = {"$ref": "#/$defs/reference"}
_SCALARS = frozenset({"integer", "number", "boolean"})


def config_schema() -> dict[str, Any]:
    """A schema for one whole file; every registered kind of destination is in it."""
    kinds = load_all()
    whole = Settings.model_json_schema(ref_template="#/$defs/{model}")
    sections: dict[str, Any] = whole["properties"]
    definitions: dict[str, Any] = whole["$defs"]
    del definitions["DestinationSettings"], definitions["Purpose"]  # what only the destinations use comes with them
    for kind, destination in kinds.items():
        definitions |= _of_kind(kind, destination)
    definitions = {name: _as_written(part) for name, part in definitions.items()} | rule_definitions()
    sections = {name: _as_written(part) for name, part in sections.items()}
    sections["destinations"] = {
        "description": sections["destinations"]["description"],
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
        "additionalProperties": _one_of(kinds),
    }
    sections["rules"] = {
        "description": sections["rules"]["description"],
        "type": "array",
        "items": {"$ref": "#/$defs/rule"},
    }
    return {
        "$schema": DIALECT,
        "title": "Firsthand configuration",
        "type": "object",
        "required": whole["required"],
        "additionalProperties": False,
        "properties": sections,
        "$defs": dict(sorted({**definitions, "reference": _REFERENCE}.items())),
    }


def _of_kind(kind: str, destination: type[Destination]) -> dict[str, Any]:
    """The definitions of one kind's settings, under names no other kind uses."""
    prefix = f"destination_{kind}"
    schema = destination.Settings.model_json_schema(ref_template=f"#/$defs/{prefix}_{{model}}")
    inner = schema.pop("$defs", {})
    schema["properties"]["kind"] = {"const": kind, "description": schema["properties"]["kind"]["description"]}
    return {prefix: schema, **{f"{prefix}_{name}": part for name, part in inner.items()}}


def _one_of(kinds: dict[str, type[Destination]]) -> dict[str, Any]:
    """Chosen by `kind`, so that an editor complains about the chosen kind's keys and not about all kinds at once."""
    choices = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/destination_{kind}"},
        }
        for kind in kinds
    ]
    kind = {"description": "The platform.", "enum": list(kinds)}
    return {"type": "object", "required": ["kind"], "properties": {"kind": kind}, "allOf": choices}


def _as_written(schema: Any) -> Any:
    """A schema for validated values, loosened to what may stand in the file, and without titles that repeat keys."""
    if isinstance(schema, list):
        return [_as_written(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    described = {key: part for key, part in schema.items() if key in ("description", "default", "examples")}
    if isinstance(described.get("default"), dict):
        del described["default"]  # a section: its keys say theirs
    rest = {
        key: {name: _as_written(part) for name, part in value.items()} if key == "properties" else _as_written(value)
        for key, value in schema.items()
        if key not in described and key != "title"
    }
    if rest.get("type") == "string" and "enum" not in rest and "const" not in rest:
        limits = {key: rest.pop(key) for key in ("pattern", "minLength", "maxLength") if key in rest}
        rest.pop("format", None)
        rest["type"] = ["string", "number"]
        if not limits:
            return {**described, **rest}
        return {**described, "anyOf": [_OR_REFERENCE, {**rest, **limits}]}
    if rest.get("type") in _SCALARS or "enum" in rest:
        return {**described, "anyOf": [rest, _OR_REFERENCE]}
    return {**described, **rest}


def schema_text() -> str:
    """`config.schema.json`, byte for byte."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
