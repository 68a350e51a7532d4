"""Requests against a platform's rate: no minute holds more than allowed, and none waits longer than it must."""

from itertools import pairwise

from hypothesis import given, strategies as st

from proxy.relay.pace import MINUTE_MS, Pace


class Clock:
    def __init__(self):
        self.now_ms = 1_790_000_000_000
        self.slept = []

    def __call__(self):
        return self.now_ms

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_ms += round(seconds * 1000)


async def sent_at(pace, clock, count):
    times = []
    for _ in range(count):
        await pace.turn()
        times.append(clock.now_ms)
    return times


async def test_without_a_limit_nothing_waits():
    clock = Clock()
    assert len(set(await sent_at(Pace(None, clock, clock.sleep), clock, 1000))) == 1
    assert clock.slept == []


async def test_a_short_burst_goes_at_once_and_the_rest_is_spread():
    clock = Clock()
    times = await sent_at(Pace(300, clock, clock.sleep), clock, 32)
    assert len(set(times[:30])) == 1
    assert [later - sooner for sooner, later in pairwise(times[29:])] == [223, 222]


@given(per_minute=st.integers(2, 600), pauses=st.lists(st.integers(0, 90_000), max_size=5), count=st.integers(1, 700))
async def test_no_minute_wherever_it_begins_holds_more_than_the_limit(per_minute, pauses, count):
    clock = Clock()
    pace = Pace(per_minute, clock, clock.sleep)
    times = []
    for pause_ms in [0, *pauses]:
        clock.now_ms += pause_ms
        times += await sent_at(pace, clock, count // (len(pauses) + 1))
    for place in range(len(times) - per_minute):
        assert times[place + per_minute] - times[place] >= MINUTE_MS


async def test_the_whole_rate_is_nearly_used():
    clock = Clock()
    pace = Pace(300, clock, clock.sleep)
    times = await sent_at(pace, clock, 1000)
    assert times[-1] - times[0] <= 3.7 * MINUTE_MS


async def test_a_clock_set_back_blocks_nothing():
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    await pace.turn()
    clock.now_ms -= 86_400_000
    await pace.turn()
    assert sum(clock.slept) <= 60 / 9 + 0.01
