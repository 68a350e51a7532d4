"""The fields of each part of an event: their names, readers, limits and the other names people know them by.

A part is read into a plain dict of what was given (`members`), because an envelope's shared part and the event's own
are merged key by key before the struct is built. Names in camelCase are read as snake_case. The tables here are the
reference; docs/http.md repeats the limits and a test compares.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from proxy.event import ActionSource, Attribution, Item, Touch
from proxy.identity.click_ids import PARAMETERS
from proxy.wire import readers as r
from proxy.wire.readers import Reader, Reason, Unreadable

MAX_ITEMS = 500
MAX_VALUES = 20  # of one match key
MAX_BROWSER_IDS = 30

URL = 4_096
MATCH_KEY = 512
ID = 200
NAME = 100
WORD = 64
COOKIE = 8_192

url, text, word = r.text(URL), r.text(r.TEXT), r.text(WORD)
name, identifier = r.identifier(NAME), r.identifier(ID)
key = r.identifier(MATCH_KEY, dispensable=True)
keys, identifiers = r.several(key, MAX_VALUES), r.several(identifier, MAX_ITEMS)
token = r.identifier(WORD)
"""Readers of which `usual.py` knows the msgspec type."""

SCALARS: dict[str, Reader[Any]] = {
    "id": identifier,
    "name": name,
    "time": r.moment,
    "source": r.identifier(WORD),
    "action_source": r.one_of(ActionSource),
    "debug": identifier,
    "bot": r.identifier(WORD),
}
SCALAR_ALIASES = {"event": "name", "event_name": "name", "event_id": "id", "timestamp": "time"}

PAGE: dict[str, Reader[Any]] = {
    "url": url,
    "referrer": url,
    "title": text,
    "language": word,
    "screen": word,
    "viewport": word,
}
LANDING: dict[str, Reader[Any]] = {"seed": token, "at": r.moment, "url": url, "referrer": url}
USER: dict[str, Reader[Any]] = {
    "email": keys,
    "phone": keys,
    "external_id": keys,
    "first_name": key,
    "last_name": key,
    "street": key,
    "city": key,
    "state": key,
    "zip": key,
    "country": key,
    "gender": key,
    "birth_date": key,
}
DATA: dict[str, Reader[Any]] = {
    "value": r.amount,
    "currency": r.currency,
    "order_id": identifier,
    "search_term": text,
    "coupon": text,
    "shipping": r.amount,
    "tax": r.amount,
    "predicted_ltv": r.amount,
    "net_revenue": r.amount,
    "status": text,
    "num_items": r.count,
    "content_ids": identifiers,
    "content_type": text,
    "content_name": text,
    "content_category": text,
    "delivery_category": text,
    "description": text,
}
ITEM: dict[str, Reader[Any]] = {
    "id": identifier,
    "name": text,
    "brand": text,
    "category": text,
    "variant": text,
    "price": r.amount,
    "quantity": r.count,
}
CLIENT: dict[str, Reader[Any]] = {
    "ip": r.ip,
    "user_agent": text,
    "mobile": r.flag,
    "platform": word,
    "region": r.region,
}
CONSENT: dict[str, Reader[Any]] = {
    "marketing": r.consent,
    "analytics": r.consent,
    "personalization": r.consent,
    "sale": r.consent,
    "source": word,
    "time": r.moment,
}
TOUCH: dict[str, Reader[Any]] = {"click": r.identifier(WORD), "at": r.moment, "evidence": r.identifier(WORD)}
ATTRIBUTION: dict[str, Reader[Any]] = {"evidence": r.identifier(WORD)}
VISITOR: dict[str, Reader[Any]] = {
    "id": r.identifier(WORD),
    "first_seen": r.moment,
    "cookie": r.identifier(COOKIE, dispensable=True),
}
CLICK_ID: dict[str, Reader[Any]] = {"value": r.token(MATCH_KEY), "clicked_at": r.moment}

CLICK_IDS = frozenset(PARAMETERS.values())

USER_ALIASES = {
    "emails": "email",
    "e_mail": "email",
    "phones": "phone",
    "phone_number": "phone",
    "user_id": "external_id",
    "customer_id": "external_id",
    "firstname": "first_name",
    "given_name": "first_name",
    "lastname": "last_name",
    "surname": "last_name",
    "family_name": "last_name",
    "address": "street",
    "street_address": "street",
    "region": "state",
    "province": "state",
    "postal_code": "zip",
    "postcode": "zip",
    "zip_code": "zip",
    "country_code": "country",
    "date_of_birth": "birth_date",
    "birthdate": "birth_date",
    "birthday": "birth_date",
}
DATA_ALIASES = {
    "transaction_id": "order_id",
    "search_string": "search_term",
    "contents": "items",
    "products": "items",
}
ITEM_ALIASES = {
    "item_id": "id",
    "product_id": "id",
    "sku": "id",
    "item_name": "name",
    "item_brand": "brand",
    "item_category": "category",
    "item_variant": "variant",
    "item_price": "price",
    "qty": "quantity",
}
_NO_ALIASES: dict[str, str] = {}


class Reading:
    """One body being read: how strict, and what was left out so far (paths without positions: `data.items.colour`)."""

    __slots__ = ("ignored", "trusted")

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted
        self.ignored: list[str] = []

    def leave_out(self, fault: Unreadable, *around: str) -> None:
        """Do without this field: counted when it came from a browser. A server is told, by raising."""
        if self.trusted or not fault.dispensable:
            raise fault
        self.ignored.append(".".join([*around, *(part for part in fault.path if isinstance(part, str))])[:ID])


def members(
    raw: Any,
    known: Mapping[str, Reader[Any]],
    reading: Reading,
    *around: str,
    aliases: Mapping[str, str] = _NO_ALIASES,
    spill: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What was given of `known`. Unknown keys go to `spill`, or are left out. `around`: where this object stands."""
    found: dict[str, Any] = {}
    for key, value in as_object(raw).items():
        reader = known.get(key)
        field = key
        if reader is None:
            field = field_of(key, aliases)
            reader = known.get(field)
            if reader is not None and field in raw:
                continue  # the field's own name counts, its alias adds nothing
        try:
            if reader is not None:
                got = None if value is None else reader(value)
                if got is not None:
                    found[field] = got
            elif spill is not None:
                spill[r.clean(key)[:NAME]] = r.free(value)
            else:
                raise unknown_field(key, known, reading)
        except Unreadable as fault:
            reading.leave_out(fault.under(key), *around)
    return found


