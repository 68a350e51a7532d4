"""The log as a state machine: whatever is appended, read, settled, replayed, erased, purged and restarted in whatever
order, the file behaves like the log in memory, nothing is lost, and nothing settled is handed out again.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from proxy.clock import DAY_MS
from proxy.config.settings import LogSettings
from proxy.event import Data, Event, Purpose, Visitor, replace
from proxy.log.base import DeadLetter, Outcome, Replay
from proxy.log.memory import MemoryLog
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from proxy.privacy.refusal import Refusal

# A file system: thousands of fsyncs are not what is tested here.
IN_MEMORY = Path("/dev/shm")
KEYRING = Keyring.parse(generate_key())
SETTINGS = LogSettings(retention_days=3, dead_days=1, find_orders=True)

readers = st.sampled_from(["meta", "tiktok"])
orders = st.sampled_from(["order a", "order b", "order c"])
visitors = st.sampled_from(["v-1", "v-2", None])
events = st.builds(
    lambda number, name, visitor, order: Event(
        id=f"e-{number}",
        name=name,
        time=1,
        visitor=None if visitor is None else Visitor(id=visitor, first_seen=1),
        data=Data(order_id=order),
    ),
    st.integers(0, 40),
    st.sampled_from(["purchase", "page_view"]),
    visitors,
    st.none() | orders,
)


class Log(RuleBasedStateMachine):
    batches = Bundle("batches")

    def __init__(self):
        super().__init__()
        self.now_ms = 1_790_000_000_000
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.settled = {}  # reader -> sequence numbers that must not come back unasked

    @initialize()
    def start(self):
        self.memory = self.runner.run(self.make_memory())
        self.file = self.runner.run(self.open_file())

    async def make_memory(self):
        return MemoryLog(lambda: self.now_ms, SETTINGS)

    async def open_file(self):
        return await SqliteLog.open(self.folder, KEYRING, SETTINGS, lambda: self.now_ms)

    def both(self, call):
        """The same call on both; their common answer."""

        async def answer(log):
            return await call(log)

        expected = self.runner.run(answer(self.memory))
        assert self.runner.run(answer(self.file)) == expected
        return expected

    @rule(given=st.lists(events, max_size=6))
    def append(self, given):
        self.both(lambda log: log.append(given))

    @rule(visitor=st.sampled_from(["v-1", "v-2"]), purposes=st.sets(st.sampled_from([*Purpose]), min_size=1))
    def refuse(self, visitor, purposes):
        refusal = Refusal(visitor, tuple(purpose for purpose in Purpose if purpose in purposes))
        self.both(lambda log: log.append([], [], [refusal]))

    @rule(target=batches, reader=readers, limit=st.integers(1, 8))
    def read(self, reader, limit):
        batch = self.both(lambda log: log.read(reader, limit))
        assert len(batch.entries) <= limit
        fresh = {entry.seq for entry in batch.entries}
        assert not fresh & self.settled.setdefault(reader, set())
        return batch

    @rule(batch=batches, data=st.data(), whole=st.booleans())
    def commit(self, batch, data, whole):
        """Also a batch read long ago, and the same one twice."""
        seqs = [entry.seq for entry in batch.entries]
        chosen = set(seqs) if whole else data.draw(st.sets(st.sampled_from(seqs)) if seqs else st.just(set()))
        dead = data.draw(st.sets(st.sampled_from(sorted(chosen))) if chosen and not whole else st.just(set()))
        letters = [DeadLetter(seq=seq, why="no", detail="words", at_ms=self.now_ms) for seq in sorted(dead)]
        state = replace(batch.state, delivered=batch.state.delivered + len(chosen - dead))
        claims = data.draw(st.dictionaries(orders, st.sampled_from(seqs))) if seqs else {}
        missed = data.draw(st.sets(st.sampled_from(sorted(chosen)))) if chosen else set()
        outcome = Outcome(settled=sorted(chosen - dead), dead=letters, missed=missed, claims=claims, state=state)
        self.both(lambda log: log.commit(batch, outcome))
        if batch.epoch == self.runner.run(self.memory.read(batch.reader, 1)).epoch:
            self.settled[batch.reader] |= chosen

    @rule(reader=readers, back_ms=st.integers(0, DAY_MS))
    def rewind(self, reader, back_ms):
        to_ms = self.now_ms - back_ms
        self.both(lambda log: log.rewind(reader, to_ms))
        first = min((seq for seq, entry in self.memory._entries.items() if entry.stored_at_ms >= to_ms), default=None)
        if first is not None:
            self.settled[reader] = {seq for seq in self.settled.get(reader, set()) if seq < first}

    @rule(
        reader=readers,
        back_ms=st.integers(0, DAY_MS),
        lasts_ms=st.none() | st.integers(0, DAY_MS),
        missing=st.booleans(),
    )
    def replay(self, reader, back_ms, lasts_ms, missing):
        since_ms = self.now_ms - back_ms
        until_ms = None if lasts_ms is None else since_ms + lasts_ms
        replay = Replay(reader=reader, since_ms=since_ms, until_ms=until_ms, only_missing=missing)
        foretold = self.runner.run(self.file._view.replayable(replay))
        assert self.both(lambda log: log.replay(replay)) == foretold.again
        if replay.is_rewind:
            self.settled.setdefault(reader, set())
            first = min(
                (s for s, entry in self.memory._entries.items() if entry.stored_at_ms >= since_ms), default=None
            )
            if first is not None:
                self.settled[reader] = {seq for seq in self.settled[reader] if seq < first}
        elif reader in self.memory._readers:
            self.settled.setdefault(reader, set()).difference_update(self.memory._readers[reader].again)

    @rule(reader=readers | st.none(), seqs=st.none() | st.lists(st.integers(1, 40)))
    def retry_dead(self, reader, seqs):
        for dead in self.both(lambda log: log.dead(reader)):
            if dead.event is not None and (seqs is None or dead.letter.seq in seqs):
                self.settled[dead.reader].remove(dead.letter.seq)
        self.both(lambda log: log.retry_dead(reader, seqs))

    @rule(reader=readers | st.none(), seqs=st.none() | st.lists(st.integers(1, 40)))
    def drop_dead(self, reader, seqs):
        self.both(lambda log: log.drop_dead(reader, seqs))

    @rule(visitor=st.sampled_from(["v-1", "v-2", "v-3"]))
    def erase(self, visitor):
        self.both(lambda log: log.erase(visitor))

    @rule(hours=st.integers(-2, 30))
    def time_passes(self, hours):
        self.now_ms += hours * DAY_MS // 24

    @rule()
    def purge(self):
        self.both(lambda log: log.purge())

    @rule()
    def restart(self):
        self.runner.run(self.file.close())
        self.file = self.runner.run(self.open_file())

    @precondition(lambda self: hasattr(self, "file"))
    @invariant()
    def they_agree(self):
        self.both(lambda log: log.dead())
        self.both(lambda log: log.of_orders(["order a", "order b", "order c"]))
        for reader in ("meta", "tiktok"):
            claims = self.both(lambda log, reader=reader: log.claims(reader, ["order a", "order b", "order c"]))
            assert {*claims.values()} <= {*self.memory._entries}
        expected = self.runner.run(self.memory.stats())
        found = self.runner.run(self.file.stats())
        # Events are counted by difference of sequence numbers in the file, so deletions from the middle do not show.
        assert replace(found, bytes=0, used=0, events=0) == replace(expected, events=0)
        assert found.events >= expected.events

    def teardown(self):
        if hasattr(self, "file"):
            for reader in list(self.settled):
                self.drain(reader)
            self.runner.run(self.file.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def drain(self, reader):
        """Nothing lost: every event still stored was settled before, or comes now, once."""
        accepted = self.runner.run(self.file._view.accepted(reader))
        remembered = self.memory._readers[reader].accepted if reader in self.memory._readers else set()
        assert {seq for seq in self.memory._entries if seq in accepted} == remembered & {*self.memory._entries}
        settled = self.settled[reader]
        while (batch := self.both(lambda log: log.read(reader, 3))).entries:
            seqs = [entry.seq for entry in batch.entries]
            assert not settled.intersection(seqs)
            settled.update(seqs)
            self.both(lambda log, batch=batch, seqs=seqs: log.commit(batch, Outcome(settled=seqs, state=batch.state)))
        assert settled >= set(self.memory._entries)


Log.TestCase.settings = hypothesis_settings(
    max_examples=40, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
test_the_file_behaves_like_the_log_in_memory = Log.TestCase
