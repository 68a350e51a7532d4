"""The editor's schema accepts what the compiler accepts and shows its red lines where they help."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from proxy.rules.schema import rule_definitions, rules_schema

TYPES = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "array": (list, tuple),
    "object": dict,
}


def fits(value, schema, definitions) -> bool:
    """The part of JSON Schema 2020-12 that our schema uses."""

    def deeper(value, schema):
        return fits(value, schema, definitions)

    if "$ref" in schema:
        return deeper(value, definitions[schema["$ref"].removeprefix("#/$defs/")])
    if "if" in schema:
        return deeper(value, schema["then" if deeper(value, {"type": "object", **schema["if"]}) else "else"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(
        isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds
    ):
        return False
    if "enum" in schema and not any(value == one and type(value) is type(one) for one in schema["enum"]):
        return False
    if not all(deeper(value, one) for one in schema.get("allOf", [])):
        return False
    if "anyOf" in schema and not any(deeper(value, one) for one in schema["anyOf"]):
        return False
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if isinstance(value, (int, float)) and not (
        value > schema.get("exclusiveMinimum", float("-inf")) and value <= schema.get("maximum", float("inf"))
    ):
        return False
    if isinstance(value, list) and "items" in schema:
        return len(value) >= schema.get("minItems", 0) and all(deeper(one, schema["items"]) for one in value)
    if isinstance(value, dict):
        return fits_object(value, schema, deeper)
    return True


def fits_object(value, schema, deeper) -> bool:
    if len(value) < schema.get("minProperties", 0) or not set(schema.get("required", [])) <= set(value):
        return False
    for key, part in value.items():
        patterns = [form for pattern, form in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        if key in schema.get("properties", {}):
            patterns.append(schema["properties"][key])
        if not patterns:
            patterns.append(schema.get("additionalProperties", True))
        if not all(form is True or (form is not False and deeper(part, form)) for form in patterns):
            return False
    return True


def accepts(rules, destinations=None) -> bool:
    schema = rules_schema(destinations)
    return fits(rules, schema, schema["$defs"])


RULE = {
    "name": "big orders",
    "when": {
        "event": ["purchase", "Order Completed"],
        "value": {"at_least": 100},
        "page.query.x": {"present": True},
        "any": [{"custom.k": 1}, {"not": {"consent.marketing": "granted"}}],
        "any_item": {"price": {"above": 3}, "any": [{"id": "a"}]},
        "is": "staff",
    },
    "sample": 0.5,
    "rename": {"custom.a": "custom.b"},
    "set": {"custom.x": "${page.host}", "user.email": ["a"], "value": "5"},
    "default": {"currency": "EUR"},
    "remove": ["user.*", "custom.y", "page.query.z"],
    "only": "data.*",
    "hash_only": ["user.email"],
    "send_to": [
        "meta",
        {"destination": "crm", "as": "Big", "set": {"custom.k": True}, "sample": 1, "once": "per_visitor"},
    ],
    "once": "per_order",
    "examples": [
        {
            "given": {"event": "purchase", "items": [{"id": "a", "price": 1}], "client.ip": "192.0.2.1"},
            "sends_to": ["meta", {"destination": "crm", "as": "Big", "sets": {"custom.k": True}}],
            "removes": ["user.email"],
        }
    ],
}


def test_a_rule_with_everything_in_it_is_accepted():
    assert accepts([{"define": {"staff": {"client.ip": {"in_network": ["203.0.113.0/24"]}}}}, RULE])
    assert accepts([RULE], ("meta", "crm"))


@pytest.mark.parametrize(
    "rule",
    [
        {"sendto": ["meta"]},
        {"when": {"valu": 1}},
        {"when": {"value": {"at_lest": 1}}},
        {"when": {"value": {"starts_with": "1"}}},
        {"when": {"any_item": {"prize": 1}}},
        {"when": {"items": "x"}},
        {"when": {"consent.marketing": "grantd"}},
        {"when": {"any": {"event": "x"}}},
        {"drop": "yes"},
        {"sample": 2},
        {"once": "per_oder"},
        {"set": {"client.ip": "192.0.2.1"}},
        {"remove": ["id"]},
        {"hash_only": ["value"]},
        {"send_to": [{"as": "X"}]},
        {"examples": [{"given": {"valu": 1}}]},
        {"examples": [{"send_to": ["meta"]}]},
    ],
    ids=str,
)
def test_an_editor_marks(rule):
    assert not accepts([rule])


def test_destinations_are_completed_when_they_are_known():
    assert accepts([{"send_to": ["meta"]}], ("meta",))
    assert not accepts([{"send_to": ["mata"]}], ("meta",))


def test_every_definition_is_used_and_begins_with_rule():
    definitions = rule_definitions()
    mentioned = set(re.findall(r"#/\$defs/(\w+)", str(definitions))) | {"rule"}
    assert mentioned == set(definitions)
    assert all(name.startswith("rule") for name in definitions)


@settings(max_examples=100)
@given(data=st.data())
def test_no_condition_the_compiler_accepts_is_marked(faults_in, data):
    from proxy.rules.fields import EVENT
    from proxy.rules.operators import ALLOWED

    field = data.draw(
        st.sampled_from([*EVENT.fields, *EVENT.aliases, "custom.key", "page.query.key", "browser_ids.fbp"])
    )
    argument = st.one_of(
        st.sampled_from(["1", "eur", "granted", "website", "192.0.2.0/24", "true"]), st.integers(0, 9), st.booleans()
    )
    wanted = data.draw(
        argument
        | st.lists(argument, min_size=1, max_size=2)
        | st.dictionaries(
            st.sampled_from(sorted(ALLOWED)),
            argument | st.lists(argument, min_size=1, max_size=2),
            min_size=1,
            max_size=2,
        )
    )
    rule = {"when": {field: wanted}, "drop": True}
    assert accepts([rule]) or faults_in(rule)
