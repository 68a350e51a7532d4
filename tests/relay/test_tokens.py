"""Access tokens: bought when needed, kept, renewed early, replaced once when refused, and never seen by anybody."""

import asyncio

import pytest

from proxy.destinations import base
from proxy.destinations.base import Destination, DestinationSettings, Limits, Reply, Request, Secret, Token
from proxy.destinations.verdict import AuthBroken, Delivered, RetryLater
from proxy.relay.tokens import EARLY_MS, LAST_MS, Tokens

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
ASK = Request(method="POST", url="http://platform.test/in", headers={"X-A": "1"}, body=b"{}", needs_token=True)


class Shop(Destination, kind="token_shop"):
    class Settings(DestinationSettings):
        pass

    limits = Limits(batch=1, batch_default=1, max_age_s=1)

    def payload(self, event, now_ms):
        return {}

    def request(self, rows, positions):
        return ASK

    def judge(self, reply):
        return Delivered()

    def probe(self, now_ms):
        return ASK

    def token_request(self, now_ms):
        return Request(method="POST", url="http://platform.test/token", body=str(now_ms).encode())

    def read_token(self, reply, now_ms):
        if reply.status == 200:
            return Token(value=Secret(reply.body.decode()), expires_at_ms=now_ms + HOUR_MS)
        return AuthBroken("invalid_grant") if reply.status == 400 else RetryLater("token_unavailable")


del base.registry["token_shop"]  # a platform of these tests only


class Wire:
    """Sells `token-1`, `token-2`, … by script; the platform refuses tokens in `refused`."""

    def __init__(self):
        self.sold = 0
        self.sales = []  # statuses to answer with, before 200s
        self.refused = set()
        self.used = []
        self.headers = []

    async def send(self, request, timeout_s):
        await asyncio.sleep(0)
        if request.url.endswith("/token"):
            status = self.sales.pop(0) if self.sales else 200
            self.sold += status == 200
            return Reply(status=status, body=f"token-{self.sold}".encode() if status == 200 else b"no")
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.used.append(token)
        self.headers.append(request.headers)
        return Reply(status=401 if token in self.refused else 200, body=b'{"echo": "%s"}' % token.encode())


class Clock:
    now_ms = NOW_MS

    def __call__(self):
        return self.now_ms


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(wire, clock):
    return Tokens(Shop("shop", Shop.Settings(kind="token_shop")), wire, clock)


async def test_one_token_serves_until_five_minutes_before_its_end(tokens, wire, clock):
    for _ in range(3):
        assert (await tokens.send(ASK)).status == 200
    clock.now_ms += HOUR_MS - EARLY_MS - 1
    await tokens.send(ASK)
    clock.now_ms += 1
    await tokens.send(ASK)
    assert wire.used == ["token-1"] * 4 + ["token-2"]


async def test_the_token_joins_the_headers_of_the_request(tokens, wire):
    await tokens.send(ASK)
    assert wire.headers == [{"X-A": "1", "Authorization": "Bearer token-1"}]
    assert ASK.headers == {"X-A": "1"}


async def test_requests_at_the_same_time_buy_one_token(tokens, wire):
    await asyncio.gather(*(tokens.send(ASK) for _ in range(20)))
    assert (wire.sold, len(wire.used)) == (1, 20)


async def test_a_refused_token_is_replaced_once(tokens, wire):
    wire.refused = {"token-1"}
    assert (await tokens.send(ASK)).status == 200
    assert wire.used == ["token-1", "token-2"]


async def test_the_second_refusal_is_the_answer(tokens, wire):
    wire.refused = {"token-1", "token-2"}
    assert (await tokens.send(ASK)).status == 401
    assert wire.used == ["token-1", "token-2"]


async def test_refused_credentials_are_the_verdict(tokens, wire):
    wire.sales = [400]
    assert await tokens.send(ASK) == AuthBroken("invalid_grant")
    assert wire.used == []


async def test_a_token_endpoint_in_trouble_is_waited_out_and_nothing_is_kept_of_it(tokens, wire):
    wire.sales = [503]
    assert await tokens.send(ASK) == RetryLater("token_unavailable")
    assert (await tokens.send(ASK)).status == 200


@pytest.mark.parametrize(("left_ms", "used"), [(LAST_MS + 1, True), (LAST_MS, False), (-1, False)])
async def test_a_token_that_cannot_be_renewed_serves_to_its_last_minute(tokens, wire, clock, left_ms, used):
    await tokens.send(ASK)
    clock.now_ms += HOUR_MS - left_ms
    wire.sales = [503]
    answer = await tokens.send(ASK)
    assert isinstance(answer, Reply) is used
    assert wire.used == ["token-1"] * (2 if used else 1)


async def test_credentials_refused_at_renewal_pause_although_the_token_still_lives(tokens, wire, clock):
    await tokens.send(ASK)
    clock.now_ms += HOUR_MS - EARLY_MS
    wire.sales = [400]
    assert isinstance(await tokens.send(ASK), AuthBroken)


async def test_an_answer_that_quotes_the_token_is_cleaned(tokens):
    assert (await tokens.send(ASK)).body == b'{"echo": "***"}'


async def test_requests_without_need_pass_and_buy_nothing(wire, clock):
    class Open(Wire):
        async def send(self, request, timeout_s):
            return Reply(status=200, body=request.body)

    plain = Request(method="GET", url="http://platform.test", body=b"x")
    assert (await Tokens(Shop("s", Shop.Settings(kind="token_shop")), Open(), clock).send(plain)).body == b"x"


async def test_a_destination_that_cannot_buy_says_so(wire, clock):
    class Poor(Shop, kind="token_poor"):
        def token_request(self, now_ms):
            return None

    del base.registry["token_poor"]
    answer = await Tokens(Poor("s", Shop.Settings(kind="token_poor")), wire, clock).send(ASK)
    assert isinstance(answer, AuthBroken)
