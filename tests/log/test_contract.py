"""What every event log promises, run over each implementation."""

import asyncio

from proxy.clock import DAY_MS
from proxy.log.base import DeadLetter, Outcome, ReaderState


def settled(*seqs, dead=(), **state):
    return Outcome(settled=seqs, dead=dead, state=ReaderState(**state))


def letter(seq, why="no_identifier", at_ms=1_790_000_000_000):
    return DeadLetter(seq=seq, why=why, detail="needs an e-mail or a phone", at_ms=at_ms)


async def take(log, reader, limit=100):
    """Read and settle; the ids that came."""
    batch = await log.read(reader, limit)
    await log.commit(batch, settled(*(entry.seq for entry in batch.entries)))
    return [entry.event.id for entry in batch.entries]


async def test_what_was_appended_is_read_in_order(log, event):
    events = [event(number) for number in range(5)]
    assert await log.append(events[:2]) == 2
    assert await log.append(events[2:]) == 3
    batch = await log.read("meta", 100)
    assert [entry.event for entry in batch.entries] == events
    assert [entry.seq for entry in batch.entries] == sorted({entry.seq for entry in batch.entries})


async def test_nothing_appended_is_fine(log):
    assert await log.append([]) == 0
    assert (await log.read("meta", 10)).entries == ()


async def test_a_known_id_and_name_is_stored_once(log, event):
    assert await log.append([event(1), event(2), event(1)]) == 2
    assert await log.append([event(2), event(3)]) == 1
    assert await take(log, "meta") == ["e-1", "e-2", "e-3"]


async def test_the_same_id_under_another_name_is_another_event(log, event):
    assert await log.append([event(1, "purchase"), event(1, "lead")]) == 2


async def test_the_first_of_two_events_with_one_id_is_kept(log, event):
    await log.append([event(1, source="browser")])
    await log.append([event(1, source="server")])
    (entry,) = (await log.read("meta", 10)).entries
    assert entry.event.source == "browser"


async def test_each_reader_has_its_own_place(log, event):
    await log.append([event(1), event(2)])
    assert await take(log, "meta", limit=1) == ["e-1"]
    assert await take(log, "tiktok") == ["e-1", "e-2"]
    assert await take(log, "meta") == ["e-2"]


async def test_what_is_not_committed_is_read_again(log, event):
    await log.append([event(1), event(2)])
    first = await log.read("meta", 10)
    assert await log.read("meta", 10) == first


async def test_settling_out_of_order_hands_out_only_what_is_left(log, event):
    await log.append([event(number) for number in range(1, 6)])
    batch = await log.read("meta", 10)
    seqs = [entry.seq for entry in batch.entries]
    await log.commit(batch, settled(seqs[1], seqs[3]))
    assert await take(log, "meta") == ["e-1", "e-3", "e-5"]
    assert await take(log, "meta") == []
    assert (await log.stats()).readers[0].waiting == 0


async def test_one_batch_may_be_committed_piece_by_piece_in_any_order(log, event):
    await log.append([event(number) for number in range(1, 7)])
    batch = await log.read("meta", 10)
    seqs = [entry.seq for entry in batch.entries]
    for piece in (seqs[4:], seqs[:2], seqs[2:4]):
        await log.commit(batch, settled(*piece))
    stats = (await log.stats()).readers[0]
    assert (stats.cursor, stats.waiting) == (seqs[-1], 0)


async def test_an_outcome_settles_nothing_that_was_not_in_its_batch(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 1)
    await log.commit(batch, settled(*(entry.seq for entry in batch.entries), 2))
    assert await take(log, "meta") == ["e-2"]


async def test_a_limit_bounds_a_batch(log, event):
    await log.append([event(number) for number in range(10)])
    assert len((await log.read("meta", 3)).entries) == 3


async def test_the_state_comes_back_with_the_next_batch(log, event):
    await log.append([event(1)])
    batch = await log.read("meta", 10)
    assert batch.state == ReaderState()
    waiting = ReaderState(attempts=3, next_attempt_ms=5, paused="token expired", last_error="401", delivered=9, dead=1)
    await log.commit(batch, Outcome(settled=(), state=waiting))
    batch = await log.read("meta", 10)
    assert (batch.state, len(batch.entries)) == (waiting, 1)


