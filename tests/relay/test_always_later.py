"""An event to which the platform always answers "later": set aside, while a platform that is down loses nothing."""

import asyncio

import pytest
import structlog

from proxy.event import replace
from proxy.observe import metrics
from proxy.relay import aside, reader, search


def ids(requests):
    return [[row["id"] for row in rows] for rows in requests]


def mixed(wire, count, *stuck):
    return [replace(e, custom={"stuck": True}) if at in stuck else e for at, e in enumerate(wire.events(count))]


async def test_one_event_that_is_always_put_off_is_set_aside_and_the_others_go_on_in_order(wire, time):
    counted = metrics.dead_letters.labels("one", aside.WHY)
    before = counted._value.get()
    sent = await wire.append(*mixed(wire, 50, 20))
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        waits = await time.until_idle()
    assert waits == [2.0**n for n in range(search.PATIENCE)]
    assert wire.platform.accepted_ids == sent[:20] + sent[21:]
    ((event, (why, detail)),) = (await wire.dead()).items()
    assert (event, why) == (sent[20], "always_later")
    assert detail.startswith("tried again by itself at 2026-")
    assert detail.endswith("; http_500")
    state = await wire.state()
    assert (state.attempts, state.delivered, state.dead, len(state.aside)) == (0, 49, 1, 1)
    assert counted._value.get() - before == 1
    assert [line["event"] for line in lines] == ["destination_failing", "destination_recovered", "events_set_aside"]
    assert len(wire.platform.requests) <= search.PATIENCE + 15
    await wire.append(*wire.events(1))
    assert await time.until_idle() == []


async def test_a_platform_that_is_down_for_a_day_gets_everything_in_order(wire, time):
    wire.platform.down = True
    sent = await wire.append(*wire.events(300))
    await wire.start()
    until_ms = time.now_ms + 86_400_000
    while time.now_ms < until_ms:
        time.advance(await time.next_sleep())
    state = await wire.state()
    assert (state.aside, state.dead, state.delivered) == ((), 0, 0)
    asked = len(wire.platform.requests)
    assert asked <= state.attempts * (search.PASSED_MOST + 1)
    wire.platform.down = False
    await time.until_idle()
    assert wire.platform.accepted_ids == sent
    assert await wire.dead() == {}


async def test_a_platform_that_comes_back_while_the_reader_looks_loses_nobody(wire, time, answer):
    wire.platform.script = [answer(500)] * (search.PATIENCE + 1)  # the last is the first event, alone
    sent = await wire.append(*wire.events(30))
    await wire.start()
    await time.until_idle()
    assert sorted(wire.platform.accepted_ids) == sorted(sent)
    assert await wire.dead() == {}


async def test_it_is_tried_again_alone_and_taken_when_the_platform_can(wire, time, answer):
    sent = await wire.append(*mixed(wire, 3, 1))
    await wire.start()
    await time.until_idle()
    wire.platform.requests.clear()
    wire.platform.script = [answer()] * 2  # takes anything, twice
    later = await wire.append(*wire.events(1))
    time.advance(aside.FIRST_MS / 1000)
    await time.until_idle()
    assert ids(wire.platform.requests) == [later, [sent[1]]]
    assert await wire.dead() == {}
    state = await wire.state()
    assert (state.aside, state.delivered) == ((), 4)


async def test_after_the_last_try_it_stays_a_dead_letter_that_can_be_brought_back(wire, time, answer):
    sent = await wire.append(*mixed(wire, 3, 1))
    await wire.start()
    await time.until_idle()
    for _ in range(aside.TRIES):
        (one,) = (await wire.state()).aside
        time.advance(1)
        await wire.append(*wire.events(1))
        await time.until_idle()
        time.advance((one.due_ms - time.now_ms) / 1000)
        await time.until_idle()
    state = await wire.state()
    assert (state.aside, state.dead) == ((), 1)
    assert await wire.dead() == {sent[1]: ("always_later", "no longer tried by itself; http_500")}
    asked = len(wire.platform.requests)
    time.advance(2 * 86_400)
    await time.until_idle()
    assert len(wire.platform.requests) == asked
    wire.platform.script = [answer()]
    assert await wire.log.retry_dead("one", why="always_later") == 1
    time.advance(reader.IDLE_S)
    await time.until_idle()
    assert await wire.dead() == {}
    assert wire.platform.accepted_ids[-1] == sent[1]


