"""`firsthand replay`: send what the log still holds to one destination once more. Safe while serving."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from proxy.commands._log import check_name, names, reading, writing
from proxy.commands._moment import PastMoment
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.event import encode_json
from proxy.log.base import Replay, Replayable


@click.command(short_help="Send stored events to a destination once more.")
@config_option
@click.option("--destination", metavar="NAME", required=True, help="To whom.")
@click.option(
    "--since", type=PastMoment(), required=True, help="From when on, by arrival: 36h, 7d, RFC 3339 or Unix ms."
)
@click.option("--until", type=PastMoment(), help="Up to when (without that moment). Default: now.")
@click.option("--only-missing", is_flag=True, help="Leave out what the platform has accepted before.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; a stable interface.")
def command(
    config: Path,
    *,
    destination: str,
    since: int,
    until: int | None,
    only_missing: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send what the log still holds to one destination once more: after a rule was mended, say.

    The rules of now decide, with each event's own consent, the platform's age limit and what `once` has sent. Events
    keep their ids, so platforms merge what they had already, within their own window (docs/delivery.md). They go
    before anything newer. Safe while serving; a running service begins within seconds.
    """
    loaded = load(config)
    if until is not None and until <= since:
        raise click.BadParameter("it ends before it begins", param_hint="--until")
    asked = Replay(reader=destination, since_ms=since, until_ms=until, only_missing=only_missing)
    found, given = asyncio.run(_replay(loaded, asked, dry_run=dry_run))
    if as_json:
        shown = {"stored": found.stored, "accepted": found.accepted, "waiting": found.waiting, "again": given}
        click.echo(encode_json({"destination": destination, "dry_run": dry_run, **shown}))
        return
    click.echo(
        f"{found.stored:,} events are stored from that time: {destination} has accepted {found.accepted:,}, "
        f"{found.waiting:,} wait for it anyway"
    )
    if dry_run:
        click.echo(f"{given:,} would be handed out again; nothing was done")
    else:
        click.echo(f"{given:,} are handed out again; a running service sends them before anything newer")


async def _replay(config: Config, asked: Replay, *, dry_run: bool) -> tuple[Replayable, int]:
    """What there is, and how many events are (or would be) handed out again."""
    async with reading(config) as view:
        check_name(asked.reader, await names(config, view))
        found = await view.replayable(asked)
    if dry_run or not found.again:
        return found, found.again
    async with writing(config) as log:
        return found, await log.replay(asked)
