"""The service in one process: collector, relay, operator's listener and upkeep, started and stopped in order.

Start: keys, log, listeners, relay. Stop (SIGTERM, SIGINT): listeners first, so that nothing new comes in; requests
under way are answered; the relay settles what is under way; the log is closed last. SIGHUP: a new application and a
new relay take over from the old ones, which finish what they have. What stops a start is a `ConfigError` that names the
thing, the place and the way out. Several processes, and SIGUSR2: `proxy/supervise/`, from the same parts.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from aiohttp import web

from proxy import open_files
from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.collector.garbage import look_seldom
from proxy.config.load import Config
from proxy.config.machine import admin_token, data_folder, keyring, only_service
from proxy.config.settings import Settings
from proxy.destinations.base import Destination
from proxy.errors import LogUnavailable
from proxy.listening import IN_A_ROW_S, LINGER_S, Listener, bind, close, url
from proxy.log.base import OperatedLog
from proxy.log.sqlite import SqliteLog
from proxy.log.steadiness import Steadiness
from proxy.observe.admin import Measured, make_admin_app, own_measures
from proxy.observe.logs import get_logger
from proxy.privacy.keys import Keyring
from proxy.relay.relay import Relay
from proxy.reload import Reread, reread

SETTLE_S = 15.0
"""On stopping: how long deliveries under way may take. Destinations time out after 10 s by default."""
PURGE_S = 600.0
"""How often retention is enforced."""

ONE_PROCESS = "one process cannot replace itself without a gap: set relay: {process: own}, or stop and start it"

_log = get_logger("serve")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where it listens, with the ports really taken; `admin` None: switched off."""

    public: str
    admin: str | None

    def __str__(self) -> str:
        return self.public + (f"; metrics and status on {self.admin}" if self.admin else "")


Ready = Callable[[Addresses], object]


async def serve(config: Config, *, ready: Ready | None = None, load: Reread | None = None) -> None:
    """Runs until SIGTERM or SIGINT (or cancelled). `ready` is called once everything answers. SIGHUP takes over what
    `load` gives; without it the signal is left alone."""
    async with AsyncExitStack() as running:
        orders = running.enter_context(listening_to_signals(reloads=load is not None))
        log, keys = await running.enter_async_context(opened_log(config.settings))
        await running.enter_async_context(only_service(config.settings))
        await running.enter_async_context(beside(purge_for_ever(log), "upkeep"))
        current = _Current(config, log, keys)
        running.push_async_callback(current.stop_relaying)
        admin = await running.enter_async_context(operators_listener(config.settings, current.destinations, log))
        sockets = running.enter_context(bound(config.settings))
        running.push_async_callback(current.stop_collecting)
        await current.collect(sockets)
        await current.relay()  # not before both ports are ours: two relays on one log would send everything twice
        addresses = Addresses(url(config.settings.listen.host, sockets), admin)
        announce(addresses, config, ready)
        while (order := await orders.next()) is not Order.STOP:
            if order is Order.RESTART:
                _log.error("restart refused", faults=[ONE_PROCESS])
            elif load is not None and (new := await reread(current.config, load)) is not None:
                before = current.config.version
                await current.take_over(new, sockets)
                _log.info("reloaded", config=new.version, before=before)
        _log.info("stopping")
    _log.info("stopped")


class _Current:
    """What a reload exchanges: the application and the relay of one configuration."""

    def __init__(self, config: Config, log: SqliteLog, keys: Keyring) -> None:
        self.config = config
        self.destinations = dict(config.destinations)
        """What the operator's listener shows: it holds this very object."""
        self._log, self._keys = log, keys
        self._listener: Listener | None = None
        self._old: Listener | None = None  # lingers since the last reload
        self._relay: Relay | None = None

    async def collect(self, sockets: Sequence[socket.socket]) -> None:
        look_seldom()
        open_files.allow(self.config.settings.limits.connections)
        self._log.keep_for(self.config.destinations)
        app = await asyncio.to_thread(make_app, self.config, self._log, self._keys)
        listener = Listener(app, "listen")
        await listener.start(sockets)
        self._old, self._listener = self._listener, listener

    async def relay(self) -> None:
        self._relay = Relay(self._log, self.config.destinations, self.config.rules, self.config.settings.relay)
        await self._relay.start()

    async def take_over(self, new: Config, sockets: Sequence[socket.socket]) -> None:
        """On return the new configuration decides everything that comes; the old application may still linger."""
        if self._old is not None:  # reloads in a row must not pile up applications
            await asyncio.wait([self._old.leave(LINGER_S)], timeout=IN_A_ROW_S)
            await self._old.stop()
        self.config = new
        await self.collect(sockets)
        if self._old is not None:
            await self._old.stop_accepting()  # or an ingest key that was taken out could still come in
            self._old.leave(LINGER_S)
        await self.stop_relaying()
        self.destinations.clear()
        self.destinations.update(new.destinations)
        await self.relay()

    async def stop_collecting(self) -> None:
        await asyncio.gather(*(one.stop() for one in (self._old, self._listener) if one is not None))

    async def stop_relaying(self) -> None:
        if self._relay is not None:
            await self._relay.stop(SETTLE_S)
        self._relay = None


