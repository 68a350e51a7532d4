"""A rules list as written in YAML becomes `Rules`, or one `ConfigError` with every fault at its own key.

Owns the keys of a rule. Conditions are read in `conditions.py`, changes in `changes.py`, `send_to` in `targets.py`,
`examples:` in `examples.py`. A list entry is a rule, or `define:` with named conditions for the rules below it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from proxy.errors import ConfigError
from proxy.event import replace
from proxy.rules import changes
from proxy.rules.conditions import Reader
from proxy.rules.examples import read_examples
from proxy.rules.faults import Faults, Path, did_you_mean, kind_of, shown
from proxy.rules.minimal import Change, joined
from proxy.rules.once import HELP, read_once
from proxy.rules.rules import Rule, Rules, Target
from proxy.rules.targets import read_sample, read_targets
from proxy.rules.values import text

KEYS = {
    "name": "what explain, metrics and logs call it",
    "when": "which events it is about; every event when left out",
    "drop": "true: the event goes nowhere",
    "sample": "the share of visitors kept, above 0 up to 1; for the others this rule and those below end here",
    **changes.KEYS,
    "send_to": "destinations it goes to",
    "once": HELP,
    "examples": "what must come out; `firsthand test` runs them",
}
"""Keys of a rule and what they say."""

ACTIONS = frozenset(KEYS) - {"name", "when", "examples"}

NOTHING_LESS: Mapping[str, Change] = {}
"""Every destination gets what the rules make of an event."""

EVERYTHING = "no rules: everything goes everywhere"


def compile_rules(
    rules: Sequence[Mapping[str, Any]] | None,
    destinations: Collection[str],
    minimal: Mapping[str, Change] = NOTHING_LESS,
) -> Rules:
    """The rules of a configuration; None: there is no `rules` key. Raises `ConfigError` with all faults.

    `minimal`: by destination, the last change to every event that is sent there (`read_minimal`).
    """
    if rules is None:
        targets = tuple(Target(destination=name, shape=minimal.get(name)) for name in destinations)
        return Rules([Rule(name=EVERYTHING, says=_says({}, targets), targets=targets)])
    compiler = _Compiler(destinations, minimal)
    compiled = [compiler.entry(raw, ("rules", at)) for at, raw in enumerate(rules)]
    if compiler.faults.found:
        raise ConfigError(compiler.faults.found)
    return Rules([rule for rule in compiled if rule is not None])


class _Compiler:
    def __init__(self, destinations: Collection[str], minimal: Mapping[str, Change]) -> None:
        self.faults = Faults()
        self.minimal = minimal
        self.reader = Reader(self.faults)
        self.destinations = destinations
        self.named: dict[str, int] = {}  # rule name -> position
        self.closed_by: str | None = None  # the rule that drops every event

    def entry(self, raw: Any, path: Path) -> Rule | None:
        if not isinstance(raw, Mapping):
            self.faults.add(path, f"expected a rule, got {kind_of(raw)}", "a rule has at least `when` and `send_to`")
            return None
        if "define" in raw:
            self._define(raw, path)
            return None
        return self._rule(raw, path)

    def _define(self, raw: Mapping[Any, Any], path: Path) -> None:
        for key in raw:
            if key != "define":
                self.faults.add((*path, key), f"{shown(key)} beside define", "give define an entry of its own")
        conditions = raw["define"]
        here = (*path, "define")
        if not isinstance(conditions, Mapping) or not conditions:
            self.faults.add(here, f"expected named conditions, got {kind_of(conditions)}", "write NAME: {field: value}")
            return
        for name, condition in conditions.items():
            if name in self.reader.defined:
                self.faults.add((*here, name), f"{shown(name)} is defined twice", "give one of them another name")
            found = self.reader.read(condition, (*here, name))
            if found is not None:
                self.reader.defined[str(name)] = found

    def _rule(self, raw: Mapping[Any, Any], path: Path) -> Rule | None:
        faults = self.faults
        known = len(faults)
        for key in raw:
            if key not in KEYS:
                faults.add((*path, key), f"unknown key {shown(key)}", did_you_mean(key, KEYS))
        name = self._name(raw, path)
        when = self.reader.read(raw["when"], (*path, "when")) if "when" in raw else None
        drop = self._drop(raw, path)
        sample = read_sample(raw, path, faults)
        change = changes.read_shape(raw, path, faults)
        targets = self._targets(raw, path)
        examples = read_examples(raw, path, when, self.destinations, faults)
        if len(faults) == known and not any(raw.get(key) for key in ACTIONS):
            faults.add(path, "the rule does nothing", f"add one of {', '.join(key for key in KEYS if key in ACTIONS)}")
        if self.closed_by is not None:
            faults.add(path, f"never reached: rule {shown(self.closed_by)} drops every event", "move it further up")
        if drop and when is None and "when" not in raw:
            self.closed_by = name
        if len(faults) > known:
            return None
        return Rule(
            name=name,
            says="drops it" if drop else _says(raw, targets),
            when=when,
            sample=sample,
            change=change,
            gives=change.gives if change else None,
            drop=drop,
            targets=targets,
            examples=examples,
        )

    def _targets(self, raw: Mapping[Any, Any], path: Path) -> tuple[Target, ...]:
        """The entries of `send_to`, each with its own `once` or the rule's, and what its destination never gets."""
        per = read_once(raw, path, self.faults)
        targets = read_targets(raw, path, self.destinations, self.faults)
        if "once" in raw and "send_to" not in raw and "drop" not in raw:
            self.faults.add((*path, "once"), "once without send_to has no effect", "it is about what this rule sends")
        targets = tuple(
            replace(one, once=one.once or per, shape=joined(one.shape, self.minimal.get(one.destination)))
            for one in targets
        )
        if "name" not in raw and any(one.once for one in targets):
            self.faults.add(path, "a rule with `once` needs a name", "under it, what was sent is remembered")
        return targets

    def _name(self, raw: Mapping[Any, Any], path: Path) -> str:
        at = path[-1]
        assert isinstance(at, int)
        given = raw.get("name", f"rule {at + 1}")
        name = None if isinstance(given, bool) else text(given)
        if name is None or not name.strip():
            self.faults.add((*path, "name"), f"expected a name, got {shown(given)}", "or leave it out")
            return f"rule {at + 1}"
        if name in self.named:
            self.faults.add(
                (*path, "name"),
                f"{shown(name)} is also the name of rules[{self.named[name]}]",
                "names tell rules apart",
            )
        self.named[name] = at
        return name

    def _drop(self, raw: Mapping[Any, Any], path: Path) -> bool:
        drop = raw.get("drop", False)
        if not isinstance(drop, bool):
            self.faults.add((*path, "drop"), f"expected true or false, got {shown(drop)}")
            return False
        if drop:
            for key in raw:
                if key in ACTIONS - {"drop"}:
                    self.faults.add((*path, key), f"{key} beside drop: true has no effect", "keep one of them")
        return drop


def _says(raw: Mapping[Any, Any], targets: Sequence[Target]) -> str:
    """What a rule that matched does, in words, for `explain`."""
    did = [f"{_VERBS[key]} {', '.join(map(str, _names(raw[key])))}" for key in _VERBS if key in raw]
    if "sample" in raw:
        did.insert(0, f"keeps it in a sample of {raw['sample']}")
    if targets:
        did.append(f"sends to {', '.join(map(_told, targets))}")
    return "; ".join(did)


def _told(target: Target) -> str:
    name = f" as {target.name}" if target.name else ""
    return f"{target.destination}{name}{f' once {target.once.words}' if target.once else ''}"


_VERBS = {
    "rename": "renames",
    "set": "sets",
    "default": "fills",
    "remove": "removes",
    "only": "keeps only",
    "hash_only": "hashes",
}


def _names(value: Any) -> Sequence[Any]:
    return (value,) if isinstance(value, str) else tuple(value)
