"""Whose order it is: the first visitor's event that named it, as long as nobody else did and the event is there."""

import pytest

from proxy.clock import DAY_MS
from proxy.event import Data, Purpose
from proxy.privacy.refusal import Refusal


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"find_orders": True})


@pytest.fixture
def order(event):
    def make(number, order_id="1001", visitor="v_ann", **more):
        return event(number, "initiate_checkout", visitor, data=Data(order_id=order_id), **more)

    return make


async def found(log, *orders):
    return {order: entry.event.id for order, entry in (await log.of_orders(orders or ("1001",))).items()}


async def test_it_is_found_by_its_number(log, event, order):
    await log.append([event(1, visitor="v_ann"), order(2), order(3, "1002", "v_bob"), order(4, None, "v_eve")])
    assert await found(log, "1001", "1002", "1003") == {"1001": "e-2", "1002": "e-3"}


async def test_the_first_of_several_counts(log, order):
    await log.append([order(1)])
    await log.append([order(2), order(1), order(3, "1002"), order(4, "1002")])
    assert await found(log, "1001", "1002") == {"1001": "e-1", "1002": "e-3"}


async def test_an_order_that_two_visitors_name_is_nobodys(log, order):
    await log.append([order(1)])
    await log.append([order(2, visitor="v_eve")])
    await log.append([order(3)])
    assert await found(log) == {}


async def test_in_one_append_as_well(log, order):
    await log.append([order(1), order(2, visitor="v_eve"), order(3, "1002")])
    assert await found(log, "1001", "1002") == {"1002": "e-3"}


@pytest.mark.parametrize("more", [{"visitor": None}, {"source": "server"}])
async def test_only_what_a_visitors_own_browser_named_counts(log, order, more):
    await log.append([order(1, **more)])
    assert await found(log) == {}


async def test_a_repeated_event_says_nothing_new(log, event, order):
    await log.append([event(1, "initiate_checkout"), event(2, "initiate_checkout", "v_ann")])
    await log.append([order(1), order(2), order(3, "1002"), order(3, "1003")])
    assert await found(log, "1001", "1002", "1003") == {"1002": "e-3"}


async def test_what_the_visitor_has_taken_back_is_told_with_it(log, order):
    await log.append([order(1)])
    await log.append([], [], [Refusal("v_ann", (Purpose.MARKETING,))])
    (entry,) = (await log.of_orders(["1001"])).values()
    assert entry.refused == (Purpose.MARKETING,)


async def test_it_goes_with_its_event(log, order, clock):
    await log.append([order(1), order(2, "1002", "v_bob")])
    await log.erase("v_bob")
    assert await found(log, "1001", "1002") == {"1001": "e-1"}
    clock.now_ms += 31 * DAY_MS
    await log.purge()
    assert await found(log) == {}
    await log.append([order(3, visitor="v_eve")])
    assert await found(log) == {"1001": "e-3"}


async def test_nothing_is_remembered_unless_it_is_wanted(open_log, order):
    log = await open_log(find_orders=False)
    await log.append([order(1)])
    assert await found(log) == {}
    assert await log._view.rows("SELECT * FROM known_order") == []


async def test_a_large_append_is_gone_through_too(open_log, order):
    log = await open_log()
    many = [order(number, f"order {number}") for number in range(600)]
    assert await log.append(many) == 600
    assert await found(log, "order 0", "order 599") == {"order 0": "e-0", "order 599": "e-599"}
