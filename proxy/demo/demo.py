"""`firsthand demo`: the real proxy between a small shop and stand-in platforms, on this machine only.

Nothing here is special to the demo but the shop and the stand-ins: the configuration is `config.yaml` beside this
file, loaded and served like any other.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from aiohttp import web

from proxy.config.load import Config, load
from proxy.demo import shop
from proxy.errors import ConfigError, Fault
from proxy.sandbox.base import TOKEN
from proxy.sandbox.server import Sandbox
from proxy.serve import serve

HOST = "127.0.0.1"
_OPTIONS: dict[tuple[str | int, ...], str] = {("listen", "port"): "--port", ("admin", "port"): "--admin-port"}


@dataclass(frozen=True)
class Addresses:
    """As a browser on this machine reaches them. `localhost`, not 127.0.0.1: cookies of one name for shop and proxy."""

    shop: str
    proxy: str
    sandbox: str
    admin: str


@dataclass(frozen=True)
class Ports:
    shop: int = 8000
    proxy: int = 8080
    sandbox: int = 8090
    admin: int = 8081

    def addresses(self) -> Addresses:
        return Addresses(*(f"http://localhost:{port}" for port in (self.shop, self.proxy, self.sandbox, self.admin)))


def configuration(ports: Ports, data: Path) -> Config:
    """The demo's configuration as the proxy loads it; `data`: where its log and key go."""
    addresses = ports.addresses()
    values = {
        "SHOP": addresses.shop,
        "PORT": str(ports.proxy),
        "ADMIN_PORT": str(ports.admin),
        "DATA": str(data),
        "SANDBOX": f"http://{HOST}:{ports.sandbox}",
        "TOKEN": TOKEN,
    }
    with as_file(files("proxy.demo") / "config.yaml") as path:
        return load(path, values)


async def run(ports: Ports, data: Path, announce: Callable[[Addresses], None]) -> None:
    """Serve until stopped (SIGINT, SIGTERM). `announce` is called once everything answers."""
    config = configuration(ports, data)
    addresses = ports.addresses()
    async with AsyncExitStack() as running:
        await running.enter_async_context(_site(Sandbox().make_app(), ports.sandbox, "--sandbox-port"))
        await running.enter_async_context(
            _site(shop.make_app(addresses.proxy, addresses.sandbox), ports.shop, "--shop-port")
        )
        try:
            await serve(config, ready=lambda *_: announce(addresses))
        except ConfigError as error:
            raise ConfigError([_in_options(fault) for fault in error.faults]) from error


def _in_options(fault: Fault) -> Fault:
    """The service speaks of keys of its configuration; here the ports are options."""
    option = _OPTIONS.get(fault.path)
    return replace(fault, path=(), advice=f"choose another with {option}") if option else fault


@asynccontextmanager
async def _site(app: web.Application, port: int, option: str) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            words = f"port {port} of {HOST} is in use" if taken else f"cannot listen on {HOST}:{port}: {error.strerror}"
            raise ConfigError([Fault((), words, f"choose another with {option}")]) from error
        yield
    finally:
        await runner.cleanup()