async def test_a_dead_letter_is_settled_and_kept_with_its_reason(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await log.commit(batch, settled(2, dead=[letter(1)]))
    assert (await log.read("meta", 10)).entries == ()
    (dead,) = await log.dead()
    assert (dead.reader, dead.letter, dead.event) == ("meta", letter(1), event(1))
    assert (await log.stats()).readers[0].dead == 1


async def test_dead_letters_are_listed_newest_first_and_by_reader(log, event):
    await log.append([event(1), event(2)])
    for reader in ("meta", "tiktok"):
        batch = await log.read(reader, 10)
        await log.commit(batch, settled(dead=[letter(1, at_ms=5), letter(2, at_ms=9)]))
    assert [(d.reader, d.letter.seq) for d in await log.dead()] == [
        ("meta", 2),
        ("tiktok", 2),
        ("meta", 1),
        ("tiktok", 1),
    ]
    assert [d.letter.seq for d in await log.dead("tiktok")] == [2, 1]
    assert len(await log.dead(limit=3)) == 3


async def test_a_retried_dead_letter_comes_again_to_its_reader_only(log, event):
    await log.append([event(1), event(2)])
    for reader in ("meta", "tiktok"):
        await log.commit(await log.read(reader, 10), settled(2, dead=[letter(1)]))
    assert await log.retry_dead("meta") == 1
    assert [d.reader for d in await log.dead()] == ["tiktok"]
    assert (await log.read("tiktok", 10)).entries == ()
    batch = await log.read("meta", 10)
    assert [entry.event.id for entry in batch.entries] == ["e-1"]
    assert batch.again == (1,)
    assert (await log.stats()).readers[0].waiting == 1
    assert await take(log, "meta") == ["e-1"]
    assert (await log.read("meta", 10)).entries == ()


async def test_a_retried_dead_letter_can_die_again(log, event):
    await log.append([event(1)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1)]))
    await log.retry_dead()
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1, why="again")]))
    assert [d.letter.why for d in await log.dead()] == ["again"]
    assert (await log.read("meta", 10)).entries == ()


async def test_a_dead_letter_above_the_cursor_is_retried_too(log, event):
    await log.append([event(1), event(2), event(3)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(2)]))
    await log.retry_dead("meta", [2])
    assert await take(log, "meta") == ["e-1", "e-2", "e-3"]
    assert await take(log, "meta") == []


async def test_only_chosen_dead_letters_are_retried_or_dropped(log, event):
    await log.append([event(1), event(2), event(3)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1), letter(2), letter(3)]))
    assert await log.retry_dead("meta", []) == 0
    assert await log.retry_dead("meta", [1, 99]) == 1
    assert await log.drop_dead("tiktok") == 0
    assert await log.drop_dead(None, [2]) == 1
    assert [d.letter.seq for d in await log.dead()] == [3]
    assert await take(log, "meta") == ["e-1"]


async def test_a_rewind_replays_everything_stored_since(log, event, clock):
    await log.append([event(1)])
    clock.now_ms += 1000
    since_ms = clock.now_ms
    await log.append([event(2), event(3)])
    batch = await log.read("meta", 10)
    await log.commit(batch, settled(1, 2, dead=[letter(3)]))
    assert await log.rewind("meta", since_ms) == 2
    assert await take(log, "meta") == ["e-2", "e-3"]
    assert await log.dead() == []


async def test_a_rewind_never_skips_what_waits(log, event, clock):
    await log.append([event(1)])
    clock.now_ms += 1000
    await log.append([event(2)])
    assert await log.rewind("meta", clock.now_ms) == 2
    assert await log.rewind("meta", clock.now_ms + 1) == 2
    assert await take(log, "meta") == ["e-1", "e-2"]


async def test_a_rewind_finds_its_place_although_the_clock_was_set_back(log, event, clock):
    await log.append([event(1)])
    clock.now_ms -= 5000
    await log.append([event(2)])
    await take(log, "meta")
    assert await log.rewind("meta", clock.now_ms + 1) == 2  # the first was stored later, by the clock


