"""`firsthand schema`: the configuration's JSON Schema on standard output, for editors."""

from __future__ import annotations

import click

from proxy.config.schema import schema_text


@click.command()
def command() -> None:
    """Print the JSON Schema of the configuration (for your editor)."""
    click.echo(schema_text(), nl=False)
