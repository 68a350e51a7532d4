"""The one way from a file to a `Config`: YAML, references, types, destinations, rules, cross checks.

Every layer's faults are collected and raised together, each with line and column; a layer stays silent about places
an earlier one has already complained of. Reads the file, the secret files it names and its GeoIP database, nothing
else; whether this machine can run it (ports, folders, keys) is `machine.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from proxy.clock import Clock, system_clock
from proxy.config import crosscheck, yaml
from proxy.config.env import expand
from proxy.config.scalars import plain
from proxy.config.settings import Settings
from proxy.config.words import did_you_mean, faults_of, flags_as_numbers, is_section, outline, shown
from proxy.destinations import load_all
from proxy.destinations.base import Destination, DestinationSettings
from proxy.errors import ConfigError, Fault
from proxy.privacy import geoip

if TYPE_CHECKING:
    from proxy.rules.rules import Rules

Spot = tuple[str | int, ...]
"""A path in the data, as `Fault.path`; the word `Path` is taken by the file system here."""

_M = TypeVar("_M", bound=BaseModel)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be started. Safe to print: secrets show as dots, rules not at all.

    `settings.rules` is the list as written, references unresolved, for showing; `rules` is what decides.
    """

    settings: Settings
    destinations: dict[str, Destination] = field(repr=False)
    rules: Rules = field(repr=False)
    path: Path
    version: str
    """Short hash of the file's text: which configuration a log line was written under."""
    warnings: tuple[str, ...] = ()
    text: bytes = field(default=b"", repr=False)
    """The file as read: what other processes of the same service are given, whatever stands in the file by then."""

    def secrets(self) -> tuple[str, ...]:
        """Every credential, for redaction; longest first."""
        own = (self.settings.keys, self.settings.admin.token, *self.settings.ingest_keys)
        found = {secret.get_secret_value() for secret in own if secret is not None}
        found.update(key.strip() for key in (own[0].get_secret_value().split(",") if own[0] else ()))
        found.update(secret for destination in self.destinations.values() for secret in destination.secrets())
        return tuple(sorted(filter(None, found), key=lambda secret: (-len(secret), secret)))


