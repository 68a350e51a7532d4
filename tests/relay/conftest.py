"""The relay's test kit: time that only moves when told, a destination that speaks a small made-up protocol, a platform
that answers by script over a real loopback socket (`platform`), and the same platform without a socket (`wire`)."""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from blockbuster import blockbuster_ctx

from proxy.clock import DAY_S
from proxy.config.settings import RelaySettings
from proxy.destinations import base
from proxy.destinations.base import Destination, DestinationSettings, Limits, Refusal, Reply, Secret, json_request
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault
from proxy.event import Consent, ConsentState, Event, replace
from proxy.log.memory import MemoryLog
from proxy.relay import reader
from proxy.relay.relay import Relay
from proxy.relay.sender import Sender
from proxy.rules.decision import Decision, Once, Per, Route

NOW_MS = 1_790_000_000_000
GRANTED = Consent(marketing=ConsentState.GRANTED)
PATIENCE_S = 30  # of real time, with a busy machine


class StillBusyError(AssertionError):
    pass


class Time:
    """A clock and a sleep: `advance` moves one and wakes the other."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self._sleepers: list[tuple[int, asyncio.Future]] = []
        self._begun: asyncio.Queue[float] = asyncio.Queue()

    def clock(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        sleeper = (self.now_ms + round(seconds * 1000), future)
        self._sleepers.append(sleeper)
        self._begun.put_nowait(seconds)
        try:
            await future
        finally:
            self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        for due_ms, future in self._sleepers:
            if due_ms <= self.now_ms and not future.done():
                future.set_result(None)

    async def next_sleep(self) -> float:
        """How long somebody wants to sleep who begins to only now."""
        return await asyncio.wait_for(self._begun.get(), 60)

    async def until_idle(self, limit: int = 500) -> list[float]:
        """Let time pass until a reader has nothing to do; the waits it asked for on the way."""
        waits = []
        for _ in range(limit):
            seconds = await self.next_sleep()
            if seconds == reader.IDLE_S:
                return waits
            waits.append(seconds)
            self.advance(seconds)
        raise StillBusyError(f"still busy after {limit} waits: {waits[-5:]}")


class Scripted(Destination, kind="scripted"):
    """Rows `{"id"}` to `POST /events`. Faults by name in `event.custom`: `refuse` (known before sending), `unknown` (the
    platform has no such event), `explode` (a bug in payload)."""

    class Settings(DestinationSettings):
        token: Secret = Secret("s3cret-token")
        repairs: bool = False

    limits = Limits(batch=1000, batch_default=50, max_age_s=7 * DAY_S, body_bytes=100_000)

    def payload(self, event, now_ms):
        if event.custom.get("refuse"):
            return Refusal("no_identifier", "needs an identifier")
        if event.custom.get("unknown"):
            return Refusal("unknown_name", "has no such event", routine=True)
        if event.custom.get("explode"):
            raise KeyError(event.user.email)
        return {"id": event.id, **event.custom}

    def group(self, event):
        return event.custom.get("group")

    def request(self, rows, positions):
        headers = {"Authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        return json_request(f"{self.settings.base_url}/events", {"data": rows}, headers=headers, rows=positions)

    def judge(self, reply):
        body = reply.json()
        if reply.status == 0:
            return RetryLater(reply.error)
        if reply.status == 200 and isinstance(body, dict):
            if body.get("unjudgeable"):
                raise TypeError("cannot read this")
            return Delivered(rejected=_faults(body), warnings=tuple(body.get("warnings", ())))
        if reply.status == 400:
            return Rejected("bad_row", "bad row, says the platform", rows=_faults(body))
        if reply.status == 401:
            return AuthBroken("token_expired", "token s3cret-token expired", "make a new token")
        after_s = reply.headers.get("retry-after")
        return RetryLater(f"http_{reply.status}", float(after_s) if after_s else None)

    def probe(self, now_ms):
        return json_request(f"{self.settings.base_url}/probe", {})

    def repair(self, event, why):
        if self.settings.repairs and event.custom.get("bad") == "repairable":
            return replace(event, custom={**event.custom, "bad": False})
        return None


def _id(row) -> str:
    return row.get("id") or row["event_id"]


del base.registry["scripted"]  # a platform of these tests only


def _faults(body) -> tuple[RowFault, ...]:
    return tuple(RowFault(row, "bad_row", "bad row, says the platform") for row in (body or {}).get("rows", ()))


@dataclass
class Answer:
    """One scripted reply. `cut`: promise more bytes than come; `drop`: close without a word; `hang`: never answer.
    `take`: does the platform keep the rows all the same (None: when it answers 200)?"""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False
    drop: bool = False
    take: bool | None = None


class Platform:
    """What the platform does: answers by `script` first, then by its own rule: a request with a `stuck` row gets a 500,
    one with a `bad` row is refused as a whole, anything else is taken. Nothing is while it is `down`."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[list[dict]] = []  # rows of every request
        self.headers: list[dict[str, str]] = []
        self.accepted: list[dict] = []  # what came in requests it took
        self.refused_rows: set[str] = set()  # of those, the ones it named as refused
        self.url = "http://platform.test"
        self.hanging = asyncio.Event()
        self.names_rows = False
        self.down = False

    @property
    def accepted_ids(self) -> list[str]:
        return [_id(row) for row in self.accepted]

    def answer(self, body: bytes) -> Answer:
        rows = json.loads(body)["data"]
        self.requests.append(rows)
        answer = self.script.pop(0) if self.script else self._own(rows)
        answered = answer.status == 200 and not (answer.hang or answer.drop or answer.cut)
        if answered if answer.take is None else answer.take:
            self.accepted += rows
            named = answer.body.get("rows", ()) if answered and isinstance(answer.body, dict) else ()
            self.refused_rows |= {_id(rows[row]) for row in named if row < len(rows)}
        return answer

    def _own(self, rows) -> Answer:
        if self.down or any(row.get("stuck") for row in rows):
            return Answer(500)
        bad = [row for row, content in enumerate(rows) if content.get("bad")]
        return Answer(400, {"rows": bad} if self.names_rows else {}) if bad else Answer()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        answer = self.answer(await request.read())
        if answer.hang:
            self.hanging.set()
            await asyncio.Event().wait()
        if answer.drop:
            request.transport.abort()
            return web.Response()
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        if not answer.cut:
            return web.Response(status=answer.status, body=body, headers=answer.headers)
        response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(body) + 100)})
        await response.prepare(request)
        await response.write(body)
        request.transport.close()
        return response


