"""How the Data Manager API's answers are read: its reasons as data, what each means for us, what the operator does.

One event that breaks a checked rule makes Google refuse the whole request and store nothing, but it says which event it
was (`events[2]…` in a field violation). Only the number is read of such a path. The list of reasons is open: one we do
not know is read by the HTTP status. Sources: Data Manager API reference, ErrorReason and "Diagnostics" (2026-11).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import msgspec

from proxy.destinations._answer import TRY_AGAIN, one_line, retry_after_s
from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault, Verdict


class Means(Enum):
    EVENT = auto()  # this event will never be taken; others may
    SETUP = auto()  # accounts, permissions or settings: a human is needed, no event is at fault
    WAIT = auto()  # true today, not tomorrow


class Known(msgspec.Struct, frozen=True):
    means: Means
    advice: str


WAIT_S = 3600.0
"""A new conversion action needs some hours; ask once an hour."""

CLICK_REFUSED = "INVALID_AD_IDENTIFIER_FOR_ACCOUNT"
"""The click belongs to another account: the event is worth more than its click id."""

_FORMAT = "Report this: the event should have been refused here before."
_OWNER = (
    "customer_id must be the account that owns the conversion action, login_customer_id the manager that has access."
)
_LEADS = "Google Ads, Goals, Settings, Enhanced conversions for leads: turn it on for this account"


def _event(advice: str) -> Known:
    return Known(Means.EVENT, advice)


def _setup(advice: str) -> Known:
    return Known(Means.SETUP, advice)


REASONS: dict[str, Known] = {
    "NO_IDENTIFIERS_PROVIDED": _event("Send an e-mail, a phone number or a click id."),
    "EVENT_TIME_INVALID": _event("The event is too old, or its time is in the future."),
    "INVALID_EVENT": _event("Read the description; `firsthand explain` shows what was sent."),
    "INVALID_CURRENCY_CODE": _event("Send an ISO 4217 currency such as EUR."),
    "INVALID_SHA256_FORMAT": _event(_FORMAT),
    "INVALID_HEX_ENCODING": _event(_FORMAT),
    "INVALID_BASE64_ENCODING": _event(_FORMAT),
    "INVALID_COUNTRY_CODE": _event("Send the country as ISO 3166-1 alpha-2, such as DE."),
    "INVALID_POSTAL_CODE": _event("Send the postal code as people write it in that country."),
    "FIELD_VALUE_TOO_LONG": _event("Shorten the field that is named."),
    "FIELD_VALUE_TOO_SHORT": _event("A short order id is refused: set transaction_id_prefix."),
    "REQUIRED_FIELD_MISSING": _event(_FORMAT),
    "TOO_MANY_USER_IDENTIFIERS": _event(_FORMAT),
    "INVALID_COUPON_CODE": _event(
        "Send the coupon as it is known in Merchant Center, or remove data.coupon by a rule."
    ),
    "CUSTOM_VARIABLE_VALUE_CONTAINS_PII": _event("Map properties without personal data in custom_variables."),
    "INVALID_CUSTOM_VARIABLE_VALUE": _event("See the custom variable's rules in Google Ads."),
    "EVENT_SOURCE_AND_DESTINATION_MISMATCH": _event(
        "The conversion action does not take this source: set event_source."
    ),
    CLICK_REFUSED: _event("The click belongs to another account; it was sent once more without."),
    "INVALID_CONVERSION_ACTION_ID": _setup(
        "Check conversion_actions: the numeric id (ctId in the address), and its owner."
    ),
    "INVALID_CONVERSION_ACTION_TYPE": _setup("The conversion action must be of a website, or imported from clicks."),
    "CUSTOM_VARIABLE_NOT_FOUND": _setup("Make the custom variable in Google Ads, or take it out of custom_variables."),
    "CUSTOM_VARIABLE_NOT_ENABLED": _setup(
        "Enable the custom variable in Google Ads, or take it out of custom_variables."
    ),
    "INVALID_MERCHANT_ID": _setup("Check merchant_id, and that Merchant Center is linked to the Google Ads account."),
    "INVALID_MERCHANT_FEED_LANGUAGE_CODE": _setup("merchant_feed_language takes ISO 639-1 codes such as fr."),
    "INVALID_DESTINATION": _setup(_OWNER),
    "TOO_MANY_DESTINATIONS": _setup(_FORMAT),
    "DUPLICATE_DESTINATION_REFERENCE": _setup(_FORMAT),
    "OPERATING_ACCOUNT_LOGIN_ACCOUNT_MISMATCH": _setup(_OWNER),
    "DESTINATION_ACCOUNT_TYPE_MISMATCH": _setup("customer_id must be a Google Ads account."),
    "DESTINATION_ACCOUNT_NOT_ENABLED_ENHANCED_CONVERSIONS_FOR_LEADS": _setup(f"{_LEADS}."),
    "DESTINATION_ACCOUNT_ENHANCED_CONVERSIONS_TERMS_NOT_SIGNED": _setup(
        f"{_LEADS} and accept the customer data terms."
    ),
    "TERMS_AND_CONDITIONS_NOT_SIGNED": _setup(f"{_LEADS} and accept the customer data terms."),
    "DESTINATION_ACCOUNT_DATA_POLICY_PROHIBITS_ENHANCED_CONVERSIONS": _setup(
        "Google's policy forbids customer data for this account; ask Google Ads support."
    ),
    "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED": _setup("Make the declaration on EU political ads in Google Ads."),
    "NOT_ALLOWLISTED": _setup("Google must allow this feature for the account first; ask Google Ads support."),
    "SERVICE_DISABLED": _setup("Enable the Data Manager API in the Google Cloud project of the credentials."),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _setup(
        "Make the refresh_token again with the scope https://www.googleapis.com/auth/datamanager."
    ),
    "USER_PROJECT_DENIED": _setup(
        "The credentials may not use quota_project; give them the role Service Usage Consumer."
    ),
    "BILLING_DISABLED": _setup("Enable billing for the Google Cloud project of the credentials."),
    "CONVERSION_ACTION_TOO_RECENTLY_CREATED": Known(Means.WAIT, "A new conversion action is usable after some hours."),
}

_DENIED = (
    "Enable the Data Manager API in the credentials' Google Cloud project, and add the service account's e-mail (or "
    "the user) in Google Ads, Access and security, to customer_id or to the manager named in login_customer_id."
)
_TOKEN = "Google refuses a token it has just issued: check that the credentials' project is active."  # noqa: S105 - words
_NOT_FOUND = "Check customer_id, login_customer_id and conversion_actions; and base_url, if it is set."
_CHECK_IDS = "Check customer_id, login_customer_id and conversion_actions."

_ROW = re.compile(r"\bevents\[(\d{1,6})\]")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,79}")
_RECEIPT = re.compile(r"[\x21-\x7e]{1,200}")
_DELAY = re.compile(r"(\d{1,6})(?:\.\d+)?s")
_FEW = 5  # warnings shown of one answer


class Violation(msgspec.Struct, frozen=True):
    field: str
    reason: str  # "" when it is none of Google's spelling
    words: str

    @property
    def row(self) -> int | None:
        found = _ROW.search(self.field)
        return int(found[1]) if found else None


def judge(reply: Reply) -> Verdict:
    """Google's answer as a verdict. A lost answer may have delivered: the same transaction ids go out again."""
    if reply.status == 0:
        return RetryLater("no_answer", None, reply.error)
    body = reply.json()
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            return AuthBroken("token_refused", _words(body, reply.status), _TOKEN)
        case status if status in TRY_AGAIN:
            return RetryLater("throttled", _after_s(reply, body), _words(body, reply.status))
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Rejected("too_large", _words(body, reply.status))
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return RetryLater("http_5xx", _after_s(reply, body), _words(body, reply.status))
    if not isinstance(body, dict):
        return RetryLater("no_json", _after_s(reply, body), f"HTTP {reply.status}")
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivered(warnings=_warnings(body), receipt=_receipt(body))
    if reply.status < HTTPStatus.BAD_REQUEST:
        return RetryLater("unexpected_answer", None, f"HTTP {reply.status}")
    return _refused(reply, body)


