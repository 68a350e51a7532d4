"""What the event log costs by itself: `python tests/bench/log_append.py [--growth 1000000] [--folder DIR]`.

One table: events per second and CPU (all threads of the process) per event, for 1 kB events. Rows ending in "raw" are
the same bytes through plain sqlite3, as the floor. Ratios within a run count; absolute figures drift.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import uvloop

from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.event import ClickId, Client, Data, Event, Item, Page, User, Visitor, encode_json, replace
from proxy.log.base import Outcome
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key

KEYS = generate_key()
KEYRING = Keyring.parse(KEYS)


def uuid7(now_ms, tail=None):
    digits = f"{now_ms:012x}7{(os.urandom(9) if tail is None else tail).hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:31]}0"


def event(event_id=None, now_ms=None):
    now_ms = now_ms or system_clock()
    return Event(
        id=event_id or uuid7(now_ms),
        name="purchase",
        time=now_ms,
        page=Page(
            url="https://www.shop.example/thanks?order=1001&utm_source=ads", referrer="https://www.shop.example/pay"
        ),
        visitor=Visitor(id=os.urandom(8).hex(), first_seen=now_ms),
        click_ids={"fbclid": ClickId(value="IwAR" + "x" * 60, clicked_at=now_ms)},
        browser_ids={"fbp": f"fb.1.{now_ms}.1098115397"},
        user=User(email=("ann@shop.example",), phone=("+491711234567",), city="Berlin", country="de"),
        data=Data(
            currency="EUR",
            order_id="o-1001",
            items=tuple(Item(id=f"sku-{n}", name="A mug", quantity=1) for n in range(5)),
        ),
        client=Client(
            ip="192.0.2.1", user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
        ),
    )


class Timed:
    """`with Timed(name, events)`: one row of the table."""

    def __init__(self, name, events):
        self.name, self.events = name, events

    def __enter__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        self.wall_us, self.cpu_us = wall / self.events * 1e6, cpu / self.events * 1e6
        print(
            f"{self.name:44} {self.events / wall:10,.0f}/s {self.cpu_us:8.1f} us CPU {self.wall_us:8.1f} us", flush=True
        )


async def appends(log, name, *, senders, size, events):
    """`senders` at once, each appending `size` events at a time; p50 and p99 of an append."""
    prepared = [[event() for _ in range(size)] for _ in range(events // size)]
    waited = []

    async def sender():
        while prepared:
            batch = prepared.pop()
            start = time.perf_counter()
            await log.append(batch)
            waited.append(time.perf_counter() - start)

    with Timed(name, len(prepared) * size):
        await asyncio.gather(*(sender() for _ in range(senders)))
    waited.sort()
    print(f"{'':46}p50 {statistics.median(waited) * 1e3:.2f} ms, p99 {waited[int(len(waited) * 0.99)] * 1e3:.2f} ms")


async def reads(log, reader, limit, events, missed=0.0):
    """`missed`: the share of events, at random, that the reader's platform was not sent."""
    done, dice = 0, random.Random(1)
    with Timed(f"read + commit, batches of {limit}, {missed:.0%} not sent", events):
        while done < events:
            batch = await log.read(reader, limit)
            seqs = [entry.seq for entry in batch.entries]
            left_out = {seq for seq in seqs if dice.random() < missed}
            await log.commit(batch, Outcome(settled=seqs, missed=left_out, state=batch.state))
            done += len(batch.entries)
            assert batch.entries


async def alone(folder):
    log = await SqliteLog.open(folder, KEYRING, LogSettings(), system_clock)
    await appends(log, "warm up", senders=64, size=1, events=5_000)
    await appends(log, "append, one at a time", senders=1, size=1, events=1_500)
    await appends(log, "append, 64 at once", senders=64, size=1, events=30_000)
    await appends(log, "append, 100 in one call", senders=1, size=100, events=30_000)
    await appends(log, "append, 4 x 100 at once", senders=4, size=100, events=30_000)
    await log.read("idle", 1)
    await reads(log, "a", 50, 20_000)
    await reads(log, "b", 500, 60_000)
    await reads(log, "c", 500, 60_000, missed=0.5)
    await reads(log, "d", 500, 60_000, missed=0.95)
    idle = await log.read("idle", 1)
    await log.commit(idle, Outcome(settled=[entry.seq for entry in idle.entries], state=idle.state))
    await reads(log, "idle", 1000, 60_000)
    while (batch := await log.read("idle", 1000)).entries:
        await log.commit(batch, Outcome(settled=[entry.seq for entry in batch.entries], state=batch.state))
    with Timed("read, nothing new", 2_000):
        for _ in range(2_000):
            await log.read("idle", 1000)
    await log.close()


