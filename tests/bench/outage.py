"""A platform is down for a day at 200 events a second, with the day compressed: what does everybody else notice?

    python -m tests.bench.outage [--events 1000000] [--rate 1000] [--before 60] [--stored 0] [--catch-up 0]

`firsthand serve` with a collector and a relay, two destinations on loopback stand-ins in a process of their own: `meta` goes
down, `crm` (a webhook) stays well. A server reports events of some 900 bytes, fifty at a time, at `--rate` a second (five times 200
by default); beside it a visitor posts single events and notes how long each answer takes. First both platforms are well
for `--before` seconds, then `meta` answers 503 while `--events` events come in, then it is well again and catches up.

A whole day is 17.28 million events, hours of posting. `--stored` of them are written to the log directly instead, a third before
each third of the outage, by a process that is to the log what a further collector is; they go to `meta` alone. `--catch-up` ends
the last part after so many seconds.

What scales with the length of an outage is the disk and the time to catch up, both in proportion to the number of events;
what must not scale is everything else, so it is shown by thirds of the outage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.event import encode_json, replace
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring
from tests.bench.relay import events
from tests.crash.service import Service
from tests.crash.site import HEADERS
from tests.ports import free_port

CONFIG = """\
site: {{origins: ["https://www.shop.example"]}}
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{port: {admin}, token: an-admin-token-of-the-outage-bench}}
relay: {{process: own, backoff_max_s: 5}}
limits: {{address_per_s: null, site_per_s: null}}
data: data
keys: ${{KEYS}}
rules:
  - {{send_to: [meta]}}
  - {{when: {{event: purchase}}, send_to: [crm]}}
ingest_keys: [an-ingest-key-of-the-outage-bench]
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: token, base_url: "http://127.0.0.1:{platforms}", batch_size: 500}}
  crm: {{kind: webhook, url: "http://127.0.0.1:{platforms}/in", secret: secret, allow_private_addresses: true, batch_size: 100}}
