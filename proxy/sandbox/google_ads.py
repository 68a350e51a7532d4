"""A stand-in for Google's Data Manager API v1, as a destination for Google Ads uses it: token, ingest, status.

Source: docs/destinations/google_ads.md (checked 2026-11). Like the real one it fails fast: one bad event costs the
whole request, and every bad event is named in `fieldViolations`. What Google decides later (consent denied) is in the
answer of `requestStatus:retrieve`; the request id itself holds what that needs, so nothing is remembered here. Unlike
the real one, which takes half an hour, it is done after five seconds. Google's limit for the age of events is not
documented: here 90 days, the longest click window.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from proxy.clock import DAY_MS
from proxy.event import encode_json
from proxy.sandbox import _google_token as token_endpoint
from proxy.sandbox._google_schema import Violation, normal, timestamp_ms, violations
from proxy.sandbox.base import TOKEN, Answer, Call, RefusedRow, StandIn
from proxy.sandbox.shape import JUNK_DIGESTS, currency

_INGEST = "/v1/events:ingest"
_STATUS = "/v1/requestStatus:retrieve"
_EVENTS, _DESTINATIONS, _IDENTIFIERS = 2000, 10, 10
_MAX_AGE_MS = 90 * DAY_MS
_CLOCK_SLACK_MS = 60_000
_PROCESSING_MS = 5_000
_ADS_ACCOUNT_DIGITS = 10
_LONGEST_SESSION_ATTRIBUTES = 4000
_SHA256_BYTES = 32

_AD_IDENTIFIERS = frozenset(
    "gclid gbraid wbraid dclid impressionId matchId mobileDeviceId encryptedUserIds ppid visitorPpid".split()
)
# Seen refused by the live API (one character), or refused by other senders because it never is an id.
_NO_TRANSACTION_ID = re.compile(r".|1234?|null|undefined|none|transactionId|transaction_id")
_HEX = re.compile(r"[0-9a-fA-F]*\Z")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z")
_REGION = re.compile(r"[A-Z]{2}\Z")
_ENCODINGS = {1: "HEX", 2: "BASE64"}
_DENIED = ("CONSENT_DENIED", 2)
Row = Mapping[str, Any]


class _Batch(msgspec.Struct, frozen=True):
    """What a rule about an event needs to know of the request around it."""

    destinations: list[dict[str, Any]]
    encoding: Any
    consent: Row
    is_dry: bool
    now_ms: int

    def targets(self, event: Row) -> list[dict[str, Any]]:
        names = event.get("destinationReferences")
        return [one for one in self.destinations if one.get("reference") in names] if names else self.destinations


class _Ticket(msgspec.Struct, frozen=True):
    """What a request id stands for; `to`: (place, events, of these denied) per destination."""

    at: int
    dry: bool
    to: list[tuple[str, int, int]]


class GoogleAds(StandIn, kind="google_ads"):
    rows_key: ClassVar = "events"
    spoiled: ClassVar = {"currency": "euro"}

    def owns(self, call: Call) -> bool:
        return call.path in {token_endpoint.PATH, _INGEST, _STATUS}

    def answer(self, call: Call, now_ms: int) -> Answer:
        if call.path == token_endpoint.PATH:
            return token_endpoint.answer(call, now_ms)
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "UNAUTHENTICATED", "The request had invalid authentication credentials.")
        if call.path == _STATUS:
            return _status(call.query.get("requestId", ""), now_ms)
        if call.method != "POST":
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        return _ingest(call.json(), now_ms)

    def name_of(self, row: Row) -> str:
        return str(row.get("eventName") or "conversion")

    def dedup_key(self, row: Row) -> Hashable | None:
        return normal(row).get("transactionId") or None

    def trouble(self, mode: str, call: Call | None = None) -> Answer:
        at_token = call is not None and call.path == token_endpoint.PATH
        match mode:
            case "throttled":
                answer = _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", reason="RATE_LIMIT_EXCEEDED")
                return msgspec.structs.replace(answer, headers={"Retry-After": "2"})
            case "bad_token" if at_token:
                return token_endpoint.refused("invalid_grant", "Token has been expired or revoked.")
            case "bad_token":
                return _error(401, "UNAUTHENTICATED", "The request had invalid authentication credentials.")
            case _:
                return _error(503, "UNAVAILABLE", "The service is currently unavailable.")


def _ingest(given: Any, now_ms: int) -> Answer:
    body = normal(given)
    if found := list(violations(body)):
        return _refused(found)
    batch = _Batch(
        destinations=body.get("destinations", []),
        encoding=_ENCODINGS.get(body.get("encoding"), body.get("encoding")),
        consent=body.get("consent", {}),
        is_dry=body.get("validateOnly", False),
        now_ms=now_ms,
    )
    events = body.get("events", [])
    found = [*_request(batch, events), *_destinations(batch)]
    for position, event in enumerate(events):
        found += _event(event, f"events[{position}]", batch)
    if found:
        return _refused(found)
    warnings = [warning for position, event in enumerate(events) for warning in _warnings(event, f"events[{position}]")]
    return _taken(batch, events, _rows(given), warnings)


def _rows(given: Any) -> list[Row]:
    rows: list[Row] = given["events"]
    return rows


def _taken(batch: _Batch, events: list[Row], rows: list[Row], warnings: list[dict[str, str]]) -> Answer:
    """`rows` as they were sent, one of `accepted` for each destination an event goes to."""
    accepted, accounts, dropped = [], [], []
    counts: dict[str, tuple[int, int]] = {}
    for event, row in zip(events, rows, strict=True):
        is_denied = {**batch.consent, **event.get("consent", {})}.get("adUserData") in _DENIED
        if is_denied:
            dropped.append(RefusedRow(row, ["DENIED_CONSENT: taken, and dropped in processing"]))
        for target in batch.targets(event):
            place = _place(target)
            total, denied = counts.get(place, (0, 0))
            counts[place] = (total + 1, denied + is_denied)
            if not is_denied:
                accepted.append(row)
                accounts.append(place)
    ticket = _Ticket(at=batch.now_ms, dry=batch.is_dry, to=[(place, *count) for place, count in counts.items()])
    body = {"requestId": base64.urlsafe_b64encode(encode_json(ticket)).decode().rstrip("=")}
    if batch.is_dry:
        return Answer(status=200, body=body)
    answer = {**body, "fieldWarnings": warnings} if warnings else body
    return Answer(status=200, body=answer, accepted=accepted, accounts=accounts, refused=dropped)


def _place(target: Row) -> str:
    return f"{target['operatingAccount']['accountId']}/{target.get('productDestinationId', '')}"


# --- rules of the request


def _request(batch: _Batch, events: list[Row]) -> Iterator[Violation]:
    if not batch.destinations:
        yield _missing("destinations")
    if len(batch.destinations) > _DESTINATIONS:
        yield Violation("destinations", f"At most {_DESTINATIONS} destinations.", "TOO_MANY_DESTINATIONS")
    if not events:
        yield _missing("events")
    if len(events) > _EVENTS:
        yield Violation("events", f"At most {_EVENTS} events.", "TOO_MANY_EVENTS")


def _destinations(batch: _Batch) -> Iterator[Violation]:
    names = [one["reference"] for one in batch.destinations if one.get("reference")]
    if len(set(names)) < len(names):
        yield Violation("destinations", "References must differ.", "DUPLICATE_DESTINATION_REFERENCE")
    for position, one in enumerate(batch.destinations):
        where = f"destinations[{position}]"
        if len(batch.destinations) > 1 and not one.get("reference"):
            yield _missing(f"{where}.reference")
        if "operatingAccount" not in one:
            yield _missing(f"{where}.operating_account")
        for key, snake in (("operatingAccount", "operating_account"), ("loginAccount", "login_account")):
            if key in one:
                yield from _account(one[key], f"{where}.{snake}")
        action = one.get("productDestinationId")
        if not action:
            yield _missing(f"{where}.product_destination_id")
        elif _is_ads(one) and not (action.isascii() and action.isdigit()):
            said = "The numeric id of a conversion action is expected."
            yield Violation(f"{where}.product_destination_id", said, "INVALID_CONVERSION_ACTION_ID")


def _account(account: Row, where: str) -> Iterator[Violation]:
    if not account.get("accountType"):
        yield _missing(f"{where}.account_type")
    number = account.get("accountId", "")
    if not number:
        yield _missing(f"{where}.account_id")
    elif not (number.isascii() and number.isdigit()):
        yield Violation(f"{where}.account_id", "Digits only.", "INVALID_ACCOUNT_ID")
    elif account.get("accountType") == "GOOGLE_ADS" and len(number) != _ADS_ACCOUNT_DIGITS:
        yield Violation(f"{where}.account_id", f"{_ADS_ACCOUNT_DIGITS} digits are expected.", "INVALID_ACCOUNT_ID")


def _is_ads(target: Row) -> bool:
    kind: Any = target.get("operatingAccount", {}).get("accountType")
    return bool(kind == "GOOGLE_ADS")


# --- rules of one event


def _event(event: Row, where: str, batch: _Batch) -> Iterator[Violation]:
    targets = batch.targets(event)
    known = {one.get("reference") for one in batch.destinations}
    if not known.issuperset(event.get("destinationReferences", [])):
        yield Violation(f"{where}.destination_references", "No destination has this reference.", "INVALID_DESTINATION")
    yield from _time(event, where, batch.now_ms)
    yield from _money(event, where)
    transaction = event.get("transactionId", "")
    if transaction and not batch.is_dry and _NO_TRANSACTION_ID.fullmatch(transaction):
        yield Violation(f"{where}.transaction_id", "Not an id.", "INVALID_ARGUMENT")
    yield from _identifiers(event, where, batch, is_ads=any(map(_is_ads, targets)))
    properties = [one for one in targets if one.get("operatingAccount", {}).get("accountType") == _ANALYTICS]
    if properties:
        yield from _analytics(event, where, len(properties))


_ANALYTICS = "GOOGLE_ANALYTICS_PROPERTY"


def _time(event: Row, where: str, now_ms: int) -> Iterator[Violation]:
    where = f"{where}.event_timestamp"
    if "eventTimestamp" not in event:
        yield _missing(where)
        return
    age_ms = now_ms - timestamp_ms(event["eventTimestamp"])
    if age_ms < -_CLOCK_SLACK_MS:
        yield Violation(where, "The time is in the future.", "EVENT_TIME_INVALID")
    elif age_ms > _MAX_AGE_MS:
        yield Violation(where, "The time is too long ago.", "EVENT_TIME_INVALID")


def _money(event: Row, where: str) -> Iterator[Violation]:
    if event.get("conversionValue") is not None and not event.get("currency"):
        yield _missing(f"{where}.currency")
    if event.get("currency") and currency("", event["currency"]):
        yield Violation(f"{where}.currency", "An ISO 4217 code is expected.", "INVALID_CURRENCY_CODE")


def _identifiers(event: Row, where: str, batch: _Batch, *, is_ads: bool) -> Iterator[Violation]:
    people = event.get("userData", {}).get("userIdentifiers", [])
    clicks = event.get("adIdentifiers", {})
    if is_ads and not people and not any(clicks.get(key) for key in _AD_IDENTIFIERS):
        yield Violation(where, "User data or an ad identifier is required.", "NO_IDENTIFIERS_PROVIDED")
    if people and batch.encoding not in {"HEX", "BASE64"}:
        yield _missing("encoding")
    if len(people) > _IDENTIFIERS:
        said = f"At most {_IDENTIFIERS} identifiers."
        yield Violation(f"{where}.user_data.user_identifiers", said, "TOO_MANY_USER_IDENTIFIERS")
    for position, one in enumerate(people):
        yield from _person(one, f"{where}.user_data.user_identifiers[{position}]", batch.encoding)
    session = clicks.get("sessionAttributes", "")
    if session and not (len(session) <= _LONGEST_SESSION_ATTRIBUTES and _BASE64URL.match(session)):
        said = f"base64url without padding, at most {_LONGEST_SESSION_ATTRIBUTES} characters."
        yield Violation(f"{where}.ad_identifiers.session_attributes", said, "FIELD_VALUE_TOO_LONG")


def _person(one: Row, where: str, encoding: Any) -> Iterator[Violation]:
    if len(one) != 1:
        yield Violation(where, "Exactly one of email_address, phone_number, address is expected.")
        return
    hashed = [(f"{where}.{snake}", one[key]) for key, snake in _HASHED if key in one]
    if "address" in one:
        address, where = one["address"], f"{where}.address"
        yield from (_missing(f"{where}.{snake}") for key, snake in _ADDRESS if not address.get(key))
        if address.get("regionCode") and not _REGION.match(address["regionCode"]):
            said = "Two upper-case letters (ISO 3166-1) are expected."
            yield Violation(f"{where}.region_code", said, "INVALID_FIELD_VALUE")
        names = (("givenName", "given_name"), ("familyName", "family_name"), ("addressLine", "address_line"))
        hashed += [(f"{where}.{snake}", address[key]) for key, snake in names if address.get(key)]
    for place, value in hashed:
        if reason := _hash_fault(value, encoding):
            yield Violation(place, "A SHA-256 digest is expected.", reason)


_HASHED = (("emailAddress", "email_address"), ("phoneNumber", "phone_number"))
_ADDRESS = (
    ("givenName", "given_name"),
    ("familyName", "family_name"),
    ("regionCode", "region_code"),
    ("postalCode", "postal_code"),
)


def _hash_fault(value: str, encoding: Any) -> str | None:
    """The reason Google gives for what is no digest. Digests of nothing are our own addition."""
    if encoding == "BASE64":
        try:
            raw = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return "INVALID_BASE64_ENCODING"
    elif _HEX.match(value) and len(value) % 2 == 0:
        raw = bytes.fromhex(value)
    else:
        return "INVALID_HEX_ENCODING"
    return "INVALID_SHA256_FORMAT" if len(raw) != _SHA256_BYTES or raw.hex() in JUNK_DIGESTS else None


def _analytics(event: Row, where: str, properties: int) -> Iterator[Violation]:
    if properties > 1:
        said = "One Google Analytics destination at most."
        yield Violation(where, said, "MULTIPLE_DESTINATIONS_FOR_GOOGLE_ANALYTICS_EVENT")
    if not event.get("eventName"):
        yield _missing(f"{where}.event_name")
    if event.get("clientId") and event.get("appInstanceId"):
        yield Violation(where, "client_id or app_instance_id.", "BOTH_CLIENT_ID_AND_APP_INSTANCE_ID_NOT_ALLOWED")
    if not event.get("clientId") and not event.get("appInstanceId"):
        yield _missing(f"{where}.client_id")


def _warnings(event: Row, where: str) -> Iterator[dict[str, str]]:
    cart = event.get("cartData")
    if cart is None:
        return
    clicks = event.get("adIdentifiers", {})
    if clicks.get("gbraid") or clicks.get("wbraid"):
        yield _warning(f"{where}.cart_data", "CART_DATA_NOT_SUPPORTED_WITH_GBRAID_OR_WBRAID")
    for position, item in enumerate(cart.get("items", [])):
        place = f"{where}.cart_data.items[{position}]"
        if not item.get("merchantProductId"):
            yield _warning(f"{place}.merchant_product_id", "CART_DATA_ITEM_MERCHANT_PRODUCT_ID_MISSING")
        if item.get("unitPrice") is None:
            yield _warning(f"{place}.unit_price", "CART_DATA_ITEM_UNIT_PRICE_MISSING")


def _warning(field: str, reason: str) -> dict[str, str]:
    return {"field": field, "reason": f"WARNING_REASON_{reason}", "description": "taken all the same"}


def _missing(field: str) -> Violation:
    return Violation(field, "This field is required.", "REQUIRED_FIELD_MISSING")


# --- answers


def _status(request_id: str, now_ms: int) -> Answer:
    """What became of a request, read out of its id."""
    try:
        raw = base64.urlsafe_b64decode(request_id + "=" * (-len(request_id) % 4))
        ticket = msgspec.json.decode(raw, type=_Ticket)
    except (ValueError, msgspec.DecodeError):
        ticket = None
    if ticket is None or ticket.dry:
        return _refused([Violation("request_id", "No request has this id.", "INVALID_REQUEST_ID")])
    is_done = now_ms - ticket.at >= _PROCESSING_MS
    statuses = [_of_destination(place, total, denied, is_done=is_done) for place, total, denied in ticket.to]
    return Answer(status=200, body={"requestStatusPerDestination": statuses})


def _of_destination(place: str, total: int, denied: int, *, is_done: bool) -> dict[str, Any]:
    account, _, action = place.partition("/")
    named = {"operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": account}, "productDestinationId": action}
    if not is_done:
        return {"destination": named, "requestStatus": "PROCESSING"}
    state = "SUCCESS" if not denied else "FAILED" if denied == total else "PARTIAL_SUCCESS"
    found = {"destination": named, "requestStatus": state, "eventsIngestionStatus": {"recordCount": str(total)}}
    if denied:
        count = {"recordCount": str(denied), "reason": "PROCESSING_ERROR_REASON_DENIED_CONSENT"}
        found["errorInfo"] = {"errorCounts": [count]}
    return found


def _refused(found: list[Violation]) -> Answer:
    return _error(400, "INVALID_ARGUMENT", "There was a problem with the request.", found=found)


def _error(status: int, name: str, message: str, *, reason: str = "", found: list[Violation] | None = None) -> Answer:
    """Google's error form: `google.rpc.Status` with ErrorInfo, BadRequest and RequestInfo as details."""
    kind = "type.googleapis.com/google.rpc."
    details: list[dict[str, Any]] = [
        {"@type": f"{kind}ErrorInfo", "reason": reason or name, "domain": "datamanager.googleapis.com"}
    ]
    if found:
        details.append({"@type": f"{kind}BadRequest", "fieldViolations": [one.as_json() for one in found]})
    details.append({"@type": f"{kind}RequestInfo", "requestId": "sandbox"})
    body = {"error": {"code": status, "message": message, "status": name, "details": details}}
    faults = [" ".join(filter(None, (one.field, one.reason, one.description))) for one in found or []]
    return Answer(status=status, body=body, faults=faults or [message])
