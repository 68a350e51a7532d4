"""`firsthand consent-log`: what visitors decided, when, and how we learnt of it. Changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from proxy.clock import SECOND_MS
from proxy.commands._log import printable, reading
from proxy.commands._moment import PastMoment
from proxy.commands._options import config_option
from proxy.config.load import Config, load
from proxy.event import Purpose, encode_json
from proxy.log.base import StoredProof


@click.command(short_help="Show what visitors decided about consent.")
@config_option
@click.option("--since", type=PastMoment(), default=0, help="From when on: 36h, 7d, RFC 3339 or Unix ms. Default: all.")
@click.option("--until", type=PastMoment(), help="Up to when (without that moment). Default: now.")
@click.option("--visitor", metavar="ID", help="Only of this visitor, an id such as v_….")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line; a stable interface.")
def command(config: Path, *, since: int, until: int | None, visitor: str | None, as_json: bool) -> None:
    """Show the proof of consent: what was decided, when, from which source, under which configuration.

    Visitors are shown as a keyed digest: who has a visitor's id can find its entries with --visitor, nobody can find
    the id from an entry. Safe while serving: changes nothing.
    """
    asyncio.run(_show(load(config), since, until, visitor, as_json=as_json))


async def _show(config: Config, since: int, until: int | None, visitor: str | None, *, as_json: bool) -> None:
    found = False
    async with reading(config) as view:
        async for stored in view.proofs(since, until, visitor):
            found = True
            click.echo(encode_json(as_object(stored)) if as_json else _line(stored))
    if not found and not as_json:
        click.echo("no decisions from that time")


def as_object(stored: StoredProof) -> dict[str, Any]:
    """One line of `--json`; `proof` null: its key is gone."""
    proof = None
    if stored.proof is not None:
        proof = {field: getattr(stored.proof, field) for field in stored.proof.__struct_fields__}
        del proof["at"], proof["visitor"]
    return {"at_ms": stored.at_ms, "visitor": stored.visitor, "proof": proof}


def _line(stored: StoredProof) -> str:
    at = datetime.fromtimestamp(stored.at_ms // SECOND_MS, UTC).isoformat().replace("+00:00", "Z")
    proof = stored.proof
    if proof is None:
        return f"{at}  {stored.visitor}  the key that opens this entry is gone"
    states = " ".join(f"{purpose}={getattr(proof, purpose)}" for purpose in Purpose)
    where = " ".join(text for text in (proof.host, proof.network, proof.browser, proof.region) if text)
    receipts = "".join(f"  with {name}" for name in proof.receipts)
    source = f"from {proof.source}, configuration {proof.config}"
    return printable(f"{at}  {stored.visitor}  {states}  {source}  {where}{receipts}")
