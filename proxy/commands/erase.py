"""`firsthand erase`: delete what is stored about one person, and let nothing bring it back. Safe while serving."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import click
import msgspec

from proxy.commands._log import printable, reading, writing
from proxy.commands._options import config_option
from proxy.commands._person import chosen, find, person_options
from proxy.config.load import Config, load
from proxy.event import encode_json
from proxy.log import people
from proxy.log.database import copies, path_of
from proxy.log.erased import LOOK_S
from proxy.log.people import Fate, Person
from proxy.log.view import LogView
from proxy.privacy.selector import Selector

LEARN_S = LOOK_S + 1.0
"""By then every collector that runs knows who was erased."""

Sleep = Callable[[float], Awaitable[object]]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to erase, and what erasing it here does not reach. A stable interface (`--json`)."""

    visitors: tuple[str, ...]
    events: int
    dead_letters: int
    consents: int  # proofs, which are kept without network and browser
    sent_to: dict[str, int]  # destination -> events it has accepted
    waiting_for: dict[str, int]  # destination -> events it was still to be sent
    copies: tuple[str, ...]  # files of before an update, which hold them too


@click.command(short_help="Delete what is stored about a person.")
@config_option
@person_options
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; a stable interface. Needs --yes or --dry-run.")
def command(config: Path, *, only_matching: bool, dry_run: bool, yes: bool, as_json: bool, **who: str | None) -> None:
    """Delete what is stored about a person: VISITOR, or one of the options, which find as `firsthand export` does.

    Events, dead letters, waiting deliveries and what `once` remembers are deleted and overwritten in the files. The
    visitor's cookie is revoked: its next request is answered by taking it back, and nothing is made of what still comes
    from it. Proofs of consent stay, under a digest and without network and browser. Lists where data went already.
    """
    loaded, selector = load(config), chosen(**who)
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nothing: add --yes or --dry-run")
    person, found = asyncio.run(_look(loaded, selector, only_matching=only_matching))
    if not as_json:
        click.echo("\n".join(_readable(found, loaded)))
    erased, wiped = 0, True
    if not dry_run and (person.visitors or person.seqs):
        if not yes:
            click.confirm("Delete it?", abort=True)
        erased, wiped = asyncio.run(erase(loaded, person))
    if as_json:
        click.echo(encode_json({"dry_run": dry_run, "erased": erased, "overwritten": wiped, "found": found}))
    elif dry_run:
        click.echo("nothing was done")
    else:
        click.echo(f"{erased:,} events erased")
        if not wiped:
            click.echo("the log was being read all the time: old pages leave log.db-wal with its next fold-in")


async def erase(config: Config, person: Person, sleep: Sleep = asyncio.sleep) -> tuple[int, bool]:
    """How many events, and whether every file is free of them."""
    async with writing(config) as log:
        if person.visitors:
            await log.revoke(person.visitors)
        erased = await log.erase_events(person.seqs)
        if person.visitors:
            await sleep(LEARN_S)  # a collector that did not know yet may have stored one more
            for visitor in person.visitors:
                erased += await log.erase(visitor)
        return erased, await log.wipe()


async def _look(config: Config, who: Selector, *, only_matching: bool) -> tuple[Person, Found]:
    async with reading(config) as view:
        person = await find(view, who, only_matching=only_matching)
        return person, await look(view, person, config)


async def look(view: LogView, person: Person, config: Config) -> Found:
    fates = await people.fates(view, person.seqs)
    consents = 0
    for visitor in person.visitors:
        async for _ in view.proofs(visitor=visitor):
            consents += 1
    return Found(
        visitors=person.visitors,
        events=len(person.seqs),
        dead_letters=await people.dead_letters(view, person.seqs),
        consents=consents,
        sent_to=_count(fates, Fate.DELIVERED),
        waiting_for=_count(fates, Fate.WAITING),
        copies=tuple(str(path) for path in copies(path_of(config.settings.data))),
    )


def _count(fates: dict[str, dict[int, Fate]], wanted: Fate) -> dict[str, int]:
    counts = {reader: sum(fate is wanted for fate in became.values()) for reader, became in fates.items()}
    return {reader: count for reader, count in counts.items() if count}


def _readable(found: Found, config: Config) -> Iterator[str]:
    if not found.visitors and not found.events:
        yield "nothing is stored about this person"
        return
    who = ", ".join(map(printable, found.visitors)) or "nobody by a visitor id"
    yield f"visitors: {who}"
    yield f"{found.events:,} events, {found.dead_letters:,} dead letters, {found.consents:,} proofs of consent"
    for name, count in found.waiting_for.items():
        yield f"  {count:,} still wait for {name} and will not be sent (but for a request that is under way)"
    if found.sent_to:
        yield "what was sent already is not ours to delete:"
    for name, count in found.sent_to.items():
        destination = config.destinations.get(name)
        advice = "not in the configuration any more" if destination is None else destination.deletion
        yield f"  {name} has accepted {count:,} events: {advice}"
    if found.consents:
        yield "proofs of consent stay until log.consent_days have passed, under a digest, without network and browser"
    for copy in found.copies:
        yield f"not reached: {copy}, a copy of before an update; delete it"
    yield "not reached: backups of yours"
