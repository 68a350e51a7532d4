import asyncio
import errno
import fcntl
import os

import aiosqlite
import pytest

from proxy.clock import DAY_MS
from proxy.errors import LogUnavailable
from proxy.event import ClickId, Client, Event, User
from proxy.log import committer, database, sqlite, turns, view
from proxy.log.base import DeadLetter, LastPurge, Outcome, ReaderState
from proxy.log.sealing import Sealing
from proxy.log.sqlite import SqliteLog
from proxy.log.view import LogView
from proxy.log.writing import CHUNK, Writing
from proxy.privacy.keys import Keyring, generate_key


async def ids(log, reader="meta", limit=1000):
    return [entry.event.id for entry in (await log.read(reader, limit)).entries]


def outcome(*settled, dead=()):
    return Outcome(settled=settled, dead=dead, state=ReaderState(delivered=len(settled)))


@pytest.fixture
async def outsider(open_log, tmp_path):
    """Another program's connection to the same file."""
    await (await open_log()).close()
    async with aiosqlite.connect(tmp_path / "log.db", isolation_level=None) as database:
        yield database


async def test_what_was_appended_survives_a_restart(open_log, event):
    log = await open_log()
    await log.append([event(1), event(2)])
    batch = await log.read("meta", 10)
    await log.commit(batch, outcome(2, dead=[DeadLetter(seq=1, why="no", detail="words", at_ms=5)]))
    await log.close()
    log = await open_log()
    await log.append([event(2), event(3)])
    assert await ids(log) == ["e-3"]
    assert [(dead.letter.detail, dead.event) for dead in await log.dead()] == [("words", event(1))]
    assert (await log.read("meta", 1)).state.delivered == 1


async def test_many_appends_at_once_share_a_few_transactions(open_log, event):
    log = await open_log()
    counts = await asyncio.gather(*(log.append([event(number)]) for number in range(500)))
    assert counts == [1] * 500
    assert log.transactions <= 5
    assert (await log.stats()).events == 500


async def test_duplicates_within_one_group_are_counted_where_they_belong(open_log, event):
    log = await open_log()
    appends = ([event(1)], [event(1), event(2)], [event(2)], [event(3), event(3)])
    assert await asyncio.gather(*(log.append(events) for events in appends)) == [1, 1, 0, 1]
    assert log.transactions == 1
    assert await ids(log) == ["e-1", "e-2", "e-3"]


async def test_an_append_larger_than_a_group_is_stored_whole(open_log, event):
    log = await open_log()
    many = [event(number) for number in range(CHUNK * 2 + 10)]
    assert await log.append(many) == len(many)
    assert await log.append([*many, event("new")]) == 1
    assert log.transactions == 2
    assert len(await ids(log)) == len(many) + 1


async def test_ids_that_tell_their_time_and_ids_that_do_not_are_recognised_alike(open_log, event):
    log = await open_log()
    told = Event(id="01900b5e-7000-7abc-8def-0123456789ab", name="purchase", time=1)
    looks_told = Event(id="zzzzzzzz-7000-7abc-8def-0123456789ab", name="purchase", time=1)
    for each in (told, looks_told, event("o-1001")):
        assert await log.append([each]) == 1
        assert await log.append([each]) == 0


