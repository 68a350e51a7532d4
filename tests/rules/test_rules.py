from __future__ import annotations

import pytest

from proxy.event import Visitor, replace
from proxy.rules.compile import EVERYTHING, compile_rules


def sent(decision):
    """[(destination, name there, rules)]"""
    return [(route.destination, route.event.name, route.rules) for route in decision.routes]


def test_without_rules_every_event_goes_to_every_destination(purchase):
    decision = compile_rules(None, ("a", "b")).decide(purchase, trace=True)
    assert sent(decision) == [("a", "purchase", (EVERYTHING,)), ("b", "purchase", (EVERYTHING,))]
    assert decision.routes[0].event is purchase
    assert decision.trace[0].why == "sends to a, b"


def test_without_rules_and_destinations_nothing_is_sent(purchase):
    assert compile_rules(None, ()).decide(purchase).routes == ()


def test_an_empty_list_of_rules_sends_nothing(purchase):
    assert compile_rules([], ("a",)).decide(purchase).routes == ()


def test_every_matching_rule_applies_and_a_destination_gets_the_event_once(compiled, purchase):
    rules = compiled(
        {"name": "one", "when": {"event": "purchase"}, "send_to": ["crm", "google"]},
        {"name": "other", "when": {"event": "lead"}, "send_to": ["meta-main"]},
        {"name": "two", "send_to": ["google"]},
    )
    assert sent(rules.decide(purchase)) == [("crm", "purchase", ("one",)), ("google", "purchase", ("one", "two"))]


def test_another_name_is_another_route_and_the_first_shape_stands(compiled, purchase):
    rules = compiled(
        {"name": "one", "send_to": [{"destination": "crm", "set": {"custom.shop": "first"}}]},
        {
            "name": "two",
            "send_to": [{"destination": "crm", "as": "Big"}, {"destination": "crm", "set": {"custom.shop": "x"}}],
        },
    )
    decision = rules.decide(purchase)
    assert sent(decision) == [("crm", "purchase", ("one", "two")), ("crm", "Big", ("two",))]
    assert [route.event.custom["shop"] for route in decision.routes] == ["first", "de"]


def test_a_rule_that_sends_the_same_twice_is_named_once(compiled, purchase):
    rules = compiled({"name": "r", "send_to": ["crm", {"destination": "crm", "as": "purchase"}]})
    assert sent(rules.decide(purchase)) == [("crm", "purchase", ("r",))]


def test_drop_takes_back_what_rules_above_sent_and_ends_the_list(compiled, purchase):
    rules = compiled(
        {"name": "all", "send_to": ["crm"]},
        {"name": "no big ones", "when": {"value": {"above": 50}}, "drop": True},
        {"name": "more", "send_to": ["google"]},
    )
    decision = rules.decide(purchase, trace=True)
    assert (decision.routes, decision.dropped_by) == ((), "no big ones")
    assert [(step.rule, step.why) for step in decision.trace] == [("all", "sends to crm"), ("no big ones", "drops it")]


def test_changes_are_seen_by_the_rule_itself_and_by_rules_below_only(compiled, purchase):
    rules = compiled(
        {"name": "above", "send_to": ["meta-main"]},
        {"name": "change", "set": {"custom.shop": "fr"}, "send_to": ["google"]},
        {"name": "below", "when": {"custom.shop": "fr"}, "send_to": ["crm"]},
    )
    shops = {route.destination: route.event.custom["shop"] for route in rules.decide(purchase).routes}
    assert shops == {"meta-main": "de", "google": "fr", "crm": "fr"}
    assert purchase.custom["shop"] == "de"


def test_a_new_name_is_seen_by_rules_for_that_name_below_but_not_above(compiled, purchase):
    rules = compiled(
        {"name": "early", "when": {"event": "purchase"}, "send_to": ["meta-main"]},
        {"name": "map", "when": {"event": "Kauf"}, "set": {"event": "Order Completed"}},
        {"name": "old", "when": {"event": "kauf"}, "send_to": ["google"]},
        {"name": "late", "when": {"event": "purchase"}, "send_to": ["crm"]},
    )
    event = replace(purchase, name="Kauf")
    assert sent(rules.decide(event)) == [("crm", "purchase", ("late",))]
    assert sent(rules.decide(event, trace=True)) == [("crm", "purchase", ("late",))]


