"""A stand-in for TikTok's Events API 2.0.

Source: docs/destinations/tiktok.md (checked 2026-11). TikTok answers nearly everything with HTTP 200 and says in `code`
what it means; one bad row costs the whole request and is named as `Batch.<n>.…`. How TikTok treats unknown keys and old
events is not documented: here unknown keys are refused (`properties` excepted, custom ones belong there) and so is what
is older than the longest click window, 28 days.
"""

from __future__ import annotations

import re
import string
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

from proxy.clock import DAY_S
from proxy.sandbox.base import TOKEN, Answer, Call, StandIn
from proxy.sandbox.schema import Anything, Flag, Many, Number, OneOrMany, Table, Text, Whole, Wrong, check
from proxy.sandbox.shape import currency, digests, ip

_API = "/open_api/"
_PATH = "/open_api/v1.3/event/track/"
_BATCH = 1000
_MAX_AGE_S = 28 * DAY_S
_CLOCK_SLACK_S = 60
_LONGEST_TTP = 128

_OK, _BAD_PRICE, _BAD_PARAMETER, _THROTTLED, _NO_TOKEN, _BAD_TOKEN = 0, 40000, 40002, 40100, 40104, 40105

_TEXT = Text()
_SOURCES = frozenset({"web", "app", "offline", "crm"})
_USER_SHA256 = ("email", "phone", "external_id", "first_name", "last_name", "zip_code")
_USER_PLAIN = ("city", "state", "country")
_USER = Table(
    fields={
        **dict.fromkeys(("email", "phone", "external_id"), OneOrMany(_TEXT)),
        **dict.fromkeys(("first_name", "last_name", "zip_code", *_USER_PLAIN), Text(shortest=1)),
        **dict.fromkeys(("ttclid", "ttp", "ip", "user_agent", "locale", "idfa", "gaid", "idfv"), Text(shortest=1)),
        "att_status": Text(
            choices=frozenset({"AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE"})
        ),
    }
)
_CONTENT = Table(
    fields={
        **dict.fromkeys(("content_id", "content_name", "content_category", "brand"), _TEXT),
        "price": Number(),
        "quantity": Whole(),
    }
)
_PROPERTIES = Table(
    fields={
        "contents": Many(of=_CONTENT),
        "content_ids": Many(of=_TEXT),
        "content_type": Text(choices=frozenset({"product", "product_group"})),
        "value": Number(),
        "num_items": Whole(),
        "predicted_ltv": Number(),
        "delivery_category": Text(choices=frozenset({"in_store", "curbside", "home_delivery"})),
        **dict.fromkeys(("currency", "search_string", "query", "description", "order_id", "shop_id"), _TEXT),
    },
    is_open=True,
)
_EVENT = Table(
    fields={
        "event": Text(shortest=1),
        "event_time": Whole(),
        "event_id": Text(shortest=1),
        "user": _USER,
        "properties": _PROPERTIES,
        "page": Table(fields={"url": _TEXT, "referrer": _TEXT}),
        "app": Table(fields=dict.fromkeys(("app_id", "app_name", "app_version"), _TEXT)),
        "ad": Table(fields={}, is_open=True),
        "lead": Table(fields=dict.fromkeys(("lead_id", "lead_event_source"), _TEXT)),
        "limited_data_use": Flag(),
    },
    required=("event", "event_time"),
)
_BODY = Table(
    fields={
        "event_source": Text(choices=_SOURCES),
        "event_source_id": Text(shortest=1),
        "test_event_code": Text(shortest=1),
        "partner_name": Text(shortest=1),
        "data": Many(of=Anything(), least=1, most=_BATCH),
    },
    required=("event_source", "event_source_id", "data"),
)
_NEEDED = {"web": ("page", "url"), "app": ("app", "app_id"), "crm": ("lead", "lead_id")}
_NEVER = {
    "web": ("app", "ad", "lead", "user.idfa", "user.gaid", "user.idfv", "user.att_status"),
    "app": ("page", "lead", "user.ttclid", "user.ttp", "user.external_id"),
    "offline": (
        "page",
        "app",
        "ad",
        "lead",
        "user.ttclid",
        "user.ttp",
        "user.ip",
        "user.user_agent",
        "user.external_id",
    ),
    "crm": ("page", "app", "ad", "user.ttclid", "user.ttp", "user.ip", "user.user_agent"),
}
_STANDARD = frozenset(
    "AddPaymentInfo AddToCart AddToWishlist ApplicationApproval CompleteRegistration Contact CustomizeProduct Download"
    " FindLocation InitiateCheckout Lead Purchase Schedule Search StartTrial SubmitApplication Subscribe ViewContent"
    " CompletePayment SubmitForm ClickButton PlaceAnOrder".split()
)
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_WORDS = {"string": "Not a valid string", "integer": "Not a valid integer", "number": "Not a valid number"}