def as_object(raw: Any) -> dict[str, Any]:
    if type(raw) is dict:
        return raw
    raise Unreadable(f"expected an object, got {r.kind_of(raw)}", Reason.WRONG_TYPE)


def field_of(key: str, aliases: Mapping[str, str]) -> str:
    """The field a key means: `orderId` and `transaction_id` are `order_id`."""
    snake = _HUMP.sub(lambda hump: "_" + hump[0].lower(), key) if not key.islower() else key
    return aliases.get(snake, snake)


_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")


def unknown_field(key: str, known: Iterable[str], reading: Reading) -> Unreadable:
    """Only a server is told what it may have meant: nobody reads a browser's, and one body may hold 40,000."""
    near = difflib.get_close_matches(key[:NAME], list(known), n=1, cutoff=0.6) if reading.trusted else ()
    hint = f"; did you mean {near[0]}?" if near else ""
    return Unreadable(f"unknown field{hint}", Reason.UNKNOWN_FIELD, dispensable=True)


def user(raw: Any, reading: Reading) -> dict[str, Any]:
    return members(raw, USER, reading, "user", aliases=USER_ALIASES)


def data(raw: Any, reading: Reading, spill: dict[str, Any]) -> dict[str, Any]:
    """What was bought. Keys nobody described land in `spill`: they belong to the event's `custom`."""
    known = {**DATA, "items": lambda given: items(given, reading)}
    return members(raw, known, reading, "data", aliases=DATA_ALIASES, spill=spill)


