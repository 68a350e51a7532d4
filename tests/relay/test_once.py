"""A rule with `once`: of all events of an order the destination takes one, whatever else happens."""

import pytest

from proxy.config.settings import LogSettings
from proxy.event import Data, Event, replace
from proxy.log.sqlite import SqliteLog
from proxy.observe import metrics
from proxy.privacy.keys import Keyring, generate_key
from proxy.relay import once
from proxy.relay.plan import Item, SkipReason
from proxy.rules.compile import compile_rules
from proxy.rules.decision import Once, Per


@pytest.fixture
def skipped():
    child = metrics.skipped.labels("one", "once")
    before = child._value.get()
    return lambda: child._value.get() - before


@pytest.fixture
def item():
    def make(seq, order=None, part=0):
        key = None if order is None else Once(Per.ORDER, "shop", order)
        return Item(seq=seq, part=part, event=Event(id=f"e{seq}", name="purchase", time=1), rules=("shop",), once=key)

    return make


def test_the_first_goes_the_others_wait_and_the_owner_always_passes(item):
    items = [item(1), item(2, "a"), item(3, "a"), item(4, "b"), item(5, "c"), item(5, "d", 1), item(6, "b")]
    sifted = once.sift(items, {"b": 1, "c": 5})
    assert [found.seq for found in sifted.now] == [1, 2, 5, 5]
    assert [found.seq for found in sifted.waiting] == [3]
    assert [(loss.item.seq, loss.skip) for loss in sifted.before] == [(4, SkipReason.ONCE), (6, SkipReason.ONCE)]
    assert sifted.before[0].detail == "rule 'shop' sends once per order; this order was sent before"


async def test_a_reloaded_page_sends_one_purchase(wire, time, skipped):
    sent = await wire.append(*wire.events(1, order="A"))
    await wire.start()
    await time.until_idle()
    await wire.append(*wire.events(2, order="A"))
    sent += await wire.append(*wire.events(1, order="B"), *wire.events(2))
    await time.until_idle()
    assert wire.platform.accepted_ids == sent
    assert await wire.dead() == {}
    assert (await wire.stats()).waiting == 0
    assert skipped() == 2


async def test_a_thank_you_page_reloaded_twice_sends_one_purchase_to_each_destination_of_the_rule(wire, time):
    listed = [{"name": "shop", "when": {"event": "purchase"}, "send_to": ["one", "two"], "once": "per_order"}]
    loads = [replace(event, data=Data(order_id="A-1")) for event in wire.events(3)]
    await wire.start_with(compile_rules(listed, ("one", "two")), wire.destination("one"), wire.destination("two"))
    for load in loads:
        await wire.append(load)
        await time.until_idle()
        await time.until_idle()
    assert wire.platform.accepted_ids == [loads[0].id] * 2


async def test_in_one_stretch_the_first_goes_and_the_rest_is_left_out(wire, time, skipped):
    first, *_, other = await wire.append(*wire.events(3, order="A"), *wire.events(1))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == [first, other]
    assert len(wire.platform.requests) == 1
    assert skipped() == 2


async def test_also_across_requests_of_one_stretch(wire, time):
    wire.options = {"batch_size": 2}
    sent = await wire.append(*wire.events(1, order="A"), *wire.events(1), *wire.events(1, order="B"))
    await wire.append(*wire.events(1, order="A"), *wire.events(3, order="B"))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent


async def test_nothing_is_requested_when_all_was_sent_before(wire, time):
    await wire.append(*wire.events(1, order="A"))
    await wire.start()
    await time.until_idle()
    await wire.append(*wire.events(5, order="A"))
    await time.until_idle()
    assert len(wire.platform.requests) == 1


@pytest.mark.parametrize("fault", ["bad", "refuse", "explode"])
async def test_a_dead_letter_leaves_the_way_free_for_the_next(wire, time, fault, skipped):
    wire.platform.names_rows = True
    dead = await wire.append(*wire.events(1, order="A", **{fault: True}))
    (second, _) = await wire.append(*wire.events(2, order="A"))
    (last,) = await wire.append(*wire.events(1))
    await wire.start()
    await time.until_idle()
    assert sorted(wire.platform.accepted_ids) == sorted([second, last])
    assert list(await wire.dead()) == dead
    assert skipped() == 1


async def test_the_next_waits_for_the_halves_in_which_the_culprit_is_sought(wire, time):
    """A refusal without a culprit: the first of an order is known to be lost only after several requests."""
    dead = await wire.append(*wire.events(1, order="A", bad=True))
    (second,) = await wire.append(*wire.events(1, order="A"))
    others = await wire.append(*wire.events(6))
    await wire.start()
    await time.until_idle()
    assert sorted(wire.platform.accepted_ids) == sorted([second, *others])
    assert list(await wire.dead()) == dead


async def test_many_of_one_order_that_are_all_refused_are_all_dead(wire, time, skipped):
    wire.platform.names_rows = True
    sent = await wire.append(*wire.events(6, order="A", bad=True))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == []
    assert sorted(await wire.dead()) == sorted(sent)
    assert skipped() == 0


