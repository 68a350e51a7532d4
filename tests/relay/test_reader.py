"""The reader against a platform without a socket: time moves only when the test says so."""

import asyncio
import json
import math
import random

import pytest
import structlog

from proxy.config.settings import RelaySettings
from proxy.errors import LogUnavailable
from proxy.event import Consent, Purpose, Visitor, replace
from proxy.log.base import ReaderState, Replay
from proxy.observe import metrics
from proxy.privacy.refusal import Refusal
from proxy.relay import reader
from proxy.rules.decision import Decision, Route


def ids(requests):
    return [[row["id"] for row in rows] for rows in requests]


async def test_events_go_in_order_in_requests_of_the_batch_size(wire, time):
    sent = await wire.append(*wire.events(120))
    await wire.start()
    assert await time.until_idle() == []
    assert ids(wire.platform.requests) == [sent[:50], sent[50:100], sent[100:]]
    stats = await wire.stats()
    assert (stats.waiting, stats.state.delivered, stats.state.dead) == (0, 120, 0)
    assert stats.state.last_delivery_ms == time.now_ms


async def test_an_event_that_arrives_later_wakes_the_reader(wire, time):
    await wire.start()
    await time.until_idle()
    sent = await wire.append(*wire.events(1))
    await time.until_idle()
    assert wire.platform.accepted_ids == sent


async def test_a_lone_event_waits_for_company_only_so_long(wire, time):
    wire.settings = RelaySettings(wait_s=2)
    sent = await wire.append(*wire.events(1))
    await wire.start()
    assert await time.next_sleep() == reader.GATHER_S
    sent += await wire.append(*wire.events(1))
    time.advance(reader.GATHER_S)
    assert await time.next_sleep() == 2 - reader.GATHER_S  # counted from the first event, not from the last
    assert wire.platform.requests == []
    time.advance(2)
    await time.until_idle()
    assert ids(wire.platform.requests) == [sent]
    assert time.now_ms - 2100 < (await wire.state()).last_delivery_ms


async def test_a_full_batch_waits_for_nothing(wire, time):
    wire.settings = RelaySettings(wait_s=300)
    await wire.append(*wire.events(50))
    await wire.start()
    assert await time.until_idle() == []
    assert len(wire.platform.accepted) == 50


async def test_a_batch_that_fills_while_waiting_goes_at_once(wire, time):
    wire.settings = RelaySettings(wait_s=300)
    await wire.append(*wire.events(1))
    await wire.start()
    assert await time.next_sleep() == reader.GATHER_S
    time.advance(reader.GATHER_S)
    assert await time.next_sleep() == pytest.approx(300 - reader.GATHER_S)
    await wire.append(*wire.events(49))
    await time.until_idle()
    assert len(wire.platform.accepted) == 50
    assert time.now_ms / 1000 < 1_790_000_001


async def test_what_is_not_meant_for_it_is_passed_over_and_counted(wire, time):
    skipped = {r: metrics.skipped.labels("one", r) for r in ("dropped", "no_rule", "consent")}
    before = {r: child._value.get() for r, child in skipped.items()}
    denied = [replace(event, consent=Consent()) for event in wire.events(3)]
    await wire.append(*wire.events(1, drop=True), *wire.events(2, unrouted=True), *denied, *wire.events(1))
    await wire.start()
    await time.until_idle()
    assert len(wire.platform.accepted) == 1
    assert {r: child._value.get() - before[r] for r, child in skipped.items()} == {
        "dropped": 1,
        "no_rule": 2,
        "consent": 3,
    }
    assert (await wire.stats()).waiting == 0


async def test_too_old_and_refused_events_are_dead_letters_in_words(wire, time):
    old = [replace(event, time=event.time - 8 * 86_400_000) for event in wire.events(1)]
    sent = await wire.append(*old, *wire.events(1, refuse=True), *wire.events(1))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[2:]
    assert await wire.dead() == {
        sent[0]: ("expired", "happened 8 days ago; scripted takes events up to 7 days old"),
        sent[1]: ("no_identifier", "needs an identifier"),
    }
    assert (await wire.state()).dead == 2


