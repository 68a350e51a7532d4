"""Every fault has the path of its own key and a way out."""

from __future__ import annotations

import pytest

from proxy.errors import ConfigError
from proxy.rules.compile import compile_rules

SEND = {"send_to": ["crm"]}


def rule(**keys):
    return {"name": "r", **SEND, **keys}


WHEN = [
    ({"valeu": 1}, ("valeu",), "unknown field 'valeu'", "did you mean 'value'?"),
    ({"data.valeu": 1}, ("data.valeu",), "unknown field 'data.valeu'", "did you mean 'data.value'?"),
    ({"email": "x"}, ("email",), "unknown field 'email'", "did you mean 'user.email'?"),
    ({"name": "x"}, ("name",), "unknown field 'name'", "the event's name is called 'event'"),
    ({"page": {"path": "/"}}, ("page",), "unknown field 'page'", "name one field, such as page.url"),
    ({"custom": 1}, ("custom",), "unknown field 'custom'", "write custom.<key>"),
    ({"custm.x": 1}, ("custm.x",), "unknown field 'custm.x'", "did you mean 'custom.x'?"),
    (
        {"click_ids.glcid": 1},
        ("click_ids.glcid",),
        "unknown field 'click_ids.glcid'",
        "did you mean 'click_ids.gclid'?",
    ),
    ({"color": 1}, ("color",), "unknown field 'color'", "your own fields are custom.<key>"),
    ({7: 1}, (7,), "unknown field 7", "your own fields are custom.<key>"),
    ({"ayn": []}, ("ayn",), "unknown field 'ayn'", "did you mean 'any'?"),
    ({"value": {"at_lest": 1}}, ("value", "at_lest"), "unknown operator 'at_lest'", "did you mean 'at_least'?"),
    ({"value": {"at_least": "many"}}, ("value", "at_least"), "expected a number, got 'many'", ""),
    ({"value": True}, ("value",), "expected a number, got true", ""),
    ({"value": [1, "x"]}, ("value", 1), "expected a number, got 'x'", ""),
    ({"value": {"at_least": [1, 2]}}, ("value", "at_least"), "expected one value, got a list", ""),
    ({"value": {"one_of": 1}}, ("value", "one_of"), "expected a list, got a number", "one value goes with equals"),
    ({"value": []}, ("value",), "an empty list matches nothing", "name at least one value"),
    ({"value": None}, ("value",), "nothing to compare with", "ask for {present: true} or {absent: true}"),
    ({"value": {}}, ("value",), "nothing to compare with", "ask for {present: true} or {absent: true}"),
    ({"value": {"present": "yes"}}, ("value", "present"), "expected true or false, got 'yes'", ""),
    ({"num_items": 1.5}, ("num_items",), "expected a whole number, got 1.5", ""),
    ({"currency": "euro"}, ("currency",), "expected a currency code such as EUR, got 'euro'", ""),
    (
        {"consent.marketing": "grantd"},
        ("consent.marketing",),
        "expected one of granted, denied, unknown, got 'grantd'",
        "did you mean 'granted'?",
    ),
    ({"client.mobile": "perhaps"}, ("client.mobile",), "expected true or false, got 'perhaps'", ""),
    ({"page.path": True}, ("page.path",), "expected a text, got true", ""),
    (
        {"client.ip": {"in_network": "somewhere"}},
        ("client.ip", "in_network"),
        "expected a network such as 203.0.113.0/24, got 'somewhere'",
        "",
    ),
    (
        {"client.ip": {"in_network": ["203.0.113.5/24"]}},
        ("client.ip", "in_network", 0),
        "expected a network without bits set behind its prefix, got '203.0.113.5/24'",
        "did you mean '203.0.113.0/24'?",
    ),
    (
        {"page.path": {"matches": "(a"}},
        ("page.path", "matches"),
        "expected an RE2 pattern (missing ): (a), got '(a'",
        "",
    ),
    (
        {"page.path": {"matches": "(x{999}){999}"}},
        ("page.path", "matches"),
        "expected an RE2 pattern (invalid repetition size: {999}), got '(x{999}){999}'",
        "",
    ),
    (
        {"page.path": {"at_least": 1}},
        ("page.path", "at_least"),
        "page.path is a text and does not understand at_least",
        "it understands equals, one_of, starts_with, ends_with, contains, matches, present, absent",
    ),
    (
        {"items": "sku-1"},
        ("items",),
        "data.items is a list of items and does not understand equals",
        "use any_item, or num_items",
    ),
    ({"any": []}, ("any",), "expected a list of conditions, got an empty one", ""),
    ({"any": {"event": "x"}}, ("any",), "expected a list of conditions, got a mapping", ""),
    ({"all": [{"event": "x"}, 3]}, ("all", 1), "expected a mapping of fields, got a number", ""),
    ({"not": {}}, ("not",), "an empty condition", "leave it out to match every event, or name a field"),
    ({"any_item": {"prize": 1}}, ("any_item", "prize"), "unknown field 'prize'", "did you mean 'price'?"),
    ({"any_item": {"any_item": {}}}, ("any_item", "any_item"), "unknown field 'any_item'", None),
    ({"is": "big"}, ("is",), "no condition 'big' is defined above", "put a `- define:` entry with it above this rule"),
    (
        {"value": 1, "data.value": 2},
        ("data.value",),
        "'data.value' and 'value' are the same field",
        "join them into one",
    ),
    ({"value": {"at_least": 5, "below": 5}}, ("value",), "no data.value is between 5 and 5", "swap the bounds?"),
    ({"value": {"above": 9, "at_most": 1}}, ("value",), "no data.value is between 9 and 1", "swap the bounds?"),
    (
        {"value": {"present": True, "absent": True}},
        ("value",),
        "data.value cannot be absent and be anything",
        "keep one of them",
    ),
    ({"tax": {"absent": True, "above": 1}}, ("tax",), "data.tax cannot be absent and be anything", "keep one of them"),
    (
        {"event": "lead", "all": [{"event": "purchase"}]},
        (),
        "no event can have all these names at once",
        "use one_of, or any: […]",
    ),
]