async def test_a_kill_forgets_neither_the_event_nor_when_it_is_tried(wire, time):
    sent = await wire.append(*mixed(wire, 3, 1))
    await wire.start()
    await time.until_idle()
    before = await wire.state()
    await wire.kill()
    await wire.start()
    await time.until_idle()
    assert await wire.state() == before
    assert wire.platform.accepted_ids == [sent[0], sent[2]]
    # Given back, and killed before it is sent.
    assert await wire.log.retry_dead("one", [before.aside[0].seq], aside.WHY) == 1
    await wire.kill()
    wire.platform.requests.clear()
    await wire.start()
    await time.until_idle()
    assert ids(wire.platform.requests) == [[sent[1]]]
    assert set(await wire.dead()) == {sent[1]}


async def live(kit, ended):
    """Time passes until `ended` is set."""
    over = asyncio.ensure_future(ended.wait())
    while not over.done():
        wait = asyncio.ensure_future(kit.time.next_sleep())
        await asyncio.wait([over, wait], return_when=asyncio.FIRST_COMPLETED)
        if wait.done():
            kit.time.advance(wait.result())
        wait.cancel()


@pytest.mark.parametrize("request_number", range(search.PATIENCE, search.PATIENCE + 12))
async def test_a_kill_in_the_middle_of_the_search_loses_nothing(wire, time, request_number):
    sent = await wire.append(*mixed(wire, 12, 2, 3, 8))
    killed = asyncio.Event()

    def kill_now():
        if len(wire.platform.requests) == request_number:
            killed.set()
            for task in wire.relay._tasks:
                task.cancel()

    wire.sender.before = kill_now
    await wire.start()
    await live(wire, killed)
    await wire.kill()
    wire.sender.before = lambda: None
    time._begun = asyncio.Queue()
    await wire.start()
    await time.until_idle()
    assert {*await wire.dead()} == {sent[2], sent[3], sent[8]}
    assert {*wire.platform.accepted_ids} == {*sent} - {*await wire.dead()}


async def test_one_that_somebody_dropped_is_not_tried_again(wire, time):
    await wire.append(*mixed(wire, 3, 1))
    await wire.start()
    await time.until_idle()
    await wire.log.drop_dead("one")
    asked = len(wire.platform.requests)
    time.advance(86_400)
    await time.until_idle()
    assert len(wire.platform.requests) == asked
    assert (await wire.state()).aside == ()


async def test_one_that_grows_too_old_aside_is_a_dead_letter_for_that(wire, time):
    sent = await wire.append(*mixed(wire, 3, 1))
    await wire.start()
    await time.until_idle()
    time.advance(8 * 86_400)
    await time.until_idle()
    assert {event: why for event, (why, _) in (await wire.dead()).items()} == {sent[1]: "expired"}
    state = await wire.state()
    assert (state.aside, state.dead) == ((), 1)


async def test_a_throttled_account_is_obeyed_and_nothing_set_aside(wire, time, answer):
    wire.platform.script = [answer(429, headers={"retry-after": "60"})] * (search.PATIENCE + 3)
    sent = await wire.append(*wire.events(20))
    await wire.start()
    assert all(seconds >= 60 for seconds in await time.until_idle())
    assert ids(wire.platform.requests[: search.PATIENCE]) == [sent] * search.PATIENCE
    assert wire.platform.accepted_ids == sent
    assert await wire.dead() == {}


async def test_a_paused_destination_is_not_held_by_the_event_it_is_probed_with(wire, time, answer):
    sent = await wire.append(*mixed(wire, 3, 0))
    wire.platform.script = [answer(401)] * 3
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[1:]
    assert set(await wire.dead()) == {sent[0]}
    assert (await wire.state()).paused == ""


async def test_of_two_routes_one_may_be_put_off_while_the_other_is_taken(wire, time, monkeypatch):
    own = wire.platform._own
    monkeypatch.setattr(
        wire.platform, "_own", lambda rows: own([{**row, "stuck": row.get("group") == "b"} for row in rows])
    )
    sent = await wire.append(*wire.events(1, **{"as": ["a", "b"]}))
    later = await wire.append(*wire.events(1))
    await wire.start()
    for _ in range(search.PATIENCE):
        time.advance(await time.next_sleep())
    later += await wire.append(*wire.events(1))
    await time.until_idle()
    assert wire.platform.accepted_ids == [*sent, *later]
    assert set(await wire.dead()) == {*sent}
    assert (await wire.stats()).waiting == 0
