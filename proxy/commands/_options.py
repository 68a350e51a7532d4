"""Options that several commands share, so that they read alike everywhere. Holds no command of its own."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FIRSTHAND_CONFIG",
    default=Path("config.yaml"),
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
"""`--config/-c FILE`: arrives as `config: Path`. Need not exist: `proxy.config.load.load` says so with the way out."""
