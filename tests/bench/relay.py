"""What reading the log out to Meta costs: µs of CPU per event, and events per second over loopback HTTP.

    python tests/bench/relay.py [--events 20000] [--batch 50] [--destinations 3 7]

`plan` is rules, consent, age, normalising, hashing, building and encoding: everything between a decoded event and the
bytes of a request. `relay` is the whole loop over a SQLite log (read, unseal, decode, plan, send, judge, commit)
against a server in another process that answers like Meta. `raw` posts the very same bytes to that server from a bare
aiohttp loop: the floor nobody gets below. Then the whole loop again with that many destinations of the kind, which read
the same log beside each other. CPU is this process only; the ratio in one run is what counts.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web

from proxy.clock import system_clock
from proxy.config.load import read
from proxy.config.settings import LogSettings, RelaySettings
from proxy.event import (
    ClickId,
    Client,
    Consent,
    ConsentState,
    Data,
    Event,
    Item,
    Page,
    User,
    Visitor,
    decode_event,
    encode_json,
)
from proxy.log.base import Entry
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from proxy.relay.plan import plan
from proxy.relay.relay import Relay

RULES = "\n".join(
    f"  - {{name: other {n}, when: {{event: purchase, value: {{above: {900 + n}}}}}, send_to: [meta]}}"
    for n in range(9)
)
CONFIG = """
site: {{origins: [https://www.shop.example]}}
destinations:
{destinations}
rules:
  - {{name: shop, when: {{event: [page_view, purchase]}}, send_to: [{names}]}}
{rules}
"""


def configured(url: str, batch: int, count: int):
    names = ["meta", *(f"meta-{number}" for number in range(2, count + 1))]
    settings = f'kind: meta, pixel_id: "1234567890", access_token: token, base_url: "{url}", batch_size: {batch}'
    destinations = "\n".join(f"  {name}: {{{settings}}}" for name in names)
    text = CONFIG.format(destinations=destinations, names=", ".join(names), rules=RULES)
    return read(text, Path("bench.yaml"), {})


def events(count: int) -> list[Event]:
    now_ms = system_clock()
    return [
        Event(
            id=f"o-{number:08d}",
            name="purchase",
            time=now_ms - 60_000,
            page=Page(url=f"https://www.shop.example/thanks?o={number}", referrer="https://www.shop.example/pay"),
            visitor=Visitor(id=f"v{number:022d}", first_seen=now_ms - 86_400_000),
            click_ids={"fbclid": ClickId(value=f"AbC{number}", clicked_at=now_ms - 3_600_000)},
            browser_ids={"fbp": f"fb.1.{now_ms}.{number}", "fbc": f"fb.1.{now_ms - 3_600_000}.AbC{number}"},
            user=User(
                email=(f"ann{number}@example.com",),
                phone=(f"+49171{number:07d}",),
                first_name="Ann",
                last_name="Example",
                city="Berlin",
                country="de",
            ),
            data=Data(
                value=Decimal("59.90"),
                currency="EUR",
                order_id=f"o-{number}",
                items=tuple(Item(id=f"sku-{n}", name="Mug", price=Decimal("29.95"), quantity=1) for n in range(2)),
            ),
            client=Client(ip="198.51.100.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
            consent=Consent(marketing=ConsentState.GRANTED, analytics=ConsentState.GRANTED),
        )
        for number in range(count)
    ]


def serve(port: multiprocessing.Queue) -> None:
    """A platform that takes everything, in a process of its own."""

    async def take(request: web.Request) -> web.Response:
        received = (await request.read()).count(b'"event_id"')
        return web.json_response({"events_received": received, "messages": [], "fbtrace_id": "A"})

    async def run() -> None:
        app = web.Application(client_max_size=10**8)
        app.router.add_post("/{path:.*}", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def timed(label: str, count: int, wall_s: float, cpu_s: float) -> float:
    print(f"{label:<34}{count / wall_s:>10,.0f} events/s {cpu_s / count * 1e6:>8.1f} µs CPU/event")
    return cpu_s / count


def bench_pure(config, batch: int, found: list[Event]) -> tuple[list[bytes], float]:
    """Decode and plan, each alone; the bodies."""
    stored = [encode_json(one) for one in found]
    start, cpu = time.perf_counter(), time.process_time()
    decoded = [decode_event(raw) for raw in stored]
    timed(
        f"decode ({sum(map(len, stored)) // len(stored)} bytes)",
        len(found),
        time.perf_counter() - start,
        time.process_time() - cpu,
    )
    entries = [Entry(seq, 0, one) for seq, one in enumerate(decoded, 1)]
    destination, now_ms = config.destinations["meta"], system_clock()
    bodies = []
    start, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(entries), batch):
        planned = plan(destination, entries[at : at + batch], config.rules.decide, now_ms)
        bodies += [parcel.request.body for parcel in planned.parcels]
    cost = timed(f"plan (batch {batch}, 10 rules)", len(found), time.perf_counter() - start, time.process_time() - cpu)
    assert sum(len(json.loads(body)["data"]) for body in bodies) == len(found)
    return bodies, cost


async def bench_raw(url: str, bodies: list[bytes], count: int) -> float:
    async with aiohttp.ClientSession() as session:
        start, cpu = time.perf_counter(), time.process_time()
        for body in bodies:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()
        return timed("raw (same bytes, bare aiohttp)", count, time.perf_counter() - start, time.process_time() - cpu)


async def bench_relay(config, found: list[Event]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        log = await SqliteLog.open(Path(folder), Keyring.parse(generate_key()), LogSettings(), system_clock)
        for at in range(0, len(found), 500):
            await log.append(found[at : at + 500])
        relay = Relay(log, config.destinations, config.rules, RelaySettings(wait_s=0))
        start, cpu = time.perf_counter(), time.process_time()
        await relay.start()
        while True:
            await asyncio.sleep(0.25)  # seldom: looking costs CPU too, and counts
            readers = (await log.stats()).readers
            done = sum(reader.state.delivered == len(found) for reader in readers)
            if done == len(config.destinations):
                break
        label = "relay (SQLite log to answer)" if done == 1 else f"relay to {done} destinations, each"
        cost = timed(label, len(found) * done, time.perf_counter() - start, time.process_time() - cpu)
        await relay.stop(5)
        await log.close()
        return cost


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--events", type=int, default=20_000)
    options.add_argument("--batch", type=int, default=50)
    options.add_argument("--destinations", type=int, nargs="*", default=[3, 7])
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    server = context.Process(target=serve, args=(port,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{port.get(timeout=20)}"
        config = configured(url, chosen.batch, 1)
        found = events(chosen.events)
        bodies, planned = bench_pure(config, chosen.batch, found)
        with contextlib.suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        raw = asyncio.run(bench_raw(f"{url}/events", bodies, chosen.events))
        whole = asyncio.run(bench_relay(config, found))
        for count in chosen.destinations:
            asyncio.run(bench_relay(configured(url, chosen.batch, count), found[: len(found) // 2]))
        print(f"relay / raw: {whole / raw:.1f} x CPU; plan is {planned / whole:.0%} of the relay")
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