class TikTok(StandIn, kind="tiktok"):
    spoiled: ClassVar = {"event_time": "soon"}

    def owns(self, call: Call) -> bool:
        return call.path.startswith(_API)

    def answer(self, call: Call, now_ms: int) -> Answer:
        if call.path != _PATH or call.method != "POST":
            fault = f"events go as POST to {_PATH} (with the slash at its end), not as {call.method} to {call.path}"
            return Answer(status=404, body="<html>404 Not Found</html>", faults=[fault])
        if refusal := _credentials(call):
            return refusal
        body = call.json()
        for wrong in check(_BODY, body):
            return _refused(_BAD_PARAMETER, _message(wrong))
        source, pixel, rows = body["event_source"], body["event_source_id"], body["data"]
        for position, row in enumerate(rows):
            if found := next(_faults(row, source, now_ms // 1000), None):
                code, text = found
                return _refused(code, f"Batch.{position}.{text}")
        return Answer(status=200, body=_body(_OK, "OK"), accepted=rows, accounts=[pixel] * len(rows))

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("event"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        return (row.get("event"), row["event_id"]) if row.get("event_id") else None

    def trouble(self, mode: str, call: Call | None = None) -> Answer:  # noqa: ARG002 - one answer for all paths
        match mode:
            case "throttled":
                return _refused(_THROTTLED, "Too many requests. Please retry in some time.")
            case "bad_token":
                return _refused(_BAD_TOKEN, "Access token is incorrect or has been revoked.")
            case _:
                return Answer(status=502, body="<html><head><title>502 Bad Gateway</title></head></html>")


def _credentials(call: Call) -> Answer | None:
    token = call.headers.get("access-token", "")
    if token == TOKEN:
        return None
    if not token:
        return _refused(_NO_TOKEN, "Access token is empty. Pass it in the header Access-Token.")
    return _refused(_BAD_TOKEN, "Access token is incorrect or has been revoked.")


def _faults(row: Any, source: str, now_s: int) -> Iterator[tuple[int, str]]:
    """Every rule the row breaks, as (code, where and what)."""
    found = False
    for wrong in check(_EVENT, row):
        found = True
        yield _BAD_PRICE if wrong.path[-1:] == ("price",) else _BAD_PARAMETER, _message(wrong)
    if not found:
        texts = (*_time(row, now_s), *_source(row, source), *_user(row.get("user", {})), *_money(row))
        yield from ((_BAD_PARAMETER, text) for text in texts)


def _time(row: dict[str, Any], now_s: int) -> Iterator[str]:
    if row["event_time"] > now_s + _CLOCK_SLACK_S:
        yield "event_time: in the future (Unix seconds are expected)"
    elif row["event_time"] < now_s - _MAX_AGE_S:
        yield "event_time: older than 28 days"


def _source(row: dict[str, Any], source: str) -> Iterator[str]:
    if source in _NEEDED:
        part, key = _NEEDED[source]
        if not row.get(part, {}).get(key):
            yield f"{part}.{key}: Missing data for required field."
    for name in _NEVER[source]:
        part, _, key = name.partition(".")
        if part in row and (not key or key in row[part]):
            yield f"{name}: not supported for event_source {source}"
    if source == "offline":
        if row["event"] not in _STANDARD:
            yield "event: offline events take standard names only"
        if not row.get("user", {}).keys() & {"email", "phone"}:
            yield "user: offline events need email or phone"


def _user(user: dict[str, Any]) -> Iterator[str]:
    for key in _USER_SHA256:
        if key in user:
            yield from digests(f"user.{key}", user[key])
    for key in _USER_PLAIN:
        if key in user and (user[key] != user[key].lower() or set(user[key]) & _SEPARATORS):
            yield f"user.{key}: expected lower-case letters and digits only, not hashed"
    if "country" in user and len(user["country"]) != 2:  # noqa: PLR2004 - ISO 3166-1 alpha-2
        yield "user.country: expected two letters"
    if "ip" in user and (fault := ip("user.ip", user["ip"])):
        yield fault
    if "ttp" in user and (len(user["ttp"]) > _LONGEST_TTP or set(user["ttp"]) & set(string.whitespace)):
        yield f"user.ttp: expected a token of at most {_LONGEST_TTP} characters"
    if "ttclid" in user and set(user["ttclid"]) & set(string.whitespace):
        yield "user.ttclid: expected a token"
    if "locale" in user and not _LOCALE.match(user["locale"]):
        yield "user.locale: expected a language tag (BCP 47)"


_SEPARATORS = set(string.whitespace + string.punctuation)


def _money(row: dict[str, Any]) -> Iterator[str]:
    properties = row.get("properties", {})
    if "currency" in properties and (fault := currency("properties.currency", properties["currency"])):
        yield fault


def _message(wrong: Wrong) -> str:
    where = ".".join(map(str, wrong.path))
    match wrong.rule:
        case "unknown":
            return f"{where}.{wrong.what}".lstrip(".") + ": Unknown field."
        case "required":
            return f"{where}.{wrong.what}".lstrip(".") + ": Missing data for required field."
        case "choice":
            return f"{where}: Must be one of: {wrong.what}."
        case "type" if wrong.path[-1:] == ("price",):
            return f"{where}: Invalid Price Field"
        case "type" if wrong.path == ("event_source_id",):
            return "Invalid value for event_source_id: not a valid string."
        case "type":
            return f"{where}: {_WORDS.get(wrong.what, f'Not a valid {wrong.what}')}"
        case _:
            return f"{where}: {wrong.what} expected"


def _body(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "20261123000000SANDBOX", "data": {}}


def _refused(code: int, message: str) -> Answer:
    return Answer(status=200, body=_body(code, message), faults=[f"{code} {message}"])
