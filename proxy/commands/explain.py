"""`firsthand explain`: where an event would go and why not elsewhere, request by request. Sends nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from proxy.clock import SECOND_MS, system_clock
from proxy.commands._moment import Moment
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.errors import WireError
from proxy.event import Event, encode_json
from proxy.explain import explain
from proxy.wire import parse

COLOURS = {"send": "green", "skip": "yellow", "refuse": "red"}


@click.command()
@config_option
@click.argument("event", metavar="EVENT.json", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event and line; a stable interface.")
@click.option("--now", type=Moment(), help="The time it is: RFC 3339 or Unix ms. Default: the clock's.")
@click.option("--trace", is_flag=True, help="With --json: also what each rule said.")
def command(config: Path, event: str, as_json: bool, now: int | None, trace: bool) -> None:
    """Show what would be sent where, and why not: rule by rule, request by request. Nothing is sent.

    EVENT.json holds one event in the form of POST /e, a list of them, or an envelope with `events`; `-` reads standard
    input, which may also hold one event per line.
    """
    loaded = load(config)
    now_ms = system_clock() if now is None else now
    found = [explain(one, loaded, now_ms, trace=trace or not as_json) for one in _events(event, now_ms)]
    for number, one in enumerate(found):
        if as_json:
            click.echo(encode_json(one))
        else:
            click.echo(("\n" if number else "") + "\n".join(_readable(one, loaded)))


def _events(source: str, now_ms: int) -> list[Event]:
    """All events of the file. Raises `WireError` naming the first that cannot be used: none is explained then."""
    shown = "standard input" if source == "-" else source
    events: list[Event] = []
    for place, body in _bodies(_read(source)):
        where = f"{shown}{place}"
        try:
            parsed = parse(body, received_ms=now_ms, trusted=True)
        except WireError as error:
            raise WireError(str(error), where) from None
        if parsed.refused:
            first = parsed.refused[0]
            raise WireError(f"{first.where}: {first.message}" if first.where else first.message, where)
        events.extend(parsed.events)
    return events


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise WireError((error.strerror or type(error).__name__).lower(), source) from None


def _bodies(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The whole as one body, or each line as one when only that makes JSON of it; with its place for messages."""
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and not _is_json(raw) and _is_json(lines[0][1]):
        yield from ((f":{number}", line) for number, line in lines)
    else:
        yield "", raw


def _is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _readable(found: dict[str, Any], config: Config) -> Iterator[str]:
    event = found["event"]
    when = datetime.fromtimestamp(event["time"] / SECOND_MS, UTC).isoformat(timespec="seconds")
    yield f"{click.style(event['name'], bold=True)}  id {event['id']}  {when}"
    states = event.get("consent", {})
    decided = ", ".join(
        f"{name} {states[name]}" for name in ("marketing", "analytics", "personalization", "sale") if name in states
    )
    region = event.get("client", {}).get("region")
    origin = f"from {states.get('source') or 'the event'}" + (f", region {region}" if region else "")
    yield f"  consent: {decided or 'unknown'} ({origin})"
    if "bot" in event:
        yield f"  marked as a bot's: {event['bot']}"
    if removed := found.get("removed"):
        yield f"  taken out: e-mail addresses or telephone numbers in {', '.join(removed)}"
    yield ""
    yield f"rules of {config.path}, top to bottom"
    for step in found["trace"]:
        yield f"  {click.style('yes', fg='green') if step['matched'] else 'no '}  {step['rule']}: {step['why']}"
    for one in found["destinations"]:
        yield ""
        decision = click.style(one["decision"].upper(), fg=COLOURS[one["decision"]], bold=True)
        kind = "" if one["kind"] == one["name"] else f" ({one['kind']})"
        yield f"{click.style(one['name'], bold=True)}{kind}: {decision}, {one['reason']}"
        for request in one["requests"]:
            yield f"  {request['method']} {request['url']}"
            yield from (f"  {name}: {value}" for name, value in request["headers"].items())
            yield from _body(request["body"])


def _body(body: Any) -> Iterator[str]:
    if body is None:
        return
    text = body if isinstance(body, str) else msgspec.json.format(encode_json(body), indent=2).decode()
    yield ""
    yield from (f"  {line}" for line in text.splitlines())