@pytest.mark.parametrize("name", ["MyEvent", "myevent", "MYEVENT"])
def test_custom_names_match_without_regard_to_case_and_keep_theirs(compiled, purchase, name):
    rules = compiled({"name": "r", "when": {"event": "MyEvent"}, "send_to": ["crm"]})
    assert sent(rules.decide(replace(purchase, name=name))) == [("crm", name, ("r",))]


def test_as_is_sent_word_for_word(compiled, purchase):
    rules = compiled({"name": "r", "send_to": [{"destination": "crm", "as": "Order Completed"}]})
    assert sent(rules.decide(purchase)) == [("crm", "Order Completed", ("r",))]


def visitors(event, count=2000):
    return [replace(event, visitor=Visitor(id=f"v{at}", first_seen=1)) for at in range(count)]


def test_sample_keeps_about_the_share_and_always_the_same_visitors(compiled, purchase):
    rules = compiled({"name": "r", "sample": 0.1, "send_to": ["crm"]})
    kept = [event.visitor.id for event in visitors(purchase) if rules.decide(event).routes]
    again = [
        event.visitor.id for event in visitors(replace(purchase, id="other", name="lead")) if rules.decide(event).routes
    ]
    assert 150 < len(kept) < 250
    assert kept == again


def test_a_smaller_sample_is_part_of_a_larger_one(compiled, purchase):
    small = compiled({"name": "a", "sample": 0.1, "send_to": ["crm"]})
    large = compiled({"name": "b", "sample": 0.5, "send_to": ["crm"]})
    for event in visitors(purchase, 500):
        assert not small.decide(event).routes or large.decide(event).routes


def test_sample_without_a_visitor_goes_by_event_id(compiled, purchase):
    rules = compiled({"name": "r", "sample": 0.5, "send_to": ["crm"]})
    events = [replace(purchase, visitor=None, id=f"e{at}") for at in range(1000)]
    assert 400 < sum(bool(rules.decide(event).routes) for event in events) < 600


def test_what_sample_leaves_out_keeps_earlier_routes_and_skips_the_rest(compiled, purchase):
    rules = compiled(
        {"name": "all", "send_to": ["crm"]},
        {"name": "some", "sample": 0.000001, "send_to": ["google"]},
        {"name": "rest", "send_to": ["meta-main"]},
    )
    decision = rules.decide(purchase, trace=True)
    assert sent(decision) == [("crm", "purchase", ("all",))]
    assert decision.dropped_by is None
    assert [step.why for step in decision.trace] == ["sends to crm", "left out: sample keeps 1e-06 of the visitors"]


def test_an_event_left_out_before_it_was_sent_anywhere_names_the_rule(compiled, purchase):
    rules = compiled({"name": "some", "sample": 0.000001}, {"name": "rest", "send_to": ["crm"]})
    assert rules.decide(purchase).dropped_by == "some"


def test_a_target_can_have_a_sample_of_its_own(compiled, purchase):
    rules = compiled({"name": "r", "send_to": [{"destination": "crm", "sample": 0.1}, "google"]})
    decisions = [rules.decide(event) for event in visitors(purchase, 1000)]
    assert 50 < sum(len(decision.routes) == 2 for decision in decisions) < 150
    assert all(decision.routes[-1].destination == "google" for decision in decisions)


def test_the_trace_names_every_rule_in_order(compiled, purchase):
    rules = compiled(
        {"name": "a", "when": {"event": "lead"}, "send_to": ["crm"]},
        {"when": {"event": "purchase"}, "set": {"custom.x": 1}, "remove": ["user.*"], "send_to": ["crm"]},
    )
    trace = rules.decide(purchase, trace=True).trace
    assert [(step.rule, step.matched, step.why) for step in trace] == [
        ("a", False, "event is purchase, not lead"),
        ("rule 2", True, "sets custom.x; removes user.*; sends to crm"),
    ]
    assert rules.decide(purchase).trace == ()
