"""YAML text to plain data, with the place of every key and value.

Reads parser events one by one, so nothing recurses and nothing is expanded: aliases are refused (which ends alias
bombs), nesting and size are bounded. Scalars follow YAML 1.2 (`scalars.py`). It never builds objects from tags,
never reads files, and knows nothing about which keys exist. The only exception it raises is `ConfigError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from proxy.config.scalars import resolve
from proxy.errors import ConfigError, Fault

Path = tuple[str | int, ...]

MAX_BYTES = 1_048_576
MAX_DEPTH = 50

_ALLOWED_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})

# Everything YAML may hold, minus the exotic line separators (editors and the parser would count lines differently).
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something starts in the text; both count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. `broken` holds the paths that already have a fault: say nothing more about what is below."""

    data: Any
    values: dict[Path, Place]
    keys: dict[Path, Place]
    faults: tuple[Fault, ...]
    broken: frozenset[Path]


def parse(source: bytes | str) -> Document:
    """Data and places of one YAML document.

    Faults that leave the rest readable (a duplicate key, an alias) are in the answer; raises `ConfigError` when there
    is nothing to go on with (not UTF-8, broken syntax, too big). An empty text is `None`, as YAML has it.
    """
    text = _text(source)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        builder.faults.append(_syntax_fault(error, text))
        raise ConfigError(builder.faults) from None
    return Document(builder.root, builder.values, builder.keys, tuple(builder.faults), frozenset(builder.broken))


def place_at(text: str, offset: int) -> Place:
    """Line and column of a character offset."""
    lines = _LINE_BREAK.split(text[:offset])
    return Place(len(lines), len(lines[-1]) + 1)


def _text(source: bytes | str) -> str:
    """Decoded, without byte-order mark, and free of characters that YAML does not allow."""
    if len(source) > MAX_BYTES:
        raise ConfigError([Fault((), f"the file is larger than {MAX_BYTES // 1024} KiB", "is this the right file?")])
    if isinstance(source, bytes):
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            place = place_at(source[: error.start].decode("utf-8-sig", "replace"), error.start)
            raise ConfigError([_fault("the file is not UTF-8 text", place, "save it as UTF-8")]) from None
    else:
        text = source.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        code = f"U+{ord(found[0]):04X}"
        place = place_at(text, found.start())
        raise ConfigError([_fault(f"the character {code} is not allowed in YAML", place, "delete it, even if unseen")])
    return text


def _fault(message: str, place: Place, advice: str = "", path: Path = ()) -> Fault:
    return Fault(path, message, advice, line=place.line, column=place.column)


@dataclass(slots=True)
class _Frame:
    """A collection being filled. `ghost`: it is read only to get past it (a duplicate, a value of a refused key)."""

    into: dict[str, Any] | list[Any]
    path: Path
    ghost: bool
    key: str | None = None
    key_is_next: bool = True
    ghost_value: bool = False


