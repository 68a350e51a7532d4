"""Decisions on the disk: with their events or not at all, sealed, and as long as they may stay."""

import asyncio

from proxy.clock import DAY_MS
from proxy.event import ConsentState, replace
from proxy.log import writing
from proxy.privacy.keys import Keyring, generate_key
from proxy.privacy.proof import Proof

GRANTED = ConsentState.GRANTED
PROOF = Proof(
    at=1_790_000_000_000,
    visitor="v_ann",
    source="tcf",
    marketing=GRANTED,
    analytics=GRANTED,
    personalization=ConsentState.DENIED,
    sale=ConsentState.UNKNOWN,
    config="c0ffee",
    host="www.shop.example",
    network="198.51.100.0/24",
    browser="Firefox",
    receipts={"euconsent-v2": "CQ1fZ.YAAAA"},
)


async def proofs(log, *arguments):
    return [stored async for stored in log._view.proofs(*arguments)]


async def test_a_decision_comes_back_without_the_visitors_id(open_log, event):
    log = await open_log()
    assert await log.append([event(1)], [PROOF]) == 1
    (stored,) = await proofs(log)
    assert stored.proof == replace(PROOF, visitor="")
    assert (stored.at_ms, len(stored.visitor)) == (PROOF.at, 16)


async def test_a_decision_may_come_alone_and_with_events_known_before(open_log, event):
    log = await open_log()
    assert await log.append([], [PROOF]) == 0
    await log.append([event(1)])
    assert await log.append([event(1), event(2)], [PROOF]) == 1
    assert len(await proofs(log)) == 2
    assert (await log.stats()).events == 2


async def test_decisions_share_a_transaction_with_the_events_of_others(open_log, event):
    log = await open_log()
    appends = (log.append([event(n)], [replace(PROOF, visitor=f"v_{n}")] if n % 3 == 0 else []) for n in range(60))
    assert await asyncio.gather(*appends) == [1] * 60
    assert log.transactions == 1
    assert len(await proofs(log)) == 20


async def test_a_large_append_brings_its_decision_too(open_log, event):
    log = await open_log()
    many = [event(number) for number in range(writing.CHUNK + 5)]
    assert await log.append(many, [PROOF]) == len(many)
    assert len(await proofs(log)) == 1


async def test_they_are_found_by_time_and_by_visitor(open_log):
    log = await open_log()
    for second, visitor in enumerate(("v_ann", "v_bob", "v_ann")):
        await log.append([], [replace(PROOF, at=second * 1000, visitor=visitor)])
    assert [stored.at_ms for stored in await proofs(log, 1000)] == [1000, 2000]
    assert [stored.at_ms for stored in await proofs(log, 0, 1000)] == [0]
    assert [stored.at_ms for stored in await proofs(log, 0, None, "v_ann")] == [0, 2000]
    assert await proofs(log, 0, None, "v_nobody") == []


async def test_they_outlive_the_events_and_go_in_their_own_time(open_log, event, clock):
    log = await open_log(consent_days=100)
    await log.append([event(1)], [PROOF])
    clock.now_ms += 99 * DAY_MS
    assert (await log.purge()).events == 1
    assert len(await proofs(log)) == 1
    clock.now_ms += 2 * DAY_MS
    assert (await log.purge()).consents == 1
    assert await proofs(log) == []


async def test_nothing_of_it_can_be_read_on_the_disk(open_log, tmp_path):
    log = await open_log()
    await log.append([], [PROOF])
    raw = await asyncio.to_thread(lambda: b"".join(file.read_bytes() for file in tmp_path.glob("log.db*")))
    for word in (b"v_ann", b"198.51", b"www.shop.example", b"Firefox", b"granted"):
        assert word not in raw


async def test_an_entry_whose_key_is_gone_still_shows_that_it_was(tmp_path, open_log, keyring, settings, clock):
    log = await open_log()
    await log.append([], [PROOF])
    stranger = Keyring.parse(generate_key())
    log._sealing._keys, kept = stranger, log._sealing._keys
    (stored,) = await proofs(log)
    log._sealing._keys = kept
    assert stored.proof is None
