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
from proxy.relay import reader

GOOD, BAD, REFUSED, EXPLODES, UNROUTED, TWICE, OLD = "good", "bad", "refused", "explodes", "unrouted", "twice", "old"
ONCE, BAD_ONCE, ONCE_TWICE = "once", "bad once", "once twice"
CUSTOM = {
    GOOD: {},
    BAD: {"bad": True},
    REFUSED: {"refuse": True},
    EXPLODES: {"explode": True},
    UNROUTED: {"unrouted": True},
    TWICE: {"as": ["a", "b"]},
    OLD: {},
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
    new_wire = new_time = answer = None

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.time = type(self).new_time()
        self.kit = self.runner.run(self.made())
        self.kit.options = {"batch_size": 4}
        self.kinds: dict[str, str] = {}

    async def made(self):
        return type(self).new_wire(self.time)

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

    @rule(steps=st.integers(0, 60), seconds=st.sampled_from([0.5, 5, 400]))
    def live(self, steps, seconds):
        async def work():
            if self.kit.relay is None:
                await self.kit.start()
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
        """The platform recovers; then the books must balance."""
        kit = self.kit
        kit.platform.script.clear()
        await kit.stop()
        self.time._begun = asyncio.Queue()
        await kit.start()
        await self.time.until_idle()
        if not self.kinds:
            return
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
            elif kind != BAD:
                assert accepted[event] == 0
                assert event in dead
            else:
                assert event in dead or accepted[event]  # a scripted 200 takes anything
        assert stats.state.dead == len(dead)
        self.orders_balance(dead)

    def orders_balance(self, dead):
        """Of an order, one event was taken, or every one was refused; repeats are of that one."""
        for group, kinds in ((None, {ONCE, BAD_ONCE}), ("a", {ONCE_TWICE}), ("b", {ONCE_TWICE})):
            events = {event for event, kind in self.kinds.items() if kind in kinds}
            rows = [row for row in self.kit.platform.accepted if row.get("order") and row.get("group") == group]
            taken = {row["id"] for row in rows}
            assert len(taken - dead.keys()) <= 1
            assert taken or events <= dead.keys()


def test_nothing_is_lost(new_wire, new_time, answer):
    Machine.new_wire, Machine.new_time, Machine.answer = staticmethod(new_wire), new_time, answer
    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=100, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )


def test_the_idle_wait_is_told_apart_from_backoff():
    assert reader.IDLE_S not in {2.0**n for n in range(12)}
