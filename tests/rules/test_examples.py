from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.event import ClickId, ConsentState, Item
from proxy.rules.examples import EXAMPLE_TIME_MS
from proxy.rules.trial import run_examples

BIG = {
    "name": "big orders",
    "when": {"event": "purchase", "value": {"at_least": 100}},
    "set": {"custom.shop": "de"},
    "send_to": ["google", {"destination": "crm", "as": "BigOrder", "only": ["value"], "set": {"currency": "CHF"}}],
}


@pytest.fixture
def trial(compiled):
    """`trial({…}, above=[…])`: the one example, run on the rule BIG (or `rule`) below `above` and above `below`."""

    def run(example, rule=BIG, above=(), below=()):
        (done,) = run_examples(compiled(*above, {**rule, "examples": [example]}, *below))
        return done

    return run


def event_of(compiled, given, when=None):
    rules = compiled(
        {"name": "r", **({"when": when} if when else {}), "drop": True, "examples": [{"given": given, "drops": True}]}
    )
    return rules.rules[0].examples[0].event


def test_the_example_of_the_architecture_page_passes(trial):
    shop = {"name": "shop", "when": {"event": "purchase"}, "send_to": ["meta-main"]}
    done = trial({"given": {"event": "purchase", "value": 120}, "sends_to": ["google", "crm"]}, above=[shop])
    assert (done.passed, done.rule, done.number) == (True, "big orders", 1)


@pytest.mark.parametrize(
    "example",
    [
        {"given": {"value": "120"}, "sends": True},
        {"given": {"value": 99}, "sends": False, "sends_to": []},
        {"given": {"value": 120}, "drops": False, "sets": {"custom.shop": "de", "value": "120.0", "event": "Purchase"}},
        {"given": {"value": 120, "user.city": "Rome"}, "removes": ["user.email"], "sends_to": ["crm", "google"]},
        {
            "given": {"value": 120, "user.city": "Rome"},
            "sends_to": [
                "google",
                {"destination": "crm", "as": "BigOrder", "sets": {"currency": "chf"}, "removes": ["user.city"]},
            ],
        },
    ],
    ids=str,
)
def test_expectations_that_come_true_pass(trial, example):
    assert trial(example).differences == ()


@pytest.mark.parametrize(
    ("example", "differences", "why"),
    [
        (
            {"given": {"value": 50}, "sends_to": ["google", "crm"]},
            [("sends to", "crm, google", "nothing")],
            "data.value is 50, not at least 100",
        ),
        ({"given": {"value": 120}, "sends": False}, [("sends", "no", "yes")], None),
        ({"given": {"value": 120}, "drops": True}, [("drops", "yes", "no")], None),
        ({"given": {"value": 120}, "sends_to": "google"}, [("sends to", "google", "crm, google")], None),
        (
            {"given": {"value": 120}, "sends_to": ["google", {"destination": "crm", "as": "Bigorder"}]},
            [("as, at crm", "Bigorder", "BigOrder")],
            None,
        ),
        (
            {"given": {"value": 120, "user.city": "Rome"}, "sets": {"custom.shop": "fr"}, "removes": ["user.city"]},
            [("sets custom.shop", "fr", "de"), ("removes data.user.city", "nothing", "Rome")],
            None,
        ),
        ({"given": {"value": 5}, "sets": {"custom.shop": "de"}}, [("matches", "yes", "no")], None),
        (
            {"given": {"value": 120}, "sends_to": ["google", {"destination": "crm", "sets": {"coupon": "X"}}]},
            [("sets data.coupon, at crm", "X", "nothing")],
            None,
        ),
    ],
    ids=str,
)
def test_expectations_that_do_not_come_true_say_what_came_instead(trial, example, differences, why):
    done = trial(example)
    got = [(one.what.replace("removes user", "removes data.user"), one.expected, one.got) for one in done.differences]
    assert got == differences
    assert why in (None, done.why)


def test_an_example_sees_what_rules_above_changed_and_dropped(trial):
    above = [{"name": "raise", "set": {"value": 500}}]
    assert trial({"given": {"value": 1}, "sends": True}, above=above).passed
    drop = [{"name": "no staff", "when": {"client.ip": "203.0.113.1"}, "drop": True}]
    for side in ("above", "below"):
        done = trial({"given": {"value": 120, "client.ip": "203.0.113.1"}, "sends": True}, **{side: drop})
        assert (done.passed, done.why) == (False, "dropped by rule 'no staff'")


def test_an_example_of_a_drop_rule(trial):
    rule = {"name": "no staff", "when": {"client.ip": {"in_network": "203.0.113.0/24"}}, "drop": True}
    assert trial({"given": {"event": "lead", "client.ip": "203.0.113.1"}, "drops": True}, rule=rule).passed
    assert trial({"given": {"event": "lead", "client.ip": "192.0.2.1"}, "drops": False}, rule=rule).passed


def test_what_is_not_given_has_sensible_defaults(compiled):
    event = event_of(compiled, {"event": "Order Completed"})
    assert (event.name, event.time, event.source, event.action_source) == (
        "purchase",
        EXAMPLE_TIME_MS,
        "browser",
        "website",
    )
    assert {event.consent.marketing, event.consent.sale} == {ConsentState.GRANTED}
    assert event.visitor is not None


