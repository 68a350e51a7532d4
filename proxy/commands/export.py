"""`firsthand export`: all that is stored about one person. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from proxy.commands._log import reading
from proxy.commands._options import config_option
from proxy.commands._person import chosen, find, person_options
from proxy.commands.consent_log import as_object
from proxy.config.load import Config, load
from proxy.event import encode_json
from proxy.log import people
from proxy.log.people import Fate, Person
from proxy.log.view import LogView
from proxy.privacy.selector import Selector
from proxy.relay.redact import redact


@click.command(short_help="Print all that is stored about a person.")
@config_option
@person_options
def command(config: Path, *, only_matching: bool, **who: str | None) -> None:
    """Print all that is stored about a person, one JSON object a line: VISITOR, or one of the options.

    Events with what became of them at each destination, dead letters, proofs of consent, and whether the visitor was
    erased. What a key finds leads to the visitors on those events and so to the rest of their events. Match keys are
    compared as platforms do: normalised, hashed. Safe while serving: changes nothing.
    """
    asyncio.run(_export(load(config), chosen(**who), only_matching=only_matching))


async def _export(config: Config, who: Selector, *, only_matching: bool) -> None:
    count = 0
    async with reading(config) as view:
        person = await find(view, who, only_matching=only_matching)
        async for line in lines(view, person, config.secrets()):
            count += 1
            click.echo(encode_json(line))
    click.echo(f"{count} lines", err=True)


async def lines(view: LogView, person: Person, secrets: tuple[str, ...]) -> AsyncIterator[dict[str, Any]]:
    """Each with a `type`: visitor, event, dead_letter, refusal, consent. A stable interface."""
    for visitor in person.visitors:
        yield {"type": "visitor", "id": visitor, "erased": await view.is_erased(visitor)}
    for start in range(0, len(person.seqs), people.PIECE):
        seqs = person.seqs[start : start + people.PIECE]
        fates = await people.fates(view, seqs)
        async for entry in people.entries(view, seqs):
            became: dict[str, Fate] = {reader: found[entry.seq] for reader, found in fates.items()}
            yield {
                "type": "event",
                "number": entry.seq,
                "stored_at_ms": entry.stored_at_ms,
                "destinations": became,
                "event": entry.event,
            }
        for stored in await view.dead(limit=len(seqs) * max(1, len(fates)), seqs=seqs):
            letter = stored.letter
            yield {
                "type": "dead_letter",
                "destination": stored.reader,
                "number": letter.seq,
                "at_ms": letter.at_ms,
                "why": letter.why,
                "detail": redact(letter.detail, secrets),
            }
    for visitor in person.visitors:
        for upto, purposes in await view.refusals(visitor):
            yield {"type": "refusal", "purposes": purposes, "up_to": upto}
        async for proof in view.proofs(visitor=visitor):
            yield {"type": "consent", **as_object(proof)}
