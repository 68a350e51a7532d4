"""A stand-in for a receiver of our webhooks: what a careful one checks (docs/destinations/webhook.md).

It owns `/webhook` and what lies below. The secret it shares with us is the sandbox's token. Everything is refused whose
signature does not prove the body and the time; an event needs id, name and time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

import msgspec

from proxy.sandbox.base import TOKEN, Answer, Call, StandIn
from proxy.sandbox.schema import Table, Text, Whole, check

_PATH = "/webhook"
_HEADER = "x-firsthand-signature"
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})\Z")
_TOLERANCE_S = 300  # older signatures may be replays
_EVENT = Table(
    fields={"id": Text(shortest=1), "name": Text(shortest=1), "time": Whole(low=0)},
    required=("id", "name", "time"),
    is_open=True,
)


class Webhook(StandIn, kind="webhook"):
    spoiled: ClassVar = {"name": ""}

    def owns(self, call: Call) -> bool:
        return call.path == _PATH or call.path.startswith(f"{_PATH}/")

    def answer(self, call: Call, now_ms: int) -> Answer:
        if call.method != "POST":
            return _error(405, f"events come as POST, not as {call.method}")
        if fault := _signature_fault(call, now_ms // 1000):
            return _error(401, fault)
        if call.headers.get("content-type", "").partition(";")[0] != "application/json":
            return _error(415, "Content-Type: application/json is expected")
        body = call.json()
        if isinstance(body, dict) and "ping" in body:
            return Answer(status=200, body={"pong": body["ping"]})
        rows = body if isinstance(body, list) else [body]
        for position, row in enumerate(rows):
            if faults := [f"{'.'.join(map(str, one.path))} {one.rule} {one.what}" for one in check(_EVENT, row)]:
                return _error(422, f"event {position}: {'; '.join(faults)}")
        account = call.path.removeprefix(_PATH).strip("/")
        return Answer(status=200, body={"received": len(rows)}, accepted=rows, accounts=[account] * len(rows))

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("name"))

    def dedup_key(self, row: Mapping[str, Any]) -> Hashable | None:
        return (row.get("name"), row.get("id"))

    def with_rows(self, body: Any, change: Callable[[Any], Any]) -> Any:
        if isinstance(body, list):
            return [change(row) for row in body]
        return body if isinstance(body, dict) and "ping" in body else change(body)

    def resealed(self, call: Call) -> Call:
        """Signed anew for its body; a signature that was wrong stays wrong."""
        match = _SIGNATURE.match(call.headers.get(_HEADER, ""))
        if match is None:
            return call
        signature = f"t={match[1]},v1={_digest(match[1], call.body)}"
        return msgspec.structs.replace(call, headers={**call.headers, _HEADER: signature})

    def trouble(self, mode: str, call: Call | None = None) -> Answer:
        if mode == "bad_token":
            return _error(401, "the signature does not prove this body")
        return super().trouble(mode, call)


def _signature_fault(call: Call, now_s: int) -> str | None:
    match = _SIGNATURE.match(call.headers.get(_HEADER, ""))
    if match is None:
        return "X-Firsthand-Signature: t=<Unix seconds>,v1=<hex HMAC-SHA256> is expected"
    signed_at, given = match.groups()
    if not hmac.compare_digest(given, _digest(signed_at, call.body)):
        return "the signature does not prove this body"
    if abs(now_s - int(signed_at)) > _TOLERANCE_S:
        return f"signed more than {_TOLERANCE_S} seconds from now"
    return None


def _digest(signed_at: str, body: bytes) -> str:
    return hmac.new(TOKEN.encode(), f"{signed_at}.".encode() + body, hashlib.sha256).hexdigest()


def _error(status: int, why: str) -> Answer:
    return Answer(status=status, body={"error": why}, faults=[why])
