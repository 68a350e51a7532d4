"""The service: collector, relay, operator's listener and upkeep in one process, started in order and stopped in order.

Start: keys, log, listeners, relay. Stop (SIGTERM, SIGINT): listeners first, so that nothing new comes in; requests
under way are answered; the relay settles what is under way; the log is closed last. What stops a start is a
`ConfigError` that names the thing, the place and the way out.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from aiohttp import web

from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.collector.bad_http import server_logger
from proxy.collector.patience import close_silent
from proxy.config.load import Config
from proxy.config.machine import data_folder, keyring
from proxy.errors import ConfigError, Fault, LogUnavailable
from proxy.log.base import OperatedLog
from proxy.log.sqlite import SqliteLog
from proxy.observe.admin import make_admin_app
from proxy.observe.logs import get_logger
from proxy.relay.relay import Relay

ANSWER_S = 10.0
"""On stopping: how long requests under way may take."""
SETTLE_S = 15.0
"""On stopping: how long deliveries under way may take. Destinations time out after 10 s by default."""
PURGE_S = 600.0
"""How often retention is enforced."""
BACKLOG = 1024

_log = get_logger("serve")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where it listens, with the ports really taken; `admin` None: switched off."""

    public: str
    admin: str | None

    def __str__(self) -> str:
        return self.public + (f"; metrics and status on {self.admin}" if self.admin else "")


async def serve(config: Config, *, ready: Callable[[Addresses], object] | None = None) -> None:
    """Runs until SIGTERM or SIGINT (or cancelled). `ready` is called once everything answers."""
    settings = config.settings
    stopping = asyncio.Event()
    async with AsyncExitStack() as running:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
            running.callback(loop.remove_signal_handler, number)
        folder = await asyncio.to_thread(data_folder, settings)
        keys = await asyncio.to_thread(keyring, settings)
        log = await SqliteLog.open(folder, keys, settings.log, system_clock)
        running.push_async_callback(log.close)
        await running.enter_async_context(_beside(_purge_for_ever(log), "upkeep"))
        relay = Relay(log, config.destinations, config.rules, settings.relay)
        running.push_async_callback(relay.stop, SETTLE_S)
        admin = None
        if settings.admin.port is not None:
            app = make_admin_app(settings.admin, config.destinations, log, system_clock)
            listener = _listening(app, settings.admin.host, settings.admin.port, "admin")
            admin = await running.enter_async_context(listener)
        app = await asyncio.to_thread(make_app, config, log, keys)
        listener = _listening(app, settings.listen.host, settings.listen.port, "listen")
        public = await running.enter_async_context(listener)
        await relay.start()  # not before both ports are ours: two relays on one log would send everything twice
        addresses = Addresses(public, admin)
        _log.info("serving", public=public, admin=admin, config=config.version)
        if ready is not None:
            ready(addresses)
        await stopping.wait()
        _log.info("stopping")
    _log.info("stopped")


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int, section: str) -> AsyncIterator[str]:
    """The application on an address, which is yielded as a URL. Leaving stops accepting, then waits for answers."""
    runner = web.AppRunner(app, access_log=None, logger=server_logger(), shutdown_timeout=ANSWER_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        except OSError as error:
            raise _cannot_listen(error, host, port, section) from None
        actual = runner.addresses[0][1]
        assert runner.server is not None
        async with _beside(close_silent(runner.server), f"{section} patience"):
            yield f"http://{f'[{host}]' if ':' in host else host}:{actual}"
    finally:
        await runner.cleanup()


def _cannot_listen(error: OSError, host: str, port: int, section: str) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        words, advice = f"port {port} of {host} is in use", f"stop what uses it, or choose another {section}.port"
        return ConfigError([Fault((section, "port"), words, advice)])
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM):
        advice = "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one"
        return ConfigError([Fault((section, "port"), f"listening on {host}:{port}: {reason}", advice)])
    advice = "0.0.0.0 means every address of this machine"
    return ConfigError([Fault((section, "host"), f"listening on {host}:{port}: {reason}", advice)])


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, NoReturn], name: str) -> AsyncIterator[None]:
    """Work that goes on until the block is left."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _purge_for_ever(log: OperatedLog) -> NoReturn:
    """Deletes what is past its retention, now and then, a bounded piece at a time so that nobody waits for it."""
    while True:
        try:
            purged = await log.purge()
        except LogUnavailable as error:
            _log.warning("purge failed", reason=str(error))
        else:
            if purged.more:
                await asyncio.sleep(1)
                continue
        await asyncio.sleep(PURGE_S)
