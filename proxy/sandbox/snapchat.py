"""A stand-in for Snapchat's Conversions API v3.

Source: docs/destinations/snapchat.md (checked 2026-11). One bad row costs the whole request; keys that Snapchat's own
SDK does not know are refused here, although the service may ignore them (`madid` and `db` are in the documentation and
taken). The codes in `errors.codes` are ours: the real ones are not documented. Travel fields are left out.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

from proxy.clock import DAY_S
from proxy.sandbox.base import TOKEN, Answer, Call, StandIn
from proxy.sandbox.schema import Anything, Flag, Many, Table, Text, Whole, check, is_number, is_numeric_text
from proxy.sandbox.shape import currency, digests, ip

_PATH = re.compile(r"/v3/([^/]+)/events(/validate|/validate/logs|/validate/stats)?\Z")
_BATCH = 2000
_MAX_AGE_S = 37 * DAY_S
_CLOCK_SLACK_S = 60
_MILLISECONDS_FROM = 10**11  # a larger number of seconds would be the year 5138
_EXTINFO = 16

_TEXT, _GIVEN, _LIST = Text(), Text(shortest=1), Many(of=Text())
_HASHED_LISTS = ("em", "ph", "fn", "ln", "ge", "ct", "st", "zp", "country", "db")
_USER = Table(
    fields={
        **dict.fromkeys(_HASHED_LISTS, Many(of=_TEXT)),
        **dict.fromkeys(("external_id", "madid", "mobile_ad_id", "idfv", "subscription_id", "lead_id"), _GIVEN),
        **dict.fromkeys(("download_id", "partner_id", "sc_click_id", "sc_cookie1"), _GIVEN),
        **dict.fromkeys(("client_ip_address", "client_user_agent"), _GIVEN),
        "anon_id": _LIST,
    }
)
_CONTENT = Table(
    fields={
        **dict.fromkeys(("id", "delivery_category", "brand"), _TEXT),
        **dict.fromkeys(("quantity", "item_price"), Anything()),  # numbers and numeric texts: `_money`
    }
)
_CUSTOM = Table(
    fields={
        **dict.fromkeys(("currency", "content_type", "content_name", "content_category", "brands", "order_id"), _TEXT),
        **dict.fromkeys(("search_string", "sign_up_method", "status", "delivery_category", "event_tag"), _TEXT),
        **dict.fromkeys(("value", "predicted_ltv"), Anything()),
        "num_items": Whole(from_text=True),
        "content_ids": _LIST,
        "destination_ids": _LIST,
        "contents": Many(of=_CONTENT),
        "custom_fields": Table(fields={}, is_open=True),
    }
)
_APP = Table(
    fields={
        "app_id": _GIVEN,
        "advertiser_tracking_enabled": Anything(),  # true or 1: the sources disagree
        "application_tracking_enabled": Anything(),
        "extinfo": Many(of=_TEXT, least=_EXTINFO, most=_EXTINFO),
    },
    required=("app_id", "extinfo"),
)
_EVENT = Table(
    fields={
        "event_name": _TEXT,
        "event_time": Whole(),
        "action_source": Text(choices=frozenset({"WEB", "MOBILE_APP", "OFFLINE"})),
        "event_source_url": _GIVEN,
        "event_id": _GIVEN,
        "user_data": _USER,
        "custom_data": _CUSTOM,
        "app_data": _APP,
        "opt_out": Flag(),
        "data_processing_options": Many(of=Text(choices=frozenset({"LDU"}))),
        "integration": _GIVEN,
        "test_event_code": _GIVEN,
    },
    required=("event_name", "event_time", "action_source", "user_data"),
)
_BODY = Table(
    fields={"data": Many(of=Anything(), least=1, most=_BATCH), "test_event_code": _GIVEN},
    required=("data",),
)
_EVENT_NAMES = frozenset(
    "PURCHASE SAVE START_CHECKOUT ADD_CART VIEW_CONTENT ADD_BILLING SIGN_UP SEARCH PAGE_VIEW SUBSCRIBE AD_CLICK AD_VIEW"
    " COMPLETE_TUTORIAL LEVEL_COMPLETE INVITE LOGIN SHARE RESERVE ACHIEVEMENT_UNLOCKED ADD_TO_WISHLIST SPENT_CREDITS"
    " RATE START_TRIAL LIST_VIEW APP_INSTALL APP_OPEN CUSTOM_EVENT_1 CUSTOM_EVENT_2 CUSTOM_EVENT_3 CUSTOM_EVENT_4"
    " CUSTOM_EVENT_5".split()
)
_SHAPE, _NAME, _TIME, _IDENTITY, _HASH, _VALUE = (
    "INVALID_FIELD",
    "INVALID_EVENT_TYPE",
    "INVALID_TIMESTAMP",
    "INSUFFICIENT_IDENTITY",
    "INVALID_PII",
    "INVALID_VALUE",
)
Fault = tuple[str, str]


class Snapchat(StandIn, kind="snapchat"):
    spoiled: ClassVar = {"event_name": "NO_SUCH_EVENT"}

    def owns(self, call: Call) -> bool:
        return _PATH.match(call.path) is not None

    def answer(self, call: Call, now_ms: int) -> Answer:
        match = _PATH.match(call.path)
        assert match
        asset, edge = match.groups()
        if call.query.get("access_token") != TOKEN:
            fault = "the token goes into the query as access_token (a header is not read)"
            return Answer(status=401, body="Invalid access token", faults=[fault])
        if edge in {"/validate/logs", "/validate/stats"}:
            return Answer(status=200, body={"status": "VALID", "data": []})
        if call.method != "POST":
            return Answer(status=405, body="Method Not Allowed", faults=[f"{call.method} is not taken"])
        body = call.json()
        for wrong in check(_BODY, body):
            return _invalid([(_SHAPE, f"{_dotted(wrong.path)}: {wrong.rule}, {wrong.what}")])
        rows = body["data"]
        if edge == "/validate":
            return _validated(rows, now_ms // 1000)
        for position, row in enumerate(rows):
            if faults := _faults(row, now_ms // 1000):
                return _invalid(faults, position)
        return Answer(
            status=200,
            body={"status": "VALID", "reason": "Events have been processed successfully."},
            accepted=rows,
            accounts=[asset] * len(rows),
        )

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("event_name"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        return (row.get("event_name"), row["event_id"]) if row.get("event_id") else None

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - one answer for all paths
        match mode:
            case "throttled":
                return Answer(status=429, headers={"Retry-After": "2"}, faults=["too many requests"])
            case "bad_token":
                return Answer(status=401, body="Invalid access token", faults=["the token was revoked"])
            case _:
                return Answer(status=503)


def _invalid(faults: list[Fault], position: int | None = None) -> Answer:
    body: dict[str, Any] = {"status": "INVALID", "reason": "Invalid event", "errors": _errors(faults)}
    where = "" if position is None else f"data[{position}]."
    if position is not None:
        body["event"] = position
    return Answer(status=400, body=body, faults=[f"{where}{text}" for _, text in faults])


def _validated(rows: list[Any], now_s: int) -> Answer:
    """The dry run: every event judged, none recorded."""
    found = [_faults(row, now_s) for row in rows]
    logs = [
        {
            "event": position,
            "status": "INVALID" if faults else "VALID",
            "errors": _errors(faults),
            "warnings": _errors(_warnings(row) if not faults else []),
        }
        for position, (row, faults) in enumerate(zip(rows, found, strict=True))
    ]
    faults = [f"data[{position}].{text}" for position, texts in enumerate(found) for _, text in texts]
    body = {
        "status": "INVALID" if faults else "VALID",
        "test_event": True,
        "reason": "Invalid event" if faults else "Events have been validated successfully.",
        "event_logs": logs,
    }
    return Answer(status=200, body=body, faults=faults)


def _errors(faults: list[Fault]) -> dict[str, list[str]]:
    return {"codes": [code for code, _ in faults], "error_msgs": [text for _, text in faults]}


def _warnings(row: dict[str, Any]) -> list[Fault]:
    return [] if row.get("event_id") else [("MISSING_EVENT_ID", "event_id: recommended for deduplication")]


def _faults(row: Any, now_s: int) -> list[Fault]:
    """Every rule the row breaks, as (code, where and what)."""
    if found := [(_SHAPE, f"{_dotted(wrong.path)}: {wrong.rule}, {wrong.what}") for wrong in check(_EVENT, row)]:
        return found
    return [*_event(row, now_s), *_user(row["user_data"]), *_money(row)]


def _event(row: dict[str, Any], now_s: int) -> Iterator[Fault]:
    if row["event_name"] not in _EVENT_NAMES:
        yield _NAME, "event_name: Unrecognized event type"
    when = row["event_time"]
    when = when // 1000 if when > _MILLISECONDS_FROM else when
    if when > now_s + _CLOCK_SLACK_S:
        yield _TIME, "event_time: in the future"
    elif when < now_s - _MAX_AGE_S:
        yield _TIME, "event_time: older than 37 days"
    if row["action_source"] == "WEB" and "event_source_url" not in row:
        yield _SHAPE, "event_source_url: required for WEB"
    if row["action_source"] == "MOBILE_APP" and "app_data" not in row:
        yield _SHAPE, "app_data: required for MOBILE_APP"


def _user(user: dict[str, Any]) -> Iterator[Fault]:
    for key in (*_HASHED_LISTS, "external_id"):
        if key in user:
            yield from ((_HASH, text) for text in digests(f"user_data.{key}", user[key]))
    if "client_ip_address" in user and (fault := ip("user_data.client_ip_address", user["client_ip_address"])):
        yield _HASH, fault
    together = {"client_ip_address", "client_user_agent"} <= user.keys()
    if not together and not user.keys() & {"em", "ph", "madid", "mobile_ad_id"}:
        yield _IDENTITY, "user_data: em, ph, a device id, or address and user agent together are required"


def _money(row: dict[str, Any]) -> Iterator[Fault]:
    data = row.get("custom_data", {})
    if row["event_name"] == "PURCHASE":
        yield from ((_VALUE, f"custom_data.{key}: required") for key in ("currency", "value") if data.get(key) is None)
    if "currency" in data and (fault := currency("custom_data.currency", data["currency"])):
        yield _VALUE, fault
    amounts = [("custom_data", data, ("value", "predicted_ltv"))]
    amounts += [
        (f"custom_data.contents[{position}]", item, ("quantity", "item_price"))
        for position, item in enumerate(data.get("contents", []))
    ]
    for where, part, keys in amounts:
        for key in keys:
            if key in part and not is_number(part[key]) and not is_numeric_text(part[key]):
                yield _VALUE, f"{where}.{key}: expected a number"


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "event"