async def test_a_dead_letter_that_is_retried_after_another_one_went_is_left_out(wire, time, answer, skipped):
    wire.platform.script = [answer(400, {"rows": [0]})]
    await wire.append(*wire.events(1, order="A"))
    await wire.start()
    await time.until_idle()
    (second,) = await wire.append(*wire.events(1, order="A"))
    await time.until_idle()
    await wire.log.retry_dead("one")
    time.advance(5)
    await time.until_idle()
    assert wire.platform.accepted_ids == [second]
    assert await wire.dead() == {}
    assert skipped() == 1


async def test_a_repeat_after_an_outage_is_not_taken_for_another(wire, time, answer):
    wire.platform.script = [answer(drop=True, take=True), answer(503)]
    (first, _) = await wire.append(*wire.events(2, order="A"))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == [first, first]


async def test_a_replay_sends_the_same_event_again_and_leaves_the_others_out(wire, time, skipped):
    (first, _) = await wire.append(*wire.events(2, order="A"))
    await wire.start()
    await time.until_idle()
    (other,) = await wire.append(*wire.events(1))
    await time.until_idle()
    await wire.log.rewind("one", 0)
    time.advance(5)
    await time.until_idle()
    assert wire.platform.accepted_ids == [first, other, first, other]
    assert skipped() == 2


async def test_a_paused_destination_is_probed_with_an_event_that_may_go(wire, time, answer):
    await wire.append(*wire.events(1, order="A"))
    await wire.start()
    await time.until_idle()
    wire.platform.script = [answer(401)]
    (known,) = await wire.append(*wire.events(1))
    await wire.append(*wire.events(2, order="A"))
    later = await wire.append(*wire.events(1, order="B"), *wire.events(1, order="B"))
    await time.until_idle()
    assert wire.platform.accepted_ids == ["e1", known, later[0]]
    assert not (await wire.state()).paused


async def test_a_probe_right_after_a_start_is_not_spent_on_what_does_not_go(wire, time, answer):
    await wire.append(*wire.events(1, order="A"))
    await wire.start()
    await time.until_idle()
    wire.platform.script = [answer(401)]
    await wire.append(*wire.events(2, order="A"))
    (fresh,) = await wire.append(*wire.events(1, order="B"))
    while not (await wire.state()).paused:
        await time.next_sleep()
    await wire.stop()
    before_ms = time.now_ms
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == ["e1", fresh]
    assert time.now_ms == before_ms


async def test_each_destination_gets_one(wire, time):
    sent = await wire.append(*wire.events(3, order="A"))
    await wire.start(wire.destination("one"), wire.destination("two"))
    await time.until_idle()
    await time.until_idle()
    assert wire.platform.accepted_ids == [sent[0]] * 2


async def test_routes_of_one_event_are_not_in_each_others_way(wire, time, skipped):
    (first, _) = await wire.append(*wire.events(2, order="A", **{"as": ["a", "b"]}))
    await wire.start()
    await time.until_idle()
    assert [(row["id"], row["group"]) for row in wire.platform.accepted] == [(first, "a"), (first, "b")]
    assert skipped() == 1


async def test_what_went_wrong_with_one_route_is_not_hidden_by_another_that_was_sent_before(wire, time, answer):
    wire.platform.script = [answer(200)]
    await wire.append(*wire.events(1, order="A", **{"as": ["a"]}))
    await wire.start()
    await time.until_idle()
    wire.platform.script = [answer(400, {"rows": [0]})]
    (second,) = await wire.append(*wire.events(1, order="A", **{"as": ["a", "b"]}))
    await time.until_idle()
    assert list(await wire.dead()) == [second]


async def test_a_kill_between_answer_and_commit_repeats_the_same_event_and_bars_no_other(wire, time, tmp_path, skipped):
    keys, clock = Keyring.parse(generate_key()), time.clock
    wire.log = log = await SqliteLog.open(tmp_path, keys, LogSettings(), clock)
    (first, _, other) = await wire.append(*wire.events(2, order="A"), *wire.events(1, order="B"))
    commit = log.commit

    async def dying(*_):
        raise SystemError("killed")

    log.commit = dying
    await wire.start()
    while not wire.platform.accepted:
        await time.next_sleep()
    await wire.kill()
    log.commit = commit
    await log.close()
    assert wire.platform.accepted_ids == [first, other]

    wire.log = log = await SqliteLog.open(tmp_path, keys, LogSettings(), clock)
    time._begun = type(time._begun)()
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == [first, other, first, other]
    await wire.append(*wire.events(1, order="A"))
    await wire.stop()
    await log.close()

    wire.log = log = await SqliteLog.open(tmp_path, keys, LogSettings(), clock)
    time._begun = type(time._begun)()
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == [first, other, first, other]
    assert (await wire.stats()).waiting == 0
    assert skipped() == 2
    await wire.stop()
    await log.close()


async def test_the_next_of_an_order_goes_in_its_place_before_later_requests(wire, time):
    wire.platform.names_rows = True
    wire.options = {"batch_size": 2}
    await wire.append(*wire.events(1, order="A", bad=True))
    sent = await wire.append(*wire.events(1, order="A"), *wire.events(3))
    await wire.start()
    await time.until_idle()
    assert wire.platform.accepted_ids == sent