class Wire(Sender):
    """A sender without a network: asks the platform directly. `before`/`after` run around each answer."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform
        self.before: Callable[[], None] = lambda: None

    async def send(self, request, timeout_s):
        await asyncio.sleep(0)
        self.before()
        answer = self.platform.answer(request.body)
        if answer.hang:
            self.platform.hanging.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if answer.drop or answer.cut:
            return Reply(status=0, error="connection reset")
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        return Reply(status=answer.status, headers=answer.headers, body=body)


class Impatient(Sender):
    """A real sender that gives up when the platform lets a request hang, and only then, however busy the machine."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform
        self.timeouts_s: set[float] = set()  # it was given

    async def send(self, request, timeout_s):
        self.timeouts_s.add(timeout_s)
        sending = asyncio.create_task(super().send(request, PATIENCE_S))
        hanging = asyncio.create_task(self.platform.hanging.wait())
        try:
            await asyncio.wait([sending, hanging], return_when=asyncio.FIRST_COMPLETED)
            self.platform.hanging.clear()
            return sending.result() if sending.done() else Reply(status=0, error="timeout")
        finally:
            for task in (sending, hanging):
                task.cancel()
            await asyncio.gather(sending, hanging, return_exceptions=True)


class Unhurried:
    """A log that waits for news without end, as only `Time` ends a wait here; the rest is the log's own."""

    def __init__(self, log) -> None:
        self._log = log

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def wait(self, after_seq, timeout_s):
        return await self._log.wait(after_seq, 1e6)