async def test_an_event_the_platform_does_not_have_at_all_is_skipped_and_no_dead_letter(wire, time):
    child = metrics.skipped.labels("one", "not_taken")
    before = child._value.get()
    sent = await wire.append(*wire.events(2, unknown=True), *wire.events(1))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[2:]
    assert await wire.dead() == {}
    assert (await wire.stats()).waiting == 0
    assert child._value.get() - before == 2


async def test_a_request_over_the_byte_limit_is_split_and_a_single_giant_is_dead(wire, time):
    sent = await wire.append(*wire.events(8, text="x" * 30_000), *wire.events(1, text="x" * 120_000))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[:8]
    assert all(len(json.dumps(rows)) < 100_000 for rows in wire.platform.requests)
    assert (await wire.dead())[sent[8]][0] == "too_large"


# --- RetryLater


async def test_a_failing_platform_is_tried_again_with_the_same_events_and_growing_waits(wire, time, answer):
    sent = await wire.append(*wire.events(3))
    wire.platform.script = [answer(500)] * 5
    await wire.start()
    assert await time.until_idle() == [1, 2, 4, 8, 16]
    assert ids(wire.platform.requests) == [sent] * 6
    assert await wire.state() == ReaderState(delivered=3, last_delivery_ms=time.now_ms)


async def test_retry_after_is_obeyed(wire, time, answer):
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(429, headers={"retry-after": "120"})]
    await wire.start()
    waits = await time.until_idle()
    assert len(waits) == 1
    assert waits[0] >= 120


async def test_the_wait_survives_a_restart(wire, time, answer):
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(503, headers={"retry-after": "600"})]
    await wire.start()
    assert await time.next_sleep() >= 600
    await wire.stop()
    time.advance(400)
    await wire.start()
    assert await time.next_sleep() == pytest.approx(260, abs=1)
    state = await wire.state()
    assert (state.attempts, state.last_error, state.paused) == (1, "http_503", "")
    time.advance(260)
    await time.until_idle()
    assert len(wire.platform.accepted) == 1


async def test_a_clock_set_back_by_a_year_does_not_stop_delivery(wire, time, answer):
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(503)]
    await wire.start()
    assert await time.next_sleep() == 1
    await wire.stop()
    time.now_ms -= 365 * 86_400_000
    await wire.start()
    await time.until_idle()
    assert len(wire.platform.accepted) == 1


async def test_what_was_delivered_before_the_platform_failed_is_not_sent_again(wire, time, answer):
    sent = await wire.append(*wire.events(120))
    wire.platform.script = [answer(), answer(500)]
    await wire.start()
    await time.until_idle()
    assert ids(wire.platform.requests) == [sent[:50], sent[50:100], sent[50:100], sent[100:]]


async def test_events_grow_too_old_while_a_platform_is_down(wire, time, answer):
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(500)] * 3
    await wire.start()
    await time.next_sleep()
    time.advance(8 * 86_400)
    await time.until_idle()
    assert [why for why, _ in (await wire.dead()).values()] == ["expired"]
    assert wire.platform.accepted == []


# --- Rejected


async def test_three_culprits_of_a_hundred_are_found_and_no_good_event_is_sent_twice(wire, time):
    wire.options = {"batch_size": 100}
    events = wire.events(100)
    culprits = {17, 18, 73}
    events = [replace(e, custom={"bad": True}) if at in culprits else e for at, e in enumerate(events)]
    sent = await wire.append(*events)
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == [one for at, one in enumerate(sent) if at not in culprits]
    assert await wire.dead() == {sent[at]: ("bad_row", "bad row, says the platform") for at in culprits}
    assert len(wire.platform.requests) <= 2 * 3 * math.ceil(math.log2(100)) + 1