"""
KEY = {"Authorization": "Bearer an-ingest-key-of-the-outage-bench"}
ADMIN = {"Authorization": "Bearer an-admin-token-of-the-outage-bench"}
A_POST = 50
A_DAY = 200 * 86_400


def store(folder: Path, keys: str, first: int, count: int) -> None:
    """`count` page views of the last day into the log of a service that is running, as a collector of it would."""

    async def run() -> None:
        log = await SqliteLog.open(folder, Keyring.parse(keys), LogSettings(), system_clock)
        some, now_ms = events(A_POST), system_clock()
        for number in range(first, first + count, A_POST):
            seen_ms = now_ms - 86_400_000 * (first + count - number) // count
            await log.append(
                [
                    replace(event, id=f"d-{number + one:09d}", name="page_view", time=seen_ms)
                    for one, event in enumerate(some)
                ]
            )
        await log.close()

    asyncio.run(run())


def platforms(port: int, is_down: Any) -> None:
    """Both, in a process of their own. `is_down`: a shared flag about `meta`."""

    async def take(request: web.Request) -> web.Response:
        received = (await request.read()).count(b'"event_id"')
        if "events" in request.path and is_down.value:
            return web.Response(status=503)
        return web.json_response({"events_received": received, "messages": [], "fbtrace_id": "A"})

    async def run() -> None:
        app = web.Application(client_max_size=10**8)
        app.router.add_post("/{path:.*}", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    asyncio.run(run())


@dataclass
class Seen:
    """Of one stretch of time."""

    name: str
    answers_ms: list[float] = field(default_factory=list)
    rss_mb: dict[str, float] = field(default_factory=dict)  # at its end, by role
    crm_lag_s: list[float] = field(default_factory=list)
    failed: int = 0

    def line(self) -> str:
        ranks = sorted(self.answers_ms)
        p50, p99 = statistics.median(ranks), ranks[int(len(ranks) * 0.99)]
        rss = "  ".join(f"{role} {mb:.0f}" for role, mb in self.rss_mb.items())
        lag = f"{statistics.median(self.crm_lag_s):.1f} s, at most {max(self.crm_lag_s):.1f} s"
        return f"{self.name:<22} {p50:>7.1f} {p99:>8.1f} {self.failed:>7}   {lag:<24} {rss}"


class Outage:
    def __init__(self, service: Service, admin: int, rate: int) -> None:
        self._service, self._admin, self.rate = service, f"http://127.0.0.1:{admin}", rate
        self._number = self._stored = 0
        self._some = [json.loads(encode_json(event)) for event in events(A_POST)]
        self.event_bytes = len(encode_json(self._some[0]))

    async def status(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        async with http.get(f"{self._admin}/status.json", headers=ADMIN) as answer:
            return await answer.json()

    async def waiting(self, http: aiohttp.ClientSession) -> int:
        """How many events `meta` has not had."""
        shown = (await self.status(http))["destinations"]
        return next(one["waiting"] for one in shown if one["name"] == "meta")

    async def stretch(self, name: str, count: int) -> Seen:
        """`count` events at the rate, with the visitor beside."""
        seen, done = Seen(name), asyncio.Event()
        async with aiohttp.ClientSession() as http:
            beside = [asyncio.create_task(work(http, seen, done)) for work in (self._visit, self._watch)]
            began, sent = time.monotonic(), 0
            while sent < count:
                await asyncio.sleep(max(0.0, began + sent / self.rate - time.monotonic()))
                sent += await self._report(http, seen)
            done.set()
            await asyncio.gather(*beside)
        for pid, role in self._service.processes().items():
            seen.rss_mb[role] = _rss_mb(pid)
        return seen

    async def store(self, count: int) -> None:
        child = multiprocessing.get_context("spawn").Process(
            target=store, args=(self._service.folder / "data", self._service.keys, self._stored, count)
        )
        child.start()
        await asyncio.to_thread(child.join)
        assert child.exitcode == 0
        self._stored += count

    async def _report(self, http: aiohttp.ClientSession, seen: Seen) -> int:
        now_ms = time.time_ns() // 1_000_000
        for event in self._some:
            self._number += 1
            event |= {"id": f"o-{self._number:09d}", "time": now_ms}
        async with http.post(f"{self._service.url}/e", json={"events": self._some}, headers=KEY) as answer:
            seen.failed += answer.status != 204
        return A_POST

    async def _visit(self, http: aiohttp.ClientSession, seen: Seen, done: asyncio.Event) -> None:
        while not done.is_set():
            began = time.perf_counter()
            body = json.dumps(
                {"name": "purchase", "consent": {"marketing": "granted"}, "user": {"email": "ann@example.com"}}
            )
            async with http.post(f"{self._service.url}/e", data=body, headers=HEADERS) as answer:
                seen.failed += answer.status != 204
            seen.answers_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.05)

    async def _watch(self, http: aiohttp.ClientSession, seen: Seen, done: asyncio.Event) -> None:
        while not done.is_set():
            shown = await self.status(http)
            crm = next(one for one in shown["destinations"] if one["name"] == "crm")
            oldest = crm["oldest_waiting_ms"]
            seen.crm_lag_s.append(0 if oldest is None else (shown["now_ms"] - oldest) / 1000)
            await asyncio.sleep(1)


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def run(outage: Outage, is_down: Any, chosen: argparse.Namespace) -> None:
    rate = outage.rate
    async with aiohttp.ClientSession() as http:
        await outage.stretch("warming up", rate * 5)
        print(
            f"{'':<22} {'p50 ms':>7} {'p99 ms':>8} {'failed':>7}   {'delay of crm':<24} RSS in MB at the end",
            flush=True,
        )
        well = await outage.stretch("both well", rate * chosen.before)
        print(well.line(), flush=True)
        start = (await outage.status(http))["log"]
        is_down.value = 1
        thirds = []
        for third in ("first", "second", "last"):
            await outage.store(chosen.stored // 3)
            thirds.append(await outage.stretch(f"meta down, {third} third", chosen.events // 3))
            print(thirds[-1].line(), flush=True)
        shown = await outage.status(http)
        grown = (
            shown["log"]["used_bytes"] - start["used_bytes"]
        )  # the -wal file is not in it: 16 MB, however long it lasts
        stored = shown["log"]["events"] - start["events"]
        waiting = left = await outage.waiting(http)
        is_down.value = 0
        began = time.monotonic()
        while left and not 0 < chosen.catch_up < time.monotonic() - began:
            await asyncio.sleep(0.5)
            left = await outage.waiting(http)
        caught_up_s = time.monotonic() - began
    down = [answer for third in thirds for answer in third.answers_ms]
    ratio = statistics.median(down) / statistics.median(well.answers_ms)
    print(f"median answer while down / while well: {ratio:.2f}")
    print(
        f"disk: {grown / stored:.0f} bytes an event of {outage.event_bytes}: {grown / stored / outage.event_bytes:.2f} times its size"
    )
    print(f"  a day at 200/s, {A_DAY / 1e6:.2f} M events: {grown / stored * A_DAY / 1e9:.1f} GB")
    speed = (waiting - left) / caught_up_s
    print(f"caught up with {waiting - left:,} of {waiting:,} events in {caught_up_s:.0f} s: {speed:,.0f} events/s")
    print(f"  a day at 200/s while 200/s come in: {A_DAY / (speed - 200) / 3600:.1f} hours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--before", type=int, default=60, help="seconds")
    parser.add_argument("--stored", type=int, default=0, help="events more, written to the log directly")
    parser.add_argument("--catch-up", type=int, default=0, help="seconds; 0: until nothing waits")
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    is_down, port, admin = context.Value("i", 0), free_port(), free_port()
    server = context.Process(target=platforms, args=(port, is_down), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), free_port())
        text = CONFIG.format(port=service.port, admin=admin, platforms=port)
        (Path(folder) / "config.yaml").write_text(text)
        try:
            asyncio.run(_whole(service, admin, is_down, chosen))
        finally:
            service.close()
            server.terminate()
            server.join()


async def _whole(service: Service, admin: int, is_down: Any, chosen: argparse.Namespace) -> None:
    try:
        await service.start()
        await run(Outage(service, admin, chosen.rate), is_down, chosen)
        await service.stop()
    finally:
        if service.process is not None and service.process.returncode is None:
            service.process.kill()


if __name__ == "__main__":
    main()
