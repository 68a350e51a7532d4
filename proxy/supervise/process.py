"""One child process as its parent sees it: started, talked to, ended. Decides nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from proxy.config.load import Config
from proxy.observe.merge import Sample
from proxy.supervise.adopted import Adopted
from proxy.supervise.channel import Begin, Channel, Go, Leave, Measure, Measured, Message, Prepared, Role
from proxy.supervise.handover import Heir

COMMAND = (sys.executable, "-m", "proxy.supervise")
PREPARE_S = 60.0
"""How long a child may take to get ready. It takes a second; more means that the machine is in trouble."""
MEASURE_S = 2.0
"""How long a child may take to tell its metrics; then the last ones known are shown."""


class Process:
    """`ended` is set once it is gone and everything it said was read."""

    def __init__(self, role: Role, child: asyncio.subprocess.Process | Adopted, channel: Channel) -> None:
        """Use `start` or `adopted`."""
        self.role, self.pid = role, child.pid
        self.is_going = self.is_leaving = False
        self.samples: Sequence[Sample] = ()
        self.ended = asyncio.Event()
        self._child, self._channel = child, channel
        self._prepared = asyncio.Event()
        self._measured = asyncio.Event()
        self._life = asyncio.create_task(self._live(), name=f"{role} {child.pid}")

    @classmethod
    async def start(
        cls,
        role: Role,
        config: Config,
        sockets: Sequence[socket.socket],
        command: Sequence[str] = COMMAND,
        lock: int | None = None,
    ) -> Self:
        """Returns at once; see `prepared`. Its output is ours. `lock`: a descriptor it keeps open while it lives."""
        ours, theirs = socket.socketpair()
        inherited = tuple(one.fileno() for one in sockets) if role is Role.COLLECTOR else ()
        kept = () if lock is None else (lock,)
        try:
            child = await asyncio.create_subprocess_exec(
                *(*command, role, str(theirs.fileno())),  # the role for `ps`
                stdin=DEVNULL,
                pass_fds=(theirs.fileno(), *inherited, *kept),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        channel = await Channel.open(ours)
        channel.send(Begin(role, os.fspath(config.path.absolute()), config.text, inherited))
        return cls(role, child, channel)

    @classmethod
    async def adopted(cls, heir: Heir) -> Self:
        """One that was started, and told to go, by the program this process was before."""
        process = cls(heir.role, Adopted(heir.pid), await Channel.open(socket.socket(fileno=heir.channel)))
        process.is_going, process.is_leaving = True, heir.is_leaving
        return process

    def heir(self) -> Heir:
        """For the program that this process is about to become."""
        return Heir(self.role, self.pid, self._channel.copy(), self.is_leaving)

    @property
    def status(self) -> str:
        """How it ended, in words."""
        code = self._child.returncode
        if code is None:
            return "still running"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    async def prepared(self) -> bool:
        """Waits until it is. False: it has ended instead; a child that takes too long is killed."""
        waiting = [asyncio.create_task(event.wait()) for event in (self._prepared, self.ended)]
        await asyncio.wait(waiting, timeout=PREPARE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if not self._prepared.is_set():
            await self.kill()
        return not self.ended.is_set()

    def go(self) -> None:
        self.is_going = True
        self._channel.send(Go())

    async def leave(self, linger_s: float, deadline_s: float) -> None:
        """Returns once it has ended: by itself, or killed after both times."""
        self.is_leaving = True
        self._channel.send(Leave(linger_s))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), linger_s + deadline_s)
        await self.kill()

    def hurry(self) -> None:
        """For one that is leaving: linger no longer."""
        self._channel.send(Leave(0))

    async def kill(self) -> None:
        if self._child.returncode is None:
            with suppress(ProcessLookupError):
                self._child.kill()
        await self.ended.wait()

    async def measure(self) -> Sequence[Sample]:
        self._measured.clear()
        self._channel.send(Measure())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._measured.wait(), MEASURE_S)
        return self.samples

    async def _live(self) -> None:
        try:
            async for message in self._channel:
                self._hear(message)
        finally:
            await self._child.wait()
            self.ended.set()
            self._measured.set()
            await self._channel.close()

    def _hear(self, message: Message) -> None:
        match message:
            case Prepared():
                self._prepared.set()
            case Measured(samples):
                self.samples = samples
                self._measured.set()
