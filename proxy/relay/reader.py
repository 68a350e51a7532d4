"""One destination's reader: read a stretch of the log, plan, send, judge, commit; again, for as long as the relay runs.

Everything it decides comes from pure neighbours (`plan`, `verdicts`, `health`); this file holds the order of things and
its promises:

- one request at a time, in the log's order;
- an event is settled in the same transaction as the standing it led to and the claim it has made (`once`), after its
  answer and before the next request, so a crash repeats at most the request in flight, with the same event ids;
- whatever raises, the reader comes back; nothing it meets stops another destination.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from proxy.clock import SECOND_MS, Clock
from proxy.config.settings import RelaySettings
from proxy.destinations.base import Destination, Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault, Verdict
from proxy.errors import LogUnavailable
from proxy.event import Event, replace
from proxy.log.base import Batch, Entry, EventLog, Outcome, ReaderState
from proxy.observe import metrics
from proxy.observe.logs import get_logger
from proxy.relay import aside, guard, health, once, receipts, search
from proxy.relay.backoff import ASKED_MAX_S, delay_s
from proxy.relay.health import Change
from proxy.relay.ledger import Ledger
from proxy.relay.pace import Pace, Sleep
from proxy.relay.plan import Decide, Item, Loss, Parcel, Plan, Skip
from proxy.relay.redact import redact, redact_visitors
from proxy.relay.sender import Sender
from proxy.relay.tokens import Tokens
from proxy.relay.verdicts import Consequences, consequences

READ_MIN = 200  # events read at once: with a backlog, events the rules leave out must not make the requests small
IDLE_S = 5.0  # look again this often although the log reports nothing: replays asked for by other processes
GATHER_S = 0.05  # while a batch fills, look at most this often
PATIENCE = 5  # attempts before a fault in a destination's own code costs the events that trigger it
DETAIL_MAX = 500  # characters of a platform's words that are kept

VERDICTS: dict[type, str] = {
    Delivered: "delivered",
    RetryLater: "retry_later",
    Rejected: "rejected",
    AuthBroken: "auth_broken",
}
"""The label `verdict` of `firsthand_attempts_total`."""


class Reader:
    def __init__(
        self,
        log: EventLog,
        destination: Destination,
        decide: Decide,
        settings: RelaySettings,
        *,
        sender: Sender,
        clock: Clock,
        dice: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        """`dice`: 0 ≤ dice() < 1. `sleep` is asyncio.sleep but for tests."""
        self.name = destination.name
        self._log, self._destination, self._decide, self._settings = log, destination, decide, settings
        self._clock, self._dice, self._sleep = clock, dice, sleep
        self._pace = Pace(destination.limits.requests_per_minute, clock, sleep)
        self._tokens = Tokens(destination, sender, clock)
        self._limit = max(destination.batch_size, READ_MIN)
        self._secrets = destination.secrets()
        self._ledger = Ledger()
        self._entries: Sequence[Entry] = ()  # of the batch under way
        self._epoch = 0
        self._stopping = False
        self._resting: list[asyncio.Future[object]] = []
        self._warned = False
        self._committed = ReaderState()
        self._unwritten: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._longest_s = 2 * max(
            ASKED_MAX_S, settings.probe_s, settings.backoff_max_s
        )  # longer: the clock was set back
        self._probe_at_once = True  # a paused destination is tried right after a start: the operator fixed something
        self._say = get_logger("relay").bind(destination=self.name, kind=destination.kind)
        self._delivered = metrics.deliveries.labels(self.name)
        self._seconds = metrics.attempt_seconds.labels(self.name)
        self._paused = metrics.destination_paused.labels(self.name)

    async def run(self) -> None:
        """Until `stop`. Faults of ours or of the log are waited out here, said once, and never passed on."""
        faults, said = 0, ""
        while not self._stopping:
            try:
                await self._turn()
            except Exception as fault:  # noqa: BLE001 - the supervisor loop
                faults += 1
                what = str(fault) if isinstance(fault, LogUnavailable) else guard.describe(fault)
                if what != said:
                    self._say.error("reader_failed", fault=what, advice="events wait; it is tried again by itself")
                said = what
                await self._rest(delay_s(faults, cap_s=self._settings.backoff_max_s, dice=self._dice()))
            else:
                if faults:
                    self._say.info("reader_recovered")
                faults, said = 0, ""

    def stop(self) -> None:
        """End after the request in flight, its answer committed; a reader that only waits ends at once."""
        self._stopping = True
        for future in self._resting:
            future.cancel()

    async def _turn(self) -> None:
        await self._write_down()
        batch = await self._log.read(self.name, self._limit)
        state, now_ms = batch.state, self._clock()
        self._paused.set(bool(state.paused))
        if batch.epoch != self._epoch:
            self._epoch, self._ledger = batch.epoch, Ledger()
        self._committed = state
        held_s = (state.next_attempt_ms - now_ms) / SECOND_MS
        if 0 < held_s <= self._longest_s and not (state.paused and self._probe_at_once):
            await self._rest(held_s)
            return
        self._probe_at_once = False
        batch = await self._ask(batch)
        if await self._gave_back(batch):
            return
        if not batch.entries:
            await self._rest(IDLE_S, news_after=batch.scanned_to)
            return
        plan = self._plan(batch, now_ms)
        linger_s = 0.0 if state.paused else self._linger_s(batch, plan, now_ms)
        if linger_s > 0:
            gather_s = min(GATHER_S, linger_s)
            await self._rest(gather_s)
            await self._rest(linger_s - gather_s, news_after=batch.scanned_to)
            return
        await self._deliver(batch, plan)

    async def _ask(self, batch: Batch) -> Batch:
        """For one receipt that is due, if any: what became of events taken long ago. The batch with what it said."""
        receipt = None if batch.state.paused else receipts.due(batch.state, self._clock())
        request = None if receipt is None else self._destination.receipt_request(receipt.id)
        if receipt is None or request is None:
            return batch
        await self._pace.turn()
        answer = await self._tokens.send(request)
        said = guard.read_receipt(self._destination, answer) if isinstance(answer, Reply) else RetryLater(answer.why)
        return replace(
            batch, state=await self._commit(batch, receipts.answered(batch.state, receipt, said, self._clock()))
        )

    async def _gave_back(self, batch: Batch) -> bool:
        """Whether an event that was set aside is to be tried now: then the next turn reads it with the others."""
        seq = aside.due(batch.state, self._clock())
        if seq is None or any(entry.seq == seq for entry in batch.entries):
            return False
        if not await self._log.retry_dead(self.name, [seq], aside.WHY):
            await self._commit(batch, aside.forgotten(batch.state, seq))
        return True

    def _plan(self, batch: Batch, now_ms: int) -> Plan:
        """Events that were set aside go last, each in a request of its own."""
        apart = aside.seqs(batch.state)
        groups = [[entry for entry in batch.entries if entry.seq not in apart]]
        groups += [[entry] for entry in batch.entries if entry.seq in apart]
        return guard.joined(
            guard.plan(self._destination, group, self._decide, now_ms, self._ledger.done) for group in groups
        )

    def _linger_s(self, batch: Batch, plan: Plan, now_ms: int) -> float:
        """How long to wait for company: not at all for a full request, nor while more of the log is to be read."""
        size = self._destination.batch_size
        if not plan.parcels or len(batch.entries) >= self._limit or any(len(p.items) >= size for p in plan.parcels):
            return 0.0
        sendable = {item.seq for parcel in plan.parcels for item in parcel.items}
        oldest_ms = min(entry.stored_at_ms for entry in batch.entries if entry.seq in sendable)
        return min(self._settings.wait_s, self._settings.wait_s - (now_ms - oldest_ms) / SECOND_MS)

    async def _deliver(self, batch: Batch, plan: Plan) -> None:
        state, self._entries = batch.state, batch.entries
        if _only_faults(plan):
            # Nothing at all can be built: perhaps the code is at fault, not the events. Give people time to see it.
            fault = RetryLater(guard.INTERNAL, detail=plan.losses[0].detail)
            if state.attempts < PATIENCE:
                self._ledger.open(Plan(skips=plan.skips))
                await self._commit(batch, self._held(state, fault), fault)
                return
            self._say.error("events_given_up", why=fault.why, fault=fault.detail, events=len(plan.losses))
            state = replace(state, attempts=0, next_attempt_ms=0)
        self._ledger.open(plan)
        work, looking = deque(plan.parcels), search.begin(state)
        verdict: Verdict | None = None
        while not self._stopping and (parcel := await self._sendable(work)):
            looking, parts = looking.parts(parcel.items)
            if parts != (parcel.items,):
                self._put_back(work, parts)
                continue
            if state.paused and len(parcel.items) > 1:
                work = deque(self._rebuilt(parcel.items[:1]))  # enough to see whether the credentials work
                continue
            verdict = await self._attempt(parcel, state)
            if isinstance(verdict, AuthBroken):
                await self._commit(batch, self._held(state, verdict), verdict)
                return
            if isinstance(verdict, RetryLater):
                step = looking.later(verdict, parcel.items)
                self._ledger.lose(Loss(item, aside.WHY, health.words(verdict)) for item in step.aside)
                if step.wait:
                    await self._commit(batch, self._held(state, verdict), verdict)
                    return
            else:
                result, step = consequences(verdict, parcel.items, self._repair), looking.answered()
                self._put_back(work, result.again)
                state = self._taken_in(result, verdict, state)
            looking = step.search
            self._put_back(work, step.again)
            state = await self._commit(batch, state)
        if looking.passed and isinstance(verdict, RetryLater) and not self._stopping:
            await self._commit(batch, self._held(state, verdict), verdict)
        else:
            await self._commit(batch, state)

    def _taken_in(self, result: Consequences, verdict: Delivered | Rejected, state: ReaderState) -> ReaderState:
        self._ledger.deliver(result.delivered)
        self._ledger.lose(result.losses)
        self._delivered.inc(len(result.delivered))
        warning = self._warning(verdict)
        state = health.running(state, delivered=len(result.delivered), now_ms=self._clock(), warning=warning)
        receipt = verdict.receipt if isinstance(verdict, Delivered) else ""
        return receipts.remembered(state, receipt, self._clock())

    def _put_back(self, work: deque[Parcel], groups: Sequence[tuple[Item, ...]]) -> None:
        """To be sent next, in this order."""
        for group in reversed(groups):
            work.extendleft(reversed(self._rebuilt(group)))

    async def _sendable(self, work: deque[Parcel]) -> Parcel | None:
        """Take the next request, made anew without what `once` keeps back; None when nothing is left."""
        while work:
            parcel = work.popleft()
            keys = once.keys(parcel.items)
            if not keys:
                return parcel
            sifted = once.sift(parcel.items, await self._log.claims(self.name, keys))
            if len(sifted.now) == len(parcel.items):
                return parcel
            self._ledger.lose(sifted.before)
            self._put_back(work, (sifted.now, sifted.waiting))  # after what they wait for, halves of it included
        return None

    async def _attempt(self, parcel: Parcel, state: ReaderState) -> Verdict:
        await self._pace.turn()
        started_ms = self._clock()
        answer = await self._tokens.send(parcel.request)
        self._seconds.observe((self._clock() - started_ms) / SECOND_MS)
        verdict = (
            guard.judge(self._destination, replace(answer, sent=len(parcel.items)))
            if isinstance(answer, Reply)
            else answer
        )
        if isinstance(verdict, RetryLater) and verdict.why == guard.INTERNAL and state.attempts >= PATIENCE:
            verdict = Rejected(guard.INTERNAL, verdict.detail, rows=_every_row(parcel, verdict.detail))
        metrics.attempts.labels(self.name, VERDICTS[type(verdict)]).inc()
        return verdict

    def _warning(self, verdict: Delivered | Rejected) -> str:
        """What a platform says besides taking events: kept for `status`, and one line when it begins to."""
        warning = self._cleaned("; ".join(verdict.warnings)) if isinstance(verdict, Delivered) else ""
        if warning and not self._warned:
            self._say.warning("destination_warns", advice=f"`firsthand status` shows what {self.name} said")
        self._warned = bool(warning)
        return warning

    def _rebuilt(self, items: tuple[Item, ...]) -> tuple[Parcel, ...]:
        plan = guard.build(self._destination, items, self._clock())
        self._ledger.lose(plan.losses)
        return plan.parcels

    def _repair(self, event: Event, why: str) -> Event | None:
        return guard.repair(self._destination, event, why)

    def _held(self, state: ReaderState, verdict: RetryLater | AuthBroken) -> ReaderState:
        after = health.held(state, verdict, settings=self._settings, dice=self._dice(), now_ms=self._clock())
        return replace(after, last_error=self._cleaned(after.last_error), paused=self._cleaned(after.paused))

    async def _commit(
        self, batch: Batch, state: ReaderState, cause: RetryLater | AuthBroken | None = None
    ) -> ReaderState:
        """Everything settled since the last commit, with the standing it led to; nothing is written for nothing."""
        taken = self._ledger.take(self._clock())
        if not taken.settled and not taken.claims and state == self._committed:
            return state
        cleaned = [replace(letter, detail=self._cleaned(letter.detail)) for letter in taken.dead]
        new = sum(letter.seq not in aside.seqs(state) for letter in cleaned)
        after, letters = aside.after(state, cleaned, taken.settled, self._clock())
        after = replace(after, dead=state.dead + new)
        outcome = Outcome(settled=taken.settled, dead=letters, missed=taken.missed, claims=taken.claims, state=after)
        self._unwritten = partial(self._written, batch, outcome, taken.skips, cause)
        await self._write_down()
        return after

    async def _write_down(self) -> None:
        """What the last request led to; once more if the log did not take it (a full disk): else it would be sent
        again and again until there is room."""
        write, self._unwritten = self._unwritten, None
        if write is None:
            return
        try:
            await write()
        except LogUnavailable:
            self._unwritten = write
            raise

    async def _written(
        self, batch: Batch, outcome: Outcome, skips: Sequence[Skip], cause: RetryLater | AuthBroken | None
    ) -> None:
        await self._log.commit(batch, outcome)
        known = aside.seqs(self._committed)
        for letter in outcome.dead:
            if letter.seq not in known:
                metrics.dead_letters.labels(self.name, letter.why).inc()
        for skip in skips:
            metrics.skipped.labels(self.name, skip.reason.value).inc()
        before, self._committed = self._committed, outcome.state
        self._announce(before, outcome.state, cause)

    def _announce(self, before: ReaderState, after: ReaderState, cause: RetryLater | AuthBroken | None) -> None:
        """One line per change of standing. Never the platform's own words: they may quote an event."""
        change = health.change(before, after)
        match change, cause:
            case Change.PAUSED, AuthBroken(why=why, advice=advice):
                self._say.error(change.value, why=why, advice=advice)
            case Change.FAILING, RetryLater(why=why):
                self._say.warning(change.value, why=why, next_attempt_ms=after.next_attempt_ms)
            case ((Change.RESUMED | Change.RECOVERED), _):
                self._say.info(change.value)
        if after.aside and not before.aside:
            self._say.warning(
                "events_set_aside", why=aside.WHY, advice=f"`firsthand dead list --why {aside.WHY}` shows them"
            )
        self._paused.set(bool(after.paused))

    def _cleaned(self, words: str) -> str:
        """Words to keep: without credentials, and without what they may quote of the events under way."""
        if not words:
            return words
        return redact_visitors(redact(words, self._secrets), (entry.event for entry in self._entries))[:DETAIL_MAX]

    async def _rest(self, seconds: float, news_after: int | None = None) -> None:
        """`seconds`, or until the log may hold an event above `news_after`, or until `stop`."""
        if self._stopping:
            return
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._sleep(seconds))]
        if news_after is not None:
            waits.append(asyncio.ensure_future(self._log.wait(news_after, seconds)))
        self._resting = waits
        try:
            ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._resting = []
            for future in waits:
                future.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        for future in ended:
            if not future.cancelled():
                future.result()  # a log that cannot even wait is the supervisor's business


def _only_faults(plan: Plan) -> bool:
    return not plan.parcels and bool(plan.losses) and all(loss.why == guard.INTERNAL for loss in plan.losses)


def _every_row(parcel: Parcel, detail: str) -> tuple[RowFault, ...]:
    return tuple(RowFault(row, guard.INTERNAL, detail) for row in range(len(parcel.items)))
