"""How TikTok's answers are read: its codes as data, what each means for us, what the operator does about it.

TikTok answers HTTP 200 nearly always and says in `code` what happened, so the code decides and the status only where
there is none. 40100 looks like a credentials code and is throttling. Sources: TikTok API for Business, "Appendix:
Return codes", and answers seen in public test suites and issue trackers (checked 2026-11).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any

import msgspec

from proxy.destinations._answer import by_status, one_line, retry_after_s
from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault, Verdict


class Means(Enum):
    DELIVERED = auto()
    RETRY = auto()  # theirs to mend, ours to wait out
    AUTH = auto()  # credentials or set-up: a human is needed
    REJECT = auto()  # this request will never be taken


class Known(msgspec.Struct, frozen=True):
    means: Means
    why: str  # a metric label
    advice: str = ""


_RENEW = "Make a new access token in Events Manager (the pixel's Settings, Events API) and put it into access_token."
_PERMISSION = "Use an access token made for this pixel, or check pixel_code, offline_event_set_id and crm_event_set_id."

_TOKEN = Known(Means.AUTH, "token_refused", _RENEW)

BY_CODE: dict[int, Known] = {
    0: Known(Means.DELIVERED, "ok"),
    20001: Known(Means.DELIVERED, "20001"),  # counted as success by integrators; its meaning is not documented
    40000: Known(Means.REJECT, "40000"),
    40001: Known(Means.AUTH, "permission_missing", _PERMISSION),
    40002: Known(Means.REJECT, "40002"),
    40007: Known(Means.REJECT, "40007", "What the request names does not exist: check pixel_code and event set ids."),
    40100: Known(Means.RETRY, "throttled"),
    40101: _TOKEN,
    40102: _TOKEN,
    40104: _TOKEN,
    40105: _TOKEN,
    40110: _TOKEN,
    51021: Known(Means.RETRY, "throttled"),
}

ABOUT_PARAMETERS = frozenset({40000, 40002})

_ROW = re.compile(r"\bBatch\.(\d{1,4})\.")


def look_up(code: int) -> Known:
    """What a code means. Unlisted ones go by their first digit: 4xxxx is the request's fault, the rest is TikTok's."""
    if known := BY_CODE.get(code):
        return known
    if 40_000 <= code < 50_000:  # noqa: PLR2004 - 4xxxx
        return Known(Means.REJECT, str(code))
    if 50_000 <= code < 60_000:  # noqa: PLR2004 - 5xxxx
        return Known(Means.RETRY, "service_down")
    return Known(Means.RETRY, "unknown_code")


def judge(reply: Reply) -> Verdict:
    """TikTok's answer as a verdict. A probe sends no event, so a complaint about its parameters proves the token."""
    body = reply.json() if reply.status else None
    code = body.get("code") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(code, int) and not isinstance(code, bool):
        if reply.sent == 0 and code in ABOUT_PARAMETERS:
            return Delivered()
        return _judge_code(reply, code, body)
    verdict = by_status(reply, advice=_RENEW)
    if body is None and not isinstance(verdict, RetryLater) and verdict.why != "too_large":
        return RetryLater("no_json", retry_after_s(reply), verdict.detail)  # not TikTok's: a gateway in between
    return verdict


def _judge_code(reply: Reply, code: int, body: dict[str, Any]) -> Verdict:
    known = look_up(code)
    message = body.get("message")
    said = f"{one_line(message) or 'no message'} ({code}{_request_id(body)})"
    match known.means:
        case Means.DELIVERED:
            return Delivered(warnings=() if code == 0 else (said,))
        case Means.RETRY:
            return RetryLater(known.why, retry_after_s(reply), said)
        case Means.AUTH:
            return AuthBroken(known.why, said, known.advice)
        case Means.REJECT:
            rows = dict.fromkeys(int(row) for row in _ROW.findall(message)) if isinstance(message, str) else {}
            faults = tuple(RowFault(row, known.why, said) for row in rows)
            return Rejected(known.why, f"{said} {known.advice}".strip(), faults)


def _request_id(body: dict[str, Any]) -> str:
    given = body.get("request_id")
    return f", request {given[:40]}" if isinstance(given, str) and given else ""
