"""The relay and the real Google destination, against answers in Google's own words; no access token is ever seen."""

import asyncio
import json
from urllib.parse import parse_qs

import pytest
import structlog

from proxy.destinations.base import Reply
from proxy.destinations.google_ads import GoogleAds
from proxy.event import User, replace
from proxy.relay import reader, receipts
from proxy.relay.sender import Sender

ACCESS = "ya29.access-token-"


class Google(Sender):
    """Token endpoint and events:ingest. `bad`: transaction ids it refuses by name. `say`: what it says next, as
    (status, body) or a function of the token."""

    def __init__(self):
        super().__init__()
        self.grants, self.requests, self.taken = [], [], []
        self.token_answers, self.answers, self.bad = [], [], {}
        self.asked, self.statuses = [], []
        self.lives_s = 3600

    async def send(self, request, timeout_s):
        await asyncio.sleep(0)
        if request.url == "https://oauth2.googleapis.com/token":
            self.grants.append(parse_qs(request.body.decode()))
            status, body = self.token_answers.pop(0) if self.token_answers else (200, None)
            sold = {"access_token": f"{ACCESS}{len(self.grants)}", "expires_in": self.lives_s, "token_type": "Bearer"}
            return Reply(status=status, body=json.dumps(sold if body is None else body).encode())
        if request.method == "GET":
            self.asked.append(request.url)
            assert request.headers["Authorization"].startswith("Bearer ")
            status, said = self.statuses.pop(0) if self.statuses else (200, {"requestStatusPerDestination": []})
            return Reply(status=status, body=json.dumps(said).encode())
        assert request.url == "https://datamanager.googleapis.com/v1/events:ingest"
        token, body = request.headers["Authorization"].removeprefix("Bearer "), json.loads(request.body)
        self.requests.append((token, [one["transactionId"] for one in body["events"]]))
        status, said = self.answers.pop(0)(token) if self.answers else self._own(body["events"])
        if status == 200:
            self.taken += [one["transactionId"] for one in body["events"]]
        return Reply(status=status, body=json.dumps(said).encode())

    def _own(self, events):
        found = [
            {"field": f"events[{place}].x", "reason": self.bad[one["transactionId"]], "description": "says Google"}
            for place, one in enumerate(events)
            if one["transactionId"] in self.bad
        ]
        return error(400, "INVALID_ARGUMENT", *found) if found else (200, {"requestId": "r-1"})


def error(status, word, *violations, message="no"):
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    return status, {"error": {"code": status, "message": message, "status": word, "details": [detail]}}


@pytest.fixture
def google(wire):
    wire.sender = Google()
    return wire.sender


@pytest.fixture
def ads():
    login = {"client_id": "c", "client_secret": "client-s3cret", "refresh_token": "refresh-s3cret"}
    settings = GoogleAds.Settings(
        kind="google_ads", customer_id="1234567890", conversion_actions={"purchase": "1"}, **login
    )
    return GoogleAds("one", settings)


@pytest.fixture
def sales(wire):
    return lambda count: [replace(one, user=User(email=("ann@example.com",))) for one in wire.events(count)]


async def test_one_token_is_bought_for_many_requests(wire, google, ads, sales):
    sent = await wire.append(*sales(250))
    await wire.start(ads)
    await wire.time.until_idle()
    assert google.taken == sent
    assert [(token, len(ids)) for token, ids in google.requests] == [(f"{ACCESS}1", 100), (f"{ACCESS}1", 100), (f"{ACCESS}1", 50)]  # fmt: skip
    assert google.grants == [
        {
            "grant_type": ["refresh_token"],
            "client_id": ["c"],
            "client_secret": ["client-s3cret"],
            "refresh_token": ["refresh-s3cret"],
        }
    ]


async def test_one_bad_event_of_five_costs_itself_and_the_others_go_at_once(wire, google, ads, sales):
    events = sales(5)
    google.bad = {events[3].id: "INVALID_CURRENCY_CODE"}
    sent = await wire.append(*events)
    await wire.start(ads)
    await wire.time.until_idle()
    assert [len(ids) for _, ids in google.requests] == [5, 4]
    assert google.taken == [one for one in sent if one != events[3].id]
    ((event_id, (why, detail)),) = (await wire.dead()).items()
    assert (event_id, why) == (events[3].id, "invalid_currency_code")
    assert detail.startswith("says Google (events[3].x) ")


async def test_a_token_google_no_longer_takes_is_replaced_without_a_trace(wire, google, ads, sales):
    google.answers = [lambda token: error(401, "UNAUTHENTICATED")]
    sent = await wire.append(*sales(1))
    await wire.start(ads)
    assert await wire.time.until_idle() == []
    assert google.taken == sent
    assert [token for token, _ in google.requests] == [f"{ACCESS}1", f"{ACCESS}2"]
    assert not (await wire.state()).last_error


async def test_revoked_credentials_pause_with_advice_and_lose_nothing(wire, google, ads, sales):
    google.token_answers = [(400, {"error": "invalid_grant", "error_description": "Token has been revoked."})]
    sent = await wire.append(*sales(3))
    await wire.start(ads)
    assert await wire.time.next_sleep() == 300
    state = await wire.state()
    assert state.paused.startswith("invalid_grant: With a service account")
    assert (await wire.stats()).waiting == 3
    wire.time.advance(300)
    await wire.time.until_idle()
    assert google.taken == sent
    assert not (await wire.state()).paused


