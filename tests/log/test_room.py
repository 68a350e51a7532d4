"""What the log does when it holds as much as it may: refuse, or make room, never silently."""

import pytest
import structlog

from proxy.errors import LogUnavailable
from proxy.log import upkeep
from proxy.log.base import DeadLetter, Outcome
from proxy.observe import metrics

MOST = 600_000
BODY = {"text": "x" * 2000}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(upkeep, "CHUNK", 20)


@pytest.fixture
def fill(event):
    """Appends events until one is refused, at most `most`; how many were taken."""

    async def fill(log, start=0, most=400):
        for number in range(start, start + most):
            try:
                await log.append([event(number, custom=BODY)])
            except LogUnavailable:
                return number - start
        return most

    return fill


async def settle(log, reader, upto, dead=()):
    """Everything up to that number delivered, the others of `dead` refused by the platform."""
    batch = await log.read(reader, 10_000)
    seqs = [entry.seq for entry in batch.entries if entry.seq <= upto]
    letters = [DeadLetter(seq=seq, why="no", detail="", at_ms=1) for seq in dead]
    await log.commit(batch, Outcome(settled=seqs, dead=letters, state=batch.state))


async def left(log, reader):
    return [entry.seq for entry in (await log.read(reader, 10_000)).entries]


async def first(log):
    return int(((await log._view.rows("SELECT min(seq) FROM event"))[0])[0])


async def test_by_default_new_events_are_refused_and_nothing_old_goes(open_log, fill):
    log = await open_log(max_bytes=MOST)
    taken = await fill(log)
    assert 100 < taken < 400
    assert (await log.stats()).events == taken
    stats = await log.stats()
    assert MOST <= stats.used <= MOST * 1.05
    await settle(log, "meta", taken)
    assert await fill(log, start=1000, most=1) == 0  # delivered or not


async def test_dropping_what_is_delivered_goes_on_taking_events_and_keeps_the_rest(open_log, fill):
    log = await open_log(max_bytes=MOST, when_full="drop_delivered")
    await log.read("meta", 1)
    await log.read("tiktok", 1)
    taken = await fill(log)
    assert 100 < taken < 400  # nothing is delivered: refused
    before = metrics.log_dropped._value.get()
    await settle(log, "meta", 90)
    await settle(log, "tiktok", 60, dead=[10])
    with structlog.testing.capture_logs() as lines:
        more = await fill(log, start=1000)
    assert 40 <= more < 70  # room for what both have settled, the dead letter left out
    assert metrics.log_dropped._value.get() - before == 59
    assert await left(log, "tiktok") == list(range(61, taken + more + 1))
    assert await log.retry_dead("tiktok") == 1
    assert await left(log, "tiktok") == [10, *range(61, taken + more + 1)]
    stats = {reader.reader: reader.expired for reader in (await log.stats()).readers}
    assert stats == {"meta": 0, "tiktok": 0}
    said = [line["event"] for line in lines]
    assert said == ["log is full, the oldest events go", "log takes events again", "log takes no events"]
    assert "nothing in it is delivered everywhere" in str(lines[-1]["reason"])


async def test_a_destination_that_is_gone_keeps_nothing_and_a_new_one_everything(open_log, fill):
    log = await open_log(max_bytes=MOST, when_full="drop_delivered")
    await log.read("former", 1)
    taken = await fill(log)
    await settle(log, "meta", taken)
    assert await fill(log, start=1000, most=50) == 0
    log.keep_for(["meta"])
    assert await fill(log, start=1000, most=50) == 50
    log.keep_for(["meta", "not-started"])
    await settle(log, "meta", taken + 50)
    assert await fill(log, start=2000, most=200) < 50


async def test_dropping_the_oldest_takes_all_events_and_counts_what_nobody_got(open_log, fill):
    log = await open_log(max_bytes=MOST, when_full="drop_oldest")
    await log.read("meta", 1)
    with structlog.testing.capture_logs() as lines:
        assert await fill(log, most=600) == 600
    stats = await log.stats()
    assert stats.used <= MOST * 1.05
    gone = await first(log) - 1
    assert gone > 200
    assert [reader.expired for reader in stats.readers] == [gone]
    assert await left(log, "meta") == list(range(gone + 1, 601))
    (line,) = lines  # once an hour
    assert (line["event"], line["undelivered"]) == ("log is full, the oldest events go", {"meta": line["events"]})


async def test_it_is_said_again_after_an_hour_with_all_that_went(open_log, fill, clock):
    log = await open_log(max_bytes=MOST, when_full="drop_oldest")
    await fill(log, most=400)
    clock.now_ms += 3_600_000
    with structlog.testing.capture_logs() as lines:
        await fill(log, start=1000, most=100)
    (line,) = lines
    assert line["events"] > 20
