"""How Meta's answers are read: its error codes as data, what each means for us, what the operator does about it.

Read by code and subcode only: public fixtures pair one code with several HTTP statuses, texts change, and the type
`OAuthException` covers plain data faults too. Few of the 2804xxx subcodes are documented; those that public code lists
without a text say so. Sources: Meta, "Error Codes" and "Handling Errors" (checked 2026-11), public issue trackers.
"""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import msgspec

from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, Verdict


class Means(Enum):
    RETRY = auto()  # ours to wait out
    SLOW = auto()  # throttled or blocked: wait long
    AUTH = auto()  # credentials or set-up: a human is needed
    REJECT = auto()  # this request will never be taken


class Known(msgspec.Struct, frozen=True):
    means: Means
    why: str  # a metric label
    advice: str = ""


SLOW_S = 300.0
"""How long to wait when Meta throttles and names no time; calls are counted by the hour."""

LONGEST = 300  # characters of Meta's words that we keep

_RENEW = "Make a new access token in Events Manager (Settings, Conversions API) and put it into access_token."
_PERMISSION = "Give the token's system user access to this pixel in Business settings, or use a token made for it."
_OBJECT = "Check pixel_id (digits, from Events Manager) and that the token belongs to the same business."

_ADDRESS = "The Graph API does not answer like this: check base_url and api_version (both can be left out)."

_TOKEN = Known(Means.AUTH, "token_refused", _RENEW)
_THROTTLED = Known(Means.SLOW, "throttled")
_DENIED = Known(Means.AUTH, "permission_missing", _PERMISSION)

_NOT_GRAPH = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE)
"""Without Meta's error object: somebody else answers, and no event is to blame. The Graph API's own 404 is 100/33."""

BY_SUBCODE: dict[tuple[int, int], Known] = {
    (1, 99): Known(Means.REJECT, "1_99"),
    (100, 33): Known(Means.AUTH, "pixel_unknown", _OBJECT),
    (100, 34): Known(Means.AUTH, "pixel_unknown", _OBJECT),
    (100, 2804001): Known(Means.REJECT, "2804001", "The click id (fbc) is malformed; it is sent once more without."),
    (100, 2804003): Known(Means.REJECT, "2804003", "The event is older than 7 days."),
    (100, 2804009): Known(Means.REJECT, "2804009", "A Purchase needs a value."),
    (100, 2804010): Known(Means.REJECT, "2804010", "A Purchase needs a currency."),
    (100, 2804050): Known(Means.REJECT, "2804050", "Too little is known about the person; send more match keys."),
    **{(100, subcode): Known(Means.REJECT, str(subcode)) for subcode in (2804007, 2804016, 2804017, 2804019, 2804048)},
}

BY_CODE: dict[int, Known] = {
    1: Known(Means.RETRY, "unknown"),
    2: Known(Means.RETRY, "service_down"),
    3: _DENIED,
    10: _DENIED,
    100: Known(Means.REJECT, "100"),
    102: _TOKEN,
    104: Known(Means.AUTH, "signature_refused", "Check app_secret: it must be of the app that made access_token."),
    105: Known(Means.REJECT, "105", "Too many parameters: send fewer custom properties."),
    190: _TOKEN,
    368: Known(Means.SLOW, "blocked_for_policy"),
    5000: Known(Means.RETRY, "unknown"),
    2635: Known(Means.AUTH, "version_ended", "Set api_version to a current one (or leave it out) and reload."),
    21009: Known(Means.RETRY, "upload_not_ready"),
    **dict.fromkeys((4, 17, 341, 613, *range(80000, 80015)), _THROTTLED),
    **dict.fromkeys(range(200, 300), _DENIED),
}


def look_up(code: int, subcode: int | None) -> Known | None:
    """What a code means; negative codes are Meta's internal ones and pass. None when nothing is known."""
    if subcode is not None and (known := BY_SUBCODE.get((code, subcode))):
        return known
    return BY_CODE.get(code) or (Known(Means.RETRY, "internal") if code < 0 else None)


def judge(reply: Reply) -> Verdict:
    """Meta's answer as a verdict. A read timeout may have delivered: the same event ids go out again."""
    if reply.status == 0:
        return RetryLater("no_answer", None, reply.error)
    body = reply.json()
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return _judge_error(reply, body["error"])
    if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Rejected("too_large", f"HTTP {reply.status}")
    if not isinstance(body, dict) or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryLater("no_json" if body is None else "http_5xx", _retry_after_s(reply), f"HTTP {reply.status}")
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivered(warnings=_warnings(reply, body))
    if reply.status in _NOT_GRAPH:
        return AuthBroken("wrong_address", f"HTTP {reply.status}", _ADDRESS)
    return _judge_status(reply)


def _judge_error(reply: Reply, error: dict[str, Any]) -> Verdict:
    code, subcode = _int(error.get("code")), _int(error.get("error_subcode"))
    detail = _words(error)
    known = look_up(code, subcode) if code is not None else None
    after_s = _retry_after_s(reply)
    if error.get("is_transient") is True and (known is None or known.means is not Means.SLOW):
        return RetryLater(known.why if known else "transient", after_s, detail)
    if known is None:
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return RetryLater("http_5xx", after_s, detail)
        return _judge_status(reply, detail)
    match known.means:
        case Means.RETRY:
            return RetryLater(known.why, after_s, detail)
        case Means.SLOW:
            return RetryLater(known.why, SLOW_S if after_s is None else after_s, detail)
        case Means.AUTH:
            return AuthBroken(known.why, detail, known.advice)
        case Means.REJECT:
            return Rejected(known.why, f"{detail} {known.advice}".strip())


def _judge_status(reply: Reply, detail: str = "") -> Verdict:
    """Only the HTTP status is left to go by."""
    detail = detail or f"HTTP {reply.status}"
    match reply.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AuthBroken("token_refused", detail, _RENEW)
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_EARLY | HTTPStatus.TOO_MANY_REQUESTS:
            return RetryLater("throttled", _retry_after_s(reply), detail)
        case status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Rejected("http_4xx", detail)
    return RetryLater("unexpected_answer", _retry_after_s(reply), detail)


def _warnings(reply: Reply, body: dict[str, Any]) -> tuple[str, ...]:
    """What a success says besides: Meta's messages, and a count that is not ours."""
    messages = body.get("messages")
    found = [str(message)[:LONGEST] for message in messages] if isinstance(messages, list) else []
    received = _int(body.get("events_received"))
    if received is not None and reply.sent is not None and received != reply.sent:
        found.append(f"Meta counted {received} events of {reply.sent} sent (trace {body.get('fbtrace_id')})")
    return tuple(found)


def _words(error: dict[str, Any]) -> str:
    """Title, message and trace id, one line, bounded: what a human needs to ask Meta's support."""
    said = [error.get("error_user_title"), error.get("error_user_msg") or error.get("message")]
    text = ": ".join(" ".join(str(part).split()) for part in said if part)[:LONGEST]
    numbers = "/".join(str(error[key]) for key in ("code", "error_subcode") if error.get(key) is not None)[:40]
    trace = error.get("fbtrace_id")
    return f"{text} ({numbers}{f', trace {str(trace)[:40]}' if trace else ''})"


def _retry_after_s(reply: Reply) -> float | None:
    """Seconds from Retry-After; its date form is not worth a clock here."""
    value = reply.headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None  # noqa: PLR2004 - 11 days


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12 else None  # noqa: PLR2004