async def test_a_commit_of_a_batch_read_before_a_rewind_stores_the_state_only(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await log.rewind("meta", 0)
    await log.commit(batch, settled(1, dead=[letter(2)], delivered=7))
    assert await log.dead() == []
    batch = await log.read("meta", 10)
    assert ([entry.event.id for entry in batch.entries], batch.state.delivered) == (["e-1", "e-2"], 7)


async def test_a_wholly_settled_batch_read_before_a_rewind_does_not_undo_it(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await log.rewind("meta", 0)
    await log.commit(batch, settled(1, 2))
    assert await take(log, "meta") == ["e-1", "e-2"]


async def test_a_retried_letter_that_an_older_batch_settles_does_not_come(log, event):
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await log.commit(batch, settled(2, dead=[letter(1)]))
    await log.retry_dead()
    await log.commit(batch, settled(1, 2))
    assert (await log.read("meta", 10)).entries == ()


async def test_a_reader_that_comes_later_starts_at_what_is_retained(log, event, clock):
    await log.append([event(1)])
    clock.now_ms += 31 * DAY_MS
    await log.append([event(2)])
    await log.purge()
    assert [entry.event.id for entry in (await log.read("late", 10)).entries] == ["e-2"]
    assert (await log.stats()).readers[0].waiting == 1


async def test_a_visitor_is_erased_with_all_dead_letters(log, event):
    await log.append([event(1, visitor="v-1"), event(2, visitor="v-2"), event(3, visitor="v-1"), event(4)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1), letter(2)]))
    assert await log.erase("v-1") == 2
    assert await log.erase("v-1") == 0
    assert [d.letter.seq for d in await log.dead()] == [2]
    assert await take(log, "meta") == ["e-4"]


async def test_an_event_erased_while_it_is_being_sent_leaves_no_dead_letter(log, event):
    await log.append([event(1, visitor="v-1"), event(2)])
    batch = await log.read("meta", 10)
    await log.erase("v-1")
    await log.commit(batch, settled(2, dead=[letter(1)]))
    assert await log.dead() == []


async def test_an_erased_event_may_come_again(log, event):
    await log.append([event(1, visitor="v-1")])
    await log.erase("v-1")
    assert await log.append([event(1, visitor="v-1")]) == 1
    assert await take(log, "meta") == ["e-1"]


async def test_a_reader_at_the_head_sees_what_comes_after_everything_was_erased(log, event):
    await log.append([event(1, visitor="v"), event(2, visitor="v")])
    await take(log, "meta")
    await log.erase("v")
    await log.append([event(3)])
    assert await take(log, "meta") == ["e-3"]


async def test_retention_deletes_delivered_or_not_and_counts_the_difference(log, event, clock):
    await log.append([event(1), event(2), event(3)])
    await log.commit(await log.read("fast", 10), settled(1, 2, 3))
    await log.commit(await log.read("slow", 10), settled(2))
    clock.now_ms += 30 * DAY_MS + 1
    await log.append([event(4)])
    purged = await log.purge()
    assert (purged.events, purged.undelivered, purged.more) == (3, {"slow": 2}, False)
    assert {stats.reader: stats.expired for stats in (await log.stats()).readers} == {"fast": 0, "slow": 2}
    assert await take(log, "slow") == ["e-4"]
    assert (await log.purge()).undelivered == {}


async def test_a_purged_retry_counts_as_undelivered(log, event, clock):
    await log.append([event(1)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1)]))
    await log.retry_dead()
    clock.now_ms += 31 * DAY_MS
    assert (await log.purge()).undelivered == {"meta": 1}
    assert (await log.read("meta", 10)).entries == ()


async def test_dead_letters_have_a_retention_of_their_own(log, event, clock):
    await log.append([event(1), event(2)])
    fresh_ms = clock.now_ms + 2 * DAY_MS
    await log.commit(
        await log.read("meta", 10), settled(dead=[letter(1, at_ms=clock.now_ms), letter(2, at_ms=fresh_ms)])
    )
    clock.now_ms += 8 * DAY_MS
    purged = await log.purge()
    assert (purged.dead, purged.events) == (1, 0)
    assert [d.letter.seq for d in await log.dead()] == [2]


