"""The `firsthand` command. Each subcommand is a file in `proxy/commands/`, imported only when it is called."""

from __future__ import annotations

import importlib
import pkgutil

import click

import proxy
from proxy import commands
from proxy.errors import ConfigError, ProxyError


class _Commands(click.Group):
    """`firsthand A-NAME` is `proxy/commands/a_name.py`, object `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        names = (module.name for module in pkgutil.iter_modules(commands.__path__) if module.name[0] != "_")
        return sorted(name.replace("_", "-") for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"proxy.commands.{cmd_name.replace('-', '_')}").command
        return command


@click.command(cls=_Commands)
@click.version_option(proxy.__version__, prog_name="firsthand")
def root() -> None:
    """A first-party tracking proxy: identity that survives, consent that is obeyed, conversions that arrive."""


def main() -> None:
    """Entry point: our own errors become one clear message and exit code 2, never a traceback."""
    try:
        root()
    except ConfigError as error:
        click.echo(f"{error}\n{len(error.faults)} fault(s); nothing was started.", err=True)
        raise SystemExit(2) from None
    except ProxyError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
