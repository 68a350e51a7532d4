"""Erased for good: from the files, and from what could bring it back."""

import asyncio
import sqlite3
from contextlib import closing

import aiosqlite

from proxy.clock import DAY_MS
from proxy.event import ConsentState, Data, Event, User, Visitor, replace
from proxy.log import erased, people
from proxy.log.base import DeadLetter, Outcome, ReaderState
from proxy.log.people import Fate
from proxy.privacy.proof import Proof
from proxy.privacy.selector import By, selector

GRANTED = ConsentState.GRANTED


def proof(visitor):
    return Proof(
        at=1_790_000_000_000,
        visitor=visitor,
        source="tcf",
        marketing=GRANTED,
        analytics=GRANTED,
        personalization=GRANTED,
        sale=GRANTED,
        config="c0ffee",
        host="www.shop.example",
        network="198.51.100.0/24",
        browser="Firefox",
        receipts={"CookieConsent": "stamp"},
    )


async def test_an_erased_visitor_is_known_at_once_here_and_soon_elsewhere(open_log, monkeypatch):
    monkeypatch.setattr(erased, "LOOK_S", 0.005)
    other, log = await open_log(), await open_log()
    assert not other.is_erased("v_ann")
    await log.revoke(["v_ann"])
    assert log.is_erased("v_ann")
    assert not log.is_erased("v_bob")
    async with asyncio.timeout(30):
        while not other.is_erased("v_ann"):
            await asyncio.sleep(0.001)
    assert (await open_log()).is_erased("v_ann")


async def test_a_second_erasure_counts_from_anew_and_an_old_one_is_forgotten(log, clock):
    await log.revoke(["v_ann", "v_bob"])
    clock.now_ms += 300 * DAY_MS
    await log.revoke(["v_bob"])
    clock.now_ms += 101 * DAY_MS
    await log.purge()
    if hasattr(log, "_erased"):
        await log._erased.look()
    assert (log.is_erased("v_ann"), log.is_erased("v_bob")) == (False, True)


async def test_a_proof_of_consent_stays_but_says_less_of_its_visitor(open_log):
    log = await open_log()
    await log.append([], [proof("v_ann"), proof("v_bob")])
    await log.revoke(["v_ann"])
    ann, bob = [stored.proof async for stored in log._view.proofs()]
    assert (ann.marketing, ann.source, ann.host) == ("granted", "tcf", "www.shop.example")
    assert (ann.network, ann.browser, ann.receipts) == (None, None, {})
    assert bob == replace(proof("v_bob"), visitor="")


async def test_not_a_byte_of_an_erased_event_stays_in_the_files(open_log, event, tmp_path):
    log = await open_log()
    await log.append(
        [event(number, visitor=f"v-{number % 3}", user=User(email=("a@b.example",))) for number in range(90)]
    )
    batch = await log.read("meta", 100)
    letters = [DeadLetter(seq=entry.seq, why="no", detail=f"words {entry.seq}", at_ms=1) for entry in batch.entries]
    await log.commit(batch, Outcome(settled=(), dead=letters, state=ReaderState()))

    def sealed():
        with closing(sqlite3.connect(tmp_path / "log.db")) as file:
            bodies = file.execute("SELECT seq, body FROM event").fetchall()
            details = file.execute("SELECT seq, detail FROM dead").fetchall()
        return bodies + details

    def held(blobs):
        raw = b"".join(file.read_bytes() for file in tmp_path.glob("log.db*"))
        return [seq for seq, blob in blobs if blob in raw]

    blobs = await asyncio.to_thread(sealed)
    mine = set(await log._view.of_visitor("v-1"))
    gone = [(seq, blob) for seq, blob in blobs if seq in mine]
    assert len(gone) == 60
    assert await asyncio.to_thread(held, gone)
    assert await log.erase("v-1") == 30
    assert await log.wipe()
    assert await asyncio.to_thread(held, gone) == []
    stay = [(seq, blob) for seq, blob in blobs if seq not in mine]
    assert len(await asyncio.to_thread(held, stay)) == len(stay)


async def test_a_fold_in_that_readers_are_in_the_way_of_says_so(open_log, event, tmp_path):
    log = await open_log()
    await log.append([event(1)])
    async with aiosqlite.connect(tmp_path / "log.db", isolation_level=None) as reader:
        await reader.execute("BEGIN")
        await reader.execute_fetchall("SELECT * FROM event")
        await log.append([event(2)])
        await patience(log, ms=10)
        assert not await log.wipe()
        await reader.execute("ROLLBACK")
    await patience(log, ms=60_000)  # the log itself reads now and then
    assert await log.wipe()


async def patience(log, ms):
    await log._writer.run(lambda writer: writer.execute(f"PRAGMA busy_timeout={ms}"), transaction=False)


def purchase(number, *, email=None, visitor=None, order=None):
    return Event(
        id=f"o-{number}",
        name="purchase",
        time=1,
        user=User(email=(email,) if email else ()),
        visitor=Visitor(id=visitor, first_seen=1) if visitor else None,
        data=Data(order_id=order),
    )


async def find(log, by, value, *, only_matching=False, told=None):
    progress = (told if told is not None else []).append
    return await people.find(log._view, selector(by, value), only_matching=only_matching, progress=progress)


async def test_a_person_is_found_by_a_key_and_from_there_by_visitor(open_log, monkeypatch):
    monkeypatch.setattr(people, "TOLD_EVERY", 2)
    log, told = await open_log(), []
    await log.append(
        [
            purchase(1, visitor="v_ann"),
            purchase(2, visitor="v_ann", email="Ann@example.com", order="A"),
            purchase(3, email="ann@example.com"),
            purchase(4, visitor="v_bob", order="B"),
        ]
    )
    person = await find(log, By.EMAIL, "ann@example.com", told=told)
    assert (person.visitors, person.seqs) == (("v_ann",), (1, 2, 3))
    assert told == [2, 4]
    person = await find(log, By.EMAIL, "ann@example.com", only_matching=True)
    assert (person.visitors, person.seqs) == ((), (2, 3))
    assert (await find(log, By.ORDER, "B")).seqs == (4,)
    person = await find(log, By.VISITOR, "v_ann")
    assert (person.visitors, person.seqs) == (("v_ann",), (1, 2))
    assert (await find(log, By.EMAIL, "nobody@example.com")).seqs == ()


async def test_what_became_of_each_event_is_told_by_destination(open_log, event):
    log = await open_log()
    await log.append([event(number) for number in range(1, 6)])
    batch = await log.read("meta", 3)
    letter = DeadLetter(seq=3, why="no", detail="", at_ms=1)
    await log.commit(batch, Outcome(settled=[1, 2], missed=[2], dead=[letter], state=ReaderState()))
    await log.commit(await log.read("meta", 2), Outcome(settled=[5], state=ReaderState()))
    await log.read("tiktok", 1)
    found = await people.fates(log._view, [1, 2, 3, 4, 5])
    assert found["meta"] == {1: Fate.DELIVERED, 2: Fate.NOT_SENT, 3: Fate.DEAD, 4: Fate.WAITING, 5: Fate.DELIVERED}
    assert set(found["tiktok"].values()) == {Fate.WAITING}