def raw(folder):
    """The floor: encode, seal, and one INSERT per group of 64."""
    with closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, key BLOB, body BLOB)")
        events = [event() for _ in range(19_200)]
        sql = "INSERT INTO event (key, body) VALUES " + ",".join(["(?,?)"] * 64)
        with Timed("raw sqlite3, groups of 64, no index", len(events)):
            for start in range(0, len(events), 64):
                values = []
                for each in events[start : start + 64]:
                    values += each.id.encode(), KEYRING.seal("raw", encode_json(each))
                database.execute(sql, values)
        body = KEYRING.seal("raw", encode_json(events[0]))
        print(f"{'':46}{len(encode_json(events[0]))} bytes an event, {len(body)} sealed")
        waits = []
        for _ in range(200):
            start = time.perf_counter()
            database.execute("INSERT INTO event (key, body) VALUES (x'01', x'02')")
            waits.append(time.perf_counter() - start)
        print(f"{'':46}one commit with fsync: {statistics.median(waits) * 1e3:.2f} ms")


def collector(folder, keys, senders, events, *, start, figures):
    async def run():
        log = await SqliteLog.open(folder, Keyring.parse(keys), LogSettings(), system_clock)
        prepared = [event() for _ in range(events)]
        waited = []
        await asyncio.to_thread(start.wait)
        wall, cpu = time.perf_counter(), time.process_time()

        async def sender():
            while prepared:
                begun = time.perf_counter()
                await log.append([prepared.pop()])
                waited.append(time.perf_counter() - begun)

        await asyncio.gather(*(sender() for _ in range(senders)))
        waited.sort()
        figures.put(
            (
                events / (time.perf_counter() - wall),
                (time.process_time() - cpu) / events * 1e6,
                waited[int(events * 0.99)] * 1e3,
            )
        )
        await log.close()

    uvloop.run(run())


def processes(folder, count):
    """`count` collectors on one file, 64 senders in all."""
    context = multiprocessing.get_context("spawn")
    start, figures = context.Barrier(count), context.Queue()
    children = [
        context.Process(
            target=collector,
            args=(folder / str(count), KEYS, 64 // count, 20_000),
            kwargs={"start": start, "figures": figures},
        )
        for _ in range(count)
    ]
    for child in children:
        child.start()
    found = [figures.get() for _ in children]
    for child in children:
        child.join()
    print(
        f"{f'{count} process(es) on one file, 64 at once':44} {sum(rate for rate, _, _ in found):10,.0f}/s "
        f"{statistics.mean(cpu for _, cpu, _ in found):8.1f} us CPU, p99 {max(p99 for _, _, p99 in found):.2f} ms",
        flush=True,
    )


async def growth(folder, largest, ids):
    """Append and read cost at 10^3, 10^4 … stored events. `ids`: uuid7, or other ids, whose keys are random."""
    log = await SqliteLog.open(folder, KEYRING, LogSettings(), system_clock)
    await log.read("tail", 1)
    stored, mark, now_ms = 0, 1_000, system_clock()
    body = event()
    while mark <= largest:
        while stored < mark:
            count = min(5_000, mark - stored)
            await _grow(log, body, count, now_ms + stored, ids)
            stored += count
        await _drop_behind(log)
        with Timed(f"{ids} ids, append beyond {stored:,}", 6_400):
            await _grow(log, body, 6_400, now_ms + stored, ids)
        with Timed(f"{ids} ids, read + commit beyond {stored:,}", 6_400):
            for _ in range(64):
                batch = await log.read("tail", 100)
                await log.commit(batch, Outcome(settled=[entry.seq for entry in batch.entries], state=batch.state))
        stored += 6_400
        mark *= 10
    await log.close()


async def _grow(log, body, count, now_ms, ids):
    def fresh(number):
        return uuid7(now_ms + number) if ids == "uuid7" else os.urandom(16).hex()

    async def sender(numbers):
        for number in numbers:
            await log.append([replace(body, id=fresh(number))])

    await asyncio.gather(*(sender(range(start, count, 64)) for start in range(64)))


async def _drop_behind(log):
    """The reader skips to the head."""
    batch = await log.read("tail", 1)
    head = (await log.stats()).head
    at_head = batch.__class__(batch.reader, batch.entries, head, batch.state, batch.again, batch.epoch)
    await log.commit(at_head, Outcome(settled=[entry.seq for entry in batch.entries], state=batch.state))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--growth", type=int, default=0, help="also measure up to this many stored events")
    options.add_argument("--only-growth", action="store_true")
    options.add_argument("--ids", nargs="+", choices=("uuid7", "other"), default=("uuid7", "other"))
    options.add_argument("--folder", help="on the disk to measure; default: the temporary folder")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        if not given.only_growth:
            raw(folder)
            uvloop.run(alone(folder / "alone"))
            for count in (1, 2):
                processes(folder, count)
        if given.growth:
            for ids in given.ids:
                uvloop.run(growth(folder / ids, given.growth, ids))


if __name__ == "__main__":
    main()