async def test_a_cancelled_append_harms_nobody_and_is_stored(open_log, event):
    log = await open_log()
    gone = asyncio.ensure_future(log.append([event(1)]))
    stays = asyncio.ensure_future(log.append([event(2)]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 1
    assert await ids(log) == ["e-1", "e-2"]


async def test_a_cancelled_commit_is_done_whole(open_log, event):
    log = await open_log()
    await log.append([event(1), event(2), event(3)])
    batch = await log.read("meta", 10)
    task = asyncio.create_task(log.commit(batch, outcome(1, 3, dead=[DeadLetter(seq=2, why="no", detail="", at_ms=1)])))
    await asyncio.sleep(0)
    task.cancel()
    await log.append([event(4)])  # behind it in the queue
    assert await ids(log) == ["e-4"]
    assert len(await log.dead()) == 1


async def test_two_processes_share_one_file(open_log, event):
    collector, relay = await open_log(), await open_log()
    await asyncio.gather(
        *(log.append([event(f"{side}-{number}")]) for number in range(50) for side, log in ((0, collector), (1, relay)))
    )
    assert await collector.append([event("1-7")]) == 0
    assert sorted(await ids(relay)) == sorted(await ids(collector))
    assert len(await ids(relay)) == 100


async def test_waiting_notices_what_another_process_appended(open_log, event, monkeypatch):
    monkeypatch.setattr(sqlite, "_POLL_S", 0.01)
    collector, relay = await open_log(), await open_log()
    waiter = asyncio.create_task(relay.wait(0, 60))
    await collector.append([event(1)])
    assert await waiter


async def test_news_that_comes_while_the_file_is_looked_into_is_not_missed(open_log, event, monkeypatch):
    monkeypatch.setattr(sqlite, "_POLL_S", 0.01)
    log = await open_log()
    await log.append([event(1)])
    head = log._view.head

    async def looked():
        found = await head()
        await log.retry_dead()
        return found

    monkeypatch.setattr(log._view, "head", looked)
    assert await log.wait(1, 60)


async def test_readers_do_not_wait_behind_another_writer(open_log, event, outsider):
    log = await open_log()
    await log.append([event(1)])
    await log.read("meta", 1)
    await outsider.execute("BEGIN IMMEDIATE")
    pending = asyncio.ensure_future(log.append([event(2)]))
    await asyncio.wait([pending], timeout=0.05)
    assert not pending.done()
    assert await ids(log) == ["e-1"]
    await outsider.rollback()
    assert await pending == 1


async def test_a_lock_that_is_never_released_ends_in_unavailable(open_log, event, outsider, monkeypatch):
    monkeypatch.setitem(database._CONNECTION, "timeout", 0.05)
    log = await open_log()
    await outsider.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="database is locked"):
        await log.append([event(1)])
    with pytest.raises(LogUnavailable, match="database is locked"):
        await log.retry_dead()
    await outsider.rollback()
    assert await log.append([event(1)]) == 1


async def test_a_full_disk_refuses_the_whole_group_and_recovers_by_itself(open_log, event):
    log = await open_log()
    await log.append([event(0)])
    pages = await limit_pages(log, 40)
    big = [event(number, custom={"text": "x" * 3000}) for number in range(1, 200)]
    results = await asyncio.gather(*(log.append([each]) for each in big), return_exceptions=True)
    assert all(isinstance(result, LogUnavailable) and "full" in str(result) for result in results)
    assert log._writer.transactions == 1
    await limit_pages(log, pages)
    assert await log.append(big[:3]) == 3
    assert await ids(log) == ["e-0", "e-1", "e-2", "e-3"]


async def limit_pages(log, pages):
    """What a full disk looks like to SQLite; returns the former limit."""
    ((before,),) = await rows(log, "PRAGMA max_page_count")
    await rows(log, f"PRAGMA max_page_count={pages}")
    return before


async def rows(log, sql):
    """What the writing connection answers."""
    return await log._writer.run(lambda database: database.execute(sql).fetchall(), transaction=False)


async def test_a_group_that_fails_inside_its_transaction_is_undone(open_log, event):
    log = await open_log()
    await log.append([event(0)])
    await limit_pages(log, 40)
    many = [event(number, custom={"text": "x" * 1000}) for number in range(CHUNK * 2)]
    with pytest.raises(LogUnavailable):
        await log.append(many)
    assert await ids(log) == ["e-0"]


async def test_the_size_limit_refuses_events_until_there_is_room(open_log, event, clock, settings):
    log = await open_log(max_bytes=10_000_000)
    big = [event(number, custom={"text": "x" * 20_000}) for number in range(600)]
    appended = await asyncio.gather(*(log.append([each]) for each in big), return_exceptions=True)
    refused = [result for result in appended if isinstance(result, LogUnavailable)]
    assert 0 < len(refused) < 300  # more than the limit is noticed a group or two late, not a file or two
    assert "log.max_bytes is 10000000" in str(refused[0])
    with pytest.raises(LogUnavailable, match="retention_days"):
        await log.append([event("x")])
    clock.now_ms += 31 * 86_400_000
    while (await log.purge()).more:
        pass
    assert await log.append([event("x")]) == 1


async def test_an_overrun_queue_says_so_at_once(open_log, event, monkeypatch):
    monkeypatch.setattr(committer, "WAITING", 10)
    log = await open_log()
    appends = [asyncio.ensure_future(log.append([event(number)])) for number in range(30)]
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert results.count(1) == 10
    assert sum(isinstance(result, LogUnavailable) and "busy" in str(result) for result in results) == 20
    assert await log.append([event("later")]) == 1


async def test_a_process_that_stops_in_the_middle_of_writing_holds_nobody_for_ever(
    open_log, event, tmp_path, monkeypatch
):
    log = await open_log()
    monkeypatch.setattr(committer, "STALL_S", 0.05)
    monkeypatch.setattr(turns, "PATIENCE_S", 0.01)
    lock = await asyncio.to_thread(os.open, tmp_path / "log.lock", os.O_RDWR)
    await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
    appends = [asyncio.ensure_future(log.append([event(number)])) for number in range(CHUNK + 1)]
    settling = asyncio.create_task(log.retry_dead())
    refused = await asyncio.gather(*appends, settling, return_exceptions=True)
    assert all(isinstance(result, LogUnavailable) and "has not moved" in str(result) for result in refused)
    with pytest.raises(LogUnavailable, match="has not moved"):
        await log.append([event("meanwhile")])
    # On a slow machine, refused and yet stored would never be new again.
    monkeypatch.setattr(committer, "STALL_S", 180.0)
    os.close(lock)
    while (await asyncio.gather(log.append([event("after")]), return_exceptions=True))[0] != 1:
        await asyncio.sleep(0)  # until the turn that came too late has been refused
    monkeypatch.setattr(turns, "PATIENCE_S", 60.0)
    assert await ids(log) == ["e-after"]


async def test_without_file_locks_writing_still_works(open_log, event, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    first, second = await open_log(), await open_log()
    await asyncio.gather(*(log.append([event(f"{number}")]) for number, log in enumerate([first, second] * 20)))
    assert len(await ids(first)) == 40


async def test_closing_stores_what_waits_and_refuses_the_rest(open_log, event):
    log = await open_log()
    waiting = [asyncio.ensure_future(log.append([event(number)])) for number in range(5)]
    await asyncio.sleep(0)
    await log.close()
    assert [await append for append in waiting] == [1] * 5
    with pytest.raises(LogUnavailable, match="closed"):
        await log.append([event(9)])
    log = await open_log()
    assert len(await ids(log)) == 5


@pytest.mark.parametrize("what", [RuntimeError("odd"), MemoryError(), SystemExit()])
async def test_whatever_goes_wrong_while_writing_is_told_and_leaves_nobody_waiting(open_log, event, monkeypatch, what):
    def broken(*_):
        raise what

    log = await open_log()
    with monkeypatch.context() as patched:
        patched.setattr(Writing, "_insert", broken)
        appends = [log.append([event(number)]) for number in range(CHUNK + 5)]
        results = await asyncio.gather(*appends, return_exceptions=True)
    assert all(isinstance(result, LogUnavailable) and "log.db" in str(result) for result in results)
    assert await log.append([event("x")]) == 1
    assert await ids(log) == ["e-x"]


async def test_a_job_that_fails_is_undone_and_its_error_belongs_to_whoever_asked(open_log):
    def broken(database):
        database.execute("DELETE FROM root")
        raise KeyError("mine")

    log = await open_log()
    with pytest.raises(KeyError, match="mine"):
        await log._writer.run(broken)
    assert len(await rows(log, "SELECT * FROM root")) == 1


async def test_a_damaged_body_becomes_a_dead_letter_and_holds_nobody_up(open_log, event, outsider):
    log = await open_log()
    await log.append([event(number) for number in range(1, 6)])
    await outsider.execute("UPDATE event SET body = x'01' || randomblob(60) WHERE seq IN (1, 3)")
    assert await ids(log) == ["e-2", "e-4", "e-5"]
    assert [(dead.letter.seq, dead.letter.why, dead.event) for dead in await log.dead()] == [
        (3, "unreadable", None),
        (1, "unreadable", None),
    ]
    batch = await log.read("meta", 10)
    assert batch.state.dead == 2
    await log.commit(batch, outcome(2, 4, 5))
    assert (await log.stats()).readers[0].cursor == 5


async def test_a_body_moved_to_another_event_is_not_believed(open_log, event, outsider):
    log = await open_log()
    await log.append([event(1), event(2)])
    await outsider.execute("UPDATE event SET body = (SELECT body FROM event WHERE seq = 2) WHERE seq = 1")
    assert await ids(log) == ["e-2"]


async def test_a_whole_log_under_a_lost_key_does_not_block_what_comes_after(tmp_path, settings, clock, event):
    old, new = generate_key(), generate_key()
    log = await SqliteLog.open(tmp_path, Keyring.parse(old), settings, clock)
    await log.append([event(number) for number in range(30)])
    await log.close()
    log = await SqliteLog.open(tmp_path, Keyring.parse(f"{new},{old}"), settings, clock)
    await log.append([event("new")])
    assert await log.append([event(7)]) == 0  # still recognised
    await log.close()
    log = await SqliteLog.open(tmp_path, Keyring.parse(new), settings, clock)  # the old key was taken out too early
    assert await ids(log, limit=10) == ["e-new"]
    assert len(await log.dead()) == 30
    await log.close()
    log = await SqliteLog.open(tmp_path, Keyring.parse(f"{new},{old}"), settings, clock)
    assert await log.retry_dead() == 30
    assert len(await ids(log)) == 31
    await log.close()


async def test_nothing_readable_about_a_person_is_in_the_files(open_log, event, tmp_path):
    secrets = {
        "email": "ann.example@example.com",
        "visitor": "visitor-4711-abcdef",
        "click": "IwAR-a-click-id-0123456789",
        "ip": "198.51.100.77",
        "event id": "order-1001-of-ann",
        "words": "the platform said ann.example@example.com is bad",
        "state": "it failed for visitor-4711-abcdef",
    }
    log = await open_log()
    await log.append(
        [
            event(
                secrets["event id"],
                visitor=secrets["visitor"],
                user=User(email=(secrets["email"],)),
                click_ids={"fbclid": ClickId(value=secrets["click"], clicked_at=1)},
                client=Client(ip=secrets["ip"]),
            )
        ]
    )
    letter = DeadLetter(seq=1, why="no", detail=secrets["words"], at_ms=5)
    state = ReaderState(last_error=secrets["state"])
    await log.commit(await log.read("meta", 1), Outcome(settled=(), dead=[letter], state=state))
    files = await asyncio.to_thread(contents, tmp_path)
    assert {"log.db", "log.db-wal"} <= set(files)
    for name, secret in secrets.items():
        for file, raw in files.items():
            assert secret.encode() not in raw, f"{name} is readable in {file}"
    await log.close()
    raw = (await asyncio.to_thread(contents, tmp_path))["log.db"]
    assert not any(secret.encode() in raw for secret in secrets.values())
    assert b"meta" in raw  # the search would find what is readable


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_erased_bytes_are_overwritten_in_the_file(open_log, event, tmp_path):
    log = await open_log()
    await log.append([event(number, visitor="v", custom={"text": "x" * 500}) for number in range(20)])
    bodies = [row[0] for row in await rows(log, "SELECT body FROM event")]
    assert await log.erase("v") == 20
    await log.close()
    raw = (await asyncio.to_thread(contents, tmp_path))["log.db"]
    assert not any(body[100:200] in raw for body in bodies)


async def test_purging_is_bounded_and_says_when_there_is_more(open_log, event, clock, monkeypatch):
    monkeypatch.setattr("proxy.log.upkeep.CHUNK", 10)
    log = await open_log()
    await log.append([event(number) for number in range(25)])
    await log.read("meta", 1)
    clock.now_ms += 31 * 86_400_000
    purged = [await log.purge() for _ in range(3)]
    assert [(each.events, each.more) for each in purged] == [(10, True), (10, True), (5, False)]
    assert sum(each.undelivered["meta"] for each in purged) == 25


async def test_a_view_reads_while_the_service_writes_and_changes_nothing(open_log, event, tmp_path, keyring):
    log = await open_log()
    await log.append([event(1)])
    await log.commit(await log.read("meta", 1), outcome(dead=[DeadLetter(seq=1, why="no", detail="w", at_ms=5)]))
    view = await LogView.open(tmp_path, keyring)
    assert await view.stats() == await log.stats()
    assert await view.dead() == await log.dead()
    with pytest.raises(LogUnavailable, match="readonly"):
        await view.rows("DELETE FROM event")
    await view.close()


async def test_a_log_that_can_no_longer_be_read_is_unavailable(open_log, event):
    log = await open_log()
    await rows(log, "DROP TABLE reader")
    with pytest.raises(LogUnavailable, match=r"reading .*log\.db"):
        await log.read("meta", 1)


async def test_clocks_that_jump_do_not_disturb_order_or_reading(open_log, event, clock):
    log = await open_log()
    for number, jump_ms in enumerate((0, 40 * 86_400_000, -80 * 86_400_000, 5)):
        clock.now_ms += jump_ms
        await log.append([event(number)])
    assert await ids(log) == ["e-0", "e-1", "e-2", "e-3"]


async def test_claims_survive_a_restart_and_tell_nothing_of_the_order(open_log, event, tmp_path):
    log = await open_log()
    await log.append([event(1)])
    claims = {"per_order 4:shop8:purchaseORDER-4711": 1, "per_order 4:shop8:purchase": 1}
    await log.commit(await log.read("meta", 10), Outcome(settled=[1], claims=claims, state=ReaderState()))
    await log.close()
    log = await open_log()
    assert await log.claims("meta", claims) == claims
    await log.close()
    async with aiosqlite.connect(tmp_path / "log.db") as file:
        rows = list(await file.execute_fetchall("SELECT reader, key, seq FROM claim"))
    assert [(reader, seq) for reader, _, seq in rows] == [("meta", 1)] * 2
    assert all(isinstance(key, int) for _, key, _ in rows)
    stored = await asyncio.to_thread((tmp_path / "log.db").read_bytes)
    assert b"4711" not in stored
    assert b"shop" not in stored


async def test_the_same_order_has_another_digest_for_every_reader(open_log, event, tmp_path):
    log = await open_log()
    await log.append([event(1)])
    for reader in ("meta", "tiktok"):
        outcome = Outcome(settled=[1], claims={"order": 1}, state=ReaderState())
        await log.commit(await log.read(reader, 10), outcome)
    async with aiosqlite.connect(tmp_path / "log.db") as file:
        assert list(await file.execute_fetchall("SELECT count(DISTINCT key) FROM claim")) == [(2,)]


async def test_what_one_reader_opened_the_others_find_open(open_log, event, outsider, monkeypatch):
    log = await open_log()
    await log.append([event(number) for number in range(3)])
    opened = []
    opening = Sealing.event
    monkeypatch.setattr(Sealing, "event", lambda self, *row: opened.append(row) or opening(self, *row))
    assert [(await log.read(reader, 10)).entries for reader in ("meta", "ga4", "crm")] == [
        (await log.read("meta", 10)).entries
    ] * 3
    assert len(opened) == 3
    await outsider.execute("UPDATE event SET body = x'00' WHERE seq = 2")
    assert [entry.event.id for entry in (await log.read("ga4", 10)).entries] == ["e-0", "e-2"]


async def test_no_more_than_a_bounded_number_of_events_is_kept_open(open_log, event, monkeypatch):
    monkeypatch.setattr(view, "_KEPT_OPEN", 2)
    log = await open_log()
    await log.append([event(number) for number in range(5)])
    assert len((await log.read("meta", 10)).entries) == 5
    assert len(log._view._opened) == 2


async def test_a_run_of_upkeep_is_remembered_as_a_whole(open_log, event, clock, monkeypatch):
    monkeypatch.setattr("proxy.log.upkeep.CHUNK", 4)
    log = await open_log()
    assert (await log.stats()).last_purge is None
    await log.append([event(number) for number in range(10)])
    clock.now_ms += 31 * DAY_MS
    while (await log.purge()).more:
        pass
    assert (await log.stats()).last_purge == LastPurge(at_ms=clock.now_ms, events=10)
    clock.now_ms += 1000
    await log.purge()
    assert (await (await open_log()).stats()).last_purge == LastPurge(at_ms=clock.now_ms)
