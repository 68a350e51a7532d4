"""`firsthand sandbox`: only the stand-in platforms, to point a configuration's `base_url` at."""

from __future__ import annotations

import click
from aiohttp import web

from proxy.sandbox.base import TOKEN
from proxy.sandbox.server import Sandbox


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, help="Port to listen on.")
def command(host: str, port: int) -> None:
    """Strict local stand-ins for the platforms: set a destination's base_url to it and its token to the one shown."""
    address = f"http://{host}:{port}"
    click.echo(f"Stand-in platforms on {address} (open it to see what arrives); the token they accept: {TOKEN}")
    web.run_app(Sandbox().make_app(), host=host, port=port, access_log=None, print=None)
