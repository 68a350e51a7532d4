"""`firsthand record`: the record of processing that a configuration makes. Reads the file and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.commands._options import config_option


@click.command(short_help="Write the record of processing as Markdown.")
@config_option
def command(config: Path) -> None:
    """Write, as Markdown, what a data protection officer asks for: recipients, fields, purposes, retention.

    Everything in it follows from the configuration; the same file gives the same text, so it can be kept beside it and
    compared. What only you know (controller, contracts, transfers) is named at its place.
    """
    from proxy.config.load import load  # noqa: PLC0415 - `--help` starts faster without all this
    from proxy.record import record  # noqa: PLC0415

    click.echo("\n".join(record(load(config))))