async def test_named_culprits_cost_one_more_request(wire, time):
    wire.platform.names_rows = True
    events = [replace(e, custom={"bad": True}) if at in {3, 7} else e for at, e in enumerate(wire.events(10))]
    sent = await wire.append(*events)
    await wire.start()
    await time.until_idle()
    good = [one for at, one in enumerate(sent) if at not in {3, 7}]
    assert ids(wire.platform.requests) == [sent, good]
    assert set(await wire.dead()) == {sent[3], sent[7]}


@pytest.mark.parametrize("rows", [[10], [-1], [0, 99]])
async def test_a_named_row_that_was_not_in_the_request_names_nothing(wire, time, answer, rows):
    sent = await wire.append(*wire.events(2))
    wire.platform.script = [answer(400, {"rows": rows})]
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent
    assert await wire.dead() == {}


async def test_rows_refused_in_an_accepted_request_are_dead_letters(wire, time, answer):
    sent = await wire.append(*wire.events(3))
    wire.platform.script = [answer(200, {"rows": [1, 8]})]
    await wire.start()
    await time.until_idle()
    assert ids(wire.platform.requests) == [sent]
    assert set(await wire.dead()) == {sent[1]}
    assert (await wire.state()).delivered == 2


async def test_a_repairable_culprit_is_repaired_once(wire, time):
    wire.options = {"repairs": True}
    sent = await wire.append(*wire.events(3), *wire.events(1, bad="repairable"), *wire.events(1, bad=True))
    await wire.start()
    await time.until_idle()
    assert sorted(wire.platform.accepted_ids) == sorted(sent[:4])
    assert wire.platform.accepted[-1]["bad"] is False
    assert set(await wire.dead()) == {sent[4]}


async def test_a_repair_that_does_not_help_ends(wire, time, answer):
    wire.options = {"repairs": True}
    sent = await wire.append(*wire.events(1, bad="repairable"))
    wire.platform.script = [answer(400)] * 2
    await wire.start()
    await time.until_idle()
    assert len(wire.platform.requests) == 2
    assert set(await wire.dead()) == {sent[0]}


async def test_a_platform_that_fails_in_the_middle_of_a_search_loses_nothing(wire, time, answer):
    events = [replace(e, custom={"bad": True}) if at == 20 else e for at, e in enumerate(wire.events(50))]
    sent = await wire.append(*events)
    wire.platform.script = [answer(400), answer(400), answer(), answer(500)]
    await wire.start()
    await time.until_idle()
    assert sorted(wire.platform.accepted_ids) == sorted(one for one in sent if one != sent[20])
    assert set(await wire.dead()) == {sent[20]}


# --- AuthBroken


async def test_broken_credentials_pause_and_resume_by_themselves(wire, time, answer):
    sent = await wire.append(*wire.events(120))
    wire.platform.script = [answer(), answer(401), answer(401), answer(500)]
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        assert await time.next_sleep() == 300
        state = await wire.state()
        assert state.paused == "token_expired: make a new token"
        assert state.last_error == "token_expired: token *** expired"
        assert metrics.destination_paused.labels("one")._value.get() == 1
        time.advance(300)
        assert await time.until_idle() == [300, 300]
    assert (
        ids(wire.platform.requests)
        == [
            sent[:50],
            sent[50:100],
            *[sent[50:51]] * 3,  # one event is enough to see whether the credentials work again
            sent[51:101],
            sent[101:],
        ]
    )
    assert metrics.destination_paused.labels("one")._value.get() == 0
    assert [line["event"] for line in lines] == ["destination_paused", "destination_resumed"]
    assert lines[0]["advice"] == "make a new token"
    assert await wire.dead() == {}


async def test_a_restart_tries_a_paused_destination_at_once(wire, time, answer):
    sent = await wire.append(*wire.events(2))
    wire.platform.script = [answer(401)]
    await wire.start()
    await time.next_sleep()
    await wire.stop()
    await wire.start()
    assert await time.until_idle() == []
    assert wire.platform.accepted_ids == sent
    assert (await wire.state()).paused == ""


