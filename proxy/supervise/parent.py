"""`firsthand serve` in several processes: collectors that share the port, the relay, and this one, which owns the
sockets, keeps the others running, purges the log and answers the operator.

It serves no visitor and sends to no platform, so that little can happen to it; when it ends, the others end with it.
A reload starts a second set of children, waits until all of them are ready, and only then lets them take over. A
restart (SIGUSR2) does the same after this process has become the program as it is installed now.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import proxy
from proxy.config.load import Config
from proxy.config.machine import only_service
from proxy.config.settings import Settings
from proxy.event import replace
from proxy.listening import url
from proxy.observe.logs import get_logger
from proxy.reload import Reread, reread
from proxy.serve import (
    Addresses,
    Order,
    Orders,
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
from proxy.supervise.handover import Handover, become, hold_back_signals
from proxy.supervise.process import COMMAND
from proxy.supervise.rehearsal import rehearse

_log = get_logger("serve")


def is_one_process(settings: Settings) -> bool:
    return settings.workers == 1 and settings.relay.process == "inline"


async def supervise(
    config: Config,
    *,
    ready: Ready | None = None,
    load: Reread | None = None,
    command: Sequence[str] = COMMAND,
    handover: Handover | None = None,
) -> None:
    """As `serve`, with children. Raises `NotStarted` when the first of them do not get ready. `handover`: this process
    was the parent already, before it became this program. On SIGUSR2 it becomes the next and does not return."""
    with listening_to_signals(reloads=load is not None) as orders:
        following = await _supervise(config, orders, ready=ready, load=load, command=command, handover=handover)
        if following is not None:
            await hold_back_signals()
            become(replace(following, is_stopping=orders.stopping.is_set()))


async def _supervise(
    config: Config,
    orders: Orders,
    *,
    ready: Ready | None,
    load: Reread | None,
    command: Sequence[str],
    handover: Handover | None,
) -> Handover | None:
    """What the next program is to go on with; None: this was the end."""
    async with AsyncExitStack() as running:
        log, _ = await running.enter_async_context(opened_log(config.settings))
        lock = await running.enter_async_context(
            only_service(config.settings, inherited=handover.lock if handover else None)
        )
        await running.enter_async_context(beside(purge_for_ever(log), "upkeep"))
        destinations = dict(config.destinations)
        sockets = running.enter_context(bound(config.settings, handover.sockets if handover else ()))
        family = Family(sockets, command, lock)
        running.push_async_callback(family.stop)
        if handover is not None:
            await family.adopt(handover.heirs, config)
            if handover.is_stopping:
                orders.give(Order.STOP)
        admin = await running.enter_async_context(
            operators_listener(config.settings, destinations, log, family.measured)
        )
        if not await _first(family, config, orders, restarted=handover is not None):
            return None
        announce(Addresses(url(config.settings.listen.host, sockets), admin), config, ready)
        while (order := await orders.next()) is not Order.STOP:
            if order is Order.RESTART:
                if faults := await rehearse(config.path, config.settings):
                    _log.error("restart refused", config=config.version, faults=faults)
                    continue
                _log.info("restarting", version=proxy.__version__)
                return Handover(
                    sockets=tuple(os.dup(one.fileno()) for one in sockets),
                    lock=os.dup(lock),
                    heirs=await family.let_go(),
                )
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
    return None


async def _first(family: Family, config: Config, orders: Orders, *, restarted: bool) -> bool:
    """Whether children of `config` are at work, or those from before a restart because the new ones do not get ready.
    False: it is time to stop."""
    try:
        finished = await _unless(orders.stopping, family.take_over(config))
    except NotStarted as error:
        if not restarted:
            raise
        _log.error("restart incomplete", faults=[str(error)], advice="the processes from before go on")
        return True
    if finished and restarted:
        _log.info("restarted", version=proxy.__version__)
    return finished


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
