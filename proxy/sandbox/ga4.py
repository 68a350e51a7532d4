"""A stand-in for Google Analytics' Measurement Protocol.

Source: docs/destinations/ga4.md (checked 2026-11). `/mp/collect` answers 204 to everything, as the real one does, but
counts as accepted only what would show up in reports and says on its page why the rest would not; `/debug/mp/collect`
answers with `validationMessages` and records nothing, and like the real one does not look at the secret. An accepted
row is the whole body with one of its events. That a purchase is counted once by its transaction id is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from proxy.clock import DAY_MS
from proxy.sandbox.base import TOKEN, Answer, Call, RefusedRow, StandIn
from proxy.sandbox.schema import Anything, Flag, Many, Number, OneOrMany, Table, Text, Whole, Wrong, check, is_number
from proxy.sandbox.shape import currency, digests, ip

_COLLECT, _DEBUG = "/mp/collect", "/debug/mp/collect"
_EVENTS, _PARAMS, _PROPERTIES, _ITEM_PARAMS = 25, 25, 25, 10
_BODY_BYTES = 130_000
_MAX_AGE_MS = 3 * DAY_MS
_CLOCK_SLACK_MS = 60_000
_NAME, _VALUE, _PROPERTY_NAME, _PROPERTY_VALUE = 40, 100, 24, 36
_LONGER = {"page_location": 1000, "page_referrer": 420, "page_title": 300}

_TEXT, _MICROS = Text(), Whole(low=0)
_CONSENT = Text(choices=frozenset({"GRANTED", "DENIED"}))
_ADDRESS = "sha256_first_name sha256_last_name sha256_street city region postal_code country".split()
_DEVICE = (
    "category language screen_resolution operating_system operating_system_version model brand browser browser_version"
)
_BODY = Table(
    fields={
        "client_id": Text(shortest=1),
        "user_id": Text(longest=256),
        "timestamp_micros": _MICROS,
        "events": Many(
            of=Table(
                fields={"name": _TEXT, "params": Table(fields={}, is_open=True), "timestamp_micros": _MICROS},
                required=("name",),
            ),
            least=1,
            most=_EVENTS,
        ),
        "user_properties": Anything(),  # `_properties`
        "user_data": Table(
            fields={
                **dict.fromkeys(("sha256_email_address", "sha256_phone_number"), OneOrMany(_TEXT)),
                "address": OneOrMany(Table(fields=dict.fromkeys(_ADDRESS, OneOrMany(_TEXT)))),
            }
        ),
        "consent": Table(fields={"ad_user_data": _CONSENT, "ad_personalization": _CONSENT}),
        "non_personalized_ads": Flag(),
        "user_location": Table(
            fields=dict.fromkeys("city region_id country_id subcontinent_id continent_id".split(), _TEXT)
        ),
        "ip_override": _TEXT,
        "device": Table(fields=dict.fromkeys(_DEVICE.split(), _TEXT)),
        "user_agent": _TEXT,
        "validation_behavior": Text(choices=frozenset({"RELAXED", "ENFORCE_RECOMMENDATIONS"})),
    },
    required=("client_id", "events"),
)
_PROPERTY = Table(fields={"value": Anything(), "timestamp_micros": _MICROS}, required=("value",))
_EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_RESERVED = frozenset(
    "ad_activeview ad_click ad_exposure ad_impression ad_query adunit_exposure app_clear_data app_install app_remove"
    " app_update error first_open first_visit in_app_purchase notification_dismiss notification_foreground"
    " notification_open notification_receive os_update screen_view session_start user_engagement".split()
)
_RESERVED_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
_RESERVED_PARAM_PREFIXES = ("google_", "ga_", "firebase_")
_RESERVED_PROPERTIES = frozenset(
    "first_open_time first_visit_time last_deep_link_referrer user_id first_open_after_install".split()
)
_ITEM_KEYS = frozenset(
    "item_id item_name affiliation coupon currency discount index item_brand item_category item_category2"
    " item_category3 item_category4 item_category5 item_list_id item_list_name item_variant location_id price quantity"
    " creative_name creative_slot promotion_id promotion_name google_business_vertical".split()
)
_CODES = {"required": "VALUE_REQUIRED", "unknown": "NAME_INVALID", "range": "VALUE_OUT_OF_BOUNDS"}


class _Message(msgspec.Struct, frozen=True):
    """One of `validationMessages`; `event`: which event of the body it is about, None: all of it."""

    code: str
    path: str
    text: str
    event: int | None = None

    def as_json(self) -> dict[str, str]:
        return {"fieldPath": self.path, "description": self.text, "validationCode": self.code}


class Ga4(StandIn, kind="ga4"):
    rows_key: ClassVar = "events"
    spoiled: ClassVar = {"name": "session_start"}

    def owns(self, call: Call) -> bool:
        return call.path in {_COLLECT, _DEBUG}

    def answer(self, call: Call, now_ms: int) -> Answer:
        if call.method != "POST":
            return Answer(status=404, faults=[f"events go as POST, not as {call.method}"])
        found = list(_messages(call, now_ms))
        if call.path == _DEBUG:
            body = {"validationMessages": [one.as_json() for one in found]}
            return Answer(status=200, body=body, faults=[_fault(one) for one in found])
        unseen = [*_stream(call), *(_fault(one) for one in found if one.event is None)]
        if unseen:
            return Answer(status=204, faults=unseen)
        return _recorded(call, found)

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row["events"][0].get("name"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        event = row["events"][0]
        transaction = event.get("params", {}).get("transaction_id")
        return (event["name"], transaction) if event["name"] == "purchase" and transaction else None

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - one answer for all paths
        match mode:
            case "throttled":
                return Answer(status=429, headers={"Retry-After": "2"}, faults=["too many requests"])
            case "bad_token":
                return Answer(status=204, faults=["api_secret: revoked; Google answers 204 all the same"])
            case _:
                return Answer(status=503)


def _recorded(call: Call, found: list[_Message]) -> Answer:
    """204, with the events that would show up."""
    body = call.json()
    accepted, refused = [], []
    for position, event in enumerate(body["events"]):
        row = {**body, "events": [event]}
        faults = [_fault(one) for one in found if one.event == position]
        engaged = event.get("params", {}).get("engagement_time_msec")
        if isinstance(engaged, bool) or not isinstance(engaged, int) or engaged < 1:
            faults.append("params.engagement_time_msec: without 1 or more the visitor does not count as active")
        if faults:
            refused.append(RefusedRow(row, faults))
        else:
            accepted.append(row)
    stream = call.query.get("measurement_id") or call.query["firebase_app_id"]
    return Answer(status=204, accepted=accepted, accounts=[stream] * len(accepted), refused=refused)


def _stream(call: Call) -> Iterator[str]:
    if not call.query.get("measurement_id") and not call.query.get("firebase_app_id"):
        yield "measurement_id: missing in the query"
    if call.query.get("api_secret") != TOKEN:
        yield "api_secret: missing in the query or not this stream's; Google answers 204 all the same"


def _fault(message: _Message) -> str:
    return f"{message.path}: {message.text} ({message.code})"


# --- what the validation server knows


def _messages(call: Call, now_ms: int) -> Iterator[_Message]:
    if len(call.body) >= _BODY_BYTES:
        yield _Message("VALUE_OUT_OF_BOUNDS", "body", f"less than {_BODY_BYTES} bytes are taken")
    body = call.json()
    if wrong := list(check(_BODY, body)):
        yield from (_Message(_code(one), _dotted(one), _text(one)) for one in wrong)
        return
    yield from _properties(body.get("user_properties", {}))
    yield from _person(body)
    yield from _time(body, "timestamp_micros", now_ms)
    for position, event in enumerate(body["events"]):
        yield from (
            _Message(one.code, f"events[{position}].{one.path}", one.text, position) for one in _event(event, now_ms)
        )


def _person(body: Mapping[str, Any]) -> Iterator[_Message]:
    if "ip_override" in body and ip("", body["ip_override"]):
        yield _Message("VALUE_INVALID", "ip_override", "not an IP address")
    people = body.get("user_data", {})
    addresses = people.get("address", [])
    hashed = [(f"user_data.{key}", value) for key, value in people.items() if key != "address"]
    hashed += [
        (f"user_data.address.{key}", value)
        for address in (addresses if isinstance(addresses, list) else [addresses])
        for key, value in address.items()
        if key.startswith("sha256_")
    ]
    for where, value in hashed:
        yield from (_Message("VALUE_INVALID", where, text.partition(": ")[2]) for text in digests(where, value))


def _properties(properties: Any) -> Iterator[_Message]:
    if not isinstance(properties, dict):
        yield _Message("VALUE_INVALID", "user_properties", "an object is expected")
        return
    if len(properties) > _PROPERTIES:
        yield _Message("EXCEEDED_MAX_ENTITIES", "user_properties", f"at most {_PROPERTIES} are taken")
    for name, given in properties.items():
        where = f"user_properties.{name}"
        if not 1 <= len(name) <= _PROPERTY_NAME:
            yield _Message("NAME_INVALID", where, f"1 to {_PROPERTY_NAME} characters are expected")
        if name in _RESERVED_PROPERTIES or name.startswith(_RESERVED_PARAM_PREFIXES):
            yield _Message("NAME_RESERVED", where, "reserved")
        if any(check(_PROPERTY, given)):
            yield _Message("VALUE_INVALID", where, "an object with a value is expected")
        elif isinstance(given["value"], str) and len(given["value"]) > _PROPERTY_VALUE:
            yield _Message("VALUE_OUT_OF_BOUNDS", f"{where}.value", f"at most {_PROPERTY_VALUE} characters are taken")


def _event(event: Mapping[str, Any], now_ms: int) -> Iterator[_Message]:
    name, params = event["name"], event.get("params", {})
    if not _EVENT_NAME.match(name) or len(name) > _NAME:
        yield _Message("NAME_INVALID", "name", f"a letter, then letters, digits and _; at most {_NAME}")
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        yield _Message("NAME_RESERVED", "name", f"{name} is reserved")
    yield from _time(event, "timestamp_micros", now_ms)
    if len(params) > _PARAMS:
        yield _Message("EXCEEDED_MAX_ENTITIES", "params", f"at most {_PARAMS} are taken")
    for key, value in params.items():
        yield from _param(key, value)
    yield from _money(name, params)


def _param(key: str, value: Any) -> Iterator[_Message]:
    where = f"params.{key}"
    if not _EVENT_NAME.match(key) or len(key) > _NAME:
        yield _Message("NAME_INVALID", where, f"a letter, then letters, digits and _; at most {_NAME}")
    if key.startswith(_RESERVED_PARAM_PREFIXES):
        yield _Message("NAME_RESERVED", where, "a reserved prefix")
    if key == "items":
        return
    if isinstance(value, (dict, list)) or value is None:
        yield _Message("VALUE_INVALID", where, "a text or a number is expected")
    elif isinstance(value, str) and len(value) > _LONGER.get(key, _VALUE):
        yield _Message("VALUE_OUT_OF_BOUNDS", where, f"at most {_LONGER.get(key, _VALUE)} characters are taken")


def _money(name: str, params: Mapping[str, Any]) -> Iterator[_Message]:
    value, code = params.get("value"), params.get("currency")
    if (value is None) != (code is None):
        yield _Message("VALUE_REQUIRED", "params.currency", "value and currency come together")
    if value is not None and not is_number(value):
        yield _Message("VALUE_INVALID", "params.value", "a number is expected")
    if code is not None and currency("", code):
        yield _Message("VALUE_INVALID", "params.currency", "three upper-case letters (ISO 4217) are expected")
    if name == "purchase":
        transaction = params.get("transaction_id")
        if not isinstance(transaction, str) or not transaction:
            yield _Message("VALUE_REQUIRED", "params.transaction_id", "a text is required on purchase")
        if params.get("items") == []:
            yield _Message("VALUE_REQUIRED", "params.items", "at least one item is required on purchase")
    yield from _items(params.get("items", []))


def _items(items: Any) -> Iterator[_Message]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        yield _Message("VALUE_INVALID", "params.items", "a list of objects is expected")
        return
    for position, item in enumerate(items):
        where = f"params.items[{position}]"
        if not item.get("item_id") and not item.get("item_name"):
            yield _Message("VALUE_REQUIRED", where, "item_id or item_name is required")
        for key in ("price", "quantity"):
            if key in item and any(check(Number(), item[key])):
                yield _Message("VALUE_INVALID", f"{where}.{key}", "a number is expected")
        if len(item.keys() - _ITEM_KEYS) > _ITEM_PARAMS:
            yield _Message("EXCEEDED_MAX_ENTITIES", where, f"at most {_ITEM_PARAMS} parameters of your own are taken")
        for key, value in item.items():
            if isinstance(value, str) and len(value) > _VALUE:
                yield _Message("VALUE_OUT_OF_BOUNDS", f"{where}.{key}", f"at most {_VALUE} characters are taken")


def _time(part: Mapping[str, Any], key: str, now_ms: int) -> Iterator[_Message]:
    if key not in part:
        return
    age_ms = now_ms - part[key] // 1000
    if age_ms > _MAX_AGE_MS:
        yield _Message("VALUE_OUT_OF_BOUNDS", key, "more than 72 hours ago")
    elif age_ms < -_CLOCK_SLACK_MS:
        yield _Message("VALUE_OUT_OF_BOUNDS", key, "in the future")


def _code(wrong: Wrong) -> str:
    if wrong.path == ("events",) and wrong.rule == "range":
        return "EXCEEDED_MAX_ENTITIES" if wrong.value else "VALUE_REQUIRED"
    return _CODES.get(wrong.rule, "VALUE_INVALID")


def _dotted(wrong: Wrong) -> str:
    path = (*wrong.path, wrong.what) if wrong.rule in {"required", "unknown"} else wrong.path
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "body"


def _text(wrong: Wrong) -> str:
    match wrong.rule:
        case "required":
            return "required"
        case "unknown":
            return "no such field"
        case _:
            return f"{wrong.what} expected"
