"""Runs the rules' examples: pure, on the very closures that decide about real events. `firsthand test` prints it.

An example speaks of its own rule: the event passes through the whole list, so rules above may change or drop it and
rules below may drop it, but what other rules send is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proxy.event import Event
from proxy.rules.decision import Decision, Route
from proxy.rules.examples import Example, Expected, ExpectedRoute, held
from proxy.rules.rules import Rule, Rules, Target


class Difference(msgspec.Struct, frozen=True):
    """One expectation that did not come true."""

    what: str  # "sends to", "drops", "sets data.currency at crm"
    expected: str
    got: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    number: int  # of the example within its rule, from 1
    example: Example
    differences: tuple[Difference, ...]
    why: str  # what the rule said to the event, or who dropped it

    @property
    def passed(self) -> bool:
        return not self.differences


def run_examples(rules: Rules) -> Iterator[Trial]:
    """Every example of every rule, in the order of the file."""
    for at, rule in enumerate(rules.rules):
        for number, example in enumerate(rule.examples, start=1):
            yield _try(rules, at, number, example)


def _try(rules: Rules, at: int, number: int, example: Example) -> Trial:
    rule = rules.rules[at]
    decision = rules.decide(example.event, trace=True)
    own = [route for route in decision.routes if rule.name in route.rules]
    differences = [
        *_claims(rule, decision, own, example),
        *_routes(own, example.sends_to),
        *_after(rules, at, example),
    ]
    return Trial(
        rule=rule.name, number=number, example=example, differences=tuple(differences), why=_why(rule, decision)
    )


def _claims(rule: Rule, decision: Decision, own: list[Route], example: Example) -> Iterator[Difference]:
    if example.sends is not None and example.sends != bool(own):
        yield Difference("sends", _yes(example.sends), _yes(bool(own)))
    drops = decision.dropped_by == rule.name
    if example.drops is not None and example.drops != drops:
        yield Difference("drops", _yes(example.drops), _yes(drops))


def _routes(own: list[Route], expected: tuple[ExpectedRoute, ...] | None) -> Iterator[Difference]:
    if expected is None:
        return
    wanted = sorted({one.destination for one in expected})
    got = sorted({route.destination for route in own})
    if wanted != got:
        yield Difference("sends to", ", ".join(wanted) or "nothing", ", ".join(got) or "nothing")
    for one in expected:
        there = [route for route in own if route.destination == one.destination]
        named = [route for route in there if one.name in (None, route.event.name)]
        if there and not named:
            names = ", ".join(route.event.name for route in there)
            yield Difference(f"as, at {one.destination}", str(one.name), names)
        for route in named[:1]:
            yield from _shape(route.event, one.shape, f", at {one.destination}")


def _after(rules: Rules, at: int, example: Example) -> Iterator[Difference]:
    """`sets` and `removes` of the example itself: the event as this rule leaves it."""
    if example.shape is None:
        return
    probe = msgspec.structs.replace(rules.rules[at], targets=(Target(destination=""),), drop=False)
    routes = Rules([*rules.rules[:at], probe]).decide(example.event).routes
    mine = [route for route in routes if probe.name in route.rules]
    if not mine:
        yield Difference("matches", "yes", "no")
    for route in mine[:1]:
        yield from _shape(route.event, example.shape, "")


def _shape(event: Event, expected: Expected, where: str) -> Iterator[Difference]:
    for field, wanted in expected.sets:
        got = held(field, (field.exact or field.get)(event))
        if got != wanted:
            yield Difference(f"sets {field.path}{where}", ", ".join(wanted) or "nothing", ", ".join(got) or "nothing")
    for field in expected.removes:
        got = held(field, field.get(event))
        if got:
            yield Difference(f"removes {field.path}{where}", "nothing", ", ".join(got))


def _why(rule: Rule, decision: Decision) -> str:
    if decision.dropped_by not in (None, rule.name):
        return f"dropped by rule '{decision.dropped_by}'"
    return next((step.why for step in decision.trace if step.rule == rule.name), "an earlier rule ended it")


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"
