"""Kill `firsthand serve` under load, again and again, and count what was lost.

    python tests/crash/harness.py --kills 50 [--seed 7] [--clients 16] [--workers 2]

The harness is the site (it posts events and remembers which were acknowledged) and the platform (the strict stand-in for
Meta, which sometimes answers 503). Between two kills the service runs for a random time, so SIGKILL meets every moment of
accepting, committing, sending and settling. With several workers each kill meets one process of the service by chance: a
collector, the relay, or the parent (and the others with it; then the service is started again). At the end every acknowledged event must have arrived, or be a dead letter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from proxy.privacy.keys import generate_key
from proxy.sandbox.base import TOKEN, Call
from proxy.sandbox.meta import Meta

CONFIG = """\
site: {{origins: ["https://www.shop.example"]}}
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{port: null}}
workers: {workers}
data: data
keys: ${{KEYS}}
relay: {{wait_s: 0.05, backoff_max_s: 1}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, base_url: "http://127.0.0.1:{platform}"}}
rules:
  - {{name: all, when: {{event: purchase}}, send_to: [meta]}}
"""
START_S = 30
DRAIN_S = 120


@dataclass
class Tally:
    acknowledged: set[str] = field(default_factory=set)
    arrived: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    attempts: int = 0
    refused: int = 0

    def lost(self, dead: set[str]) -> set[str]:
        return self.acknowledged - self.arrived.keys() - dead

    @property
    def repeated(self) -> int:
        return sum(count - 1 for count in self.arrived.values())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def platform(tally: Tally, port: int, dice: random.Random) -> web.AppRunner:
    """The stand-in for Meta; one answer in twenty is a 503, half of those after it took the events."""
    meta = Meta()

    async def events(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(method=request.method, path=request.path, query=dict(request.query), headers=headers, body=body)
        answer = meta.answer(call, time.time_ns() // 1_000_000)
        trouble = dice.random()
        if trouble < 0.025:
            return web.Response(status=503)
        tally.arrived.update(row["event_id"] for row in answer.accepted)
        tally.refused += bool(answer.faults)
        if trouble < 0.05:
            return web.Response(status=503)
        return web.json_response(answer.body, status=answer.status)

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", events)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


class Service:
    """`firsthand serve` as a child in a process group of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: asyncio.subprocess.Process | None = None
        self._env = {**os.environ, "KEYS": generate_key()}
        self._log = (folder / "serve.log").open("ab")

    async def start(self) -> None:
        command = [sys.executable, "-m", "proxy", "serve", "--config", str(self.folder / "config.yaml")]
        self._process = await asyncio.create_subprocess_exec(
            *command, env=self._env, stdout=self._log, stderr=self._log, start_new_session=True
        )
        deadline = time.monotonic() + START_S
        async with aiohttp.ClientSession() as http:
            while time.monotonic() < deadline:
                try:
                    async with http.get(f"http://127.0.0.1:{self.port}/readyz") as reply:
                        if reply.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                if self._process.returncode is not None:
                    break
                await asyncio.sleep(0.02)
        raise RuntimeError("serve did not start:\n" + (self.folder / "serve.log").read_text()[-2000:])

    async def kill_one(self, dice: random.Random) -> None:
        """SIGKILL for one process by chance. When that was all, or the parent, the service is started again."""
        assert self._process
        pid = self._process.pid
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        victim = dice.choice([pid, *children])
        if victim != pid:
            os.kill(victim, signal.SIGKILL)
            return
        await self.end(signal.SIGKILL)
        await self.start()

    async def end(self, how: signal.Signals) -> None:
        assert self._process
        if self._process.returncode is None:
            os.killpg(self._process.pid, how)
        await self._process.wait()

    async def dead(self) -> set[str]:
        """Event ids of the dead letters, from `firsthand dead list --json`."""
        command = [
            sys.executable,
            "-m",
            "proxy",
            "dead",
            "list",
            "--json",
            "--config",
            str(self.folder / "config.yaml"),
        ]
        child = await asyncio.create_subprocess_exec(*command, env=self._env, stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
        letters = [json.loads(line) for line in out.splitlines()]
        return {letter["event"]["id"] for letter in letters if letter["event"]}

    def close(self) -> None:
        self._log.close()


async def client(tally: Tally, port: int, name: int, stop: asyncio.Event) -> None:
    """Posts one purchase after the other; an id counts as acknowledged only when the 204 was read."""
    headers = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0"}
    number = 0
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=5)) as http:
        while not stop.is_set():
            number += 1
            event_id = f"o-{name}-{number}"
            event = {
                "id": event_id,
                "name": "purchase",
                "time": time.time_ns() // 1_000_000,
                "page": {"url": "https://www.shop.example/thanks"},
                "consent": {"marketing": "granted"},
                "user": {"email": f"visitor{name}@example.com"},
                "data": {"value": number, "currency": "EUR"},
            }
            tally.attempts += 1
            try:
                async with http.post(f"http://127.0.0.1:{port}/e", data=json.dumps(event)) as reply:
                    if reply.status == 204:
                        tally.acknowledged.add(event_id)
                    else:
                        await asyncio.sleep(0.05)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.05)


async def run(kills: int, seed: int, clients: int, workers: int = 1) -> tuple[Tally, set[str]]:
    """The whole experiment; returns the tally and the ids of the dead letters."""
    dice = random.Random(seed)
    tally, stop = Tally(), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="firsthand-crash-") as name:
        folder = Path(name)
        ports = free_port(), free_port()
        (folder / "config.yaml").write_text(
            CONFIG.format(port=ports[0], platform=ports[1], token=TOKEN, workers=workers)
        )
        runner = await platform(tally, ports[1], dice)
        service = Service(folder, ports[0])
        try:
            await service.start()
            load = [asyncio.create_task(client(tally, ports[0], n, stop)) for n in range(clients)]
            for _ in range(kills):
                await asyncio.sleep(dice.uniform(0.05, 1.0))
                await service.kill_one(dice)
                tally.kills += 1
            await asyncio.sleep(0.5)
            stop.set()
            await asyncio.gather(*load)
            deadline = time.monotonic() + DRAIN_S
            while tally.lost(set()) and time.monotonic() < deadline:
                before = len(tally.arrived)
                await asyncio.sleep(2)
                if len(tally.arrived) == before:  # nothing comes any more: what is missing is dead or lost
                    break
            await service.end(signal.SIGTERM)
            return tally, await service.dead()
        finally:
            stop.set()
            await service.end(signal.SIGKILL)
            service.close()
            await runner.cleanup()


def report(tally: Tally, dead: set[str]) -> str:
    return (
        f"kills {tally.kills}, sent {tally.attempts}, acknowledged {len(tally.acknowledged)}, "
        f"arrived {len(tally.arrived)}, dead letters {len(dead)}, refused batches {tally.refused}, "
        f"repeated by event id {tally.repeated}, lost {len(tally.lost(dead))}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    outcome = asyncio.run(run(args.kills, args.seed, args.clients, args.workers))
    print(report(*outcome))
    raise SystemExit(1 if outcome[0].lost(outcome[1]) else 0)