async def test_a_dead_letter_may_outlive_its_event_but_cannot_be_retried(log, event, clock):
    await log.append([event(1)])
    late_ms = clock.now_ms + 29 * DAY_MS
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1, at_ms=late_ms)]))
    clock.now_ms += 31 * DAY_MS
    await log.purge()
    (dead,) = await log.dead()
    assert dead.event is None
    assert await log.retry_dead() == 0
    assert await log.drop_dead() == 1


async def test_stats_say_how_far_behind_each_reader_is(log, event, clock):
    first_ms = clock.now_ms
    await log.append([event(1)])
    clock.now_ms += 1000
    await log.append([event(2), event(3)])
    await take(log, "meta", limit=1)
    await log.read("tiktok", 1)
    stats = await log.stats()
    assert (stats.events, stats.head, stats.oldest_ms) == (3, 3, first_ms)
    assert [(r.reader, r.cursor, r.waiting, r.oldest_waiting_ms) for r in stats.readers] == [
        ("meta", 1, 2, clock.now_ms),
        ("tiktok", 0, 3, first_ms),
    ]


async def test_waiting_ends_when_something_is_appended(log, event):
    waiter = asyncio.create_task(log.wait(0, 60))
    await asyncio.sleep(0)
    await log.append([event(1)])
    assert await waiter
    assert await log.wait(0, 60)


async def test_waiting_ends_when_its_time_is_up(log, event):
    await log.append([event(1)])
    assert not await log.wait(1, 0.01)


async def test_waiting_ends_when_there_is_something_old_to_read_again(log, event):
    await log.append([event(1)])
    await log.commit(await log.read("meta", 10), settled(dead=[letter(1)]))
    for again in (log.retry_dead, lambda: log.rewind("meta", 0)):
        waiter = asyncio.create_task(log.wait(1, 60))
        await asyncio.sleep(0)
        await again()
        assert await waiter


def claiming(*seqs, **claims):
    return Outcome(settled=seqs, claims=claims, state=ReaderState())


async def test_a_claim_is_the_readers_own_and_the_first_one_stays(log, event):
    await log.append([event(1), event(2)])
    await log.commit(await log.read("meta", 1), claiming(1, order_a=1))
    await log.commit(await log.read("meta", 1), claiming(2, order_a=2, order_b=2))
    assert await log.claims("meta", ["order_a", "order_b", "order_c"]) == {"order_a": 1, "order_b": 2}
    assert await log.claims("tiktok", ["order_a"]) == {}
    assert await log.claims("meta", []) == {}
    assert (await log.read("meta", 10)).entries == ()


async def test_an_event_may_claim_before_it_is_settled(log, event):
    await log.append([event(1)])
    await log.commit(await log.read("meta", 1), claiming(order_a=1))
    assert await log.claims("meta", ["order_a"]) == {"order_a": 1}
    assert await take(log, "meta") == ["e-1"]


async def test_a_rewind_keeps_claims_also_of_a_batch_read_before_it(log, event):
    await log.append([event(1), event(2)])
    await log.commit(await log.read("meta", 1), claiming(1, order_a=1))
    batch = await log.read("meta", 1)
    await log.rewind("meta", 0)
    await log.commit(batch, claiming(2, order_b=2))
    assert await log.claims("meta", ["order_a", "order_b"]) == {"order_a": 1, "order_b": 2}
    assert await take(log, "meta") == ["e-1", "e-2"]


async def test_a_claim_goes_with_its_event(log, event, clock):
    await log.append([event(1, visitor="v"), event(2)])
    await log.commit(await log.read("meta", 10), claiming(1, 2, order_a=1, order_b=2))
    await log.erase("v")
    assert await log.claims("meta", ["order_a", "order_b"]) == {"order_b": 2}
    clock.now_ms += 31 * DAY_MS
    await log.purge()
    assert await log.claims("meta", ["order_b"]) == {}


async def test_an_event_erased_while_it_was_sent_claims_nothing(log, event):
    await log.append([event(1, visitor="v")])
    batch = await log.read("meta", 1)
    await log.erase("v")
    await log.commit(batch, claiming(1, order_a=1))
    assert await log.claims("meta", ["order_a"]) == {}
