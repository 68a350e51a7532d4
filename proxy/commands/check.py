"""`firsthand check`: would it start, and with --live, do the platforms accept us. Changes nothing, sends no event.

Exit codes: 0 it would start, 1 a platform refused or did not answer, 2 it would not start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from proxy.clock import Clock, system_clock
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.config.machine import KEY_FILE, examine
from proxy.destinations.base import Destination, Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, Verdict
from proxy.errors import ConfigError
from proxy.relay.redact import redact
from proxy.relay.sender import Sender
from proxy.relay.tokens import Tokens


@click.command()
@config_option
@click.option("--live", is_flag=True, help="Also ask every platform whether it accepts the credentials.")
def command(config: Path, live: bool) -> None:
    """Say whether the configuration works here, and what to change if not."""
    loaded = load(config)
    faults, warnings = examine(loaded.settings)
    if faults:
        raise ConfigError([replace(fault, file=str(config)) for fault in faults])
    click.echo(f"{config} works (version {loaded.version}).")
    for label, text in summary(loaded):
        click.echo(f"  {label:<14}{text}")
    for warning in (*loaded.warnings, *warnings):
        click.echo(f"  {click.style('warning', fg='yellow'):<14} {warning}")
    if live and not asyncio.run(_ask_all(loaded)):
        raise SystemExit(1)


def summary(config: Config) -> Iterator[tuple[str, str]]:
    """What was read, as label and text; nothing secret."""
    settings = config.settings
    yield "site", ", ".join(settings.site.origins)
    admin = settings.admin
    operator = "" if admin.port is None else f", for operators {admin.host}:{admin.port}"
    yield "listens on", f"{settings.listen.host}:{settings.listen.port}{operator}"
    yield "data", str(settings.data)
    if settings.keys is None:
        key_file = settings.data / KEY_FILE
        yield "keys", f"{key_file}{'' if key_file.exists() else ' (made at the first start)'}"
    else:
        yield "keys", "from the configuration"
    for name, destination in config.destinations.items():
        state = "" if destination.settings.enabled else ", switched off"
        yield "destination", f"{name} ({destination.kind}{state})"
    rules = settings.rules
    yield "rules", "none: every event goes to every destination" if rules is None else str(len(rules))


async def _ask_all(config: Config) -> bool:
    """Run the probes at the same time; print one line each, in order. True when every platform accepted."""
    enabled = [destination for destination in config.destinations.values() if destination.settings.enabled]
    sender = Sender()
    try:
        verdicts = await asyncio.gather(*(ask(destination, sender) for destination in enabled))
    finally:
        await sender.close()
    for destination, verdict in zip(enabled, verdicts, strict=True):
        click.echo(redact(f"  {'live':<14}{destination.name}: {in_words(verdict)}", config.secrets()))
    return all(isinstance(verdict, Delivered) for verdict in verdicts)


async def ask(destination: Destination, sender: Sender, clock: Clock = system_clock) -> Verdict:
    """One destination's probe, sent and judged."""
    probe = destination.probe(clock())
    answer = await Tokens(destination, sender, clock).send(probe)
    if not isinstance(answer, Reply):
        return answer
    return destination.judge(msgspec.structs.replace(answer, sent=len(probe.rows)))


def in_words(verdict: Verdict) -> str:
    match verdict:
        case Delivered():
            return "the platform accepts the credentials"
        case RetryLater(why, _, detail):
            return _joined(f"no usable answer now ({why})", [detail], "try again; check DNS, firewall and base_url")
        case AuthBroken(why, detail, advice):
            return _joined(f"credentials refused ({why})", [detail], advice)
        case Rejected(why, detail):
            return _joined(f"the probe was refused ({why})", [detail], "")


def _joined(head: str, details: Iterable[str], advice: str) -> str:
    text = ": ".join(part for part in (head, *details) if part)
    return f"{text}\n{'':<16}{advice}" if advice else text
