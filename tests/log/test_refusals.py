"""What visitors take back is told with every earlier event of theirs, for as long as there are any."""

import asyncio

from proxy.clock import DAY_MS
from proxy.event import Purpose
from proxy.log.base import Outcome, ReaderState, Replay
from proxy.privacy.refusal import Refusal

MARKETING, ANALYTICS, PERSONALIZATION, SALE = Purpose


async def refused(log, reader="meta"):
    return {entry.event.id: entry.refused for entry in (await log.read(reader, 100)).entries}


async def test_it_is_about_the_visitors_events_up_to_then(log, event):
    await log.append([event(1, visitor="v_ann"), event(2, visitor="v_bob"), event(3)])
    assert await log.append([], [], [Refusal("v_ann", (MARKETING, SALE))]) == 0
    await log.append([event(4, visitor="v_ann")])
    assert await refused(log) == {"e-1": (MARKETING, SALE), "e-2": (), "e-3": (), "e-4": ()}


async def test_several_add_up_for_what_was_before_all_of_them(log, event):
    await log.append([event(1, visitor="v_ann")], [], [])
    await log.append([event(2, visitor="v_ann")], [], [Refusal("v_ann", (SALE,))])
    await log.append([event(3, visitor="v_ann")])
    await log.append([], [], [Refusal("v_ann", (ANALYTICS,))])
    assert await refused(log) == {"e-1": (ANALYTICS, SALE), "e-2": (ANALYTICS, SALE), "e-3": (ANALYTICS,)}


async def test_an_event_that_is_sent_again_has_it_too(log, event):
    await log.append([event(1, visitor="v_ann")])
    batch = await log.read("meta", 10)
    await log.commit(batch, Outcome(settled=[1], state=ReaderState()))
    await log.append([], [], [Refusal("v_ann", (MARKETING,))])
    await log.replay(Replay(reader="meta", since_ms=0, until_ms=2**60))
    assert await refused(log) == {"e-1": (MARKETING,)}
    await log.rewind("tiktok", 0)
    assert await refused(log, "tiktok") == {"e-1": (MARKETING,)}


async def test_it_goes_with_the_last_event_it_is_about(log, event, clock):
    await log.append([event(1, visitor="v_ann")], [], [Refusal("v_ann", (MARKETING,))])
    clock.now_ms += 20 * DAY_MS
    await log.append([event(2, visitor="v_bob")], [], [Refusal("v_bob", (SALE,))])
    clock.now_ms += 20 * DAY_MS
    await log.purge()
    assert await refused(log) == {"e-2": (SALE,)}
    assert await kept(log) == 1
    clock.now_ms += 20 * DAY_MS
    await log.purge()
    assert await kept(log) == 0


async def kept(log):
    if hasattr(log, "refusals"):
        return len(log.refusals)
    ((count,),) = await log._view.rows("SELECT count(*) FROM refusal")
    return count


async def test_another_process_is_told_at_once(open_log, event):
    collector, relay = await open_log(), await open_log()
    await collector.append([event(1, visitor="v_ann")])
    assert await refused(relay) == {"e-1": ()}
    await collector.append([], [], [Refusal("v_ann", (MARKETING,))])
    assert await refused(relay) == {"e-1": (MARKETING,)}


async def test_what_is_written_in_one_group_with_it_is_stopped_as_well(open_log, event):
    log = await open_log()
    await asyncio.gather(
        log.append([event(1, visitor="v_ann")]),
        log.append([], [], [Refusal("v_ann", (MARKETING,))]),
        log.append([event(2, visitor="v_bob")]),
    )
    assert log.transactions == 1
    assert await refused(log) == {"e-1": (MARKETING,), "e-2": ()}


async def test_it_survives_a_restart_and_names_nobody(open_log, event, tmp_path):
    log = await open_log()
    await log.append([event(1, visitor="v_ann")], [], [Refusal("v_ann", (MARKETING,))])
    await log.close()
    files = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.glob("log.db*")])
    assert not any(b"v_ann" in file for file in files)
    assert await refused(await open_log()) == {"e-1": (MARKETING,)}
