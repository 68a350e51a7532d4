"""The operator's listener: `/metrics` for Prometheus and `/status.json` for people and scripts.

A listener of its own, on the loopback address unless configured otherwise, so that nothing of it can be reached through
the public one. Every request must carry the token (`Authorization: Bearer …`; never in the address, which ends up in
logs and histories). Without one (`admin.open`, loopback only) the `Host` must be a loopback name or address, or a web
page could read it through a name that points here.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

import proxy
from proxy.clock import SECOND_MS, Clock
from proxy.collector.door import DOOR, Door
from proxy.config.origins import is_local
from proxy.config.settings import LogSettings
from proxy.destinations.base import Destination
from proxy.errors import LogUnavailable
from proxy.event import encode_json
from proxy.log.base import EventLog, LogStats, ReaderState, ReaderStats
from proxy.observe import metrics

_NO_STORE = {"Cache-Control": "no-store"}
_HARDENED = {
    **_NO_STORE,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_CLOSED = "send the token as Authorization: Bearer …; it is admin.token, or stands in the file admin-token in `data`"
_MOST_CONNECTIONS = 200

Measured = Callable[[], Awaitable[Collector]]
"""Gives what `/metrics` shows."""


async def own_measures() -> Collector:
    """Of this process, for a service that is one."""
    return metrics.registry


def make_admin_app(
    token: str | None,
    destinations: Mapping[str, Destination],
    log: EventLog,
    clock: Clock,
    measured: Measured = own_measures,
    *,
    limits: LogSettings | None = None,
) -> web.Application:
    """`token`: what every request must carry; None: requests to a loopback name need none. `limits`: what the log may
    hold, and how long."""
    keeps = limits or LogSettings()
    metrics.log_max_bytes.set(keeps.max_bytes or 0)

    async def show_metrics(_: web.Request) -> web.Response:
        """Gauges of the log are measured now; everything else has been counted as it happened. A log that cannot be
        read leaves its gauges as they were: the counters matter most just then."""
        with suppress(LogUnavailable):
            _measure(await log.stats(), clock())
        return web.Response(
            body=generate_latest(await measured()), headers={"Content-Type": CONTENT_TYPE_LATEST, **_NO_STORE}
        )

    async def show_status(_: web.Request) -> web.Response:
        try:
            stats = await log.stats()
        except LogUnavailable as error:
            return _json({"error": str(error)}, status=503)
        shown = status(stats, destinations, clock(), keeps)
        return _json(shown | {"collected": collected(await measured())})

    app = web.Application(
        middlewares=[_guard(token)], handler_args={"auto_decompress": False, "keepalive_timeout": 75.0}
    )
    app[DOOR] = Door(_MOST_CONNECTIONS)
    app.on_response_prepare.append(_harden)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/status.json", show_status)
    return app


def status(
    stats: LogStats, destinations: Mapping[str, Destination], now_ms: int, limits: LogSettings
) -> dict[str, Any]:
    """The log and every configured destination, as `/status.json` and `firsthand status --json` show them: a stable
    interface (docs/metrics.md). Times are Unix ms."""
    readers = {reader.reader: reader for reader in stats.readers}
    purge = stats.last_purge
    return {
        "version": proxy.__version__,
        "now_ms": now_ms,
        "log": {
            "events": stats.events,
            "oldest_ms": stats.oldest_ms,
            "bytes": stats.bytes,
            "used_bytes": stats.used,
            "max_bytes": limits.max_bytes,
            "is_full": limits.max_bytes is not None and stats.used >= limits.max_bytes,
            "when_full": limits.when_full,
            "consents": stats.consents,
            "erased": stats.erased,
            "keeps_days": {
                "events": limits.retention_days,
                "dead": limits.dead_days,
                "consents": limits.consent_days,
                "erased": limits.erased_days,
            },
            "last_purge": None
            if purge is None
            else {"at_ms": purge.at_ms, "events": purge.events, "dead": purge.dead, "consents": purge.consents},
        },
        "destinations": [_about(destination, readers.get(name)) for name, destination in destinations.items()],
        "left_over": [reader.reader for reader in stats.readers if reader.reader not in destinations],
    }


def collected(counted: Collector) -> dict[str, dict[str, int]]:
    """What was not kept of what came, since the start: events dropped by reason, personal text removed by field."""
    found: dict[str, dict[str, int]] = {"dropped": {}, "personal_removed": {}}
    tables = {"firsthand_events_dropped_total": "dropped", "firsthand_personal_removed_total": "personal_removed"}
    for sample in (sample for family in counted.collect() for sample in family.samples):
        if sample.name in tables and sample.value:
            (label,) = sample.labels.values()
            found[tables[sample.name]][label] = int(sample.value)
    return found


def _about(destination: Destination, reader: ReaderStats | None) -> dict[str, Any]:
    state = reader.state if reader else ReaderState()
    return {
        "name": destination.name,
        "kind": destination.kind,
        "enabled": destination.settings.enabled,
        "waiting": reader.waiting if reader else 0,
        "oldest_waiting_ms": reader.oldest_waiting_ms if reader else None,
        "dead": reader.dead if reader else 0,
        "expired": reader.expired if reader else 0,
        "set_aside": len(state.aside),
        "delivered": state.delivered,
        "last_delivery_ms": state.last_delivery_ms or None,
        "paused": state.paused,
        "failed_attempts": state.attempts,
        "next_attempt_ms": state.next_attempt_ms or None,
        "last_error": state.last_error,
        "outcomes": state.outcomes,
    }


def _measure(stats: LogStats, now_ms: int) -> None:
    metrics.log_bytes.set(stats.bytes)
    metrics.log_used_bytes.set(stats.used)
    for reader in stats.readers:
        metrics.destination_waiting.labels(reader.reader).set(reader.waiting)
        metrics.destination_set_aside.labels(reader.reader).set(len(reader.state.aside))
        waiting_ms = 0 if reader.oldest_waiting_ms is None else now_ms - reader.oldest_waiting_ms
        metrics.destination_lag_seconds.labels(reader.reader).set(max(0, waiting_ms) / SECOND_MS)


def _guard(token: str | None) -> Any:
    expected = None if token is None else token.encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if expected is None:
            if not is_local(_without_port(request.headers.get("Host", ""))):
                return _json({"error": "without a token (admin.open) only localhost is answered"}, status=403)
        else:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            matches = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
            if scheme.lower() != "bearer" or not matches:
                answer = _json({"error": _CLOSED}, status=401)
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
        try:
            return await handler(request)
        except web.HTTPException as fault:  # no such path, no such method
            return _json({"error": f"{fault.reason.lower()}; there are /metrics and /status.json"}, status=fault.status)

    return guard


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    """No page may frame or embed what is shown here, nothing guesses at its type, nobody learns our versions."""
    response.headers.pop("Server", None)
    for name, value in _HARDENED.items():
        response.headers.setdefault(name, value)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _json(value: Any, status: int = 200) -> web.Response:
    """Indented: people read it, too."""
    body = msgspec.json.format(encode_json(value)) + b"\n"
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **_NO_STORE})
