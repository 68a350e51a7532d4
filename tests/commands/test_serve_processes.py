"""`firsthand serve` under load while processes are killed and configurations exchanged: not one request fails."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiohttp
import pytest

pytestmark = pytest.mark.timeout(90)

HEADERS = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
CONFIG = "site: {{origins: ['https://www.shop.example']}}\nlisten: {{host: 127.0.0.1, port: 0}}\nadmin: {{port: 0}}\nworkers: {}\n"


class Service:
    def __init__(self, folder, process, addresses):
        self.folder, self.process, (self.public, self.admin) = folder, process, addresses
        self.failures, self.acknowledged = [], set()
        self.lines = []

    def config(self, text):
        (self.folder / "config.yaml").write_text(text)

    async def line(self, event):
        """The next log line of that name; what comes before it is kept in `lines`."""
        while True:
            raw = await asyncio.wait_for(self.process.stderr.readline(), 40)
            assert raw, (event, self.lines)
            self.lines.append(json.loads(raw))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]

    def children(self):
        """Process ids in the order of their start: the collectors, then the relay."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path) as listed:
            return [int(pid) for pid in listed.read().split()]

    async def client(self, name, stop):
        """Posts on a kept connection; aiohttp does not repeat a POST by itself, so every failure is seen."""
        number = 0
        async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(total=20)) as http:
            while not stop.is_set():
                number += 1
                event = {"id": f"o-{name}-{number}", "name": "purchase", "consent": {"marketing": "granted"}}
                try:
                    async with http.post(f"{self.public}/e", data=json.dumps(event)) as answer:
                        if answer.status == 204:
                            self.acknowledged.add(event["id"])
                        else:
                            self.failures.append(answer.status)
                except (aiohttp.ClientError, TimeoutError) as error:
                    self.failures.append(repr(error))

    @contextlib.asynccontextmanager
    async def load(self, clients=6):
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.client(number, stop)) for number in range(clients)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def more(self, count=50):
        """Returns when that many more events have been acknowledged."""
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(30):
            while len(self.acknowledged) < enough:
                await asyncio.sleep(0.01)

    async def fetch(self, path):
        async with aiohttp.ClientSession() as http, http.get(self.admin + path) as answer:
            return await answer.text()

    async def stored(self):
        return json.loads(await self.fetch("/status.json"))["log"]["events"]

    async def counted(self):
        for line in (await self.fetch("/metrics")).splitlines():
            if line.startswith('firsthand_events_stored_total{source="browser"}'):
                return int(float(line.split()[1]))
        raise AssertionError("no such metric")


@contextlib.asynccontextmanager
async def serving(folder, workers):
    (folder / "config.yaml").write_text(CONFIG.format(workers))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "serve", "--config", str(folder / "config.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 40)).decode()
        yield Service(folder, process, [word for word in line.replace(";", "").split() if word.startswith("http://")])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"  # nobody may be there to collect a zombie
    except (FileNotFoundError, ProcessLookupError):
        return False


async def stopped(service):
    service.process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(service.process.communicate(), 30)
    assert service.process.returncode == 0, err
    return [json.loads(line) for line in err.splitlines()]


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
        assert await service.counted() == len(service.acknowledged)  # those of processes that have ended too
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
            while len(service.children()) < 3 or first in service.children():
                await asyncio.sleep(0.01)
            await service.more()
        assert len(service.failures) <= 6  # at most what the killed one had in hand: one for each client
        assert second in service.children()
        assert await service.stored() >= len(service.acknowledged)
        assert 'firsthand_process_restarts_total{role="collector"} 1.0' in await service.fetch("/metrics")
        await stopped(service)


async def test_sigterm_answers_what_is_under_way_and_ends_every_process(tmp_path):
    async with serving(tmp_path, 2) as service:
        children = service.children()
        async with service.load():
            await service.more()
            service.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(service.process.wait(), 30)
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
        async with asyncio.timeout(20):
            while any(is_running(child) for child in children):
                await asyncio.sleep(0.02)


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
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert f"listen.port: port {port} of 127.0.0.1 is in use" in err.decode()
