"""A stand-in for Meta's Conversions API edge, as strict as Meta documents it.

Source: docs/destinations/meta.md (checked 2026-11). Like the real one it rejects a whole batch for one bad event and
does not say which event it was; unlike the real one it says so on its page (`Answer.faults`).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from proxy.clock import DAY_S
from proxy.sandbox.base import REFUSED_TOKEN, TOKEN, Answer, Call, StandIn
from proxy.sandbox.shape import currency, digest, number, only, public_ip

_PATH = re.compile(r"/(v\d+\.\d+)/(\d{1,20})(/events)?\Z")
_OLDEST_VERSION = (21, 0)  # v20.0 ended 2026-09-24
_BATCH = 1000
_MAX_AGE_S = 7 * DAY_S
_MAX_AGE_STORE_S = 62 * DAY_S
_CLOCK_SLACK_S = 60

_BODY_KEYS = frozenset(
    "data test_event_code partner_agent namespace_id upload_id upload_tag upload_source"
    " access_token appsecret_proof".split()
)
_EVENT_KEYS = frozenset(
    "event_name event_time user_data action_source event_source_url event_id custom_data referrer_url opt_out"
    " data_processing_options data_processing_options_country data_processing_options_state original_event_data"
    " app_data messaging_channel customer_segmentation".split()
)
_HASHED = frozenset("em ph fn ln db ge ct st zp country external_id".split())
_PLAIN = frozenset(
    "client_ip_address client_user_agent fbc fbp subscription_id fb_login_id lead_id anon_id madid page_id"
    " page_scoped_user_id ctwa_clid ig_account_id ig_sid".split()
)
_ACTION_SOURCES = frozenset(
    "website app phone_call chat email physical_store system_generated business_messaging other".split()
)
# An event that carries nothing but (a part of) one of these sets is refused since v13.0.
_TOO_LITTLE = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
_SUFFIX = r"(\.(AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8}))?\Z"
# Meta's own libraries put their mark behind hashes and addresses as well ("Parameter Builder", checked 2026-11).
_MARK = re.compile(r"\.(AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})\Z")
_FBC = re.compile(r"fb\.\d{1,2}\.\d{10,14}\.[A-Za-z0-9_-]{1,500}" + _SUFFIX)
_FBP = re.compile(r"fb\.\d{1,2}\.\d{10,14}\.\d{1,20}" + _SUFFIX)


class Meta(StandIn, kind="meta"):
    spoiled: ClassVar = {"event_time": 0}

    def owns(self, call: Call) -> bool:
        return _PATH.match(call.path) is not None

    def answer(self, call: Call, now_ms: int) -> Answer:
        match = _PATH.match(call.path)
        assert match
        version, pixel, edge = match.groups()
        if fault := _credentials(call, version):
            return fault
        if edge is None:
            return Answer(status=200, body={"id": pixel, "name": "Sandbox pixel"})
        if call.method != "POST":
            return _error(100, 33, f"Unsupported {call.method.lower()} request")
        body = call.json()
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            return _error(100, None, "Invalid parameter", faults=["body: expected an object with a list `data`"])
        rows = body["data"]
        if faults := only("body", body, _BODY_KEYS):
            return _error(100, None, "Invalid parameter", faults=faults)
        if not 1 <= len(rows) <= _BATCH:
            return _error(100, None, "Invalid parameter", faults=[f"data: 1 to {_BATCH} events, got {len(rows)}"])
        for position, row in enumerate(rows):
            if found := _check(row, now_ms // 1000):
                subcode, faults = found
                return _error(100, subcode, "Invalid parameter", faults=[f"data[{position}].{text}" for text in faults])
        return Answer(
            status=200,
            body={"events_received": len(rows), "messages": [], "fbtrace_id": "AbCdEfSandbox"},
            accepted=rows,
            accounts=[pixel] * len(rows),
        )

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - one answer for all paths
        match mode:
            case "throttled":
                return _error(4, None, "Application request limit reached", status=429, headers={"Retry-After": "2"})
            case "bad_token":
                return _error(190, 463, "Error validating access token: the session has expired", status=401)
            case _:
                return Answer(status=503, body="<html>Sorry, something went wrong.</html>")

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("event_name"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        return (row.get("event_name"), row["event_id"]) if row.get("event_id") else None


def _credentials(call: Call, version: str) -> Answer | None:
    major, minor = version[1:].split(".")
    if (int(major), int(minor)) < _OLDEST_VERSION:
        return _error(2635, None, f"You are calling a deprecated version of the Ads API ({version}).")
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    token = given if scheme == "Bearer" else call.query.get("access_token", "")
    if token == TOKEN:
        return None
    subcode = 463 if token == REFUSED_TOKEN else None
    return _error(190, subcode, "Invalid OAuth access token - Cannot parse access token", status=400)


def _check(row: Any, now_s: int) -> tuple[int | None, list[str]] | None:
    """The first rule this event breaks, as (error subcode if public, what is wrong); None: fine."""
    if not isinstance(row, dict):
        return None, [": expected an object"]
    if faults := only("", row, _EVENT_KEYS):
        return None, faults
    return (
        _check_event(row, now_s)
        or _check_user_data(row.get("user_data"), str(row.get("action_source")))
        or _check_custom_data(row.get("custom_data", {}), str(row["event_name"]))
    )


def _check_event(row: dict[str, Any], now_s: int) -> tuple[int | None, list[str]] | None:
    name, when, source = row.get("event_name"), row.get("event_time"), row.get("action_source")
    if not isinstance(name, str) or not name:
        return None, ["event_name: required"]
    if not isinstance(when, int) or isinstance(when, bool):
        return None, ["event_time: expected whole Unix seconds"]
    if when > now_s + _CLOCK_SLACK_S:
        return None, ["event_time: in the future"]
    if when < now_s - (_MAX_AGE_STORE_S if source == "physical_store" else _MAX_AGE_S):
        return 2804003, ["event_time: older than 7 days"]
    if str(source) not in _ACTION_SOURCES:
        return None, [f"action_source: unknown {source!r}"]
    if source == "website" and not str(row.get("event_source_url", "")).startswith(("http://", "https://")):
        return None, ["event_source_url: required for website events"]
    if not isinstance(row.get("event_id", ""), str):
        return None, ["event_id: expected a text"]
    options = row.get("data_processing_options", [])
    if options not in ([], ["LDU"]):
        return None, ["data_processing_options: [] or ['LDU']"]
    return None


def _check_user_data(user: Any, source: str) -> tuple[int | None, list[str]] | None:
    if not isinstance(user, dict):
        return None, ["user_data: required"]
    faults = only("user_data", user, _HASHED | _PLAIN)
    for key in user.keys() & _HASHED:
        values = user[key] if isinstance(user[key], list) else [user[key]]
        faults += filter(None, (digest(f"user_data.{key}", _unmarked(value)) for value in values))
    if "client_ip_address" in user:
        address = _unmarked(user["client_ip_address"])
        faults += filter(None, [public_ip("user_data.client_ip_address", address)])
    if faults:
        return None, faults
    if "fbc" in user and not _FBC.match(str(user["fbc"])):
        return 2804001, ["user_data.fbc: malformed click id"]
    if "fbp" in user and not _FBP.match(str(user["fbp"])):
        return None, ["user_data.fbp: malformed browser id"]
    if any(user.keys() <= little for little in _TOO_LITTLE):
        return 2804050, [f"user_data: too little customer information ({', '.join(sorted(user))})"]
    if source == "website" and not user.get("client_user_agent"):
        return None, ["user_data.client_user_agent: required for website events"]
    return None


def _unmarked(value: Any) -> Any:
    return _MARK.sub("", value) if isinstance(value, str) else value


def _check_custom_data(data: Any, name: str) -> tuple[int | None, list[str]] | None:
    if not isinstance(data, dict):
        return None, ["custom_data: expected an object"]
    if name == "Purchase" and data.get("value") is None:
        return 2804009, ["custom_data.value: required for Purchase"]
    if name == "Purchase" and data.get("currency") is None:
        return 2804010, ["custom_data.currency: required for Purchase"]
    faults = [number("custom_data.value", data["value"])] if "value" in data else []
    faults += [currency("custom_data.currency", data["currency"])] if "currency" in data else []
    contents = data.get("contents", [])
    if not isinstance(contents, list):
        faults.append("custom_data.contents: expected a list")
    elif not all(isinstance(item, dict) and item.get("id") and item.get("quantity") for item in contents):
        faults.append("custom_data.contents: every item needs id and quantity")
    found = [fault for fault in faults if fault]
    return (None, found) if found else None


def _error(
    code: int,
    subcode: int | None,
    message: str,
    *,
    status: int = 400,
    headers: Mapping[str, str] | None = None,
    faults: list[str] | None = None,
) -> Answer:
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEfSandbox"}
    if subcode is not None:
        error["error_subcode"] = subcode
    return Answer(status=status, body={"error": error}, headers=headers or {}, faults=faults or [message])