def _receipt(body: dict[str, Any]) -> str:
    value = body.get("requestId")
    return value if isinstance(value, str) and _RECEIPT.fullmatch(value) else ""


def _refused(reply: Reply, body: dict[str, Any]) -> Verdict:
    violations = _violations(body)
    detail = _words(body, reply.status)
    for reason in (*(violation.reason for violation in violations), _reason(body)):
        known = REASONS.get(reason)
        if known is not None and known.means is Means.SETUP:
            return AuthBroken(reason.lower(), detail, known.advice)
        if known is not None and known.means is Means.WAIT:
            return RetryLater(reason.lower(), WAIT_S, f"{detail} {known.advice}")
    if reply.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        is_denied = reply.status == HTTPStatus.FORBIDDEN
        why = "permission_denied" if is_denied else "not_found"
        return AuthBroken(why, detail, _DENIED if is_denied else _NOT_FOUND)
    rows = _faults(violations)
    if not rows and any(violation.field.startswith("destinations") for violation in violations):
        return AuthBroken("destination_refused", detail, _CHECK_IDS)
    why = _reason(body).lower() or "http_4xx"
    return Rejected(rows[0].why if len(rows) == 1 else why, detail, rows)


def _faults(violations: list[Violation]) -> tuple[RowFault, ...]:
    """One fault for each event that is named, in Google's words and ours."""
    found: dict[int, RowFault] = {}
    for violation in violations:
        if violation.row is not None and violation.row not in found:
            known = REASONS.get(violation.reason)
            words = f"{violation.words} ({violation.field[:80]}) {known.advice if known else ''}".strip()
            found[violation.row] = RowFault(violation.row, violation.reason.lower() or "invalid_argument", words)
    return tuple(found.values())


