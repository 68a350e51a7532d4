"""`firsthand keygen`: one new key on standard output."""

from __future__ import annotations

import click

from proxy.privacy.keys import generate_key


@click.command()
def command() -> None:
    """Print a new random key: for `keys`, `ingest_keys` and `admin.token`."""
    click.echo(generate_key())
