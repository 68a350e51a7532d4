"""A thread that makes one call after the other, and tells the event loop what came of each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeAlias

Told: TypeAlias = Callable[[Any, BaseException | None], None]
"""Gets what the call returned, or what it raised."""


class Worker(threading.Thread):
    """Starts at once; a daemon: a disk that never answers holds no process up."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[Callable[[], Any], Told] | None] = SimpleQueue()
        self.start()

    def submit(self, call: Callable[[], Any], told: Told) -> None:
        """`told` is called in the loop."""
        self._calls.put((call, told))

    def stop(self) -> None:
        """After the calls that wait."""
        self._calls.put(None)

    def run(self) -> None:
        while (order := self._calls.get()) is not None:
            call, told = order
            result, failure = None, None
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - whatever it was, whoever waits must hear of it
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(told, result, failure)
            del order, call, told, result, failure  # nothing is held while there is nothing to do
