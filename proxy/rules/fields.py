"""Every field a rule can name: its path, its kind, how to read it, whether a rule may change it.

The table is derived from the structs of `proxy/event.py`, so a new field of `Data` or `User` can be used in rules at
once. Short forms: `event` is the name, and every field of `data` also goes by its bare name (`value`, `order_id`,
`items`). Families take any key: `custom.<key>`, `browser_ids.<name>`, `page.query.<parameter>`.
"Absent" is None, an empty text or an empty list. Reading never raises, whatever a sender put there.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from proxy.event import ActionSource, Client, Consent, ConsentState, Data, Event, Item, Page, User
from proxy.identity.click_ids import PARAMETERS
from proxy.rules.faults import did_you_mean
from proxy.rules.values import Kind


class Field(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    kind: Kind
    get: Callable[[Any], Any]  # Event (or Item) -> value; None, "" or () when absent
    exact: Callable[[Any], Any] | None = None  # the value as it stands, where `get` gives lower case
    many: bool = False  # `get` gives a tuple; a comparison holds when one element satisfies it
    fold: bool = False  # compared in lower case; `get` gives lower case
    settable: bool = False  # `set`, `default`, and the target of `rename`
    removable: bool = False  # `remove`, `only`, and the source of `rename`
    personal: bool = False  # its values never appear in words about a decision
    choices: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """`data`, `user`, `custom`, …; "" for the event's own fields."""
        return self.path.partition(".")[0] if "." in self.path else ""

    @property
    def key(self) -> str:
        return self.path.partition(".")[2] if "." in self.path else self.path


class Table(msgspec.Struct, frozen=True):
    """Fields of one subject: an event, or an item inside `any_item`."""

    fields: dict[str, Field]
    aliases: dict[str, str]
    families: dict[str, Callable[[str], Field]]  # "custom" -> key -> Field

    def find(self, name: object) -> Field | None:
        if not isinstance(name, str):
            return None
        path = self.aliases.get(name, name)
        if path in self.fields:
            return self.fields[path]
        family, _, key = path.rpartition(".") if path.startswith("page.query.") else path.partition(".")
        if family in self.families and FAMILY_KEY.fullmatch(key):
            return self.families[family](key)
        return None

    def advice(self, name: object) -> str:
        """The way out for a name that `find` does not know."""
        text = str(name)
        head, _, key = text.partition(".")
        if head in self.families and not key:
            return f"write {head}.<key>"
        if any(path.startswith(f"{text}.") for path in self.fields):
            first = next(path for path in self.fields if path.startswith(f"{text}."))
            return f"name one field, such as {first}"
        near = difflib.get_close_matches(head, self.families, n=1, cutoff=0.7) if key else []
        if near and head not in self.families:
            return f"did you mean '{near[0]}.{key}'?"
        if text == "name" and "event" in self.fields:
            return "the event's name is called 'event'"
        names = [*self.fields, *self.aliases]
        last = text.rpartition(".")[2]
        same_end = [path for path in self.fields if path.rpartition(".")[2] == last and "." in path]
        if len(same_end) == 1:
            return f"did you mean '{same_end[0]}'?"
        return did_you_mean(text, names, "your own fields are custom.<key>" if "event" in self.fields else "")


FAMILY_KEY = re.compile(r"[^*${}\s]([^*${}]{0,98}[^*${}\s])?")

_NUMBERS = {Decimal: Kind.NUMBER, int: Kind.WHOLE, bool: Kind.FLAG, str: Kind.TEXT}


def _of_struct(struct: type[msgspec.Struct], section: str, **common: bool) -> dict[str, Field]:
    """One field per field of `struct`, its kind from the annotation."""
    fields = {}
    for key, hint in typing.get_type_hints(struct).items():
        path = f"{section}.{key}" if section else key
        names = [part for part in typing.get_args(hint) if part not in (type(None), ...)] or [hint]
        many = typing.get_origin(hint) is tuple
        kind = Kind.ITEMS if names[0] is Item else Kind.CURRENCY if key == "currency" else _NUMBERS[names[0]]
        fields[path] = Field(
            path=path,
            kind=kind,
            get=attrgetter(path),
            many=many,
            settable=common.get("settable", False) and kind is not Kind.ITEMS,
            removable=common.get("removable", False),
            personal=common.get("personal", False) or path in _PERSONAL_PAGE,
        )
    return fields


_PERSONAL_PAGE = {"page.url", "page.referrer"}


def page_host(event: Event) -> str | None:
    """Host of `page.url`, lower case, without port; None when there is no host."""
    url = event.page.url
    if not url:
        return None
    _, found, rest = url.partition("://")
    if not found:
        return None
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    host = authority.partition("]")[0][1:] if authority.startswith("[") else authority.partition(":")[0]
    return host.lower() or None