def _warnings(body: dict[str, Any]) -> tuple[str, ...]:
    """What an acceptance says besides, each kind once."""
    listed = body.get("fieldWarnings")
    said: dict[str, str] = {}
    for warning in listed if isinstance(listed, list) else ():
        if isinstance(warning, dict):
            reason = _spelt(warning.get("reason")).removeprefix("WARNING_REASON_").lower() or "warning"
            said.setdefault(reason, f"{reason}: {_line(warning.get('description')) or _line(warning.get('field'))}")
    return tuple(said.values())[:_FEW]


def _violations(body: dict[str, Any]) -> list[Violation]:
    found = []
    for detail in _details(body, "BadRequest"):
        listed = detail.get("fieldViolations")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                field, words = _line(one.get("field")), _line(one.get("description"))
                found.append(Violation(field, _spelt(one.get("reason")), words))
    return found


def _reason(body: dict[str, Any]) -> str:
    """The answer's own reason: of its ErrorInfo, else its status word."""
    for detail in _details(body, "ErrorInfo"):
        if reason := _spelt(detail.get("reason")):
            return reason
    error = body.get("error")
    return _spelt(error.get("status")) if isinstance(error, dict) else ""


def _details(body: Any, name: str) -> list[dict[str, Any]]:
    """The parts of `error.details` that are a google.rpc.`name`."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [
        one
        for one in (details if isinstance(details, list) else ())
        if isinstance(one, dict) and str(one.get("@type")).endswith(f"/google.rpc.{name}")
    ]


def _words(body: Any, status: int) -> str:
    """Google's message with what their support asks for; one line, bounded."""
    error = body.get("error") if isinstance(body, dict) else None
    said = _line(error.get("message")) if isinstance(error, dict) else ""
    traces = [_line(detail.get("requestId"))[:60] for detail in _details(body, "RequestInfo")]
    trace = f" (request {traces[0]})" if traces and traces[0] else ""
    return f"{said or f'HTTP {status}'}{trace}"


def _after_s(reply: Reply, body: Any) -> float | None:
    """Seconds from Retry-After, else from a google.rpc.RetryInfo."""
    if (asked := retry_after_s(reply)) is not None:
        return asked
    for detail in _details(body, "RetryInfo"):
        if delay := _DELAY.fullmatch(str(detail.get("retryDelay"))):
            return float(delay[1])
    return None


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) and _REASON.fullmatch(value) else ""


def _line(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""
