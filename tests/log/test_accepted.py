"""What was accepted, as stretches: the same answers as a plain set, whatever the order of things."""

import pytest
from hypothesis import given, strategies as st

from proxy.log.accepted import FULL, Accepted, highest, text, turn
from proxy.log.base import DeadLetter, Outcome, ReaderState, Replay

seqs = st.sets(st.integers(1, 60), min_size=1).map(sorted)


@given(seqs, st.data())
def test_stretches_hold_what_was_put_in(among, data):
    chosen = data.draw(st.sets(st.sampled_from(among)))
    found = Accepted(text(among, chosen))
    assert [seq for seq in among if seq in found] == sorted(chosen)
    assert highest(text(among, chosen)) == max(chosen, default=0)


@given(seqs, st.data())
def test_a_turn_divides_a_settled_stretch_exactly(settled, data):
    """Whatever stretch ran before it, and wherever the cursor goes after it."""
    missed = data.draw(st.sets(st.sampled_from(settled)))
    before = settled[0] - 1
    run = data.draw(st.integers(0, before))
    to = settled[-1] + data.draw(st.integers(0, 3))
    found = turn(settled, missed, to)
    if found is None:
        assert not missed
        return
    accepted = Accepted(found.runs, (run + 1, found.end), (found.run + 1, to))
    assert {seq for seq in settled if seq in accepted} == {*settled} - missed
    assert found.end >= before


def test_what_touches_or_overlaps_is_one_stretch():
    found = Accepted("5-9,", (1, 4), (8, 12), (20, 19))
    assert [seq for seq in range(25) if seq in found] == list(range(1, 13))
    assert 0 not in Accepted("")


async def settle(log, reader, *, missed=(), dead=(), limit=1000):
    batch = await log.read(reader, limit)
    letters = [DeadLetter(seq=seq, why="no", detail="", at_ms=1) for seq in dead]
    seqs = [entry.seq for entry in batch.entries if entry.seq not in dead]
    await log.commit(batch, Outcome(settled=seqs, dead=letters, missed=missed, state=ReaderState()))


async def known(log, reader, upto):
    accepted = await log._view.accepted(reader)
    return [seq for seq in range(1, upto + 1) if seq in accepted]


async def test_a_healthy_reader_keeps_nothing_but_where_its_stretch_began(open_log, event):
    log = await open_log()
    for number in range(5):
        await log.append([event(number)])
        await settle(log, "meta")
    ((run, runs),) = await log._view.rows("SELECT run, runs FROM reader")
    assert (run, runs, await known(log, "meta", 9)) == (0, "", [1, 2, 3, 4, 5])


async def test_a_reader_that_is_sent_nothing_keeps_nothing(open_log, event):
    log = await open_log()
    for number in range(5):
        await log.append([event(number)])
        await settle(log, "meta", missed=[number + 1])
    ((run, runs),) = await log._view.rows("SELECT run, runs FROM reader")
    assert (run, runs) == (5, "")


async def test_many_stretches_move_out_of_the_readers_row_and_go_with_their_events(open_log, event, clock):
    log = await open_log(retention_days=1)
    await log.append([event(number) for number in range(2000)])
    for _ in range(4):
        batch = await log.read("meta", 500)
        odd = {entry.seq for entry in batch.entries if entry.seq % 2}
        await log.commit(
            batch, Outcome(settled=[entry.seq for entry in batch.entries], missed=odd, state=ReaderState())
        )
    assert await known(log, "meta", 2000) == list(range(2, 2001, 2))
    assert await log._view.rows("SELECT 1 FROM accepted")
    assert (await log._view.rows("SELECT max(length(runs)) FROM reader"))[0][0] < FULL
    clock.now_ms += 2 * 86_400_000
    await log.append([event("new")])
    while (await log.purge()).more:
        pass
    assert await log._view.rows("SELECT 1 FROM accepted") == []


async def replay(log, since_ms=0, **more):
    return await log.replay(Replay(reader="meta", since_ms=since_ms, **more))


async def ids(log):
    return [entry.event.id for entry in (await log.read("meta", 100)).entries]


async def test_only_missing_hands_out_what_was_skipped_or_died_and_nothing_else(log, event):
    await log.append([event(number) for number in range(1, 6)])
    await settle(log, "meta", missed=[2], dead=[4])
    await log.append([event(6)])
    assert await replay(log, only_missing=True) == 2
    assert await log.dead() == []
    assert await ids(log) == ["e-2", "e-4", "e-6"]
    assert await replay(log, only_missing=True) == 0


async def test_a_dead_letter_that_was_dropped_is_still_missing(log, event):
    await log.append([event(1)])
    await settle(log, "meta", dead=[1])
    await log.drop_dead()
    assert await replay(log, only_missing=True) == 1


async def test_what_was_accepted_once_stays_accepted_whatever_a_later_replay_makes_of_it(log, event):
    await log.append([event(1), event(2)])
    await settle(log, "meta", missed=[2])
    assert await replay(log) == 2
    await settle(log, "meta", missed=[1], dead=[2])
    assert await replay(log, only_missing=True) == 1
    assert await ids(log) == ["e-2"]


async def test_what_was_accepted_before_a_replay_that_came_between_counts(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await replay(log)
    await log.commit(batch, Outcome(settled=[1, 2], missed=[2], state=ReaderState()))
    await settle(log, "meta", missed=[1, 2])
    assert await replay(log, only_missing=True) == 1
    assert await ids(log) == ["e-2"]


@pytest.mark.parametrize("only_missing", [True, False])
async def test_a_replay_takes_only_what_arrived_in_its_time(log, event, clock, only_missing):
    start_ms = clock.now_ms
    for number in range(1, 5):
        await log.append([event(number)])
        clock.now_ms += 1000
    await settle(log, "meta", missed=[1, 2, 3, 4])
    times = {"since_ms": start_ms + 1000, "until_ms": start_ms + 3000}
    assert await replay(log, **times, only_missing=only_missing) == 2
    assert await ids(log) == ["e-2", "e-3"]


async def test_a_replay_for_a_reader_that_never_read_hands_out_nothing_twice(log, event):
    await log.append([event(1)])
    assert await replay(log, only_missing=True) == 0
    assert await replay(log) == 0
    assert await ids(log) == ["e-1"]


async def test_a_large_replay_is_done_in_pieces(open_log, event, monkeypatch):
    monkeypatch.setattr("proxy.log.upkeep.CHUNK", 7)
    log = await open_log()
    await log.append([event(number) for number in range(1, 101)])
    await settle(log, "meta", missed=range(1, 101, 2))
    assert await replay(log, only_missing=True) == 50
    assert len(await ids(log)) == 50
