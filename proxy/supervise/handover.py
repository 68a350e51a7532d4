"""Restart in place: the parent becomes another program (`exec`) and keeps its process id, sockets, lock and children.

The kernel keeps what is open; this is the note of what is what, left in the environment for the program that follows.
Names and types in it may only grow: the program that reads it is a newer one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import msgspec

from proxy.supervise.channel import Role

_NOTE = "FIRSTHAND_HANDOVER"
_HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
_LAST_S = 1.0
"""For a thread that has nothing more to do."""


class Heir(msgspec.Struct, frozen=True):
    """A child that goes on under the next program. `channel`: descriptor of our end."""

    role: Role
    pid: int
    channel: int
    is_leaving: bool = False


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    sockets: tuple[int, ...]  # bound and listening
    lock: int  # of the data folder
    heirs: tuple[Heir, ...]
    is_stopping: bool = False  # SIGTERM came on the way

    def descriptors(self) -> Iterator[int]:
        yield from (*self.sockets, self.lock, *(heir.channel for heir in self.heirs))


def received() -> Handover | None:
    """What the program before left to this one, taken out of the environment; None after an ordinary start."""
    note = os.environ.pop(_NOTE, None)
    if note is None:
        return None
    handover = msgspec.json.decode(note, type=Handover)
    for fd in handover.descriptors():
        os.set_inheritable(fd, False)
    return handover


async def hold_back_signals() -> None:
    """To be called last before `become`: those that came so far have been heard on return, those that come from now on
    wait for the next program. The kernel would give them to any other thread, which dies with what it has heard."""
    loop = asyncio.get_running_loop()
    await loop.shutdown_default_executor()
    deadline = loop.time() + _LAST_S
    while _threads() > 1 and loop.time() < deadline:  # noqa: ASYNC110 - nothing tells when the last one is gone
        await asyncio.sleep(0.001)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    for _ in range(5):  # what came before is read, handed on and obeyed in as many turns of the loop
        await asyncio.sleep(0)


def _threads() -> int:
    """As the kernel counts them: one that has ended for Python may still be there, and hear."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:  # not on Linux
        return threading.active_count()


def become(handover: Handover) -> NoReturn:
    """The same command line, as it is installed now."""
    for fd in handover.descriptors():
        os.set_inheritable(fd, True)
    os.environ[_NOTE] = msgspec.json.encode(handover).decode()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