class Everywhere:
    """Rules that send every event to one destination; `custom.as` names several routes, `custom.order` goes once each."""

    def __init__(self, *destinations: str) -> None:
        self.destinations = destinations

    def decide(self, event, *, trace=False):
        if event.custom.get("drop"):
            return Decision(routes=(), dropped_by="no staff")
        if event.custom.get("unrouted"):
            return Decision(routes=())
        shapes = [replace(event, custom={**event.custom, "group": name}) for name in event.custom.get("as", ())]
        return Decision(
            routes=tuple(
                Route(name, shape, ("all",), _once(shape)) for name in self.destinations for shape in shapes or [event]
            )
        )


def _once(event) -> Once | None:
    order = event.custom.get("order")
    return None if order is None else Once(Per.ORDER, "all", f"{event.custom.get('group')} {order}")


@dataclass
class Kit:
    """A relay with one destination `one` on a log in memory; `start` as often as you like."""

    time: Time
    platform: Platform
    log: object
    sender: Sender
    settings: RelaySettings = field(default_factory=lambda: RelaySettings(wait_s=0))
    options: dict = field(default_factory=dict)
    dice: Callable[[], float] = lambda: 1.0
    relay: Relay | None = None
    _ids: itertools.count = field(default_factory=lambda: itertools.count(1))

    def destination(self, name="one"):
        settings = Scripted.Settings(kind="scripted", base_url=self.platform.url, **self.options)
        return Scripted(name, settings)

    def events(self, count=1, **custom) -> list[Event]:
        return [
            Event(id=f"e{next(self._ids)}", name="purchase", time=self.time.now_ms, consent=GRANTED, custom=custom)
            for _ in range(count)
        ]

    async def append(self, *events: Event) -> list[str]:
        await self.log.append(events)
        return [event.id for event in events]

    async def start(self, *destinations) -> Relay:
        found = destinations or (self.destination(),)
        return await self.start_with(Everywhere(*(one.name for one in found)), *found)

    async def start_with(self, rules, *destinations) -> Relay:
        self.relay = Relay(
            Unhurried(self.log),
            {one.name: one for one in destinations},
            rules,
            self.settings,
            clock=self.time.clock,
            dice=self.dice,
            sender=self.sender,
            sleep=self.time.sleep,
        )
        await self.relay.start()
        return self.relay

    async def stop(self, deadline_s=PATIENCE_S) -> None:
        if self.relay is not None:
            await self.relay.stop(deadline_s)
            self.relay = None

    async def kill(self) -> None:
        """What a crash leaves: nothing of the process runs on, nothing is committed any more."""
        tasks = self.relay._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.relay = None

    async def state(self, name="one"):
        return (await self.stats(name)).state

    async def stats(self, name="one"):
        return next(one for one in (await self.log.stats()).readers if one.reader == name)

    async def dead(self) -> dict[str, tuple[str, str]]:
        return {one.event.id: (one.letter.why, one.letter.detail) for one in await self.log.dead()}


@pytest.fixture(autouse=True)
def loop_is_never_blocked():
    with blockbuster_ctx():
        yield


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def platform(aiohttp_server) -> Platform:
    """A scripted platform on a real loopback socket."""
    found = Platform()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.serve)
    server = await aiohttp_server(app, shutdown_timeout=0)
    found.url = str(server.make_url("")).rstrip("/")
    return found


@pytest.fixture
def new_wire():
    """`new_wire(time)`: a kit without sockets; for many cases in a row (hypothesis)."""

    def make(time: Time) -> Kit:
        platform = Platform()
        return Kit(time, platform, MemoryLog(time.clock), Wire(platform))

    return make


@pytest.fixture
async def wire(time, new_wire):
    kit = new_wire(time)
    yield kit
    await kit.stop()


@pytest.fixture
async def kit(time, platform):
    kit = Kit(time, platform, MemoryLog(time.clock), Impatient(platform))
    yield kit
    await kit.stop(0)


@pytest.fixture
def answer():
    return Answer


@pytest.fixture
def new_time():
    return Time


@pytest.fixture
def still_busy():
    return StillBusyError