@pytest.mark.parametrize(("when", "path", "message", "advice"), WHEN, ids=lambda value: str(value)[:40])
def test_a_fault_in_a_condition_points_at_its_key(faults, when, path, message, advice):
    found = faults(rule(when=when))
    assert list(found) == [("rules", 0, "when", *path)]
    assert found["rules", 0, "when", *path] == (
        message,
        found["rules", 0, "when", *path][1] if advice is None else advice,
    )


RULE = [
    ({"sendto": ["crm"]}, ("sendto",), "unknown key 'sendto'", "did you mean 'send_to'?"),
    ({"name": ""}, ("name",), "expected a name, got ''", "or leave it out"),
    ({"name": ["a"]}, ("name",), "expected a name, got a list", "or leave it out"),
    ({"when": None}, ("when",), "expected a mapping of fields, got nothing", "leave `when` out to match every event"),
    ({"when": {}}, ("when",), "an empty condition", "leave it out to match every event, or name a field"),
    ({"drop": "yes"}, ("drop",), "expected true or false, got 'yes'", ""),
    ({"drop": True}, ("send_to",), "send_to beside drop: true has no effect", "keep one of them"),
    ({"sample": 10}, ("sample",), "expected a share above 0, up to 1, got 10", "did you mean 0.1?"),
    ({"sample": 0}, ("sample",), "expected a share above 0, up to 1, got 0", ""),
    ({"sample": "half"}, ("sample",), "expected a share above 0, up to 1, got 'half'", ""),
    ({"send_to": ["crn"]}, ("send_to", 0), "unknown destination 'crn'", "did you mean 'crm'?"),
    ({"send_to": "nowhere"}, ("send_to",), "unknown destination 'nowhere'", "known: crm, google, meta-main"),
    ({"send_to": []}, ("send_to",), "expected a list of destinations, got an empty one", ""),
    ({"send_to": None}, ("send_to",), "expected a list of destinations, got nothing", ""),
    ({"send_to": [5]}, ("send_to", 0), "expected a destination, got a number", "name one of `destinations`"),
    (
        {"send_to": ["crm", "crm"]},
        ("send_to", 1),
        "'crm' is named twice",
        "once, or each time with another `as`",
    ),
    ({"send_to": [{"as": "X"}]}, ("send_to", 0), "expected a destination, got nothing", "name one of `destinations`"),
    (
        {"send_to": [{"destination": "gogle"}]},
        ("send_to", 0, "destination"),
        "unknown destination 'gogle'",
        "did you mean 'google'?",
    ),
    (
        {"send_to": [{"destination": "crm", "sets": {}}]},
        ("send_to", 0, "sets"),
        "unknown key 'sets'",
        "did you mean 'set'?",
    ),
    ({"send_to": [{"destination": "crm", "as": 5}]}, ("send_to", 0, "as"), "expected an event name, got a number", ""),
    (
        {"send_to": [{"destination": "crm", "set": {"event": "Lead"}}]},
        ("send_to", 0, "set", "event"),
        "the name at one destination is called `as`",
        "write as: lead",
    ),
    ({"set": []}, ("set",), "expected {field: value}, got nothing", ""),
    ({"set": "x"}, ("set",), "expected {field: value}, got a text", ""),
    ({"set": {"valu": 1}}, ("set", "valu"), "unknown field 'valu'", "did you mean 'value'?"),
    ({"set": {"value": "x"}}, ("set", "value"), "expected a number, got 'x'", ""),
    ({"set": {"value": None}}, ("set", "value"), "nothing to set", "to take it out write remove: [data.value]"),
    ({"set": {"page.title": ["a"]}}, ("set", "page.title"), "expected a text, got a list", ""),
    ({"set": {"user.email": ["a", True]}}, ("set", "user.email", 1), "expected a text, got true", ""),
    (
        {"set": {"custom.x": {"a": 1}}},
        ("set", "custom.x"),
        "expected a text, a number, true or false, got a mapping",
        "",
    ),
    (
        {"set": {"client.ip": "192.0.2.1"}},
        ("set", "client.ip"),
        "client.ip cannot be set",
        "client comes from the visitor's browser; put your own values into custom.<key>",
    ),
    ({"set": {"id": "1"}}, ("set", "id"), "id cannot be set", "platforms know the browser's copy of the event by it"),
    ({"set": {"page.host": "x"}}, ("set", "page.host"), "page.host cannot be set", "it is a part of page.url"),
    ({"set": {"items": []}}, ("set", "items"), "data.items cannot be set", "items come from the site"),
    ({"set": {"event": "${source}"}}, ("set", "event"), "an event name is fixed", "write one rule per name"),
    (
        {"set": {"custom.x": "${page.hots}"}},
        ("set", "custom.x"),
        "reference to an unknown field 'page.hots'",
        "did you mean 'page.host'?",
    ),
    (
        {"set": {"custom.x": "${value"}},
        ("set", "custom.x"),
        "`${` without its `}`",
        "write ${field}, or $${ for a plain ${",
    ),
    (
        {"set": {"value": 1, "data.value": 2}},
        ("set", "data.value"),
        "'data.value' is set twice",
        "it is the same field under another name",
    ),
    ({"default": {"value": True}}, ("default", "value"), "expected a number, got true", ""),
    ({"default": {"event": "lead"}}, ("default", "event"), "every event has event", "use set"),
    ({"remove": []}, ("remove",), "expected a list of fields, got nothing", ""),
    ({"remove": ["user"]}, ("remove", 0), "unknown field 'user'", "did you mean 'user.*'?"),
    ({"remove": ["id"]}, ("remove", 0), "id cannot be taken out", "every event needs it"),
    ({"remove": ["page.host"]}, ("remove", 0), "page.host cannot be taken out", "take out page.url"),
    (
        {"only": ["page.host"]},
        ("only", 0),
        "page.host is a part of page.url and cannot be kept alone",
        "keep page.url, or copy it: set: {custom.part: ${page.host}}",
    ),
    ({"only": ["usr.*"]}, ("only", 0), "unknown field 'usr.*'", None),
    (
        {"hash_only": ["value"]},
        ("hash_only", 0),
        "data.value is not a field of user",
        "only those are matched by their hash",
    ),
    ({"rename": {"custom.a": "id"}}, ("rename", "custom.a"), "id cannot be set", None),
    ({"rename": {"event": "custom.a"}}, ("rename", "event"), "event cannot be taken out", "every event needs it"),
    (
        {"rename": {"custom.a": "event"}},
        ("rename", "custom.a"),
        "a field cannot become the event's name",
        "use set: {event: NAME}",
    ),
    ({"rename": {"items": "custom.a"}}, ("rename", "items"), "data.items is a list of items and cannot be renamed", ""),
    (
        {"rename": {"custom.a": "custom.b", "custom.c": "custom.b"}},
        ("rename", "custom.c"),
        "'custom.b' is already taken",
        "give every field its own new name",
    ),
]


