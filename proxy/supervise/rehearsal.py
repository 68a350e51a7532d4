"""`python -m proxy.supervise.rehearsal CONFIG`: would a start with this file work, with the program as installed now?

Run by a parent that is about to become that program: after it there is no way back. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import msgspec

from proxy.config.settings import Settings

REHEARSE_S = 60.0
COMMAND = (sys.executable, "-m", "proxy.supervise.rehearsal")


class Rehearsed(msgspec.Struct, frozen=True):
    faults: tuple[str, ...] = ()
    host: str = ""
    port: int = 0
    data: str = ""


async def rehearse(path: Path, running: Settings, command: tuple[str, ...] = COMMAND) -> list[str]:
    """Why the program installed now cannot go on from here; [] when it can."""
    child = await asyncio.create_subprocess_exec(*command, os.fspath(path), stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        out, err = await asyncio.wait_for(child.communicate(), REHEARSE_S)
    except TimeoutError:
        child.kill()
        await child.wait()
        return [f"a rehearsal of the start took longer than {REHEARSE_S:.0f} s"]
    try:
        found = msgspec.json.decode(out, type=Rehearsed)
    except msgspec.DecodeError:
        said = err.decode(errors="replace").strip().splitlines() or [f"exit status {child.returncode}"]
        return [f"a rehearsal of the start failed: {said[-1]}"]
    return list(found.faults) or [*_moved(found, running)]


def _moved(found: Rehearsed, running: Settings) -> list[str]:
    """Sockets and lock are kept, so what they belong to must be the same."""
    before = {"listen.host": running.listen.host, "listen.port": running.listen.port, "data": os.fspath(running.data)}
    now = {"listen.host": found.host, "listen.port": found.port, "data": found.data}
    return [f"{key} has changed: stop and start for that" for key, value in before.items() if now[key] != value]


def main() -> None:
    import proxy.supervise.child  # noqa: PLC0415 - all that a start imports
    import proxy.supervise.parent  # noqa: F401, PLC0415
    from proxy.config.load import load  # noqa: PLC0415
    from proxy.config.machine import examine  # noqa: PLC0415
    from proxy.errors import ConfigError  # noqa: PLC0415

    try:
        settings = load(Path(sys.argv[1])).settings
        faults, _ = examine(settings)
        faulty = tuple(str(fault) for fault in faults)
        told = Rehearsed(faulty, settings.listen.host, settings.listen.port, os.fspath(settings.data))
    except ConfigError as error:
        told = Rehearsed(tuple(str(fault) for fault in error.faults))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
