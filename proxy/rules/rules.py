"""The compiled rules: one event in, a `Decision` out. Pure; the same event always gets the same decision.

Rules run top to bottom and every matching rule applies.

- `drop` ends it: the event goes nowhere, also not where rules above had sent it.
- What `sample` leaves out ends here too, but keeps what rules above had sent.
- `rename`, `set`, `default`, `remove` and `hash_only` change the event for this rule's own `send_to` and for all rules
  below; `send_to` entries may change it further for their destination alone.
- An event that is marked as a bot's is sent by no rule but those that ask for it (`when: {bot: …}`).
- An event goes to a destination once per event name: a second rule that sends the same only adds its name to the
  route, and the first one's shape and `once` stand.

Rules are indexed by event name, so rules for other events cost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from proxy.event import Event, replace
from proxy.rules.conditions import Condition
from proxy.rules.decision import Decision, Per, Route, Step
from proxy.rules.examples import Example
from proxy.rules.once import once

Change = Callable[[Event], Event]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `send_to`."""

    destination: str
    shape: Change | None = None  # set, default, remove, only; never the name
    name: str | None = None  # `as`
    sample: float | None = None
    once: Per | None = None  # its own, or the rule's


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    says: str  # what it does, in words
    when: Condition | None = None  # None: every event
    sample: float | None = None
    change: Change | None = None
    gives: str | None = None  # another name, as compared, that `change` gives the event
    drop: bool = False
    targets: tuple[Target, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def names(self) -> frozenset[str] | None:
        return self.when.names if self.when else None


_Test = Callable[[Event], bool] | None
_Plan = tuple[tuple[_Test, Rule, tuple[str, ...] | None], ...]
"""Rules as `decide` walks them: what is left to ask (None: nothing), the rule, and for a rule that only sends events
as they are the destinations (None: `_apply` it)."""

_Sent = dict[tuple[str, str], Route]
"""Routes by destination and name there."""


class Rules:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        named = {name for rule in rules for name in rule.names or ()}
        self._whole = tuple(_entry(rule, rule.when.test if rule.when else None) for rule in rules)
        self._by_name = {name: self._plan(name) for name in named}
        self._others = self._plan(None)

    def decide(self, event: Event, *, trace: bool = False) -> Decision:
        """Where `event` goes, in which shape. `trace`: also what each rule said to it, in order. Raises nothing."""
        steps: list[Step] = []
        sent: _Sent = {}
        dropped_by = None
        came = event
        for test, rule, plain in self._whole if trace else self._by_name.get(event.name.lower(), self._others):
            matched = test is None or test(event)
            if trace:
                steps.append(_step(rule, event, matched=matched))
            if not matched:
                continue
            if plain is not None:
                for destination in plain:
                    key = (destination, event.name)
                    sent[key] = _again(sent[key], rule) if key in sent else Route(destination, event, (rule.name,))
                continue
            applied = _apply(rule, event, sent)
            if applied is None:
                dropped_by = None if sent else rule.name
                break
            event = applied
        if came.bot is not None:
            sent = {key: route for key, route in sent.items() if self._is_asked_for(came, route)}
        return Decision(routes=tuple(sent.values()), dropped_by=dropped_by, trace=tuple(steps))

    def _is_asked_for(self, event: Event, route: Route) -> bool:
        """Does a rule of the route match this event of a bot because it is a bot's? It would not match a person's."""
        person = replace(event, bot=None)
        tests = [rule.when.test for rule in self.rules if rule.when is not None and rule.name in route.rules]
        return any(test(event) and not test(person) for test in tests)

    def _plan(self, name: str | None) -> _Plan:
        """The rules an event of this name can match; None: a name that no rule mentions."""
        plan = []
        possible = {name}  # a rule may give the event another name on the way
        for rule in self.rules:
            if rule.names is not None and rule.names.isdisjoint(possible):
                continue
            test = rule.when.test if rule.when else None
            if rule.when is not None and rule.names is not None and len(possible) == 1:
                test = rule.when.beyond_names()
            plan.append(_entry(rule, test))
            if rule.gives is not None:
                possible.add(rule.gives)
        return tuple(plan)


def _entry(rule: Rule, test: _Test) -> tuple[_Test, Rule, tuple[str, ...] | None]:
    only_sends = not rule.drop and rule.sample is None and rule.change is None
    is_plain = only_sends and all(target == Target(destination=target.destination) for target in rule.targets)
    return test, rule, tuple(target.destination for target in rule.targets) if is_plain else None


def _apply(rule: Rule, event: Event, sent: _Sent) -> Event | None:
    """What a matching rule does, in full: adds to `sent`; the event for the rules below, or None: it ends here."""
    if rule.drop:
        sent.clear()
        return None
    if rule.sample is not None and share(event) >= rule.sample:
        return None
    came = event
    if rule.change is not None:
        event = rule.change(event)
    for target in rule.targets:
        key = (target.destination, target.name or event.name)
        if key in sent:
            sent[key] = _again(sent[key], rule)
        elif target.sample is None or share(event) < target.sample:
            shaped = target.shape(event) if target.shape else event
            shaped = replace(shaped, name=target.name) if target.name else shaped
            only = once(target.once, rule.name, key[1], came, event) if target.once else None
            sent[key] = Route(target.destination, shaped, (rule.name,), only)
    return event


def _again(route: Route, rule: Rule) -> Route:
    """The same route, sent by one more rule."""
    if rule.name in route.rules:
        return route
    return Route(route.destination, route.event, (*route.rules, rule.name), route.once)


def share(event: Event) -> float:
    """Where the visitor (the event, without one) stands between 0 and 1: the same in every rule, process and year."""
    key = event.visitor.id if event.visitor else event.id
    digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _step(rule: Rule, event: Event, *, matched: bool) -> Step:
    if not matched:
        return Step(rule.name, False, rule.when.why(event) if rule.when else "")
    if rule.sample is not None and share(event) >= rule.sample:
        return Step(rule.name, True, f"left out: sample keeps {rule.sample:g} of the visitors")
    return Step(rule.name, True, rule.says)