@pytest.mark.parametrize(("keys", "path", "message", "advice"), RULE, ids=lambda value: str(value)[:40])
def test_a_fault_in_a_rule_points_at_its_key(faults, keys, path, message, advice):
    found = faults(rule(**keys))
    assert list(found) == [("rules", 0, *path)]
    assert found["rules", 0, *path] == (message, found["rules", 0, *path][1] if advice is None else advice)


def test_all_faults_of_all_rules_are_reported_at_once(faults):
    found = faults(
        rule(when={"valeu": 1, "value": {"at_least": "many", "at_lest": 1}}),
        {"name": "two", "when": {"event": "x"}, "send_to": ["crn"], "remove": ["id"]},
        "three",
    )
    assert set(found) == {
        ("rules", 0, "when", "valeu"),
        ("rules", 0, "when", "value", "at_least"),
        ("rules", 0, "when", "value", "at_lest"),
        ("rules", 1, "send_to", 0),
        ("rules", 1, "remove", 0),
        ("rules", 2),
    }


def test_a_rule_that_does_nothing_is_a_fault(faults):
    path = ("rules", 0)
    assert faults({"name": "r", "when": {"event": "lead"}})[path][0] == "the rule does nothing"
    assert faults({"name": "r", "drop": False})[path][0] == "the rule does nothing"


