"""All readers of one process, started and stopped together. Each is on its own from then on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from proxy.clock import Clock, system_clock
from proxy.config.settings import RelaySettings
from proxy.destinations.base import Destination
from proxy.log.base import EventLog
from proxy.relay.pace import Sleep
from proxy.relay.reader import Reader
from proxy.relay.sender import Sender
from proxy.rules.rules import Rules


class Relay:
    def __init__(
        self,
        log: EventLog,
        destinations: Mapping[str, Destination],
        rules: Rules,
        settings: RelaySettings,
        *,
        clock: Clock = system_clock,
        dice: Callable[[], float] = random.random,
        sender: Sender | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Destinations with `enabled: false` get no reader. A `sender` given here is also closed here."""
        self._sender = sender or Sender()
        self._readers = [
            Reader(log, one, rules.decide, settings, sender=self._sender, clock=clock, dice=dice, sleep=sleep)
            for one in destinations.values()
            if one.settings.enabled
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns at once; the readers run until `stop`."""
        self._tasks = [asyncio.create_task(reader.run(), name=f"relay {reader.name}") for reader in self._readers]

    async def stop(self, deadline_s: float) -> None:
        """Let every request in flight finish and commit its answer; what takes longer is cut off and will be repeated,
        with the same event ids, after the next start."""
        for reader in self._readers:
            reader.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=deadline_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._sender.close()
