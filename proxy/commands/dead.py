"""`firsthand dead`: events that a destination will never get, and what to do about them. Safe while serving."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from proxy.clock import SECOND_MS
from proxy.commands._log import check_name, names, printable, reading, writing
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.event import encode_json, replace
from proxy.log.base import StoredDeadLetter
from proxy.relay.redact import redact

_destination = click.option("--destination", metavar="NAME", help="Only of this destination. Default: of all.")
_why = click.option("--why", metavar="REASON", help="Only with this reason, as `firsthand dead list` shows it.")
_json = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
_everything = click.option(
    "--all", "everything", is_flag=True, help="All of them (of --destination and --why, if given)."
)
_numbers = click.argument("numbers", metavar="[NUMBER]...", type=int, nargs=-1)


@click.group()
def command() -> None:
    """Events a destination will never get: list, show, send again, or forget.

    Each has a number, the event's number in the log; the same event may be dead for several destinations.
    """


@command.command("list")
@config_option
@_destination
@_why
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The newest so many.")
@_json
def list_(config: Path, destination: str | None, why: str | None, limit: int, as_json: bool) -> None:
    """The newest dead letters, with their reason. Shows no personal data but what a platform quotes."""
    loaded = load(config)
    letters = asyncio.run(_letters(loaded, destination, limit=limit, why=why))
    if not letters and not as_json:
        click.echo("no dead letters")
    for stored in letters:
        click.echo(encode_json(_as_json(stored)) if as_json else _line(stored))


@command.command()
@config_option
@_destination
@_json
@click.argument("number", type=int)
def show(config: Path, destination: str | None, number: int, as_json: bool) -> None:
    """One dead letter with its whole event, personal data included."""
    loaded = load(config)
    letters = asyncio.run(_letters(loaded, destination, seqs=[number]))
    if not letters:
        raise click.ClickException(f"no dead letter has the number {number}; `firsthand dead list` shows them")
    for stored in letters:
        if as_json:
            click.echo(encode_json(_as_json(stored) | {"event": stored.event}))
            continue
        click.echo(_line(stored))
        gone = "its event is gone (retention, or the key that opens it)"
        click.echo(gone if stored.event is None else encode_json(stored.event).decode())


@command.command()
@config_option
@_destination
@_why
@_everything
@_json
@_numbers
def retry(
    config: Path,
    *,
    destination: str | None,
    why: str | None,
    everything: bool,
    as_json: bool,
    numbers: tuple[int, ...],
) -> None:
    """Give dead letters back to their destinations: NUMBERs, or --all. They are sent before anything else."""
    loaded = load(config)
    seqs = _chosen(numbers, everything)
    count = asyncio.run(_retry(loaded, destination, seqs, why))
    _done(as_json, "retried", count, "given back; a running service sends them within seconds")


@command.command()
@config_option
@_destination
@_why
@_everything
@_json
@_numbers
def drop(
    config: Path,
    *,
    destination: str | None,
    why: str | None,
    everything: bool,
    as_json: bool,
    numbers: tuple[int, ...],
) -> None:
    """Forget dead letters: NUMBERs, or --all. Their events stay in the log as long as every other."""
    loaded = load(config)
    seqs = _chosen(numbers, everything)
    count = asyncio.run(_drop(loaded, destination, seqs, why))
    _done(as_json, "dropped", count, "forgotten")


async def _letters(
    config: Config,
    destination: str | None,
    *,
    limit: int = 1000,
    seqs: Sequence[int] | None = None,
    why: str | None = None,
) -> list[StoredDeadLetter]:
    async with reading(config) as view:
        check_name(destination, await names(config, view))
        found = await view.dead(destination, limit, seqs, why)
    secrets = config.secrets()
    return [
        replace(stored, letter=replace(stored.letter, detail=redact(stored.letter.detail, secrets))) for stored in found
    ]


async def _retry(config: Config, destination: str | None, seqs: Sequence[int] | None, why: str | None) -> int:
    await _check(config, destination)
    async with writing(config) as log:
        return await log.retry_dead(destination, seqs, why)


async def _drop(config: Config, destination: str | None, seqs: Sequence[int] | None, why: str | None) -> int:
    await _check(config, destination)
    async with writing(config) as log:
        return await log.drop_dead(destination, seqs, why)


async def _check(config: Config, destination: str | None) -> None:
    async with reading(config) as view:
        check_name(destination, await names(config, view))


def _chosen(numbers: tuple[int, ...], everything: bool) -> tuple[int, ...] | None:
    if bool(numbers) == everything:
        raise click.UsageError("say which: NUMBERs as `firsthand dead list` shows them, or --all")
    return None if everything else numbers


def _as_json(stored: StoredDeadLetter) -> dict[str, Any]:
    letter, event = stored.letter, stored.event
    return {
        "destination": stored.reader,
        "number": letter.seq,
        "at_ms": letter.at_ms,
        "why": letter.why,
        "detail": letter.detail,
        "event": None if event is None else {"id": event.id, "name": event.name, "time": event.time},
    }


def _line(stored: StoredDeadLetter) -> str:
    letter, event = stored.letter, stored.event
    at = datetime.fromtimestamp(letter.at_ms // SECOND_MS, UTC).isoformat().replace("+00:00", "Z")
    what = "its event is gone" if event is None else f"{event.name} {event.id}"
    return printable(f"{letter.seq:>8}  {at}  {stored.reader}  {what}  {letter.why}: {letter.detail}")


def _done(as_json: bool, word: str, count: int, told: str) -> None:
    click.echo(encode_json({word: count}).decode() if as_json else f"{count} dead letter(s) {told}")