@dataclass(slots=True)
class _Builder:
    root: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    stack: list[_Frame] = field(default_factory=list)
    documents: int = 0

    def feed(self, event: events.Event) -> None:
        mark = event.start_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
        match event:
            case events.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    advice = "remove the `---` line and what follows, or merge both parts"
                    self.faults.append(_fault("a second document begins here", place, advice))
                    raise ConfigError(self.faults)
            case events.MappingEndEvent() | events.SequenceEndEvent():
                self.stack.pop()
            case events.ScalarEvent():
                self._scalar(event, place)
            case events.MappingStartEvent():
                self._open({}, event.tag, place)
            case events.SequenceStartEvent():
                self._open([], event.tag, place)
            case events.AliasEvent():
                self._alias(place)
            case _:
                pass

    def _scalar(self, event: events.ScalarEvent, place: Place) -> None:
        quoted = event.style not in (None, "") or event.tag is not None
        if self._expects_key():
            self._key(event.value, event.value if quoted else resolve(event.value), place)
            return
        path, ghost = self._put(event.value if quoted else resolve(event.value), place)
        self._check_tag(event.tag, path, ghost, place)

    def _open(self, into: dict[str, Any] | list[Any], tag: str | None, place: Place) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.faults.append(_fault(f"nested more than {MAX_DEPTH} levels deep", place))
            raise ConfigError(self.faults)
        if self._expects_key():
            self._refuse_key("a key must be a word, not a list or a mapping", place, "quote it if it is text")
            self.stack.append(_Frame(into, self.stack[-1].path, ghost=True))
            return
        path, ghost = self._put(into, place)
        self._check_tag(tag, path, ghost, place)
        self.stack.append(_Frame(into, path, ghost))

    def _alias(self, place: Place) -> None:
        advice = "write the value out; if it begins with * or & as text, quote it"
        if self._expects_key():
            self._refuse_key("aliases (*name) are not supported", place, advice)
            return
        path, _ = self._put(None, place)
        self.broken.add(path)
        self.faults.append(_fault("aliases (*name) are not supported", place, advice, path))

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].into, dict) and self.stack[-1].key_is_next

    def _key(self, text: str, value: object, place: Place) -> None:
        frame = self.stack[-1]
        if not isinstance(value, str):
            what = "nothing" if value is None else f"{text!r}, which is not text"
            self._refuse_key(f"the key here is {what}", place, "put quotes around a key that is meant as text")
            return
        path = (*frame.path, text)
        if not frame.ghost and text in frame.into:
            first = self.keys[path].line
            self._refuse_key(f"the key {text!r} stands here a second time", place, f"the first is in line {first}")
            return
        frame.key, frame.key_is_next, frame.ghost_value = text, False, frame.ghost
        if not frame.ghost:
            self.keys[path] = place

    def _refuse_key(self, message: str, place: Place, advice: str) -> None:
        frame = self.stack[-1]
        self.faults.append(_fault(message, place, advice, frame.path))
        frame.key, frame.key_is_next, frame.ghost_value = None, False, True

    def _put(self, value: Any, place: Place) -> tuple[Path, bool]:
        """Store a value where it belongs; its path, and whether it is a ghost (then nothing was stored)."""
        if not self.stack:
            self.root = value
            self.values[()] = place
            return (), False
        frame = self.stack[-1]
        if isinstance(frame.into, list):
            path, ghost = (*frame.path, len(frame.into)), frame.ghost
            frame.into.append(value)
        else:
            frame.key_is_next = True
            ghost = frame.ghost_value or frame.key is None
            path = frame.path if frame.key is None else (*frame.path, frame.key)
            if not ghost and frame.key is not None:
                frame.into[frame.key] = value
        if not ghost:
            self.values[path] = place
        return path, ghost

    def _check_tag(self, tag: str | None, path: Path, ghost: bool, place: Place) -> None:
        if tag in _ALLOWED_TAGS:
            return
        if not ghost:
            self.broken.add(path)
        self.faults.append(_fault("tags (!name) are not supported", place, "quote it if it is text", path))


_WORDS = (
    (
        "mapping values are not allowed",
        "a `:` where no key can be",
        "quote text holding `: `; check the indentation",
    ),
    ("found character '\\t'", "a tab is used for indentation", "indent with spaces"),
    ("did not find expected alphabetic", "text cannot begin with * or & here", "put it in quotes"),
    ("did not find expected key", "this line does not fit the block above it", "check the indentation"),
    ("did not find expected '-'", "this line does not fit the list above it", "check the indentation and the dash"),
    ("expected ',' or ']'", "the list [...] is not closed, or a comma is missing", ""),
    ("expected ',' or '}'", "the mapping {...} is not closed, or a comma is missing", ""),
    ("unexpected end of stream", "the quote that begins here is never closed", "close it"),
    ("could not find expected ':'", "a key without `:`", "write `key: value`"),
    ("unknown escape character", 'an unknown \\ escape within "..."', "use single quotes, or write \\\\"),
    ("block sequence entries are not allowed", "a list cannot begin here", "put the `- ` on a line of its own"),
    ("incompatible YAML document", "an unknown %YAML version", "remove the %YAML line"),
)


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Fault:
    """The parser's complaint in our words; its own when we have none."""
    problem = error.problem or "broken YAML"
    mark = error.problem_mark or error.context_mark
    if "unexpected end of stream" in problem and error.context_mark is not None:
        mark = error.context_mark  # the end of the file helps nobody; where the quote began does
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
    lines = _LINE_BREAK.split(text)
    rest = lines[place.line - 1][place.column - 1 :] if place.line <= len(lines) else ""
    before = lines[place.line - 1][: place.column - 1] if place.line <= len(lines) else ""
    if rest.startswith("{") and before.endswith("$"):
        at = Place(place.line, place.column - 1)
        return _fault("`${...}` within [...] or {...} needs quotes", at, 'write "${NAME}"')
    if "cannot start any token" in problem:
        if rest.startswith("\t"):
            return _fault("a tab is used for indentation", place, "indent with spaces")
        return _fault(f"text cannot begin with {rest[:1]}", place, "put it in quotes")
    for words, message, advice in _WORDS:
        if words in problem:
            return _fault(message, place, advice)
    return _fault(f"broken YAML: {problem}", place)
