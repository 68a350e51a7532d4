"""A child that the program before this one started: as much of `asyncio.subprocess.Process` as its parent needs."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

_LOOK_S = 0.02


class Adopted:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        """Once it was waited for: its exit status, or minus the signal that killed it."""

    async def wait(self) -> int:
        """To be called when its end of the channel is closed: then it is gone in no time."""
        while (code := self._collected()) is None:  # noqa: ASYNC110 - nothing tells: no signal reaches asyncio's watcher
            await asyncio.sleep(_LOOK_S)
        self.returncode = code
        return code

    def _collected(self) -> int | None:
        if self.returncode is not None:
            return self.returncode
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # the program before has collected it
            return 0
        return os.waitstatus_to_exitcode(status) if pid else None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