class Order(StrEnum):
    """What the operator asks for by signal."""

    STOP = "stop"  # SIGTERM, SIGINT
    RELOAD = "reload"  # SIGHUP
    RESTART = "restart"  # SIGUSR2


class Orders:
    """Those that are not carried out yet. Several of the same while one is obeyed are one more."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._waiting: set[Order] = set()
        self._news = asyncio.Event()

    async def next(self) -> Order:
        """Waits. After `STOP` comes nothing else; a restart goes before a reload, which it includes."""
        await self._news.wait()
        if self.stopping.is_set():
            return Order.STOP
        order = Order.RESTART if Order.RESTART in self._waiting else Order.RELOAD
        self._waiting.discard(order)
        if not self._waiting:
            self._news.clear()
        return order

    def give(self, order: Order) -> None:
        if order is Order.STOP:
            self.stopping.set()
        self._waiting.add(order)
        self._news.set()


@contextmanager
def listening_to_signals(*, reloads: bool) -> Iterator[Orders]:
    orders, loop = Orders(), asyncio.get_running_loop()
    meanings = {signal.SIGTERM: Order.STOP, signal.SIGINT: Order.STOP}
    if reloads:
        meanings |= {signal.SIGHUP: Order.RELOAD, signal.SIGUSR2: Order.RESTART}
    for number, order in meanings.items():
        loop.add_signal_handler(number, orders.give, order)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, meanings)  # those that came during a restart in place are heard now
    try:
        yield orders
    finally:
        for number in meanings:
            loop.remove_signal_handler(number)


def announce(addresses: Addresses, config: Config, ready: Ready | None) -> None:
    _log.info("serving", public=addresses.public, admin=addresses.admin, config=config.version)
    if ready is not None:
        ready(addresses)


@asynccontextmanager
async def opened_log(settings: Settings) -> AsyncIterator[tuple[SqliteLog, Keyring]]:
    folder = await asyncio.to_thread(data_folder, settings)
    keys = await asyncio.to_thread(keyring, settings)
    log = await SqliteLog.open(folder, keys, settings.log, system_clock)
    try:
        yield log, keys
    finally:
        await log.close()


@contextmanager
def bound(settings: Settings, inherited: Sequence[int] = ()) -> Iterator[list[socket.socket]]:
    """`inherited`: descriptors of sockets that are bound already."""
    sockets = [socket.socket(fileno=fd) for fd in inherited] or bind(
        settings.listen.host, settings.listen.port, "listen"
    )
    try:
        yield sockets
    finally:
        close(sockets)


@asynccontextmanager
async def operators_listener(
    settings: Settings, destinations: Mapping[str, Destination], log: OperatedLog, measured: Measured = own_measures
) -> AsyncIterator[str | None]:
    """Yields its URL; None when it is switched off."""
    if settings.admin.port is None:
        yield None
        return
    token = await asyncio.to_thread(admin_token, settings)
    app = make_admin_app(token, destinations, log, system_clock, measured, limits=settings.log)
    async with _listening(app, settings.admin.host, settings.admin.port, "admin") as address:
        yield address


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int, section: str) -> AsyncIterator[str]:
    """The application on an address, which is yielded as a URL. Leaving stops accepting, then waits for answers."""
    listener = Listener(app, section)
    sockets = bind(host, port, section)
    try:
        address = url(host, sockets)
        await listener.start(sockets)
    finally:
        close(sockets)  # the listener has its own, so that it is gone with it
    try:
        yield address
    finally:
        await listener.stop()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, NoReturn], name: str) -> AsyncIterator[None]:
    """Work that goes on until the block is left."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def purge_for_ever(log: OperatedLog) -> NoReturn:
    """Deletes what is past its retention, now and then, a bounded piece at a time so that nobody waits for it."""
    steadiness = Steadiness(system_clock)
    while True:
        if not steadiness.is_steady():
            await asyncio.sleep(PURGE_S)
            continue
        try:
            purged = await log.purge()
        except LogUnavailable as error:
            _log.warning("purge failed", reason=str(error))
        else:
            if purged.more:
                await asyncio.sleep(1)
                continue
        await asyncio.sleep(PURGE_S)