def test_the_event_is_the_one_the_rule_is_about(compiled):
    assert event_of(compiled, {"value": 1}, when={"event": "lead"}).name == "lead"


def test_given_speaks_the_words_of_conditions(compiled):
    event = event_of(
        compiled,
        {
            "event": "purchase",
            "page.path": "/x",
            "page.query.a b": "1&2",
            "value": "12.5",
            "items": [{"id": 7, "price": 3, "quantity": 2}],
            "user.email": "a@shop.example",
            "content_ids": ["a", "b"],
            "click_ids.gclid": "g",
            "browser_ids._fbp": "fb.1.1.1",
            "consent.marketing": "denied",
            "visitor.id": "v",
            "client.mobile": True,
            "custom.x": [1, "y"],
            "action_source": "email",
        },
    )
    assert event.page.url == "https://www.shop.example/x?a+b=1%262"
    assert event.data.value == Decimal("12.5")
    assert event.data.items == (Item(id="7", price=Decimal(3), quantity=2),)
    assert (event.user.email, event.data.content_ids) == (("a@shop.example",), ("a", "b"))
    assert event.click_ids == {"gclid": ClickId(value="g", clicked_at=EXAMPLE_TIME_MS)}
    assert event.browser_ids == {"fbp": "fb.1.1.1"}
    assert (event.consent.marketing, event.visitor.id, event.client.mobile) == ("denied", "v", True)
    assert (event.custom, event.action_source) == ({"x": [1, "y"]}, "email")


@pytest.mark.parametrize(
    ("example", "path", "message"),
    [
        (5, (), "expected {given: {…}, sends_to: […]}, got a number"),
        ({"given": {"valu": 1}, "sends": True}, ("given", "valu"), "unknown field 'valu'"),
        ({"given": {"value": "x"}, "sends": True}, ("given", "value"), "expected a number, got 'x'"),
        ({"given": {"value": [1]}, "sends": True}, ("given", "value"), "expected a number, got a list"),
        (
            {"given": {"value": 1, "data.value": 1}, "sends": True},
            ("given", "data.value"),
            "'data.value' and 'value' are the same field",
        ),
        ({"given": {"items": [{"prize": 1}]}, "sends": True}, ("given", "items", 0, "prize"), "unknown field 'prize'"),
        ({"given": {"items": [7]}, "sends": True}, ("given", "items", 0), "expected an item, got a number"),
        ({"given": {"items": 5}, "sends": True}, ("given", "items"), "expected a list of items, got a number"),
        (
            {"given": {"page.url": "https://x.example", "page.path": "/"}, "sends": True},
            ("given", "page.url"),
            "page.url beside a part of it",
        ),
        ({"given": []}, ("given",), None),
        ({"given": {}}, (), "the example expects nothing"),
        ({"sends": "maybe"}, ("sends",), "expected true or false, got 'maybe'"),
        ({"send_to": ["crm"], "sends": True}, ("send_to",), "unknown key 'send_to'"),
        ({"sends_to": ["crn"]}, ("sends_to", 0), "unknown destination 'crn'"),
        ({"sends_to": [{"destination": "crn"}]}, ("sends_to", 0, "destination"), "unknown destination 'crn'"),
        ({"sends_to": [{"destination": "crm", "az": 1}]}, ("sends_to", 0, "az"), "unknown key 'az'"),
        (
            {"sends_to": [{"destination": "crm", "as": 1}]},
            ("sends_to", 0, "as"),
            "expected an event name, got a number",
        ),
        ({"sends_to": 5}, ("sends_to",), "expected a list of destinations, got a number"),
        ({"sets": {"valu": 1}}, ("sets", "valu"), "unknown field 'valu'"),
        ({"sets": [1]}, ("sets",), "expected {field: value}, got a list"),
        ({"removes": ["valu"]}, ("removes", 0), "unknown field 'valu'"),
        ({"removes": 5}, ("removes",), "expected a list of fields, got a number"),
    ],
    ids=str,
)
def test_a_fault_in_an_example_points_at_its_key(faults, example, path, message):
    found = faults({**BIG, "examples": [example]})
    assert ("rules", 0, "examples", 0, *path) in found
    assert message in (None, found["rules", 0, "examples", 0, *path][0])


def test_items_are_compared_by_what_they_hold(trial):
    given = {"value": 120, "items": [{"id": 1, "price": "10.0"}]}
    assert trial({"given": given, "sets": {"items": [{"price": 10, "id": "1"}]}}).passed
    (difference,) = trial({"given": given, "sets": {"items": [{"id": "2"}]}}).differences
    assert (difference.expected, difference.got) == ("id: 2", "id: 1, price: 10")


def test_an_example_must_name_an_event_when_the_rule_is_about_several(faults):
    rule = {"name": "r", "when": {"event": ["lead", "purchase"]}, "send_to": ["crm"], "examples": [{"sends": True}]}
    assert faults(rule) == {("rules", 0, "examples", 0, "given"): ("no event is named", "add event: NAME")}


def test_an_empty_list_of_examples_is_a_fault(faults):
    assert ("rules", 0, "examples") in faults({**BIG, "examples": []})
