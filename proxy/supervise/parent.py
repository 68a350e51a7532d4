"""`firsthand serve` in several processes: collectors that share the port, the relay, and this one, which owns the
sockets, keeps the others running, purges the log and answers the operator.

It serves no visitor and sends to no platform, so that little can happen to it; when it ends, the others end with it.
A reload starts a second set of children, waits until all of them are ready, and only then lets them take over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from proxy.config.load import Config
from proxy.config.machine import only_service
from proxy.config.settings import Settings
from proxy.listening import url
from proxy.observe.logs import get_logger
from proxy.reload import Reread, reread
from proxy.serve import (
    Addresses,
    Ready,
    announce,
    beside,
    bound,
    listening_to_signals,
    opened_log,
    operators_listener,
    purge_for_ever,
)
from proxy.supervise.family import Family, NotStarted
from proxy.supervise.process import COMMAND

_log = get_logger("serve")


def is_one_process(settings: Settings) -> bool:
    return settings.workers == 1 and settings.relay.process == "inline"


async def supervise(
    config: Config, *, ready: Ready | None = None, load: Reread | None = None, command: Sequence[str] = COMMAND
) -> None:
    """As `serve`, with children. Raises `NotStarted` when the first of them do not get ready."""
    async with AsyncExitStack() as running:
        orders = running.enter_context(listening_to_signals(reloads=load is not None))
        log, _ = await running.enter_async_context(opened_log(config.settings))
        lock = await running.enter_async_context(only_service(config.settings))
        await running.enter_async_context(beside(purge_for_ever(log), "upkeep"))
        destinations = dict(config.destinations)
        sockets = running.enter_context(bound(config.settings))
        family = Family(sockets, command, lock)
        running.push_async_callback(family.stop)
        admin = await running.enter_async_context(
            operators_listener(config.settings, destinations, log, family.measured)
        )
        if not await _unless(orders.stopping, family.take_over(config)):
            return
        announce(Addresses(url(config.settings.listen.host, sockets), admin), config, ready)
        while await orders.reload():
            if load is None or (new := await reread(config, load)) is None:
                continue
            try:
                if not await _unless(orders.stopping, family.take_over(new)):
                    break
            except NotStarted as error:
                _log.error("reload refused", config=config.version, faults=[str(error)])
                continue
            _log.info("reloaded", config=new.version, before=config.version)
            config = new
            destinations.clear()
            destinations.update(new.destinations)
        _log.info("stopping")
    _log.info("stopped")


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` was finished; it is given up when it is time to stop."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
    finally:
        finished = task.done()
        for one in (task, stop):
            one.cancel()
        await asyncio.wait((task, stop))
    if finished:
        task.result()
    return finished
