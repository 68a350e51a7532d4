"""What the machine does to a service besides killing it: a full disk, a folder that cannot be written, SIGTERM at a bad
moment."""

import asyncio
import itertools
import random
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import aiohttp
import pytest

from tests.crash.harness import counted, serving
from tests.crash.reckoning import Reckoning
from tests.crash.service import Service
from tests.crash.site import HEADERS, KINDS, make_event, make_platforms, report_events, write_config
from tests.ports import free_port

pytestmark = [pytest.mark.crash, pytest.mark.timeout(600)]


def mounted(*words):
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder, megabytes):
    """A file system of its own, so that "no space left" is the kernel's own word."""
    folder.mkdir()
    if not mounted("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)):
        pytest.skip("needs the right to mount a file system (root, and not in every container)")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def until(what, patience_s=150):
    deadline = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def test_a_full_disk_refuses_events_loudly_and_loses_none(tmp_path):
    platforms = make_platforms(1, share=0)
    reckoning, stop = Reckoning(), asyncio.Event()
    with small_disk(tmp_path / "data", 2):
        async with serving(platforms, workers=2, folder=tmp_path, timeout_s=60) as service:
            load = [asyncio.create_task(report_events(service.url, f"{n}", reckoning, stop, 0)) for n in range(4)]
            await until(lambda: reckoning.answers[503] > 20)
            async with aiohttp.ClientSession(headers=HEADERS) as http:
                dice = random.Random(1)
                for number in itertools.count():  # the first ones may find the last free page
                    async with http.post(f"{service.url}/e", json=make_event(f"last-{number}", dice)[0]) as answer:
                        refused = (answer.status, "Retry-After" in answer.headers) == (503, True)
                    async with http.get(f"{service.url}/readyz") as answer:  # the same connection, so the same process
                        if refused and answer.status == 503:
                            break
            repeated = counted(reckoning, platforms).repeated
            await asyncio.sleep(3)  # the relay has time to try what it cannot write down
            assert counted(reckoning, platforms).repeated <= repeated + 100 * len(KINDS)  # each its request in hand
            assert mounted("-o", "remount,size=200m", str(tmp_path / "data"))
            acknowledged = len(reckoning.due)
            await until(lambda: len(reckoning.due) > acknowledged + 50)
            stop.set()
            await asyncio.gather(*load)
            await until(lambda: not missing(reckoning, platforms))
            assert await service.stop() == 0
            ids = await service.stored()
        assert {*reckoning.due} <= {*ids}
        assert len(ids) == len({*ids})
        said = [line["event"] for line in service.lines()]
        assert "log takes no events" in said
        assert "log takes events again" in said
        lines = [line for line in service.lines() if line["event"] in ("log takes no events", "reader_failed")]
        assert all("full" in line.get("reason", line.get("fault")) for line in lines)


def missing(reckoning, platforms):
    """At the two platforms that take everything they should get."""
    now = counted(reckoning, platforms).missing
    return now.get("crm", set()) | now.get("tiktok", set())


async def test_a_data_folder_on_a_read_only_disk_is_named_at_the_start(tmp_path):
    with small_disk(tmp_path / "data", 4):
        assert mounted("-o", "remount,ro", str(tmp_path / "data"))
        write_config(tmp_path, free_port(), free_port(), workers=2)
        service = Service(tmp_path, 0)
        code, _, said = await service.run("serve")
        service.close()
    assert code == 2
    assert f"data: the data folder {tmp_path / 'data'}: read-only file system" in said
    assert "Traceback" not in said


async def test_sigterm_during_a_delivery_settles_it_and_sends_nothing_twice(tmp_path):
    platforms = make_platforms(1, share=0)
    for platform in platforms.values():
        platform.held = asyncio.Event()
    reckoning, stop = Reckoning(), asyncio.Event()
    async with serving(platforms, workers=2, folder=tmp_path, timeout_s=60) as service:
        load = [asyncio.create_task(report_events(service.url, f"{n}", reckoning, stop, 0)) for n in range(2)]
        await asyncio.gather(*(platform.asked.wait() for platform in platforms.values()))
        service.process.send_signal(signal.SIGTERM)  # while every platform holds a request, and clients post
        await until(lambda: "stopping" in [line["event"] for line in service.lines()])
        await asyncio.sleep(0.2)
        assert service.process.returncode is None
        for platform in platforms.values():
            platform.held.set()
        assert await service.process.wait() == 0
        stop.set()
        await asyncio.gather(*load)
        await service.start()
        await until(lambda: not missing(reckoning, platforms))
        await service.stop()
        now = replace(counted(reckoning, platforms), dead=await service.dead(), stored=await service.stored())
        assert (now.lost, now.repeated, now.out_of_order) == (0, 0, 0), "\n".join(now.lines())
