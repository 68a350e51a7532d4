"""All children there are: those of the configuration in force, and the ones that linger since the last reload.

One relay at a time: two on one log would send everything twice. Collectors may overlap, they share their sockets.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from prometheus_client.registry import Collector

from proxy.config.load import Config
from proxy.errors import ProxyError
from proxy.listening import ANSWER_S, IN_A_ROW_S, LINGER_S
from proxy.observe.merge import Sum
from proxy.serve import SETTLE_S
from proxy.supervise.channel import Role
from proxy.supervise.handover import Heir
from proxy.supervise.keeper import Keeper, Start
from proxy.supervise.process import COMMAND, Process

MARGIN_S = 5.0
"""What a child gets beyond its own deadlines before it is killed."""


class NotStarted(ProxyError):  # noqa: N818 - says what happened
    """A child did not get ready; why stands in a log line of its own."""


class Family:
    def __init__(
        self, sockets: Sequence[socket.socket], command: Sequence[str] = COMMAND, lock: int | None = None
    ) -> None:
        """`command` starts a child; tests give another. `lock`: of the data folder, for every child to hold."""
        self._sockets, self._command, self._lock = sockets, command, lock
        self._keepers: list[Keeper] = []
        self._lingering: list[Keeper] = []
        self._farewells: list[asyncio.Task[None]] = []
        self._living: set[Process] = set()
        self._sum = Sum()
        self._tasks: set[asyncio.Task[None]] = set()

    async def take_over(self, config: Config) -> None:
        """On return the children of `config` do everything; those before may still answer connections they have.

        `NotStarted`: one did not get ready, and nothing has changed. `stop` works whenever this is cancelled.
        """
        if self._farewells:  # reloads in a row must not pile up processes
            await asyncio.wait(self._farewells, timeout=IN_A_ROW_S)
        for one in self._lingering:
            one.hurry()
        new = await self._prepared(config)
        old, self._keepers = self._keepers, new
        for one in new:
            if one.role is Role.COLLECTOR:
                one.go()
        self._lingering = [one for one in old if one.role is Role.COLLECTOR]
        self._farewells = [self._beside(one.leave(LINGER_S, ANSWER_S + MARGIN_S)) for one in self._lingering]
        settling = [self._beside(one.leave(0, SETTLE_S + MARGIN_S)) for one in old if one.role is Role.RELAY]
        if settling:
            await asyncio.wait(settling)
        for one in new:
            if one.role is Role.RELAY:
                one.go()

    async def adopt(self, heirs: Sequence[Heir], config: Config) -> None:
        """Children of the program this process was before: they go on as they are, and one that ends is replaced by
        one of `config`."""
        for heir in heirs:
            process = await Process.adopted(heir)
            self._know(process)
            keeper = Keeper(process, partial(self._start, heir.role, config))
            if heir.is_leaving:
                self._lingering.append(keeper)
                self._farewells.append(self._beside(keeper.leave(LINGER_S, ANSWER_S + MARGIN_S)))
            else:
                keeper.keep()
                self._keepers.append(keeper)

    async def let_go(self) -> tuple[Heir, ...]:
        """All children go on, and are not ours any more."""
        await asyncio.gather(*(one.let_go() for one in self._keepers))
        self._keepers, self._lingering, self._farewells = [], [], []
        for task in self._tasks:
            task.cancel()
        await self._give_up([process for process in self._living if not process.is_going])
        return tuple(process.heir() for process in self._living if not process.ended.is_set())

    async def stop(self) -> None:
        """Returns when every child has ended, in its time or killed."""
        for one in self._lingering:
            one.hurry()
        for one in self._keepers:
            self._beside(one.leave(0, MARGIN_S + (ANSWER_S if one.role is Role.COLLECTOR else SETTLE_S)))
        self._keepers = []
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def measured(self) -> Collector:
        """The metrics of all, summed."""
        await asyncio.gather(*(process.measure() for process in list(self._living)))
        return self._sum.page(process.samples for process in self._living)

    async def _prepared(self, config: Config) -> list[Keeper]:
        roles = [*[Role.COLLECTOR] * config.settings.workers, Role.RELAY]
        starts = [partial(self._start, role, config) for role in roles]
        processes: list[Process] = []
        try:
            await self._prepare(starts, processes)
        except OSError as error:
            await self._give_up(processes)
            raise NotStarted(f"starting a process: {error.strerror or error}") from None
        except BaseException:
            await self._give_up(processes)
            raise
        return [Keeper(process, start) for process, start in zip(processes, starts, strict=True)]

    async def _prepare(self, starts: Sequence[Start], processes: list[Process]) -> None:
        """`processes` gets each as it is started, so that the caller knows them whatever happens."""
        for start in starts:
            processes.append(await start())  # noqa: PERF401 - not lost when a later one fails
        ready = await asyncio.gather(*(process.prepared() for process in processes))
        lost = [f"{process.role}: {process.status}" for process, well in zip(processes, ready, strict=True) if not well]
        if lost:
            raise NotStarted(f"a process did not get ready ({', '.join(lost)}); its own log line says why")

    async def _give_up(self, processes: Sequence[Process]) -> None:
        await asyncio.gather(*(process.kill() for process in processes))

    async def _start(self, role: Role, config: Config) -> Process:
        process = await Process.start(role, config, self._sockets, self._command, self._lock)
        self._know(process)
        return process

    def _know(self, process: Process) -> None:
        self._living.add(process)
        self._beside(self._remember(process))

    async def _remember(self, process: Process) -> None:
        await process.ended.wait()
        self._living.discard(process)
        self._sum.retire(process.samples)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
