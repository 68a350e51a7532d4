"""`firsthand status`: how far each destination is, what holds it up, how large the log is. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from proxy.clock import system_clock
from proxy.commands._log import ago, printable, reading
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.event import encode_json
from proxy.log.base import LogStats
from proxy.log.database import path_of
from proxy.observe.admin import status
from proxy.relay import aside
from proxy.relay.redact import redact


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as /status.json; a stable interface.")
def command(config: Path, as_json: bool) -> None:
    """Show how far each destination is and what holds it up. Safe while serving: changes nothing.

    With --json the object of /status.json; docs/metrics.md explains every field.
    """
    loaded = load(config)
    stats = asyncio.run(_stats(loaded))
    shown = full_status(stats, loaded, system_clock())
    click.echo(encode_json(shown) if as_json else "\n".join(_readable(shown, path_of(loaded.settings.data))))


async def _stats(config: Config) -> LogStats:
    async with reading(config) as view:
        return await view.stats()


def full_status(stats: LogStats, config: Config, now_ms: int) -> dict[str, Any]:
    shown = status(stats, config.destinations, now_ms, config.settings.log)
    for destination in shown["destinations"]:
        for key in ("paused", "last_error"):  # a platform's words
            destination[key] = redact(destination[key], config.secrets())
    return shown


def _readable(shown: dict[str, Any], path: Path) -> Iterator[str]:
    log, now_ms = shown["log"], shown["now_ms"]
    since = "" if log["oldest_ms"] is None else f", the oldest {ago(log['oldest_ms'], now_ms)} old"
    yield f"{path}: {log['events']:,} events{since}, {log['bytes'] / 1e6:,.1f} MB"
    if log["max_bytes"] is not None:
        full = f": FULL (log.when_full: {log['when_full']})" if log["is_full"] else ""
        yield f"{log['used_bytes'] / 1e6:,.1f} of {log['max_bytes'] / 1e6:,.1f} MB (log.max_bytes) are used{full}"
    yield _retention(log, now_ms)
    width = max((len(destination["name"]) for destination in shown["destinations"]), default=0)
    width = max(width, len("destination"))
    yield f"\n{'destination':<{width}} {'waiting':>9} {'oldest':>8} {'delivered':>11} {'dead':>6}  state"
    for destination in shown["destinations"]:
        oldest = destination["oldest_waiting_ms"]
        yield (
            f"{destination['name']:<{width}} {destination['waiting']:>9,} "
            f"{'-' if oldest is None else ago(oldest, now_ms):>8} {destination['delivered']:>11,} "
            f"{destination['dead']:>6,}  {_state(destination, now_ms)}"
        )
        if destination["last_error"] and (destination["paused"] or destination["failed_attempts"]):
            yield f"{'':<{width}}   last error: {printable(destination['last_error'])}"
        if destination["set_aside"]:
            told = f"{destination['set_aside']:,} of the dead are tried again by themselves ({aside.WHY})"
            yield f"{'':<{width}}   {told}"
        if destination["outcomes"]:
            told = ", ".join(f"{count:,} {printable(name)}" for name, count in destination["outcomes"].items())
            yield f"{'':<{width}}   the platform's later word on events it took: {told}"
        if destination["expired"]:
            yield f"{'':<{width}}   {destination['expired']:,} events were deleted by retention before delivery"
    if shown["left_over"]:
        yield f"\nnot in the configuration (any more): {', '.join(shown['left_over'])}"


def _retention(log: dict[str, Any], now_ms: int) -> str:
    purge, keeps = log["last_purge"], log["keeps_days"]
    kept = f"events are kept {keeps['events']:g} days, dead letters {keeps['dead']:g}"
    if purge is None:
        return f"{kept}; retention was never enforced yet: `firsthand serve` does it"
    gone = f"{purge['events']:,} events, {purge['dead']:,} dead letters, {purge['consents']:,} proofs of consent"
    return f"{kept}; last enforced {ago(purge['at_ms'], now_ms)} ago: {gone} deleted"


def _state(destination: dict[str, Any], now_ms: int) -> str:
    if not destination["enabled"]:
        return "switched off"
    if destination["paused"]:
        return f"paused: {printable(destination['paused'])}"
    if destination["failed_attempts"]:
        wait_ms = (destination["next_attempt_ms"] or now_ms) - now_ms
        when = f"next in {wait_ms // 1000 + 1} s" if wait_ms > 0 else "next is due"
        return f"failing: {destination['failed_attempts']} attempts, {when}"
    if destination["last_delivery_ms"] is None:
        return "nothing delivered yet"
    return f"fine, last delivery {ago(destination['last_delivery_ms'], now_ms)} ago"