async def test_a_rejected_event_shows_that_the_credentials_work(wire, time, answer):
    sent = await wire.append(*wire.events(1, bad=True), *wire.events(1))
    wire.platform.script = [answer(401)]
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[1:]
    assert set(await wire.dead()) == {sent[0]}
    assert (await wire.state()).paused == ""


# --- faults in our own code


async def test_one_event_that_breaks_a_destinations_code_costs_only_itself(wire, time):
    events = [replace(e, custom={"explode": True}) if at == 7 else e for at, e in enumerate(wire.events(20))]
    sent = await wire.append(*events)
    await wire.start()
    assert await time.until_idle() == []
    assert wire.platform.accepted_ids == sent[:7] + sent[8:]
    ((why, detail),) = (await wire.dead()).values()
    assert why == "internal_error"
    assert detail.startswith("KeyError at conftest.py:")


async def test_when_nothing_can_be_built_people_get_time_before_events_are_given_up(wire, time):
    sent = await wire.append(*wire.events(2, explode=True))
    await wire.start()
    for attempt in range(reader.PATIENCE):
        seconds = await time.next_sleep()
        assert seconds == 2**attempt
        assert await wire.dead() == {}
        assert (await wire.state()).last_error.startswith("internal_error: KeyError at conftest.py:")
        time.advance(seconds)
    await time.until_idle()
    assert set(await wire.dead()) == set(sent)
    assert (await wire.stats()).waiting == 0


async def test_answers_that_cannot_be_judged_do_not_block_for_ever(wire, time, answer):
    await wire.append(*wire.events(2))
    wire.platform.script = [answer(200, {"unjudgeable": True})] * 20
    await wire.start()
    assert await time.until_idle() == [1, 2, 4, 8, 16]
    assert {why for why, _ in (await wire.dead()).values()} == {"internal_error"}


async def test_a_broken_log_is_waited_out_and_said_once(wire, time, monkeypatch):
    sent = await wire.append(*wire.events(1))
    read = wire.log.read
    faults = iter([OSError("disk ann@example.com"), OSError("disk"), OSError("disk")])

    async def breaks(name, limit):
        for fault in faults:
            raise fault
        return await read(name, limit)

    monkeypatch.setattr(wire.log, "read", breaks)
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        assert await time.until_idle() == [1, 2, 4]
    assert wire.platform.accepted_ids == sent
    assert [line["event"] for line in lines] == ["reader_failed", "reader_recovered"]
    assert "ann@example.com" not in str(lines)


async def test_a_commit_that_fails_repeats_the_request_with_the_same_ids(wire, time, monkeypatch):
    sent = await wire.append(*wire.events(2))
    commit = wire.log.commit
    faults = iter([OSError("disk")])

    async def breaks(batch, outcome):
        for fault in faults:
            raise fault
        await commit(batch, outcome)

    monkeypatch.setattr(wire.log, "commit", breaks)
    await wire.start()
    await time.until_idle()
    assert ids(wire.platform.requests) == [sent, sent]
    assert (await wire.stats()).waiting == 0


# --- several destinations, several routes


async def test_a_paused_destination_does_not_hold_another(wire, time, answer):
    sent = await wire.append(*wire.events(3))
    wire.platform.script = [answer(401)]
    await wire.start(wire.destination("one"), wire.destination("two"))
    for _ in range(2):
        await time.next_sleep()
    assert wire.platform.accepted_ids == sent
    assert (await wire.state("one")).paused
    assert (await wire.state("two")).delivered == 3


async def test_a_disabled_destination_sends_nothing_and_keeps_its_place(wire, time):
    sent = await wire.append(*wire.events(2))
    wire.options = {"enabled": False}
    await wire.start()
    await asyncio.sleep(0)
    await wire.stop()
    assert wire.platform.requests == []
    wire.options = {}
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent


