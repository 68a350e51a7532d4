"""A stand-in for Pinterest's Conversions API v5.

Source: docs/destinations/pinterest.md (checked 2026-11); the tables are the request body of Pinterest's published API
description 5.23.0. What breaks the schema costs the whole request (HTTP 400) as with the real one. What the schema
lets pass but the documentation forbids (an unknown name, a wrong hash, a time in the future) fails its row only. The
age limit of 7 days is an integrator's figure: the official one is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

from proxy.clock import DAY_S
from proxy.sandbox.base import TOKEN, Answer, Call, RefusedRow, StandIn
from proxy.sandbox.schema import Flag, Many, Table, Text, Whole, Wrong, check, is_numeric_text
from proxy.sandbox.shape import currency, digests, ip

_PATH = re.compile(r"/v5/ad_accounts/([^/]+)/events\Z")
_ACCOUNT = re.compile(r"\d{1,18}\Z")
_BATCH = 1000
_MAX_AGE_S = 7 * DAY_S
_CLOCK_SLACK_S = 60
_SCHEMA, _AUTH, _PARAMETER, _RATE = 4196, 2, 1, 8

_TEXT, _LIST, _MAYBE = Text(), Many(of=Text()), Text(nullable=True)
_UP_TO_200, _UP_TO_100 = Text(longest=200), Text(longest=100)
_PIXELS = Whole(low=0, high=30720)
_SPACE = Whole(low=0, high=1_048_576)
_APP_INFO = Table(
    fields={
        **dict.fromkeys(("app_id", "app_name", "app_package_name"), _UP_TO_200),
        **dict.fromkeys(("app_store", "app_version"), _UP_TO_100),
        "install_time": Whole(low=0),
        "user_agent": Text(longest=16384),
        "window_height": _PIXELS,
        "window_width": _PIXELS,
    }
)
_DEVICE_INFO = Table(
    fields={
        **dict.fromkeys(("brand", "carrier", "kernel_version", "model", "os_name"), _UP_TO_100),
        **dict.fromkeys(("os_release_name", "os_version", "type"), _UP_TO_100),
        "battery_level": Whole(low=0, high=100),
        "cpu_cores": Whole(low=0, high=1152),
        **dict.fromkeys(("external_storage_free_space", "external_storage_size"), _SPACE),
        **dict.fromkeys(("storage_free_space", "storage_size"), _SPACE),
        "form_factor": Text(
            choices=frozenset(
                {"desktop", "laptop", "cellphone", "tablet", "smartwatch", "tv", "vr", "console", "other"}
            )
        ),
        "languages": Many(of=Text(), most=100),
        "locale": Text(longest=35),
        "network_type": Text(
            choices=frozenset({"wifi", "ethernet", "unknown", *(f"cellular_{number}g" for number in range(2, 7))})
        ),
        "os_family": Text(choices=frozenset({"ios", "android", "macos", "windows", "linux", "bsd", "other"})),
        "screen_density": Whole(low=0, high=100_000),
        **dict.fromkeys(("screen_height", "screen_width"), _PIXELS),
        "timezone": Text(longest=40),
        "timezone_abbr": Text(longest=5),
    }
)
_HASHED = ("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country", "external_id", "hashed_maids")
_USER = Table(
    fields={
        **dict.fromkeys(_HASHED, _LIST),
        **dict.fromkeys(("client_ip_address", "client_user_agent"), _TEXT),
        **dict.fromkeys(("click_id", "partner_id"), _MAYBE),
    },
    is_open=True,
)
_CONTENT = Table(
    fields={
        **dict.fromkeys(("id", "item_name", "item_category", "item_brand", "item_price"), _TEXT),
        "quantity": Whole(),
    }
)
_CUSTOM = Table(
    fields={
        **dict.fromkeys(("content_brand", "content_category", "content_name", "currency", "np"), _MAYBE),
        **dict.fromkeys(("external_measurement_id", "opt_out_type", "order_id", "predicted_ltv"), _MAYBE),
        **dict.fromkeys(("search_string", "value"), _MAYBE),
        "external_measurement_vendor_id": Whole(nullable=True),
        "content_ids": _LIST,
        "contents": Many(of=_CONTENT),
        "num_items": Whole(),
    }
)
_EVENT = Table(
    fields={
        **dict.fromkeys(("event_name", "action_source", "event_id"), _TEXT),
        "event_time": Whole(),
        "user_data": _USER,
        "custom_data": _CUSTOM,
        "app_info": _APP_INFO,
        "device_info": _DEVICE_INFO,
        **dict.fromkeys(("opt_out", "wifi"), Flag()),
        **dict.fromkeys(("event_source_url", "language", "partner_name"), _MAYBE),
        **dict.fromkeys(("app_id", "app_name", "app_version"), _MAYBE),
        **dict.fromkeys(("device_brand", "device_carrier", "device_model", "device_type", "os_version"), _MAYBE),
    },
    required=("event_name", "action_source", "event_time", "user_data", "event_id"),
)
_BODY = Table(fields={"data": Many(of=_EVENT, least=1, most=_BATCH)}, required=("data",))
# Any of these sets satisfies the schema.
_IDENTITIES = (frozenset({"em"}), frozenset({"hashed_maids"}), frozenset({"client_ip_address", "client_user_agent"}))
_EVENT_NAMES = frozenset(
    "add_payment_info add_to_cart add_to_wishlist app_install checkout custom initiate_checkout lead page_visit search"
    " signup subscribe view_category view_content watch_video"
    " app_open contact customize_product find_location schedule start_trial submit_application".split()
)
_SOURCES = frozenset({"web", "app_ios", "app_android", "offline"})
_LANGUAGE = re.compile(r"[a-z]{2}\Z")
_PARTNER = re.compile(r"ss-[a-z0-9-]+\Z")


class Pinterest(StandIn, kind="pinterest"):
    spoiled: ClassVar = {"event_time": 4_102_444_800}  # the year 2100: passes the schema, fails its row

    def owns(self, call: Call) -> bool:
        return _PATH.match(call.path) is not None

    def answer(self, call: Call, now_ms: int) -> Answer:
        match = _PATH.match(call.path)
        assert match
        (account,) = match.groups()
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, _AUTH, "Authentication failed.")
        if call.method != "POST":
            return _error(405, _PARAMETER, f"Method {call.method} not allowed.")
        if not _ACCOUNT.match(account):
            return _error(400, _PARAMETER, f"'{account}' does not match '^\\d+$'")
        body = call.json()
        if faults := [_message(wrong) for wrong in check(_BODY, body)]:
            return _error(400, _SCHEMA, faults[0][1], faults=[f"{where}: {text}" for where, text in faults])
        rows = body["data"]
        for position, row in enumerate(rows):
            if not any(keys <= row["user_data"].keys() for keys in _IDENTITIES):
                said = f"{row['user_data']} is not valid under any of the given schemas"
                fault = f"data[{position}].user_data: em, hashed_maids, or address and user agent together are required"
                return _error(400, _SCHEMA, said, faults=[fault])
        found = [list(_faults(row, now_ms // 1000)) for row in rows]
        kept = (
            []
            if call.query.get("test") == "true"
            else [row for row, faults in zip(rows, found, strict=True) if not faults]
        )
        return Answer(
            status=200,
            body={
                "num_events_received": len(rows),
                "num_events_processed": sum(not faults for faults in found),
                "events": [_verdict(faults) for faults in found],
            },
            accepted=kept,
            accounts=[account] * len(kept),
            refused=[RefusedRow(row, faults) for row, faults in zip(rows, found, strict=True) if faults],
        )

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("event_name"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        return None if row.get("action_source") == "offline" else (row.get("event_name"), row.get("event_id"))

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - one answer for all paths
        match mode:
            case "throttled":
                return _error(429, _RATE, "This request exceeded a rate limit.", headers={"Retry-After": "2"})
            case "bad_token":
                return _error(401, _AUTH, "Authentication failed.")
            case _:
                return Answer(status=503, body="<html>503 Service Unavailable</html>")


def _verdict(faults: list[str]) -> dict[str, str]:
    return {"status": "failed" if faults else "processed", "error_message": "; ".join(faults), "warning_message": ""}


def _faults(row: dict[str, Any], now_s: int) -> Iterator[str]:
    """What the schema lets pass and the documentation forbids."""
    if row["event_name"] not in _EVENT_NAMES:
        yield f"event_name: {row['event_name']!r} is not an event of Pinterest's; others go as 'custom'"
    if row["action_source"] not in _SOURCES:
        yield f"action_source: one of {', '.join(sorted(_SOURCES))} is expected"
    if not row["event_id"]:
        yield "event_id: empty"
    if row["event_time"] > now_s + _CLOCK_SLACK_S:
        yield "event_time: in the future (Unix seconds are expected)"
    elif row["event_time"] < now_s - _MAX_AGE_S:
        yield "event_time: older than 7 days"
    if not _LANGUAGE.match(row.get("language") or "en"):
        yield "language: two lower-case letters (ISO 639-1) are expected"
    if not _PARTNER.match(row.get("partner_name") or "ss-x"):
        yield "partner_name: the form ss-name in lower case is expected"
    yield from _user(row["user_data"])
    yield from _custom(row.get("custom_data", {}))


def _user(user: dict[str, Any]) -> Iterator[str]:
    for key in _HASHED:
        if key in user:
            yield from digests(f"user_data.{key}", user[key])
    if "client_ip_address" in user and (fault := ip("user_data.client_ip_address", user["client_ip_address"])):
        yield fault


def _custom(data: dict[str, Any]) -> Iterator[str]:
    if data.get("currency") is not None and (fault := currency("custom_data.currency", data["currency"])):
        yield fault
    amounts = [(f"custom_data.{key}", data.get(key)) for key in ("value", "predicted_ltv")]
    amounts += [
        (f"custom_data.contents[{position}].item_price", item.get("item_price"))
        for position, item in enumerate(data.get("contents", []))
    ]
    yield from (
        f"{where}: a decimal number as text is expected"
        for where, amount in amounts
        if amount is not None and not is_numeric_text(amount)
    )
    if data.get("opt_out_type") is not None and "LDP" not in data["opt_out_type"].split(","):
        yield "custom_data.opt_out_type: LDP is expected"


def _message(wrong: Wrong) -> tuple[str, str]:
    """(where, the validator's words)."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong.path).lstrip(".") or "body"
    match wrong.rule:
        case "unknown":
            return where, f"Additional properties are not allowed ({wrong.what!r} was unexpected)"
        case "required":
            return where, f"{wrong.what!r} is a required property"
        case "choice":
            return where, f"{wrong.value!r} is not one of [{wrong.what}]"
        case "type":
            return where, f"{wrong.value!r} is not of type {wrong.what!r}"
        case _:
            return where, f"{wrong.value!r} is out of range: {wrong.what}"


def _error(
    status: int,
    code: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    faults: list[str] | None = None,
) -> Answer:
    body = {"code": code, "message": message}
    return Answer(status=status, body=body, headers=headers or {}, faults=faults or [message])
