"""An event being changed: fields are put in and taken out, then `done` gives the new frozen Event.

The only place that knows where a field of the rules' table lives inside the structs. Never changes what it was given:
sections are copied when first touched.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from proxy.event import ActionSource, Client, Data, Event, Page, User, replace
from proxy.rules.fields import Field
from proxy.rules.values import Kind

_EMPTY: dict[str, Any] = {
    "page": Page(),
    "user": User(),
    "data": Data(),
    "client": Client(),
    "custom": {},
    "click_ids": {},
    "browser_ids": {},
    "visitor": None,
    "attribution": None,
}
"""The sections a rule can empty. What an event cannot do without (id, name, time, source, consent) is not here."""

_WHOLE = frozenset({"visitor", "attribution"})
"""Sections that are there as a whole or not at all."""


class Draft:
    def __init__(self, event: Event) -> None:
        self.event = event
        self._changed: dict[str, Any] = {}

    def put(self, field: Field, value: Any) -> None:
        """`value` has the field's type: `parse` or `carried` made it."""
        if not field.section:
            name = "name" if field.kind is Kind.NAME else field.key
            self._changed[name] = ActionSource(value) if name == "action_source" else value
            return
        self._put(field.section, field.key, value)

    def take(self, field: Field) -> None:
        """Make the field absent."""
        section, key = field.section, field.key
        if section in _WHOLE:
            self._changed[section] = None
        elif key.startswith("query."):
            self._strip(key.removeprefix("query."))
        elif isinstance(self._section(section), dict):
            self._changed[section] = {name: value for name, value in self._section(section).items() if name != key}
        else:
            self._put(section, key, () if field.many else None)

    def take_group(self, group: str) -> None:
        """`user`, `custom`, `page.query`, …: make every field of it absent."""
        if group == "page.query":
            self._strip(None)
        else:
            self._changed[group] = _EMPTY[group]

    def keep_only(self, fields: tuple[Field, ...], groups: frozenset[str]) -> None:
        """Empty every section but `groups`, then put back `fields`."""
        before = {section: self._section(section) for section in _EMPTY}
        self._changed.update({section: empty for section, empty in _EMPTY.items() if section not in groups})
        for field in fields:
            section, key = field.section, field.key
            held = before[section]
            if section in _WHOLE:
                self._changed[section] = held
            elif not isinstance(held, dict):
                self._put(section, key, getattr(held, key))
            elif key in held:
                self._put(section, key, held[key])

    def done(self) -> Event:
        return replace(self.event, **self._changed) if self._changed else self.event

    def _section(self, section: str) -> Any:
        return self._changed[section] if section in self._changed else getattr(self.event, section)

    def _put(self, section: str, key: str, value: Any) -> None:
        held = self._section(section)
        self._changed[section] = {**held, key: value} if isinstance(held, dict) else replace(held, **{key: value})

    def _strip(self, parameter: str | None) -> None:
        url = self._section("page").url
        if url and "?" in url:
            self._put("page", "url", without_parameter(url, parameter))


def without_parameter(url: str, parameter: str | None) -> str:
    """`url` without one query parameter (None: without any); everything else stays to the byte."""
    address, hash_mark, fragment = url.partition("#")
    address, question_mark, query = address.partition("?")
    if not question_mark:
        return url
    kept = []
    if parameter is not None:
        kept = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != parameter]
    return address + ("?" + "&".join(kept) if kept else "") + hash_mark + fragment
