"""`firsthand serve`: the service, until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.commands._options import config_option


@click.command("serve", short_help="Collect events and relay them, until stopped.")
@config_option
def command(config: Path) -> None:
    """Serve the tracker script, collect events and relay them to the destinations.

    SIGTERM or Ctrl-C stops it gracefully: requests under way are answered, deliveries under way are settled, and what
    is still waiting in the log is sent after the next start. SIGHUP takes over the configuration file as it is now, if
    it works.
    """
    from functools import partial  # noqa: PLC0415 - other commands start faster without all this

    import uvloop  # noqa: PLC0415

    from proxy.config.load import load  # noqa: PLC0415
    from proxy.observe.logs import configure, get_logger  # noqa: PLC0415
    from proxy.serve import Addresses, serve  # noqa: PLC0415
    from proxy.supervise.parent import is_one_process, supervise  # noqa: PLC0415

    configure()
    loaded = load(config)
    for warning in loaded.warnings:
        get_logger("config").warning(warning)

    def announce(addresses: Addresses) -> None:
        click.echo(f"firsthand serves {addresses}")

    run = serve if is_one_process(loaded.settings) else supervise
    uvloop.run(run(loaded, ready=announce, load=partial(load, config)))