async def test_an_event_with_two_routes_is_settled_when_both_are_and_neither_is_repeated(wire, time, answer):
    sent = await wire.append(*wire.events(1, **{"as": ["a", "b"]}))
    wire.platform.script = [answer(), answer(500), answer(500)]
    await wire.start()
    await time.next_sleep()
    assert (await wire.stats()).waiting == 1
    time.advance(1)
    await time.until_idle()
    assert [[row["group"] for row in rows] for rows in wire.platform.requests] == [["a"], ["b"], ["b"], ["b"]]
    assert wire.platform.accepted_ids == sent * 2
    assert (await wire.stats()).waiting == 0


async def test_an_event_whose_one_route_is_lost_is_one_dead_letter_after_the_other_is_through(wire, time, answer):
    sent = await wire.append(*wire.events(1, **{"as": ["a", "b"]}))
    wire.platform.script = [answer(400), answer(500)]
    await wire.start()
    await time.next_sleep()
    assert await wire.dead() == {}
    time.advance(1)
    await time.until_idle()
    assert set(await wire.dead()) == set(sent)
    assert len(wire.platform.requests) == 3


# --- stopping, restarting, replaying


async def test_stop_lets_the_request_in_flight_finish_and_sends_no_other(wire, time):
    sent = await wire.append(*wire.events(120))
    wire.sender.before = lambda: [one.stop() for one in wire.relay._readers]
    await wire.start()
    while not wire.platform.requests:
        await asyncio.sleep(0)
    await wire.stop()
    assert ids(wire.platform.requests) == [sent[:50]]
    assert (await wire.state()).delivered == 50
    wire.sender.before = lambda: None
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent


async def test_stop_cuts_off_what_outlives_its_deadline_and_repeats_it_later(wire, time, answer):
    sent = await wire.append(*wire.events(2))
    wire.platform.script = [answer(hang=True, take=True)]
    await wire.start()
    await wire.platform.hanging.wait()
    await wire.stop(deadline_s=0.01)
    assert (await wire.stats()).waiting == 2
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent * 2


async def test_stop_is_at_once_while_waiting(wire, time, answer):
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(500)]
    await wire.start()
    await time.next_sleep()
    await asyncio.wait_for(wire.stop(deadline_s=600), 30)


async def test_a_replay_sends_the_same_ids_again(wire, time):
    sent = await wire.append(*wire.events(2))
    await wire.start()
    await time.until_idle()
    await wire.log.rewind("one", 0)
    time.advance(reader.IDLE_S)
    await time.until_idle()
    assert wire.platform.accepted_ids == sent * 2


async def test_what_no_rule_sent_is_all_that_a_replay_of_the_missing_sends(wire, time):
    """The usual reason for one: a rule was wrong, and is mended."""
    sent = await wire.append(*wire.events(1), *wire.events(2, unrouted=True), *wire.events(1))
    await wire.start()
    await time.until_idle()
    await wire.stop()
    assert wire.platform.accepted_ids == [sent[0], sent[3]]
    await wire.start()
    wire.relay._readers[0]._decide = lambda event: Decision(routes=(Route("one", event, ("mended",), None),))
    assert await wire.log.replay(Replay(reader="one", since_ms=0, only_missing=True)) == 2
    await time.until_idle()
    assert wire.platform.accepted_ids == [sent[0], sent[3], *sent[1:3]]
    assert await wire.log.replay(Replay(reader="one", since_ms=0, only_missing=True)) == 0


async def test_an_event_of_which_one_route_was_taken_counts_as_accepted(wire, time):
    """The other was not meant for the platform: its order was sent before."""
    await wire.append(*wire.events(1, order="A", **{"as": ["a"]}), *wire.events(1, order="A", **{"as": ["a", "b"]}))
    await wire.start()
    await time.until_idle()
    assert len(wire.platform.accepted_ids) == 2
    assert await wire.log.replay(Replay(reader="one", since_ms=0, only_missing=True)) == 0


