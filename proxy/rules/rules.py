"""The compiled rules: one event in, a `Decision` out. Pure; the same event always gets the same decision.

Rules run top to bottom and every matching rule applies.

- `drop` ends it: the event goes nowhere, also not where rules above had sent it.
- What `sample` leaves out ends here too, but keeps what rules above had sent.
- `rename`, `set`, `default`, `remove` and `hash_only` change the event for this rule's own `send_to` and for all rules
  below; `send_to` entries may change it further for their destination alone.
- An event goes to a destination once per event name: a second rule that sends the same only adds its name to the
  route, and the first one's shape stands.

Rules are indexed by event name, so rules for other events cost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from proxy.event import Event, replace
from proxy.rules.conditions import Condition
from proxy.rules.decision import Decision, Route, Step
from proxy.rules.examples import Example

Change = Callable[[Event], Event]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `send_to`."""

    destination: str
    shape: Change | None = None  # set, default, remove, only; never the name
    name: str | None = None  # `as`
    sample: float | None = None


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


class _Entry(msgspec.Struct, frozen=True):
    """A rule as a plan holds it: `test` asks only what the plan does not know already."""

    at: int
    test: Callable[[Event], bool] | None
    rule: Rule
    marks: tuple[str]


class Rules:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        named = {name for rule in rules for name in rule.names or ()}
        self._whole = tuple(
            _Entry(at, rule.when.test if rule.when else None, rule, (rule.name,)) for at, rule in enumerate(rules)
        )
        self._by_name = {name: self._plan(name) for name in named}
        self._others = self._plan(None)

    def decide(self, event: Event, *, trace: bool = False) -> Decision:
        """Where `event` goes, in which shape. `trace`: also what each rule said to it, in order. Raises nothing."""
        steps: list[Step] | None = [] if trace else None
        sent: dict[tuple[str, str], Route] = {}
        dropped_by = None
        for entry in self._whole if trace else self._by_name.get(event.name.lower(), self._others):
            rule = entry.rule
            matched = entry.test is None or entry.test(event)
            if steps is not None:
                steps.append(_step(rule, event, matched=matched))
            if not matched:
                continue
            if rule.drop:
                dropped_by = rule.name
                sent.clear()
                break
            if rule.sample is not None and share(event) >= rule.sample:
                dropped_by = None if sent else rule.name
                break
            if rule.change is not None:
                event = rule.change(event)
            for target in rule.targets:
                _send(target, event, entry, sent)
        return Decision(routes=tuple(sent.values()), dropped_by=dropped_by, trace=tuple(steps or ()))

    def _plan(self, name: str | None) -> tuple[_Entry, ...]:
        """The rules an event of this name can match; None: a name that no rule mentions."""
        plan = []
        possible = {name}  # a rule may give the event another name on the way
        for entry in self._whole:
            rule = entry.rule
            if rule.names is not None and rule.names.isdisjoint(possible):
                continue
            if rule.when is not None and rule.names is not None and len(possible) == 1:
                entry = msgspec.structs.replace(entry, test=rule.when.beyond_names())  # noqa: PLW2901
            plan.append(entry)
            if rule.gives is not None:
                possible.add(rule.gives)
        return tuple(plan)


def share(event: Event) -> float:
    """Where the visitor (the event, without one) stands between 0 and 1: the same in every rule, process and year."""
    key = event.visitor.id if event.visitor else event.id
    digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _send(target: Target, event: Event, entry: _Entry, sent: dict[tuple[str, str], Route]) -> None:
    key = (target.destination, target.name or event.name)
    route = sent.get(key)
    if route is not None:
        if entry.rule.name not in route.rules:
            sent[key] = Route(route.destination, route.event, route.rules + entry.marks)
        return
    if target.sample is not None and share(event) >= target.sample:
        return
    if target.shape is not None:
        event = target.shape(event)
    if target.name is not None:
        event = replace(event, name=target.name)
    sent[key] = Route(target.destination, event, entry.marks)


def _step(rule: Rule, event: Event, *, matched: bool) -> Step:
    if not matched:
        return Step(rule.name, False, rule.when.why(event) if rule.when else "")
    if rule.sample is not None and share(event) >= rule.sample:
        return Step(rule.name, True, f"left out: sample keeps {rule.sample:g} of the visitors")
    return Step(rule.name, True, rule.says)
