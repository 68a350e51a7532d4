"""SIGUSR2: the service becomes the program as it is installed now, and nobody who talks to it notices."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiohttp
import pytest

from proxy.config.load import load
from proxy.supervise import handover
from proxy.supervise.rehearsal import rehearse
from tests.supervise.serving import CONFIG, PATIENCE_S, is_running, serving, stopped, until

pytestmark = pytest.mark.timeout(400)  # several starts in a row


async def test_no_request_fails_while_the_service_restarts_in_place(tmp_path):
    async with serving(tmp_path, 2) as service:
        before = service.children()
        async with service.load():
            await service.more()
            for workers in (2, 1):  # the second restart also brings what no reload can change
                service.config(
                    CONFIG.format(workers) + f"relay: {{process: own}}\ntracker: {{global_name: shop{workers}}}\n"
                )
                service.process.send_signal(signal.SIGUSR2)
                await service.line("restarted")
                service.admin = (await service.line("serving"))["admin"]  # port 0 is another one each time
                await service.more()
            service.config("what: 1\n")
            service.process.send_signal(signal.SIGUSR2)
            refused = await service.line("restart refused")
            assert any("what: unknown key" in fault for fault in refused["faults"])
            service.config(CONFIG.format(2).replace("port: 0", "port: 1", 1))
            service.process.send_signal(signal.SIGUSR2)
            refused = await service.line("restart refused")
            assert refused["faults"] == ["listen.port has changed: stop and start for that"]
            await service.more()
        assert service.failures == []
        async with aiohttp.ClientSession() as http, http.get(f"{service.public}/tracker.js") as script:
            assert "shop1" in await script.text()
        assert await service.stored() == len(service.acknowledged)
        await until(lambda: not any(is_running(child) for child in before))
        assert [line["event"] for line in await stopped(service)][-2:] == ["stopping", "stopped"]


async def test_a_process_that_ends_during_a_restart_is_replaced(tmp_path):
    async with serving(tmp_path, 1, "relay: {process: own}\n") as service:
        collector, relay = service.children()
        service.process.send_signal(signal.SIGUSR2)
        await service.line("restarting")
        with contextlib.suppress(ProcessLookupError):  # on a slow machine we may come too late
            os.kill(relay, signal.SIGKILL)  # while nobody may be looking
        await service.line("restarted")
        await until(lambda: not is_running(collector) and len(service.children()) == 2)
        async with service.load(2):
            await service.more(10)
        assert service.failures == []
        await stopped(service)


async def test_sigterm_during_a_restart_stops_in_good_order(tmp_path):
    async with serving(tmp_path, 2) as service:
        children = service.children()
        async with service.load():
            await service.more(20)
            service.process.send_signal(signal.SIGUSR2)
            await service.line("restarting")
            service.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(service.process.wait(), PATIENCE_S)
        assert service.process.returncode == 0
        assert not any(is_running(child) for child in children)
    async with serving(tmp_path, 1) as again:
        assert await again.stored() >= len(service.acknowledged)


async def test_one_process_cannot_restart_in_place_and_says_so(tmp_path):
    async with serving(tmp_path, 1) as service:
        service.process.send_signal(signal.SIGUSR2)
        (fault,) = (await service.line("restart refused"))["faults"]
        assert "relay: {process: own}" in fault
        async with service.load(1):
            await service.more(3)
        assert service.failures == []
        await stopped(service)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ImportError('no module named proxy')", "ImportError: no module named proxy"),
        ("raise SystemExit(3)", "exit status 3"),
    ],
)
async def test_a_program_that_does_not_start_is_not_become(tmp_path, code, words):
    (tmp_path / "config.yaml").write_text("site: {origins: ['https://www.shop.example']}\n")
    config = load(tmp_path / "config.yaml", {})
    (fault,) = await rehearse(config.path, config.settings, (sys.executable, "-c", code))
    assert words in fault


ON_THE_WAY = """
import asyncio, os, signal
import uvloop
from proxy.serve import listening_to_signals
from proxy.supervise.handover import hold_back_signals

async def main():
    with listening_to_signals(reloads=True) as orders:
        await asyncio.to_thread(print, "a thread that hears signals too")
        os.kill(os.getpid(), signal.SIGTERM)
        await hold_back_signals()
        assert orders.stopping.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signal.sigpending() == {signal.SIGTERM}

for _ in range(20):
    RUN(main())
    signal.sigwait([signal.SIGTERM])
"""


@pytest.mark.parametrize("run", ["uvloop.run", "asyncio.run"])
async def test_a_signal_is_heard_by_this_program_or_waits_for_the_next(run):
    """None is lost in between: SIGTERM comes once."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ON_THE_WAY.replace("RUN", run)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    _, err = await child.communicate()
    assert child.returncode == 0, err.decode()


def test_the_note_for_the_next_program_is_read_once(monkeypatch):
    ours, theirs = os.pipe()
    note = {"sockets": [ours], "lock": theirs, "heirs": []}
    monkeypatch.setenv("FIRSTHAND_HANDOVER", json.dumps(note))
    found = handover.received()
    assert (found.sockets, found.lock) == ((ours,), theirs)
    assert not os.get_inheritable(ours)
    assert handover.received() is None
    os.close(ours)
    os.close(theirs)
