"""The experiment: `firsthand serve` under load, its platforms out of their minds, its processes killed one by one.

Between two kills the service runs for a random time and takes some events at least, so SIGKILL meets every moment of
accepting, committing, sending and settling. Each kill meets one process by chance: a collector, the relay, the parent alone (its children must notice and
leave), or all at once (as when a container is killed).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.crash.platforms import TIMEOUT_S, Platform, open_platforms
from tests.crash.reckoning import Reckoning
from tests.crash.service import Service
from tests.crash.site import make_platforms, report_events, report_last, write_config
from tests.ports import free_port

EVERYTHING = "everything"
VICTIMS = {"collector": 5, "relay": 3, "parent": 1, EVERYTHING: 1}
"""How often each is killed: the last two cost a start of the whole service."""
DRAIN_S = 300
STILL_S = 90
"""When nothing has arrived for this long, what is missing is lost: a relay that was killed often stays away for 30 s, and
takes its time to start on a busy machine."""
BETWEEN = 5
"""Events that are acknowledged between two kills, at least."""


@dataclass(frozen=True)
class Plan:
    kills: int
    seed: int = 1
    clients: int = 8
    workers: int = 2
    share: float = 0.2
    """Of the requests to platforms, how many meet a fault."""
    put_off: float = 0.02
    """Of the events, how many one of the destinations never takes and never refuses."""
    pause_s: float = 0.05
    """Mean pause of a client between two posts."""
    longest_s: float = 1.0
    """Between two kills."""


@asynccontextmanager
async def serving(
    platforms: Mapping[str, Platform], *, workers: int, folder: Path | None = None, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[Service]:
    """The service with its platforms, ready; killed at the end. `timeout_s`: how long it waits for their answers."""
    with tempfile.TemporaryDirectory(prefix="firsthand-crash-") as temporary:
        folder = folder or Path(temporary)
        ports = free_port(), free_port()
        write_config(folder, *ports, workers=workers, timeout_s=timeout_s)
        runner = await open_platforms(platforms, ports[1])
        service = Service(folder, ports[0])
        try:
            await service.start()
            yield service
        finally:
            await service.end(signal.SIGKILL)
            service.close()
            await runner.cleanup()


async def run(plan: Plan, enough: Callable[[Reckoning], bool] = lambda _: True) -> Reckoning:
    """After the last kill the load goes on until `enough` is said of what was counted."""
    dice = random.Random(plan.seed)
    platforms = make_platforms(plan.seed, plan.share)
    reckoning, stop = Reckoning(), asyncio.Event()
    async with serving(platforms, workers=plan.workers) as service:
        load = [
            asyncio.create_task(
                report_events(service.url, f"{plan.seed}.{number}", reckoning, stop, plan.pause_s, put_off=plan.put_off)
            )
            for number in range(plan.clients)
        ]
        for _ in range(plan.kills):
            least = len(reckoning.due) + BETWEEN
            await asyncio.sleep(dice.uniform(0.05, plan.longest_s))
            while len(reckoning.due) < least:
                await asyncio.sleep(0.02)
            reckoning.kills[await kill_one(service, dice)] += 1
        while not enough(counted(reckoning, platforms)):
            await asyncio.sleep(0.1)
        stop.set()
        await asyncio.gather(*load)
        await report_last(service.url, reckoning)
        await _drained(service, reckoning, platforms)
        await service.stop()
        return replace(
            counted(reckoning, platforms),
            dead=await service.dead(),
            stored=await service.stored(),
        )


async def kill_one(service: Service, dice: random.Random) -> str:
    """SIGKILL for one process by chance; whose place nobody fills is started again. Returns who it was."""
    (role,) = dice.choices(list(VICTIMS), VICTIMS.values())
    if role == EVERYTHING:
        await service.end(signal.SIGKILL)
        await service.start()
        return role
    victim = await _one(service, role, dice)
    with suppress(ProcessLookupError):  # it was killed before, and died of it just now
        os.kill(victim, signal.SIGKILL)
    assert service.process
    if victim == service.process.pid:
        await service.process.wait()
        await service.start()  # while its children may still be about to notice
    return role


async def _one(service: Service, role: str, dice: random.Random) -> int:
    """A living process of that role; waits while its place is empty."""
    while not (there := [pid for pid, its in service.processes().items() if its == role]):
        await asyncio.sleep(0.02)
    return there[int(dice.random() * len(there))]  # one throw, however many there are: what follows stays the same


def counted(reckoning: Reckoning, platforms: Mapping[str, Platform]) -> Reckoning:
    """With what the platforms have seen."""
    faults = reckoning.faults.copy()
    for platform in platforms.values():
        faults.update(platform.faults)
    return replace(
        reckoning,
        arrivals={name: platform.arrivals for name, platform in platforms.items()},
        faults=faults,
        requests=sum(platform.requests for platform in platforms.values()),
        refused=[why for platform in platforms.values() for why in platform.refused],
    )


async def _drained(service: Service, reckoning: Reckoning, platforms: Mapping[str, Platform]) -> None:
    """Returns when everything is where it should be, or when nothing moves any more."""
    deadline = time.monotonic() + DRAIN_S
    before, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        now = counted(reckoning, platforms)
        arrived = sum(map(len, now.arrivals.values()))
        if arrived != before:
            before, since = arrived, time.monotonic()
        elif not replace(now, dead=await service.dead()).lost or time.monotonic() - since > STILL_S:
            return
        await asyncio.sleep(1)
