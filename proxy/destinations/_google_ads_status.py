"""What Google says half an hour and more after it took a request: how many events it used, and why not the others.

Known by number only, not by event. Kept at Google for about 50 days. Source: Data Manager API, "Diagnostics" (2026-11).
"""

from __future__ import annotations

import re
from collections import Counter
from http import HTTPStatus
from typing import Any

from proxy.destinations._answer import retry_after_s
from proxy.destinations.base import Processed, Reply
from proxy.destinations.verdict import RetryLater

_PREFIX = re.compile(r"PROCESSING_ERROR_(REASON_)?")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,79}")
_UNKNOWN = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})


def read(reply: Reply) -> Processed | RetryLater:
    """Counts over all destinations of the request; one that is still at it makes us wait for all."""
    body = reply.json()
    if reply.status in _UNKNOWN:
        return Processed({"unknown": 1})  # of a check, or too old: it will never be known
    if reply.status != HTTPStatus.OK or not isinstance(body, dict):
        return RetryLater("no_status", retry_after_s(reply))
    parts = [one for one in _list(body, "requestStatusPerDestination") if isinstance(one, dict)]
    if not parts or any(_is_at_work(one.get("requestStatus")) for one in parts):
        return RetryLater("processing")
    counts: Counter[str] = Counter()
    for part in parts:
        failed = Counter({_outcome(one): _number(one, "recordCount") for one in _errors(part)})
        counts += failed
        counts["processed"] += max(0, _number(part.get("eventsIngestionStatus"), "recordCount") - failed.total())
    return Processed({outcome: count for outcome, count in counts.items() if count})


def _is_at_work(status: Any) -> bool:
    return status in ("PROCESSING", "REQUEST_STATUS_UNKNOWN", None)


def _errors(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in _list(part.get("errorInfo"), "errorCounts") if isinstance(one, dict)]


def _outcome(error: dict[str, Any]) -> str:
    reason = error.get("reason")
    is_spelt = isinstance(reason, str) and _REASON.fullmatch(reason)
    return _PREFIX.sub("", reason).lower() if is_spelt and isinstance(reason, str) else "other"


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _number(value: Any, key: str) -> int:
    """int64 comes as text."""
    text = str(value.get(key)) if isinstance(value, dict) else ""
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0
