"""`firsthand serve` under load while processes are killed and configurations exchanged: not one request fails."""

import asyncio
import os
import signal
import sys

import aiohttp
import pytest

from tests.supervise.serving import CONFIG, PATIENCE_S, is_running, serving, stopped, until

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_request_fails_while_configurations_are_exchanged(tmp_path, workers):
    async with serving(tmp_path, workers) as service:
        async with service.load():
            await service.more()
            for number in range(2):
                service.config(CONFIG.format(workers) + f"tracker: {{global_name: shop{number}}}\n")
                service.process.send_signal(signal.SIGHUP)
                await service.line("reloaded")
                await service.more()
            service.config("what: 1\n")
            service.process.send_signal(signal.SIGHUP)
            refused = await service.line("reload refused")
            assert any("what: unknown key" in fault for fault in refused["faults"])
            service.config(CONFIG.format(workers) + "data: elsewhere\n")
            service.process.send_signal(signal.SIGHUP)
            assert (await service.line("reload refused"))["needs_restart"] == ["data"]
            await service.more()
        assert service.failures == []
        async with aiohttp.ClientSession() as http, http.get(f"{service.public}/tracker.js") as script:
            assert "shop1" in await script.text()
        assert await service.stored() == len(service.acknowledged)
        async with asyncio.timeout(PATIENCE_S):  # a process that does not answer at once is shown as it was
            while await service.counted() != len(service.acknowledged):  # those of processes that have ended too
                await asyncio.sleep(0.05)
        assert [line["event"] for line in await stopped(service)][-2:] == ["stopping", "stopped"]


async def test_a_killed_process_is_replaced_and_nobody_else_notices(tmp_path):
    async with serving(tmp_path, 2) as service:
        async with service.load():
            await service.more()
            first, second, relay = service.children()
            os.kill(relay, signal.SIGKILL)
            assert (await service.line("process ended"))["role"] == "relay"
            await service.more()
            assert service.failures == []  # collecting does not need the relay
            os.kill(first, signal.SIGKILL)
            line = await service.line("process ended")
            assert (line["role"], line["status"]) == ("collector", "killed by SIGKILL")
            await service.more()
            await until(lambda: len(service.children()) == 3 and first not in service.children())
            await service.more()
        assert len(service.failures) <= 6  # at most what the killed one had in hand: one for each client
        assert second in service.children()
        assert await service.stored() >= len(service.acknowledged)
        assert 'firsthand_process_restarts_total{role="collector"} 1.0' in await service.fetch("/metrics")
        await stopped(service)


async def test_a_crash_loop_backs_off_and_is_reported(tmp_path):
    async with serving(tmp_path, 1, "relay: {process: own}\n") as service:
        began = asyncio.get_running_loop().time()
        collector, relay = service.children()
        for _ in range(4):
            os.kill(relay, signal.SIGKILL)
            before = relay
            await until(lambda before=before: {*service.children()} - {collector, before})
            (relay,) = {*service.children()} - {collector}
        assert asyncio.get_running_loop().time() - began >= 0.1 + 0.2 + 0.4 + 0.8
        assert 'firsthand_process_restarts_total{role="relay"} 4.0' in await service.fetch("/metrics")
        async with service.load(2):
            await service.more(10)
        assert service.failures == []
        lines = await stopped(service)
    said = [(line["event"], line["role"]) for line in lines if line["event"].startswith("process")]
    if len(said) > 2:  # where the rest took longer than it takes to be steady
        assert said.pop() == ("process runs again", "relay")
    assert said == [("process ended", "relay"), ("process keeps ending", "relay")]


async def test_sigterm_answers_what_is_under_way_and_ends_every_process(tmp_path):
    async with serving(tmp_path, 2) as service:
        children = service.children()
        async with service.load():
            await service.more()
            service.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(service.process.wait(), PATIENCE_S)
        assert service.process.returncode == 0
        for child in children:
            with pytest.raises(ProcessLookupError):
                os.kill(child, 0)
    async with serving(tmp_path, 1) as again:
        assert await again.stored() >= len(service.acknowledged)


async def test_children_end_with_their_parent(tmp_path):
    async with serving(tmp_path, 2) as service:
        children = service.children()
        service.process.kill()
        await service.process.wait()
        await until(lambda: not any(is_running(child) for child in children))


async def test_a_port_in_use_is_told_before_any_process_is_started(tmp_path):
    async with serving(tmp_path, 1) as service:
        port = service.public.rpartition(":")[2]
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "config.yaml").write_text(CONFIG.format(2).replace("port: 0}", f"port: {port}}}", 1))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "serve", "--config", str(tmp_path / "second" / "config.yaml")),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert f"listen.port: port {port} of 127.0.0.1 is in use" in err.decode()
