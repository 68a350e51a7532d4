"""A child that ends is replaced; one that keeps ending is replaced ever later, and that is said once."""

import asyncio

import structlog

from proxy.supervise.channel import Role
from proxy.supervise.keeper import LONGEST_PAUSE_S, Keeper, pause_s


class Child:
    """As `process.Process`, dead when told."""

    role = Role.COLLECTOR
    status = "exit status 1"

    def __init__(self, dies=False):
        self.ended, self.gone, self.left = asyncio.Event(), False, False
        if dies:
            self.ended.set()

    async def prepared(self):
        return not self.ended.is_set()

    def go(self):
        self.gone = True

    async def leave(self, linger_s, deadline_s):
        self.left = True


def test_the_pauses_grow_up_to_a_bound():
    pauses = [pause_s(deaths) for deaths in range(1, 100)]
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S


async def test_a_crash_loop_backs_off_and_is_told_once():
    pauses, enough = [], asyncio.Event()

    async def start():
        return Child(dies=True)

    async def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 6:
            enough.set()
            await asyncio.Event().wait()

    keeper = Keeper(Child(dies=True), start, sleep=sleep)
    with structlog.testing.capture_logs() as lines:
        keeper.go()
        await enough.wait()
        await keeper.leave(0, 0)
    assert pauses == [pause_s(deaths) for deaths in range(1, 7)]
    assert [line["event"] for line in lines] == ["process ended", "process keeps ending"]


async def test_a_child_that_lives_long_enough_ends_the_loop():
    steady, started = Child(), asyncio.Event()
    following = [Child(dies=True), steady]

    async def start():
        if not following[1:]:
            started.set()
        return following.pop(0)

    keeper = Keeper(Child(dies=True), start, sleep=lambda _: asyncio.sleep(0), steady_s=0.01)
    with structlog.testing.capture_logs() as lines:
        keeper.go()
        await started.wait()
        while not lines[2:]:
            await asyncio.sleep(0)
        await keeper.leave(0, 0)
    assert [line["event"] for line in lines] == ["process ended", "process keeps ending", "process runs again"]
    assert steady.gone
    assert steady.left


async def test_a_machine_without_room_for_a_process_is_tried_again():
    new, starts, back = Child(), 0, asyncio.Event()

    async def start():
        nonlocal starts
        starts += 1
        if starts == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        back.set()
        return new

    keeper = Keeper(Child(dies=True), start, sleep=lambda _: asyncio.sleep(0))
    keeper.go()
    await back.wait()
    await keeper.leave(0, 0)
    assert new.left
