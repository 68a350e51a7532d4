"""Requests per second and CPU per request of `POST /e`, beside a bare aiohttp handler that only answers 204.

    python tests/bench/ingest.py [--rounds 5] [--seconds 3] [--connections 64] [--parts]

The servers run as processes of their own on one core, aiohttp on uvloop; the load comes from this process on another
core, over keep-alive connections, each sending its next request when the last is answered. They take turns, so that what
else the machine does hits all; the ratios of the medians are what counts. Ours does everything it does in service: consent
granted, identity with sealed cookie, `_fbp` and `_fbc`, a new event id per request, a SQLite log with fsync before the answer.
`--parts` tells where the time goes, by calling the parts of a request one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiohttp import web

ORIGIN = "https://www.shop.example"
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
CONFIG = f"""
site: {{origins: ["{ORIGIN}"]}}
limits: {{address_per_s: 1000000, address_burst: 10000000, site_per_s: 1000000, site_burst: 10000000}} # never reached
destinations: {{meta: {{kind: meta, pixel_id: "1", access_token: t}}}}
"""
TICKS = os.sysconf("SC_CLK_TCK")
ID = "00000000-0000-7000-8000-000000000000"


def event(now_ms: int) -> bytes:
    """About 1 kB: what the tracker sends for a purchase of three items."""
    item = {"name": "Mug with a handle", "brand": "Example", "category": "kitchen/mugs", "price": 19.95, "quantity": 1}
    return json.dumps(
        {
            "sent_at": now_ms,
            "consent": {"marketing": "granted", "analytics": "granted", "source": "api", "time": now_ms - 60_000},
            "page": {
                "url": f"{ORIGIN}/checkout/thanks?utm_source=news&utm_campaign=autumn&fbclid=IwAR0AbCdEfGhIjKlMnOpQrStUv",
                "referrer": f"{ORIGIN}/checkout/payment",
                "title": "Thank you for your order",
                "language": "en-GB",
                "screen": "1920x1080",
                "viewport": "1280x720",
            },
            "user": {"email": "ann@example.com", "phone": "+32470123456", "country": "be"},
            "events": [
                {
                    "id": ID,
                    "name": "purchase",
                    "time": now_ms - 100,
                    "data": {
                        "value": 59.85,
                        "currency": "EUR",
                        "order_id": "o-1001",
                        "items": [{"id": f"sku-{number}", **item} for number in range(3)],
                    },
                }
            ],
        },
        separators=(",", ":"),
    ).encode()


def request(body: bytes, cookie: str) -> bytes:
    lines = [
        "POST /e HTTP/1.1",
        "Host: t.shop.example",
        f"Origin: {ORIGIN}",
        f"User-Agent: {AGENT}",
        "Content-Type: text/plain;charset=UTF-8",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9",
        f"Referer: {ORIGIN}/",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: same-site",
        *([f"Cookie: {cookie}"] if cookie else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# The servers


async def _serve_bare(ready, _) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/e", answer)
    await _serve_app(app, ready)


async def _serve_ours(ready, key: str) -> None:
    from proxy.collector.express import ExpressRunner

    await _serve_collector(ready, key, ExpressRunner)


async def _serve_ordinary(ready, key: str) -> None:
    await _serve_collector(ready, key, web.AppRunner)


async def _serve_collector(ready, key: str, runner) -> None:
    from proxy.clock import system_clock
    from proxy.collector.app import make_app
    from proxy.collector.garbage import look_seldom
    from proxy.config.load import read
    from proxy.log.sqlite import SqliteLog
    from proxy.privacy.keys import Keyring

    config = read(CONFIG, Path("config.yaml"), {})
    keyring = Keyring.parse(key)
    look_seldom()  # as `serve` does
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        log = await SqliteLog.open(Path(folder), keyring, config.settings.log, system_clock)
        await _serve_app(make_app(config, log, keyring), ready, runner)


async def _serve_app(app: web.Application, ready, runner_class=web.AppRunner) -> None:
    runner = runner_class(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()


SERVERS = {"bare 204": _serve_bare, "ordinary": _serve_ordinary, "POST /e": _serve_ours}
"""`ordinary`: the same collector without its express lane."""


def _run(name: str, ready, core: int, key: str) -> None:
    os.sched_setaffinity(0, {core})
    uvloop.run(SERVERS[name](ready, key))


@dataclass
class Server:
    name: str
    pid: int
    port: int

    def cpu_s(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


# The load


class Visitor(asyncio.Protocol):
    """One connection: sends, waits for the end of the answer, sends again, until told to stop."""

    def __init__(self, before: bytes, after: bytes, numbers, tally: list[float]) -> None:
        self._before, self._after, self._numbers, self._tally = before, after, numbers, tally
        self._stopping = False
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(b"%b%012x%b" % (self._before, next(self._numbers), self._after))

    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"\r\n\r\n"):
            return  # the head comes in pieces; a 204 has nothing else
        if not data.startswith(b"HTTP/1.1 204"):
            self.done.set_exception(AssertionError(data[:300]))
            self._transport.close()
            return
        self._tally.append(time.perf_counter() - self._sent_at)
        if self._stopping:
            self._transport.close()
        else:
            self._send()

    def stop(self) -> None:
        self._stopping = True

    def connection_lost(self, _) -> None:
        if not self.done.done():
            self.done.set_result(None)


@dataclass
class Round:
    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


async def load(server: Server, connections: int, seconds: float, numbers, whole: bytes) -> Round:
    before, _, after = whole.partition(ID[-12:].encode() + b'"')
    tally: list[float] = []
    loop = asyncio.get_running_loop()
    visitors = []
    cpu, began = server.cpu_s(), time.perf_counter()
    for _ in range(connections):
        _, visitor = await loop.create_connection(
            lambda: Visitor(before, b'"' + after, numbers, tally), "127.0.0.1", server.port
        )
        visitors.append(visitor)
    await asyncio.sleep(seconds)
    for visitor in visitors:
        visitor.stop()
    await asyncio.gather(*(visitor.done for visitor in visitors))
    took, used = time.perf_counter() - began, server.cpu_s() - cpu
    tally.sort()
    count = len(tally)
    return Round(count / took, used / count * 1e6, tally[count // 2] * 1e3, tally[count * 99 // 100] * 1e3)


async def first_cookies(server: Server, body: bytes) -> str:
    """What our server gives a new visitor, as the browser sends it back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(body, "").replace(ID.encode(), b"the-first-event-of-this-bench-of-36c"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    return "; ".join(line[12:].split(";")[0] for line in head.split("\r\n") if line.startswith("Set-Cookie: "))


async def compare(servers: list[Server], options) -> dict[str, list[Round]]:
    body = event(time.time_ns() // 1_000_000)
    cookie = await first_cookies(servers[-1], body)
    whole = request(body, cookie)
    print(f"request: {len(whole)} bytes, of them {len(body)} body and {len(cookie)} cookies")
    numbers = iter(range(10**12))
    rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
    for server in servers:
        await load(server, options.connections, 1, numbers, whole)  # warm
    for _ in range(options.rounds):
        for server in servers:
            rounds[server.name].append(await load(server, options.connections, options.seconds, numbers, whole))
    return rounds


def measure(options) -> dict[str, Round]:
    from proxy.privacy.keys import generate_key

    key = generate_key()  # one for all, so that all can open the cookies that are sent
    cores = sorted(os.sched_getaffinity(0))
    servers, processes = [], []
    for name in SERVERS:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=_run, args=(name, theirs, cores[0], key), daemon=True)
        process.start()
        processes.append(process)
        servers.append(Server(name, process.pid or 0, ours.recv()))
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    try:
        rounds = uvloop.run(compare(servers, options))
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return {
        name: Round(*(statistics.median(getattr(one, field) for one in many) for field in Round.__dataclass_fields__))
        for name, many in rounds.items()
    }


def show(medians: dict[str, Round]) -> None:
    print(f"{'':10} {'requests/s':>11} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}   against bare: requests/s, CPU")
    bare = medians["bare 204"]
    for name, one in medians.items():
        ratios = f"{one.per_second / bare.per_second:14.2f} {one.cpu_us / bare.cpu_us:13.2f}"
        print(f"{name:10} {one.per_second:11,.0f} {one.cpu_us:8.1f} {one.p50_ms:8.2f} {one.p99_ms:8.2f} {ratios}")


# Where the time goes


def parts() -> None:
    """Microseconds of each part of one request, alone and warm; the best of many short runs."""
    from proxy.collector.answers import NO_STORE, Answer
    from proxy.collector.events import MAX_BODY
    from proxy.collector.heads import Heads
    from proxy.collector.limits import Limits
    from proxy.collector.origin import cors_lines
    from proxy.collector.pipeline import STEPS, Rulebook, collect
    from proxy.collector.visit import Visit
    from proxy.config.load import read
    from proxy.event import Client
    from proxy.identity.cookie_domain import cookie_domain
    from proxy.identity.identity import read as read_identity, set_cookies
    from proxy.identity.keeping import keeping
    from proxy.identity.visitor import VisitorCookie
    from proxy.log.sealing import Sealing
    from proxy.privacy.keys import Keyring, generate_key
    from proxy.privacy.scrub import scrubber
    from proxy.privacy.terms import TermsByRegion
    from proxy.wire import parse

    now_ms = time.time_ns() // 1_000_000
    settings = read(CONFIG, Path("config.yaml"), {}).settings
    keyring = Keyring.parse(generate_key())
    codec, sealing, body = VisitorCookie(keyring), Sealing(keyring), event(now_ms)
    keep = keeping(settings)
    limits = Limits(settings.limits)
    book = Rulebook(
        settings=settings,
        keep=keep,
        terms=TermsByRegion(settings.consent),
        locate=lambda _: None,
        scrub=scrubber(settings.privacy),
    )
    domain = cookie_domain("t.shop.example")
    how = {
        "codec": codec,
        "settings": settings.cookie,
        "domain": domain,
        "now_ms": now_ms,
        "keep": keep,
        "secure": True,
    }
    events = parse(body, received_ms=now_ms, trusted=False).events

    def visit(identity) -> Visit:
        client = Client(ip="198.51.100.7", user_agent=AGENT)
        return Visit(
            received_ms=now_ms,
            source="browser",
            client=client,
            domain=domain,
            is_secure=True,
            identity=identity,
            mint=lambda: 2**100,
        )

    first = visit(read_identity("", codec, keep, now_ms))
    collect(first, events, book)
    cookie = "; ".join(value.split(";")[0] for value in set_cookies(first.identity, **how))
    identity = read_identity(cookie, codec, keep, now_ms)
    known = visit(identity)
    kept, _ = collect(known, events, book)
    answer = Answer(204, NO_STORE)
    lines = [value.encode() for value in set_cookies(known.identity, **how)]
    whole, heads = request(body, cookie), Heads(b"POST /e HTTP/1.1\r\n", lambda headers: headers.get("User-Agent"))
    for name, call in {
        "read the head": lambda: heads.read(whole, MAX_BODY),
        "count the sender": lambda: limits.take("198.51.100.7", now_ms),
        "parse the body": lambda: parse(body, received_ms=now_ms, trusted=False),
        "read the cookies": lambda: read_identity(cookie, codec, keep, now_ms),
        f"the {len(STEPS)} steps": lambda: collect(visit(identity), events, book),
        "write the cookies": lambda: set_cookies(known.identity, **how),
        "seal for the log": lambda: sealing.row(kept[0]),
        "render the answer": lambda: answer.reply(now_ms, cors_lines(ORIGIN), *lines).wire(),
    }.items():
        print(f"{name:20} {best_us(call):6.1f} us")


def best_us(call) -> float:
    best = float("inf")
    for _ in range(60):
        began = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, (time.perf_counter() - began) / 100)
    return best * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--parts", action="store_true", help="tell where the time goes instead")
    chosen = parser.parse_args()
    if chosen.parts:
        parts()
    else:
        show(measure(chosen))