def page_path(event: Event) -> str | None:
    """Path of `page.url` as it stands there (never decoded); "/" when the URL ends at the host."""
    url = event.page.url
    if not url:
        return None
    rest = url.partition("#")[0].partition("?")[0]
    _, found, behind = rest.partition("://")
    if not found:
        return rest or None
    _, slash, path = behind.partition("/")
    return f"/{path}" if slash else "/"


def _page_query(key: str) -> Callable[[Event], str | None]:
    def get(event: Event) -> str | None:
        url = event.page.url
        if not url or "?" not in url:
            return None
        for pair in url.partition("#")[0].partition("?")[2].split("&"):
            name, _, value = pair.partition("=")
            if name == key or unquote_plus(name) == key:
                return unquote_plus(value)
        return None

    return get


_AUTHORITY_END = re.compile(r"[/?#\\]")


def _click_id(key: str) -> Callable[[Event], str | None]:
    def get(event: Event) -> str | None:
        found = event.click_ids.get(key)
        return found.value if found else None

    return get


def _browser_id(key: str) -> Callable[[Event], str | None]:
    def get(event: Event) -> str | None:
        return event.browser_ids.get(key)

    return get


def _browser_id_field(key: str) -> Field:
    name = key.lstrip("_")  # as events carry them: the cookie is `_fbp`, the id `fbp`
    return Field(path=f"browser_ids.{name}", kind=Kind.TEXT, get=_browser_id(name), removable=True, personal=True)


def _custom(key: str) -> Callable[[Event], Any]:
    def get(event: Event) -> Any:
        return event.custom.get(key)

    return get


def _visitor_id(event: Event) -> str | None:
    return event.visitor.id if event.visitor else None


def _touch(which: str) -> Callable[[Event], str | None]:
    get = attrgetter(f"attribution.{which}")
    return lambda event: get(event) if event.attribution else None


def _event_name(event: Event) -> str:
    return event.name.lower()


_STATES = tuple(ConsentState)
_EVENT_FIELDS = {
    "event": Field(path="event", kind=Kind.NAME, get=_event_name, exact=attrgetter("name"), fold=True, settable=True),
    "id": Field(path="id", kind=Kind.TEXT, get=attrgetter("id")),
    "time": Field(path="time", kind=Kind.WHOLE, get=attrgetter("time")),
    "bot": Field(path="bot", kind=Kind.TEXT, get=attrgetter("bot")),
    "source": Field(path="source", kind=Kind.TEXT, get=attrgetter("source")),
    "action_source": Field(
        path="action_source",
        kind=Kind.CHOICE,
        get=attrgetter("action_source"),
        settable=True,
        choices=tuple(ActionSource),
    ),
    **_of_struct(Page, "page", settable=True, removable=True),
    "page.host": Field(path="page.host", kind=Kind.TEXT, get=page_host, fold=True),
    "page.path": Field(path="page.path", kind=Kind.TEXT, get=page_path),
    "visitor.id": Field(path="visitor.id", kind=Kind.TEXT, get=_visitor_id, removable=True, personal=True),
    **_of_struct(User, "user", settable=True, removable=True, personal=True),
    **_of_struct(Data, "data", settable=True, removable=True),
    **_of_struct(Client, "client", removable=True, personal=True),
    "client.ip": Field(path="client.ip", kind=Kind.ADDRESS, get=attrgetter("client.ip"), removable=True, personal=True),
    **{
        f"consent.{key}": Field(
            path=f"consent.{key}", kind=Kind.CHOICE, get=attrgetter(f"consent.{key}"), choices=_STATES
        )
        for key in Consent.__struct_fields__
        if key not in ("source", "time")
    },
    **{
        f"click_ids.{key}": Field(
            path=f"click_ids.{key}", kind=Kind.TEXT, get=_click_id(key), removable=True, personal=True
        )
        for key in PARAMETERS.values()
    },
    **{
        path: Field(path=path, kind=Kind.TEXT, get=_touch(which), removable=True)
        for path, which in (
            ("attribution.first", "first.click"),
            ("attribution.last", "last.click"),
            ("attribution.evidence", "evidence"),
        )
    },
    "consent.source": Field(path="consent.source", kind=Kind.TEXT, get=attrgetter("consent.source")),
}

EVENT = Table(
    fields=_EVENT_FIELDS,
    aliases={path.removeprefix("data."): path for path in _EVENT_FIELDS if path.startswith("data.")},
    families={
        "custom": lambda key: Field(
            path=f"custom.{key}", kind=Kind.FREE, get=_custom(key), settable=True, removable=True
        ),
        "browser_ids": _browser_id_field,
        "page.query": lambda key: Field(
            path=f"page.query.{key}", kind=Kind.TEXT, get=_page_query(key), removable=True, personal=True
        ),
    },
)
"""What `when`, `set`, `remove`, … of a rule can name."""

ITEM = Table(fields=_of_struct(Item, ""), aliases={}, families={})
"""What conditions inside `any_item` can name."""

GROUPS = tuple("page page.query user data custom client visitor click_ids browser_ids attribution".split())
"""`<group>.*` in `remove` and `only` stands for every field of the group."""
