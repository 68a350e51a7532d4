"""A child of `firsthand serve`: one collector or the relay, doing what its parent says.

It gets everything ready before it says so, and begins when told. SIGTERM to it alone is like being told to leave. When
the parent is gone it ends at once, as if killed with it: nothing is acknowledged that is not on disk.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Protocol

from proxy import open_files
from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.collector.garbage import look_seldom
from proxy.config.load import Config, read
from proxy.config.machine import keyring
from proxy.errors import ProxyError
from proxy.listening import Listener
from proxy.log.sqlite import SqliteLog
from proxy.observe.logs import get_logger
from proxy.observe.merge import samples
from proxy.privacy.keys import Keyring
from proxy.relay.relay import Relay
from proxy.serve import SETTLE_S
from proxy.supervise.channel import Begin, Channel, Go, Leave, Measure, Measured, Prepared, Role

_log = get_logger("serve")


class _Work(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None:
        """Without lingering (any longer)."""

    async def leave(self, linger_s: float) -> None: ...


async def run(fd: int) -> None:
    """Until told to leave. Exits with status 2 when it cannot begin, having said why."""
    channel = await Channel.open(socket.socket(fileno=fd))
    messages = aiter(channel)
    begin = await anext(messages, None)
    if not isinstance(begin, Begin):
        return
    try:
        config = await asyncio.to_thread(read, begin.text, Path(begin.path), os.environ)
        keys = await asyncio.to_thread(keyring, config.settings)
        log = await SqliteLog.open(config.settings.data, keys, config.settings.log, system_clock)
    except ProxyError as error:
        _log.error("process cannot begin", role=begin.role, reason=str(error))
        raise SystemExit(2) from None
    log.keep_for(config.destinations)
    work = await _prepared(begin, config, log, keys)
    told = asyncio.Event()
    linger_s = 0.0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)

    async def obey() -> None:
        nonlocal linger_s
        async for message in messages:
            match message:
                case Go():
                    await work.start()
                case Measure():
                    channel.send(Measured(tuple(samples())))
                case Leave(seconds) if told.is_set():
                    if seconds == 0:
                        await work.stop()
                case Leave(seconds):
                    linger_s = seconds
                    told.set()
        os._exit(1)

    obeying = asyncio.create_task(obey(), name="orders")
    channel.send(Prepared())
    await told.wait()
    await work.leave(linger_s)
    await log.close()
    obeying.cancel()
    channel.send(Measured(tuple(samples())))
    await channel.close()


async def _prepared(begin: Begin, config: Config, log: SqliteLog, keys: Keyring) -> _Work:
    if begin.role is Role.RELAY:
        return _Relaying(Relay(log, config.destinations, config.rules, config.settings.relay))
    look_seldom()
    open_files.allow(config.settings.limits.connections)
    listener = Listener(await asyncio.to_thread(make_app, config, log, keys), "listen")
    return _Collecting(listener, [socket.socket(fileno=fd) for fd in begin.sockets])


class _Collecting:
    def __init__(self, listener: Listener, sockets: list[socket.socket]) -> None:
        self._listener, self._sockets = listener, sockets

    async def start(self) -> None:
        await self._listener.start(self._sockets)

    async def leave(self, linger_s: float) -> None:
        await self._listener.leave(linger_s)

    async def stop(self) -> None:
        await self._listener.stop()


class _Relaying:
    """Its connections are its own, so there is nothing to linger for."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def start(self) -> None:
        await self._relay.start()

    async def leave(self, linger_s: float) -> None:  # noqa: ARG002 - as its sibling
        await self._relay.stop(SETTLE_S)

    async def stop(self) -> None:
        """It is settling already."""