async def test_a_token_endpoint_that_is_down_is_tried_again(wire, google, ads, sales):
    google.token_answers = [(503, {}), (500, {"error": "server_error"})]
    sent = await wire.append(*sales(1))
    await wire.start(ads)
    assert len(await wire.time.until_idle()) == 2
    assert google.taken == sent


async def test_tokens_and_secrets_are_in_no_log_error_or_dead_letter(wire, google, ads, sales):
    """Google quotes what it was sent, in every kind of answer; nothing of it stays."""
    quoting = [
        lambda token: error(401, "UNAUTHENTICATED", message=f"bad token {token}"),
        lambda token: error(403, "PERMISSION_DENIED", message=f"token {token} of refresh-s3cret"),
        lambda token: error(503, "UNAVAILABLE", message=f"{token}"),
        lambda token: error(400, "INVALID_ARGUMENT", {"field": "events[0].x", "description": f"{token} client-s3cret"}),
        lambda token: (200, {"fieldWarnings": [{"reason": "WARNING_REASON_GENERIC", "description": f"saw {token}"}]}),
    ]
    google.answers = quoting
    google.token_answers = [
        (200, None),
        (200, None),
        (400, {"error": "x", "error_description": "client-s3cret is bad"}),
    ]
    google.lives_s = 60  # so that every request needs a new one
    seen = []
    await wire.append(*sales(2))
    with structlog.testing.capture_logs() as logs:
        await wire.start(ads)
        for _ in range(12):
            seconds = await wire.time.next_sleep()
            state = await wire.state()
            seen.append(f"{state.last_error} {state.paused}")
            if google.taken and seconds == 5.0:
                break
            wire.time.advance(seconds)
    text = f"{seen} {logs} {await wire.dead()}"
    assert google.taken
    assert len(await wire.dead()) == 1
    assert any("bad token" in one or "token *** of ***" in one for one in seen)
    for secret in (ACCESS, "client-s3cret", "refresh-s3cret"):
        assert secret not in text


async def test_the_declared_rate_is_kept(wire, google, ads, sales):
    single = GoogleAds("one", ads.settings.model_copy(update={"batch_size": 1}))
    await wire.append(*sales(45))
    started_ms = wire.time.now_ms
    await wire.start(single)
    waits = await wire.time.until_idle()
    assert len(google.taken) == 45
    assert len(waits) == 15  # thirty at once, then four to five a second
    assert 3_000 <= wire.time.now_ms - started_ms <= 3_500


STATUS = "https://datamanager.googleapis.com/v1/requestStatus:retrieve?requestId=r-1"


def said(word, processed=0, **errors):
    counts = [{"recordCount": str(count), "reason": reason} for reason, count in errors.items()]
    status = {"requestStatus": word, "errorInfo": {"errorCounts": counts}}
    return 200, {"requestStatusPerDestination": [{**status, "eventsIngestionStatus": {"recordCount": str(processed)}}]}


async def hours(wire, count):
    """Idle time passes; a receipt is looked at every few seconds."""
    for _ in range(2 * count):
        assert await wire.time.next_sleep() == reader.IDLE_S
        wire.time.advance(1800)


async def test_half_an_hour_later_google_is_asked_what_became_of_it(wire, google, ads, sales):
    google.statuses = [
        said("PROCESSING"),
        (503, {}),
        said("PARTIAL_SUCCESS", 3, PROCESSING_ERROR_REASON_INVALID_GCLID=1),
    ]
    await wire.append(*sales(3))
    await wire.start(ads)
    await wire.time.next_sleep()
    assert [one.id for one in (await wire.state()).receipts] == ["r-1"]
    wire.time.advance(1799)
    await wire.time.next_sleep()
    assert google.asked == []
    wire.time.advance(reader.IDLE_S)
    await hours(wire, 5)  # half an hour, then an hour, then two
    state = await wire.state()
    assert google.asked == [STATUS] * 3
    assert state.outcomes == {"invalid_gclid": 1, "processed": 2}
    assert state.receipts == ()
    assert state.delivered == 3
    assert len(google.requests) == 1  # nothing is sent again


async def test_a_receipt_survives_a_restart_and_a_busy_destination_keeps_a_sample(wire, google, ads, sales):
    single = GoogleAds("one", ads.settings.model_copy(update={"batch_size": 1}))
    await wire.append(*sales(60))
    await wire.start(single)
    await wire.time.until_idle()
    await wire.stop()
    assert len((await wire.state()).receipts) == receipts.KEEP
    google.statuses = [said("SUCCESS", 1)] * 60
    await wire.start(single)
    wire.time.advance(1900)
    for _ in range(receipts.KEEP + 2):
        await wire.time.next_sleep()
        wire.time.advance(5)
    assert google.asked == [STATUS]  # this Google gives every request the same name
    assert (await wire.state()).receipts == ()


async def test_a_check_leaves_no_receipt(wire, google, ads, sales):
    await wire.append(*sales(1))
    await wire.start(GoogleAds("one", ads.settings.model_copy(update={"validate_only": True})))
    await wire.time.until_idle()
    assert (await wire.state()).receipts == ()