def load(path: Path, env: Mapping[str, str] | None = None, clock: Clock = system_clock) -> Config:
    """The configuration in `path`, complete and checked; relative paths in it start at its folder.

    `env` defaults to the process environment. `clock` only dates warnings. Raises `ConfigError` with all faults.
    """
    file = str(path)
    try:
        with path.open("rb") as source:
            raw = source.read(yaml.MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = "`firsthand init` writes one; --config or FIRSTHAND_CONFIG names another"
        raise ConfigError([Fault((), f"reading the configuration: {reason}", advice, file=file)]) from None
    try:
        return read(raw, path, os.environ if env is None else env, clock)
    except ConfigError as error:
        found = [replace(fault, file=file) for fault in error.faults]
    raise ConfigError(found)


def read(raw: bytes | str, path: Path, env: Mapping[str, str], clock: Clock = system_clock) -> Config:
    """`load` for text that is in memory; `path` says where it would stand. Faults carry no file name."""
    document = yaml.parse(raw)
    if document.data is None and not document.faults:
        raise ConfigError([Fault((), "the file is empty", "`firsthand init` writes one to start from")])
    if not isinstance(document.data, dict):
        message = f"expected a mapping of sections, got {shown(document.data)}"
        raise ConfigError([*document.faults, Fault((), message, "the file begins with `site:`", line=1, column=1)])
    folder = path.absolute().parent
    expanded = expand(document.data, env, folder)
    data = _without_empty_sections(expanded.data)
    if "rules" in document.data:
        data.setdefault("rules", None)  # emptied by `${RULES:-}`: as unclear as an empty list
    reading = _Reading(data, expanded.written)
    destinations = reading.destinations()
    settings = reading.settings({name: destination.settings for name, destination in destinations.items()})
    rules = reading.rules(destinations)
    if settings is not None and settings.consent.geoip is not None:
        database = folder / settings.consent.geoip
        settings = _with(settings, consent=_with(settings.consent, geoip=database))
        reading.faults += geoip.faults(database)

    broken = document.broken | expanded.broken
    faults = [*document.faults, *expanded.faults]
    faults += [fault for fault in reading.faults if not _is_below(fault.path, broken)]
    if faults or settings is None or rules is None:
        finished = [
            replace(_located(fault, document), message=expanded.hide(fault.message, fault.path)) for fault in faults
        ]
        raise ConfigError(sorted(finished, key=_file_order))
    rules_as_written = document.data.get("rules")  # what references yielded is in `rules`, and nowhere printed
    settings = _with(
        settings,
        data=folder / settings.data,
        rules=None if rules_as_written is None else tuple(plain(rules_as_written)),
    )
    text = raw.encode() if isinstance(raw, str) else raw
    return Config(
        settings=settings,
        destinations=destinations,
        rules=rules,
        path=path,
        version=hashlib.sha256(text).hexdigest()[:12],
        warnings=crosscheck.warnings(settings, destinations, clock()),
        text=text,
    )


@dataclass(slots=True)
class _Reading:
    """One file's data on its way to objects; `faults` gathers what the layers say."""

    data: dict[str, Any]
    written: Mapping[Spot, str]
    faults: list[Fault] = field(default_factory=list)

    def destinations(self) -> dict[str, Destination]:
        """Every destination that is sound, by name."""
        entries = self.data.get("destinations", {})
        if not isinstance(entries, dict):
            advice = "write `name: {kind: …}` for each account"
            self._fault(("destinations",), f"expected a mapping of names, got {outline(entries)}", advice)
            return {}
        kinds = load_all()
        made = {}
        for name, entry in entries.items():
            at = ("destinations", name)
            if not _NAME.fullmatch(name):
                self._fault(at, "not a usable name", "use lower-case letters, digits, - and _, at most 64")
            if not isinstance(entry, dict):
                self._fault(at, f"expected a mapping with `kind`, got {outline(entry)}", f"kinds: {', '.join(kinds)}")
                continue
            kind = entry.get("kind")
            if kind is None:
                self._fault((*at, "kind"), "required, but not given", f"kinds: {', '.join(kinds)}")
                continue
            if not isinstance(kind, str) or kind not in kinds:
                self._fault(
                    (*at, "kind"), f"no such kind of destination: {shown(kind)}", did_you_mean(str(kind), kinds)
                )
                continue
            model = kinds[kind].Settings
            settings = self._validated(model, entry, at)
            if settings is not None:
                made[name] = kinds[kind](name, settings)
        return made

    def settings(self, destinations: dict[str, DestinationSettings]) -> Settings | None:
        """The sections. With faults in some, the others are cross-checked all the same."""
        data = {**self.data, "destinations": destinations}
        before = len(self.faults)
        settings = self._validated(Settings, data, ())
        spoilt = {fault.path[0] for fault in self.faults[before:] if fault.path}
        checked = settings
        if checked is None:
            sound = {key: entry for key, entry in data.items() if key not in spoilt}
            sound.setdefault("site", {"origins": ["https://placeholder.example"]})
            checked = Settings.model_validate(sound)
        found = crosscheck.faults(checked)
        self.faults += [fault for fault in found if not spoilt.intersection(fault.path[:1])]
        return settings

    def rules(self, destinations: Mapping[str, Destination]) -> Rules | None:
        """What decides, with what each of the `destinations` never gets."""
        from proxy.rules.compile import compile_rules  # noqa: PLC0415 - it pulls in re2, which few commands need
        from proxy.rules.faults import Faults  # noqa: PLC0415
        from proxy.rules.minimal import read_minimal  # noqa: PLC0415

        if "rules" in self.data and self.data["rules"] is None:
            advice = "remove the key to send every event everywhere, or write [] to send nothing"
            self._fault(("rules",), "the list is empty", advice)
            return None
        rules = plain(self.data.get("rules"))
        if rules is not None and not (isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules)):
            return None  # `settings` has said so
        entries = self.data.get("destinations")
        misread = Faults()
        minimal = {
            name: change
            for name, destination in destinations.items()
            if (change := read_minimal(destination.settings, ("destinations", name), misread)) is not None
        }
        self.faults += misread.found
        try:
            return compile_rules(rules, tuple(entries) if isinstance(entries, dict) else (), minimal)
        except ConfigError as error:
            self.faults += error.faults
            return None

    def _validated(self, model: type[_M], data: dict[str, Any], at: Spot) -> _M | None:
        flags = flags_as_numbers(model, data, at)
        self.faults += flags
        try:
            made = model.model_validate(data)
        except ValidationError as error:
            self.faults += faults_of(error, model, data, at, self.written)
            return None
        return None if flags else made

    def _fault(self, path: Spot, message: str, advice: str = "") -> None:
        self.faults.append(Fault(path, message, advice))


def _with(section: _M, **changes: Any) -> _M:
    return section.model_copy(update=changes)


def _without_empty_sections(data: dict[str, Any]) -> dict[str, Any]:
    """`listen:` with everything below it commented out means the defaults."""
    may_be_empty = {name for name in Settings.model_fields if name == "destinations" or is_section(Settings, name)}
    return {key: entry for key, entry in data.items() if entry is not None or key not in may_be_empty}


def _is_below(path: Spot, broken: Collection[Spot]) -> bool:
    return any(path[:length] in broken for length in range(len(path) + 1))


def _located(fault: Fault, document: yaml.Document) -> Fault:
    place = _place(fault, document)
    return replace(fault, line=place.line, column=place.column)


def _place(fault: Fault, document: yaml.Document) -> yaml.Place:
    """Faults about a key point at the key, about a value at the value, about what is missing at what should hold it."""
    if fault.line:
        return yaml.Place(fault.line, fault.column)
    if fault.path in document.values:
        about_key = fault.message.startswith(("unknown key", "unknown field", "unknown operator", "not a usable name"))
        return document.keys.get(fault.path, document.values[fault.path]) if about_key else document.values[fault.path]
    for length in range(len(fault.path) - 1, 0, -1):
        above = fault.path[:length]
        if above in document.values:
            return document.keys.get(above, document.values[above])
    return yaml.Place(1, 1)


def _file_order(fault: Fault) -> tuple[int, int]:
    return fault.line, fault.column
