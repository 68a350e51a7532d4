"""The -wal file is folded in beside the writing, begins anew, and nobody notices."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import LogUnavailable
from proxy.log import database, folding

GENEROUS_S = 30
SALTS = slice(16, 24)  # in a -wal file's header: others each time that it begins anew


@pytest.fixture
async def log(open_log, monkeypatch):
    monkeypatch.setattr(folding, "PAGES", 40)  # a hundredth
    return await open_log()


async def store(log, event, numbers) -> None:
    for number in numbers:
        await log.append([event(number)])


async def test_the_file_begins_anew_under_steady_writing(log, event, tmp_path):
    file = tmp_path / "log.db-wal"
    await log.append([event(0)])
    first = (await asyncio.to_thread(file.read_bytes))[SALTS]
    number, now = 0, first
    async with asyncio.timeout(GENEROUS_S):
        while now == first:
            number += 1
            await log.append([event(number)])
            await asyncio.sleep(0.01)
            now = (await asyncio.to_thread(file.read_bytes))[SALTS]
    assert (await log.stats()).events == number + 1


async def test_events_are_stored_and_read_while_it_goes_on(log, event):
    await store(log, event, range(200))
    batch = await log.read("meta", 500)
    assert [entry.event.id for entry in batch.entries] == [f"e-{number}" for number in range(200)]


async def test_when_it_cannot_be_done_events_are_stored_all_the_same(log, event, monkeypatch):
    asked = asyncio.Event()

    async def unreadable(_):
        asked.set()
        raise LogUnavailable("no descriptor left")

    monkeypatch.setattr(database, "reading", unreadable)
    await store(log, event, range(40))
    async with asyncio.timeout(GENEROUS_S):
        await asked.wait()
    await store(log, event, range(40, 60))
    assert (await log.stats()).events == 60


async def test_a_log_is_closed_in_the_midst_of_it(open_log, event, monkeypatch):
    monkeypatch.setattr(folding, "PAGES", 1)
    log = await open_log()
    await store(log, event, range(20))
    await log.close()
    again = await open_log()
    assert (await again.stats()).events == 20
