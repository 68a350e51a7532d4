"""`firsthand demo`: everything on this machine, no configuration, no credentials."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import uvloop

from proxy.demo.demo import Addresses, Ports, run
from proxy.observe.logs import configure

_STANDARD = Ports()


@click.command()
@click.option("--shop-port", default=_STANDARD.shop, show_default=True, help="Where the demo shop listens.")
@click.option("--port", default=_STANDARD.proxy, show_default=True, help="Where the proxy listens.")
@click.option(
    "--sandbox-port", default=_STANDARD.sandbox, show_default=True, help="Where the stand-in platforms listen."
)
@click.option("--admin-port", default=_STANDARD.admin, show_default=True, help="Where metrics and status are.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the event log here. Default: a temporary folder, deleted at the end.",
)
def command(shop_port: int, port: int, sandbox_port: int, admin_port: int, data: Path | None) -> None:
    """Try it: the proxy, a small shop, and local stand-ins for the platforms."""
    configure(pretty=True)
    ports = Ports(shop=shop_port, proxy=port, sandbox=sandbox_port, admin=admin_port)
    with tempfile.TemporaryDirectory(prefix="firsthand-demo-") as temporary:
        uvloop.run(run(ports, (data or Path(temporary)).resolve(), _announce))


def _announce(addresses: Addresses) -> None:
    bold = click.style
    click.echo(f"""
{bold("Firsthand is running on this machine only.", bold=True)} Stop it with Ctrl-C.

  {bold("The shop", bold=True)}, as if you clicked an ad on Facebook:
      {addresses.shop}/?fbclid=IwAR-demo-click-1
  {bold("What the platforms received", bold=True)} (stand-ins, as strict as the real ones are documented to be):
      {addresses.sandbox}/

{bold("Try this:", bold=True)}
  1. Open both side by side. Before you answer the banner nothing is set, stored or sent.
  2. Accept, look around, put a mug in the cart, buy it. Each event arrives with fbc and fbp, the purchase with a hashed
     e-mail, too. Search the platforms' page for the order's number: each platform has it, once.
  3. Delete the cookies _fbp and _fbc in the developer tools and reload: they come back with the same values.
  4. On the platforms' page let Meta be down, buy again, let it work again: within seconds the purchase arrives, once.

  The proxy's own pages:
      {addresses.proxy}/tracker.js    the script
      {addresses.admin}/status.json   how far each platform is, what holds it up
      {addresses.admin}/metrics       for Prometheus
""")
