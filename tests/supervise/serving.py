"""`firsthand serve` under load, its log lines read as they come, every failed request noted."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiohttp

PATIENCE_S = 100
"""For anything that happens within a second or two where the machine has nothing else to do."""
HEADERS = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
CONFIG = "site: {{origins: ['https://www.shop.example']}}\nlisten: {{host: 127.0.0.1, port: 0}}\nadmin: {{port: 0, open: true}}\nworkers: {}\n"


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
            raw = await asyncio.wait_for(self.process.stderr.readline(), PATIENCE_S)
            if not raw.startswith(b"{"):  # the end of the output, or a traceback
                rest = await asyncio.wait_for(self.process.stderr.read(), PATIENCE_S)
                raise AssertionError(event, self.lines[-3:], (raw + rest).decode())
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
        async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as http:
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
        await until(lambda: len(self.acknowledged) >= enough)

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
async def serving(folder, workers, more=""):
    (folder / "config.yaml").write_text(CONFIG.format(workers) + more)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "serve", "--config", str(folder / "config.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
        assert line, (await process.stderr.read()).decode()
        yield Service(folder, process, [word for word in line.replace(";", "").split() if word.startswith("http://")])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def until(claim):
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.01)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"  # nobody may be there to collect a zombie
    except (FileNotFoundError, ProcessLookupError):
        return False


async def stopped(service):
    service.process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(service.process.communicate(), PATIENCE_S)
    assert service.process.returncode == 0, err
    return [json.loads(line) for line in err.splitlines()]