def test_two_rules_cannot_share_a_name(faults):
    found = faults(rule(), rule())
    assert found == {("rules", 1, "name"): ("'r' is also the name of rules[0]", "names tell rules apart")}


def test_a_rule_below_one_that_drops_everything_is_never_reached(faults):
    found = faults({"name": "stop", "drop": True}, {"name": "r", **SEND})
    assert found == {("rules", 1): ("never reached: rule 'stop' drops every event", "move it further up")}


def test_unknown_destinations_without_any_destination_say_so():
    with pytest.raises(ConfigError) as caught:
        compile_rules([rule()], ())
    assert caught.value.faults[0].advice == "there are no `destinations` yet"


def test_define_has_its_own_faults(faults):
    path = ("rules", 0, "define")
    assert faults({"define": {}})[path][0] == "expected named conditions, got a mapping"
    assert faults({"define": {"x": {"valeu": 1}}})[*path, "x", "valeu"][1] == "did you mean 'value'?"
    assert faults({"define": {"x": {"value": 1}}, "name": "x"})["rules", 0, "name"][0] == "'name' beside define"
    again = {"define": {"x": {"value": 1}}}
    assert faults(again, again)["rules", 1, "define", "x"][0] == "'x' is defined twice"
    assert faults({"define": {"big": {"value": 1}}}, rule(when={"is": "bg"}))["rules", 1, "when", "is"] == (
        "no condition 'bg' is defined above",
        "did you mean 'big'?",
    )


def test_a_condition_that_contains_itself_is_refused(faults):
    endless = {"value": 1}
    endless["not"] = endless
    ((path, (message, _)),) = faults(rule(when=endless)).items()
    assert (path[:3], message) == (("rules", 0, "when"), "conditions are nested too deeply")


@pytest.mark.parametrize(
    "junk", [None, 5, "x", [], [[]], {"when": []}, {"send_to": {}}, {"set": {None: None}}, {(): 1}]
)
def test_no_rule_however_strange_raises_anything_but_faults(junk):
    with pytest.raises(ConfigError):
        compile_rules([junk], ("crm",))
