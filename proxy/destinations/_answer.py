"""What the answers of most platforms have in common: an HTTP status to go by, and words to keep for a human.

A platform reads its own codes first (its file holds the table) and comes here when there are none. The rule: an outage
costs nothing, what a human must mend pauses the destination, and only an answer that blames the request loses events.
"""

from __future__ import annotations

from http import HTTPStatus

from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Rejected, RetryLater

LONGEST = 300
"""Characters of a platform's words that we keep."""

TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def by_status(reply: Reply, detail: str = "", advice: str = "") -> RetryLater | Rejected | AuthBroken:
    """What an answer that is no success means when only its status is left. `advice`: how to mend credentials."""
    detail = detail or f"HTTP {reply.status}"
    after_s = retry_after_s(reply)
    match reply.status:
        case 0:
            return RetryLater("no_answer", None, reply.error)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AuthBroken("token_refused", detail, advice)
        case status if status in TRY_AGAIN:
            return RetryLater("throttled", after_s, detail)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Rejected("too_large", detail)
        case status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Rejected("http_4xx", detail)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return RetryLater("http_5xx", after_s, detail)
    return RetryLater("unexpected_answer", after_s, detail)  # 1xx, a redirect, an empty success


def retry_after_s(reply: Reply) -> float | None:
    """Seconds from Retry-After; its date form is not worth a clock here."""
    value = reply.headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None  # noqa: PLR2004 - 11 days


def one_line(*parts: object) -> str:
    """The parts that say something, each on one line, joined by a colon and cut to `LONGEST`."""
    texts = (" ".join(str(part)[: 4 * LONGEST].split()) for part in parts if part)
    return ": ".join(text for text in texts if text)[:LONGEST]