async def test_a_retried_dead_letter_is_sent_again(wire, time, answer):
    sent = await wire.append(*wire.events(2))
    wire.platform.names_rows = True
    wire.platform.script = [answer(400, {"rows": [0]})]
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent[1:]
    await wire.log.retry_dead("one")
    time.advance(reader.IDLE_S)
    await time.until_idle()
    assert wire.platform.accepted_ids == [sent[1], sent[0]]
    assert await wire.dead() == {}


async def test_jitter_comes_from_the_dice_given(wire, time, answer):
    rolls = random.Random(7)
    wire.dice = rolls.random
    await wire.append(*wire.events(1))
    wire.platform.script = [answer(500)] * 4
    await wire.start()
    expected = random.Random(7)
    waits = await time.until_idle()
    assert waits == [pytest.approx(max(0.25, 2**n * expected.random()), abs=0.001) for n in range(4)]


# --- silence


async def test_healthy_traffic_writes_no_line_and_trouble_two(wire, time, answer):
    await wire.append(*wire.events(60))
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        await time.until_idle()
        assert lines == []
        wire.platform.script = [answer(500)] * 4
        await wire.append(*wire.events(1))
        await time.until_idle()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("destination_failing", "warning"),
        ("destination_recovered", "info"),
    ]
    assert lines[0]["destination"] == "one"
    assert lines[0]["why"] == "http_500"


async def test_a_warning_beside_a_success_is_kept_and_said_once(wire, time, answer):
    wire.platform.script = [answer(200, {"warnings": ["counted 49 of 50"]})] * 2
    await wire.append(*wire.events(100))
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        await time.until_idle()
        assert (await wire.state()).last_error == "taken, with a warning: counted 49 of 50"
        await wire.append(*wire.events(1))
        await time.until_idle()
    assert [line["event"] for line in lines] == ["destination_warns"]
    assert (await wire.state()).last_error == ""
    assert len(wire.platform.accepted) == 101


async def test_what_a_full_disk_could_not_note_is_noted_later_and_not_sent_again(wire, time, monkeypatch):
    full, commit = 3, wire.log.commit

    async def refuse_at_first(batch, outcome):
        nonlocal full
        if full:
            full -= 1
            raise LogUnavailable("writing log.db: database or disk is full")
        await commit(batch, outcome)

    monkeypatch.setattr(wire.log, "commit", refuse_at_first)
    sent = await wire.append(*wire.events(60))
    with structlog.testing.capture_logs() as lines:
        await wire.start()
        await time.until_idle()
    assert ids(wire.platform.requests) == [sent[:50], sent[50:]]
    assert (await wire.stats()).state.delivered == 60
    assert [(line["event"], line.get("fault")) for line in lines] == [
        ("reader_failed", "writing log.db: database or disk is full"),
        ("reader_recovered", None),
    ]


async def test_what_a_visitor_takes_back_is_not_sent_though_it_was_stored_before(wire, time, answer):
    wire.platform.script = [answer(503)]
    first, second = wire.events(2)
    await wire.append(*(replace(one, visitor=Visitor(id=f"v_{one.id}", first_seen=1)) for one in (first, second)))
    await wire.start()
    waited = await time.next_sleep()
    assert wire.platform.accepted_ids == []
    await wire.log.append([], [], [Refusal(f"v_{first.id}", (Purpose.MARKETING,))])
    time.advance(waited)
    await time.until_idle()
    assert wire.platform.accepted_ids == [second.id]
    assert (await wire.dead(), (await wire.stats()).waiting) == ({}, 0)


async def test_nor_when_it_is_replayed_weeks_later(wire, time):
    (one,) = wire.events(1)
    await wire.append(replace(one, visitor=Visitor(id="v_ann", first_seen=1)))
    await wire.start()
    await time.until_idle()
    await wire.log.append([], [], [Refusal("v_ann", (Purpose.MARKETING,))])
    await wire.log.rewind("one", 0)
    time.advance(reader.IDLE_S)
    await time.until_idle()
    assert wire.platform.accepted_ids == [one.id]
    assert (await wire.stats()).waiting == 0
