"""The whole relay over real loopback sockets, and across restarts on both logs."""

import asyncio

from proxy.config.settings import LogSettings
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from proxy.relay import reader


async def test_every_kind_of_answer_in_a_row_ends_with_everything_delivered_once_or_dead(kit, time, platform, answer):
    sent = await kit.append(*kit.events(40), *kit.events(1, bad=True), *kit.events(9))
    platform.script = [
        answer(500),
        answer(503, b"<html>busy</html>"),
        answer(429, headers={"Retry-After": "30"}),
        answer(drop=True),
        answer(cut=True, status=500),
        answer(hang=True, take=False),
        answer(401),
        answer(200, b"garbage", take=False),
    ]
    await kit.start()
    waits = await time.until_idle()
    assert sorted(platform.accepted_ids) == sorted(one for one in sent if one != sent[40])
    assert set(await kit.dead()) == {sent[40]}
    assert waits[2] >= 30
    assert 300 in waits  # the pause
    assert (await kit.stats()).waiting == 0
    assert {one["Authorization"] for one in platform.headers} == {"Bearer s3cret-token"}


async def test_a_timeout_after_the_platform_took_the_events_repeats_them_with_the_same_ids(kit, time, platform, answer):
    kit.options = {"timeout_s": 7}
    sent = await kit.append(*kit.events(3))
    platform.script = [answer(hang=True, take=True), answer()]
    await kit.start()
    await time.until_idle()
    assert platform.accepted_ids == sent * 2
    assert (await kit.state()).delivered == 3
    assert kit.sender.timeouts_s == {7}


async def test_a_kill_at_any_moment_loses_nothing_and_repeats_at_most_the_request_in_flight(wire, time):
    sent = await wire.append(*wire.events(200))
    rounds = 0
    while (await wire.log.stats()).readers == () or (await wire.stats()).waiting:
        rounds += 1
        await wire.start()
        for _ in range(3 + rounds % 11):
            await asyncio.sleep(0)
        before = len(wire.platform.requests)
        await wire.kill()
        assert len(wire.platform.requests) == before
        assert rounds < 500
    assert list(dict.fromkeys(wire.platform.accepted_ids)) == sent
    again = len(wire.platform.accepted) - len(sent)
    assert again % 50 == 0
    assert again <= 50 * rounds


async def test_a_restart_on_the_file_continues_where_it_was(wire, time, answer, tmp_path):
    keyring = Keyring.parse(generate_key())
    wire.platform.script = [answer(), answer(401)]
    wire.log = log = await SqliteLog.open(tmp_path, keyring, LogSettings(), time.clock)
    sent = await wire.append(*wire.events(70), *wire.events(1, bad=True))
    await wire.start()
    assert await time.next_sleep() == 300
    await wire.stop()
    await log.close()

    wire.log = log = await SqliteLog.open(tmp_path, keyring, LogSettings(), time.clock)
    assert (await wire.state()).paused == "token_expired: make a new token"
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[:70]
    assert set(await wire.dead()) == {sent[70]}
    stats = await wire.stats()
    assert (stats.waiting, stats.state.delivered, stats.state.dead) == (0, 70, 1)
    await wire.stop()
    await log.close()


async def test_two_relays_one_after_the_other_share_one_place_in_the_log(wire, time):
    sent = await wire.append(*wire.events(60))
    await wire.start()
    await time.until_idle()
    await wire.stop()
    sent += await wire.append(*wire.events(5))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent


async def test_an_idle_reader_looks_once_in_a_while(wire, time):
    await wire.start()
    reads = 0
    read = wire.log.read

    async def counted(name, limit):
        nonlocal reads
        reads += 1
        return await read(name, limit)

    await time.until_idle()
    wire.log.read = counted
    for _ in range(12):
        time.advance(reader.IDLE_S)
        await time.until_idle()
    assert reads == 12
