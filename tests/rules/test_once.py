"""`once: per_order | per_visitor`: which events count as the same."""

from __future__ import annotations

import pytest

from proxy.event import Visitor, replace
from proxy.rules.compile import compile_rules
from proxy.rules.decision import Per


def keys(rules, event):
    """{(destination, name there): key}"""
    return {(r.destination, r.event.name): r.once and r.once.key for r in rules.decide(event).routes}


def ordered(event, order_id, **changes):
    return replace(event, data=replace(event.data, order_id=order_id), **changes)


@pytest.fixture
def shop(compiled):
    return compiled({"name": "shop", "send_to": ["crm", {"destination": "google", "as": "Sale"}], "once": "per_order"})


def test_a_reloaded_page_is_the_same_order_under_another_id(shop, purchase):
    first, reloaded = keys(shop, purchase), keys(shop, replace(purchase, id="o-2", time=purchase.time + 1))
    assert first == reloaded
    assert None not in first.values()


def test_another_order_another_name_and_another_rule_are_something_else(compiled, shop, purchase):
    other = compiled({"name": "other", "send_to": ["crm"], "once": "per_order"})
    found = [
        *keys(shop, purchase).values(),
        *keys(shop, ordered(purchase, "o-9")).values(),
        keys(shop, replace(purchase, name="lead"))["crm", "lead"],
        keys(other, purchase)["crm", "purchase"],
    ]
    assert len(found) == 6
    assert len({*found}) == 6


def test_names_and_orders_cannot_be_put_together_to_look_like_others(compiled, purchase):
    found = {
        key
        for rule, name, order in [("a", "b", "cd"), ("a", "bc", "d"), ("ab", "c", "d"), ("a", "1:b", "cd")]
        for key in keys(
            compiled({"name": rule, "send_to": ["crm"], "once": "per_order"}),
            ordered(purchase, order, name=name),
        ).values()
    }
    assert len(found) == 4


@pytest.mark.parametrize("order_id", [None, ""])
def test_without_an_order_there_is_nothing_to_go_by(shop, purchase, order_id):
    assert set(keys(shop, ordered(purchase, order_id)).values()) == {None}


def test_per_visitor_goes_by_the_visitor(compiled, purchase):
    rules = compiled({"name": "new", "send_to": ["crm"], "once": "per_visitor"})
    mine = keys(rules, purchase)
    assert mine == keys(rules, ordered(purchase, "another order"))
    assert mine != keys(rules, replace(purchase, visitor=Visitor(id="v-2", first_seen=1)))
    assert set(keys(rules, replace(purchase, visitor=None)).values()) == {None}


def test_an_entry_of_send_to_may_have_its_own(compiled, purchase):
    listed = ["crm", {"destination": "google", "once": "per_visitor"}]
    (crm, google) = compiled({"name": "r", "send_to": listed, "once": "per_order"}).decide(purchase).routes
    assert (crm.once.per, google.once.per) == (Per.ORDER, Per.VISITOR)
    (crm, google) = compiled({"name": "r", "send_to": listed}).decide(purchase).routes
    assert (crm.once, google.once.per) == (None, Per.VISITOR)


def test_the_rule_may_give_the_order_id_or_take_the_visitor_out(compiled, purchase):
    renamed = compiled({"name": "r", "rename": {"custom.no": "order_id"}, "send_to": ["crm"], "once": "per_order"})
    (route,) = renamed.decide(ordered(purchase, None, custom={"no": "A-7"})).routes
    assert route.once.key.endswith("A-7")
    for target in ("crm", {"destination": "crm", "remove": ["visitor.*", "order_id"]}):
        for per in ("per_order", "per_visitor"):
            rules = compiled({"name": "r", "remove": ["visitor.*", "order_id"], "send_to": [target], "once": per})
            (route,) = rules.decide(purchase).routes
            assert (route.event.visitor, route.event.data.order_id) == (None, None)
            assert route.once is not None


def test_of_two_rules_for_one_route_the_first_says_whether_it_is_once(compiled, purchase):
    once, always = {"name": "a", "send_to": ["crm"], "once": "per_order"}, {"name": "b", "send_to": ["crm"]}
    (route,) = compiled(once, always).decide(purchase).routes
    assert (route.once.rule, route.rules) == ("a", ("a", "b"))
    (route,) = compiled(always, once).decide(purchase).routes
    assert (route.once, route.rules) == (None, ("b", "a"))


def test_explain_is_told(compiled, purchase):
    rules = compiled(
        {
            "name": "r",
            "send_to": ["crm", {"destination": "google", "as": "Sale", "once": "per_visitor"}],
            "once": "per_order",
        }
    )
    (step,) = rules.decide(purchase, trace=True).trace
    assert step.why == "sends to crm once per order, google as Sale once per visitor"


def test_without_rules_nothing_is_once(purchase):
    assert compile_rules(None, ["crm"]).decide(purchase).routes[0].once is None


@pytest.mark.parametrize(
    ("rule", "path", "message", "advice"),
    [
        (
            {"name": "r", "send_to": ["crm"], "once": "per_oder"},
            ("once",),
            "expected per_order or per_visitor, got 'per_oder'",
            "did you mean 'per_order'?",
        ),
        (
            {"name": "r", "send_to": ["crm"], "once": True},
            ("once",),
            "expected per_order or per_visitor, got true",
            "write one of them",
        ),
        (
            {"name": "r", "send_to": [{"destination": "crm", "once": ["per_order"]}]},
            ("send_to", 0, "once"),
            "expected per_order or per_visitor, got a list",
            "did you mean 'per_order'?",
        ),
        (
            {"name": "r", "set": {"value": 1}, "once": "per_order"},
            ("once",),
            "once without send_to has no effect",
            "it is about what this rule sends",
        ),
        (
            {"send_to": ["crm"], "once": "per_order"},
            (),
            "a rule with `once` needs a name",
            "under it, what was sent is remembered",
        ),
        (
            {"send_to": [{"destination": "crm", "once": "per_order"}]},
            (),
            "a rule with `once` needs a name",
            "under it, what was sent is remembered",
        ),
        (
            {"name": "r", "when": {"event": "lead"}, "drop": True, "once": "per_order"},
            ("once",),
            "once beside drop: true has no effect",
            "keep one of them",
        ),
    ],
)
def test_what_makes_no_sense_is_said_at_the_start(faults, rule, path, message, advice):
    assert faults(rule) == {("rules", 0, *path): (message, advice)}
