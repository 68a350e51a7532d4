"""Restart in place: the parent becomes another program (`exec`) and keeps its process id, sockets, lock and children.

The kernel keeps what is open; this is the note of what is what, left in the environment for the program that follows.
Names and types in it may only grow: the program that reads it is a newer one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

import msgspec

from proxy.supervise.channel import Role

_NOTE = "FIRSTHAND_HANDOVER"
_HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


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


def become(handover: Handover) -> NoReturn:
    """The same command line, as it is installed now. Signals that come from now on wait for it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    for fd in handover.descriptors():
        os.set_inheritable(fd, True)
    os.environ[_NOTE] = msgspec.json.encode(handover).decode()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