def items(raw: Any, reading: Reading) -> tuple[Item, ...]:
    """A list of items (or one); an item may be its id alone. Other fields of an item are left out for anyone."""
    given = raw if type(raw) is list else [raw]
    found = []
    for position, member in enumerate(given[:MAX_ITEMS]):
        try:
            if type(member) is dict:
                lenient = Reading(trusted=False)
                found.append(Item(**members(member, ITEM, lenient, "data", "items", aliases=ITEM_ALIASES)))
                reading.ignored += lenient.ignored
            elif member is not None:
                found.append(Item(id=identifier(member)))
        except Unreadable as fault:
            raise fault.under(position) from None
    return tuple(found)


def click_ids(raw: Any, reading: Reading) -> dict[str, tuple[str, int | None]]:
    """By parameter name: the value and, if it was said, when the click happened."""
    found = {}
    for key, given in as_object(raw).items():
        name = key.lower()
        try:
            if name not in CLICK_IDS:
                raise unknown_field(key, CLICK_IDS, reading)
            if type(given) is dict:
                parts = members(given, CLICK_ID, reading, "click_ids", name)
                if "value" in parts:
                    found[name] = (parts["value"], parts.get("clicked_at"))
            elif given is not None and (value := CLICK_ID["value"](given)):
                found[name] = (value, None)
        except Unreadable as fault:
            reading.leave_out(fault.under(key), "click_ids")
    return found


def browser_ids(raw: Any, reading: Reading) -> dict[str, str]:
    """Identifiers as other scripts left them in cookies; a leading underscore of the cookie's name is dropped."""
    found = {}
    for key, given in list(as_object(raw).items())[:MAX_BROWSER_IDS]:
        try:
            if not _BROWSER_ID.fullmatch(key):
                raise unknown_field(key, (), reading)
            if given is not None and (value := CLICK_ID["value"](given)):
                found[key.lstrip("_")] = value
        except Unreadable as fault:
            reading.leave_out(fault.under(key), "browser_ids")
    return found


_BROWSER_ID = re.compile(r"[A-Za-z0-9_]{1,40}")


def visitor(raw: Any, reading: Reading) -> dict[str, Any]:
    """`{"id": …, "first_seen": …, "cookie": …}`, or the id alone."""
    return members({"id": raw} if isinstance(raw, str) else raw, VISITOR, reading, "visitor")


def attribution(raw: Any, reading: Reading) -> Attribution:
    """As events carry it when they are exported; whole or not at all."""

    def touch(given: Any) -> Touch:
        return Touch(**_all(members(given, TOUCH, reading, "attribution"), TOUCH))

    known = {**ATTRIBUTION, "first": touch, "last": touch}
    return Attribution(**_all(members(raw, known, reading, "attribution"), known))


def _all(found: dict[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    missing = [key for key in wanted if key not in found]
    if missing:
        raise Unreadable(f"{missing[0]} is missing", Reason.MISSING, dispensable=True)
    return found


def remembered(raw: Any, _: Reading) -> tuple[str, ...]:
    """Names of fields of `user`, as exported events carry them."""
    given = raw if type(raw) is list else ()
    return tuple(name for name in given if name in USER)


def custom(raw: Any, reading: Reading) -> dict[str, Any]:
    found = {}
    for key, value in list(as_object(raw).items())[: r.MAX_MEMBERS]:
        try:
            found[r.clean(key)[:NAME]] = r.free(value)
        except Unreadable as fault:
            reading.leave_out(fault.under(key), "custom")
    return found


_PARTS = {
    "page": PAGE,
    "user": USER,
    "client": CLIENT,
    "consent": CONSENT,
    "visitor": VISITOR,
    "data": DATA,
    "click_ids": CLICK_IDS,
    "browser_ids": (),
    "attribution": ("first", "last", "evidence"),
    "custom": (),
}
_LABELS = {*SCALARS, *_PARTS, "sent_at", *(f"{part}.{field}" for part, fields in _PARTS.items() for field in fields)}


def field_label(ignored: str) -> str:
    """A name out of `Parsed.ignored` as one of a bounded set, for a metric: those we know, `user.other`, `other`."""
    if ignored in _LABELS:
        return ignored
    part = ignored.partition(".")[0]
    return f"{part}.other" if part in _PARTS else "other"
