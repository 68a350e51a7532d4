"""The relay's promise as a state machine: whatever the platform answers and whenever the process dies, every event is
in the end delivered or dead, never both without having been repeated, and never neither. Of events that are to go once
per order, one."""

import asyncio
from collections import Counter

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from proxy.event import replace
from proxy.relay import aside, reader

GOOD, BAD, REFUSED, EXPLODES, UNROUTED, TWICE, OLD = "good", "bad", "refused", "explodes", "unrouted", "twice", "old"
STUCK, STUCK_TWICE = "stuck", "stuck twice"
ONCE, BAD_ONCE, ONCE_TWICE = "once", "bad once", "once twice"
CUSTOM = {
    GOOD: {},
    BAD: {"bad": True},
    REFUSED: {"refuse": True},
    EXPLODES: {"explode": True},
    UNROUTED: {"unrouted": True},
    TWICE: {"as": ["a", "b"]},
    OLD: {},
    STUCK: {"stuck": True},
    STUCK_TWICE: {"stuck": True, "as": ["a", "b"]},
    ONCE: {"order": "A"},
    BAD_ONCE: {"order": "A", "bad": True},
    ONCE_TWICE: {"order": "A", "as": ["a", "b"]},
}
ANSWERS = {
    "ok": {},
    "down": {"status": 500},
    "asked": {"status": 429, "headers": {"retry-after": "17"}},
    "auth": {"status": 401},
    "lost": {"drop": True, "take": False},
    "lost after taking": {"drop": True, "take": True},
    "takes some": {"status": 200, "body": {"rows": [1]}},
}


class Machine(RuleBasedStateMachine):
    new_wire = new_time = answer = still_busy = None

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.time = type(self).new_time()
        self.kit = self.runner.run(self.made())
        self.kit.options = {"batch_size": 4}
        self.kinds: dict[str, str] = {}
        self.ever_dead: set[str] = set()

    async def made(self):
        kit = type(self).new_wire(self.time)
        commit = kit.log.commit

        async def watched(batch, outcome):
            await commit(batch, outcome)
            self.ever_dead |= set(await kit.dead())

        kit.log.commit = watched
        return kit

    def run(self, work):
        return self.runner.run(work)

    @rule(kinds=st.lists(st.sampled_from(sorted(CUSTOM)), min_size=1, max_size=9))
    def report(self, kinds):
        events = []
        for kind in kinds:
            (event,) = self.kit.events(1, **CUSTOM[kind])
            if kind == OLD:
                event = replace(event, time=event.time - 9 * 86_400_000)
            self.kinds[event.id] = kind
            events.append(event)
        self.run(self.kit.append(*events))

    @rule(names=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=4))
    def plan_answers(self, names):
        self.kit.platform.script += [type(self).answer(**ANSWERS[name]) for name in names]

    @rule(named=st.booleans())
    def name_culprits(self, named):
        self.kit.platform.names_rows = named

    @rule(down=st.booleans())
    def go_down(self, down):
        self.kit.platform.down = down

    @rule(steps=st.integers(0, 60), seconds=st.sampled_from([0.5, 5, 400]), times=st.sampled_from([1, 1, 12]))
    def live(self, steps, seconds, times):
        async def work():
            if self.kit.relay is None:
                await self.kit.start()
            for _ in range(times):
                for _ in range(steps):
                    await asyncio.sleep(0)
                self.time.advance(seconds)

        self.run(work())

    @precondition(lambda self: self.kit.relay is not None)
    @rule()
    def stop(self):
        self.run(self.kit.stop())

    @precondition(lambda self: self.kit.relay is not None)
    @rule(steps=st.integers(0, 30))
    def crash(self, steps):
        async def work():
            for _ in range(steps):
                await asyncio.sleep(0)
            await self.kit.kill()

        self.run(work())

    @invariant()
    def nothing_hopeless_is_sent(self):
        sent = {self.kinds[row["id"]] for rows in self.kit.platform.requests for row in rows}
        assert not sent & {REFUSED, EXPLODES, UNROUTED, OLD}

    def teardown(self):
        try:
            self.run(self.finish())
        finally:
            self.run(self.kit.stop(0))
            self.runner.close()

    async def finish(self):
        """The platform recovers, but for the events it always puts off; then the books must balance."""
        kit = self.kit
        kit.platform.script.clear()
        kit.platform.down = False
        await kit.stop()
        self.time._begun = asyncio.Queue()
        await kit.start()
        if not self.kinds:
            return
        await self.something_goes_through()
        for _ in range(aside.TRIES):
            self.time.advance(86_400)
            await self.something_goes_through()
        assert (await kit.state()).aside == ()
        stats = await kit.stats()
        assert stats.waiting == 0
        assert not stats.state.paused
        assert stats.state.attempts == 0
        accepted = Counter(kit.platform.accepted_ids)
        dead = await kit.dead()
        for event, kind in self.kinds.items():
            routes = 2 if kind == TWICE else 1
            if kind in {GOOD, TWICE}:
                assert accepted[event] >= routes
                assert event not in dead or event in self.kit.platform.refused_rows
            elif kind == UNROUTED:
                assert accepted[event] == 0
                assert event not in dead
            elif kind in {ONCE, BAD_ONCE, ONCE_TWICE}:
                continue
            elif kind not in {BAD, STUCK, STUCK_TWICE}:
                assert accepted[event] == 0
                assert event in dead
            else:
                assert event in dead or accepted[event]  # a scripted 200 takes anything
        assert stats.state.dead >= len(dead)  # more: what was set aside and then taken
        self.orders_balance()

    async def something_goes_through(self):
        """Until the reader is idle: events that are always put off are only known by what is taken after them."""
        for _ in range(20):
            (event,) = self.kit.events(1)
            self.kinds[event.id] = GOOD
            await self.kit.append(event)
            try:
                await self.time.until_idle(limit=40)
            except type(self).still_busy:
                continue
            return

    def orders_balance(self):
        """Of an order, one event was taken, or every one was refused; repeats are of that one. One that was set aside
        left the way free, though the platform may have taken it."""
        for group, kinds in ((None, {ONCE, BAD_ONCE}), ("a", {ONCE_TWICE}), ("b", {ONCE_TWICE})):
            events = {event for event, kind in self.kinds.items() if kind in kinds}
            rows = [row for row in self.kit.platform.accepted if row.get("order") and row.get("group") == group]
            taken = {row["id"] for row in rows}
            assert len(taken - self.ever_dead) <= 1
            assert taken or events <= self.ever_dead


def test_nothing_is_lost(new_wire, new_time, answer, still_busy):
    Machine.new_wire, Machine.new_time = staticmethod(new_wire), new_time
    Machine.answer, Machine.still_busy = answer, still_busy
    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=100, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )


def test_the_idle_wait_is_told_apart_from_backoff():
    assert reader.IDLE_S not in {2.0**n for n in range(12)}
