"""Power to the process is cut in the middle of appending: whatever was acknowledged is in the file."""

import asyncio
import sys

import pytest

from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key

CHILD = """
import asyncio, sys
from pathlib import Path
from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.event import Event
from proxy.log import committer, turns
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring

committer.STALL_S = turns.PATIENCE_S = 200.0  # a slow disk is not what is tested


async def main(folder, keys, senders):
    log = await SqliteLog.open(Path(folder), Keyring.parse(keys), LogSettings(), system_clock)

    async def sender(number):
        for count in range(1_000_000):
            await log.append([Event(id=f"{number}-{count}", name="purchase", time=1)])
            print(f"{number}-{count}", flush=True)

    await asyncio.gather(*(sender(number) for number in range(int(senders))))

asyncio.run(main(*sys.argv[1:]))
"""


async def killed_writer(folder, keys, *, acknowledged, senders):
    """Ids that a process appended and told of before it was killed: at least so many."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(folder), keys, str(senders), stdout=asyncio.subprocess.PIPE
    )
    seen = [(await child.stdout.readline()).decode().strip() for _ in range(acknowledged)]
    assert seen[-1], "it ended by itself"
    child.kill()
    rest, _ = await child.communicate()
    return seen + [line for line in rest.decode().split("\n")[:-1] if line]  # printed before the end


@pytest.mark.crash
@pytest.mark.parametrize("acknowledged", [1, 150, 700])
async def test_an_acknowledged_event_survives_kill_9(tmp_path, settings, clock, acknowledged):
    keys = generate_key()
    seen = await killed_writer(tmp_path, keys, acknowledged=acknowledged, senders=20)
    log = await SqliteLog.open(tmp_path, Keyring.parse(keys), settings, clock)
    found = [entry.event.id for entry in (await log.read("meta", 100_000)).entries]
    await log.close()
    assert len(seen) >= acknowledged
    assert set(seen) <= set(found)
    assert len(found) == len(set(found))
