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
    it works. SIGUSR2 restarts it in place, as it is installed now, without refusing a connection.
    """
    from functools import partial  # noqa: PLC0415 - other commands start faster without all this

    import uvloop  # noqa: PLC0415

    from proxy.config.load import load  # noqa: PLC0415
    from proxy.observe.logs import configure, get_logger  # noqa: PLC0415
    from proxy.serve import Addresses, serve  # noqa: PLC0415
    from proxy.supervise.handover import received  # noqa: PLC0415
    from proxy.supervise.parent import is_one_process, supervise  # noqa: PLC0415

    configure()
    handover = received()
    loaded = load(config)
    for warning in loaded.warnings:
        get_logger("config").warning(warning)

    def announce(addresses: Addresses) -> None:
        click.echo(f"firsthand serves {addresses}")

    again = partial(load, config)
    if is_one_process(loaded.settings) and handover is None:
        uvloop.run(serve(loaded, ready=announce, load=again))
    else:
        uvloop.run(supervise(loaded, ready=announce, load=again, handover=handover))
