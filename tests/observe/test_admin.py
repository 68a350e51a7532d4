"""The operator's listener: who may read it, and what it shows."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings

from proxy.collector.bad_http import server_logger
from proxy.collector.express import ExpressRunner
from proxy.config.load import read
from proxy.config.settings import LogSettings
from proxy.destinations import load_all
from proxy.errors import LogUnavailable
from proxy.event import Event, replace
from proxy.log.base import Aside, DeadLetter, LastPurge, LogStats, Outcome
from proxy.log.memory import MemoryLog
from proxy.observe import metrics
from proxy.observe.admin import make_admin_app, status as status_of
from tests.any_bytes import is_fine, requests, thrown

NOW = 1_790_000_000_000
CONFIG = """
site: {origins: ["https://www.shop.example"]}
destinations:
  meta: {kind: meta, pixel_id: "1", access_token: very-secret-token}
  later: {kind: meta, pixel_id: "2", access_token: very-secret-token, enabled: false}
"""
DESTINATIONS = read(CONFIG, Path("config.yaml"), {}).destinations


class Admin(TestServer):
    """Behind the runner that serves it."""

    async def _make_runner(self, **more):
        return ExpressRunner(self.app, logger=server_logger(), **more)


@pytest.fixture
def now():
    return [NOW]


@pytest.fixture
def log(now):
    return MemoryLog(lambda: now[0])


@pytest.fixture
def start(aiohttp_client, log, now):
    async def started(the_log=None, token=None):
        app = make_admin_app(token, DESTINATIONS, the_log or log, lambda: now[0])
        return await aiohttp_client(Admin(app))

    return started


@pytest.fixture
async def admin(start):
    return await start()


async def test_metrics_are_shown_with_the_log_measured_now(admin, log, now):
    await log.append([Event(id=str(number), name="lead", time=NOW) for number in range(3)])
    aside = (Aside(seq=1, tried_ms=NOW, due_ms=NOW),)
    batch = await log.read("meta", 10)
    await log.commit(batch, Outcome(settled=(), state=replace(batch.state, aside=aside)))
    now[0] += 90_000
    answer = await admin.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = await answer.text()
    assert 'firsthand_destination_waiting_events{destination="meta"} 3.0' in text
    assert 'firsthand_destination_lag_seconds{destination="meta"} 90.0' in text
    assert 'firsthand_destination_set_aside_events{destination="meta"} 1.0' in text
    assert "firsthand_events_duplicate_total" in text


async def test_status_shows_the_log_and_every_configured_destination(admin, log):
    await log.append([Event(id=str(number), name="lead", time=NOW) for number in range(3)])
    batch = await log.read("meta", 1)
    state = batch.state.__class__(paused="token_expired", last_error="190: expired", delivered=7, dead=1)
    letter = DeadLetter(seq=batch.entries[0].seq, why="expired", detail="", at_ms=NOW)
    await log.commit(batch, Outcome(settled=(), dead=[letter], state=state))
    answer = await admin.get("/status.json")
    assert answer.status == 200
    shown = await answer.json()
    assert shown["now_ms"] == NOW
    assert shown["log"] == {
        "events": 3,
        "oldest_ms": NOW,
        "bytes": 0,
        "used_bytes": 0,
        "max_bytes": None,
        "is_full": False,
        "when_full": "refuse",
        "consents": 0,
        "erased": 0,
        "keeps_days": {"events": 30, "dead": 7, "consents": 1490, "erased": 400},
        "last_purge": None,
    }
    meta, later = shown["destinations"]
    assert (meta["name"], meta["kind"], meta["enabled"]) == ("meta", "meta", True)
    assert (meta["waiting"], meta["oldest_waiting_ms"], meta["dead"]) == (2, NOW, 1)
    assert (meta["paused"], meta["last_error"], meta["delivered"]) == ("token_expired", "190: expired", 7)
    assert (later["name"], later["enabled"], later["waiting"], later["last_delivery_ms"]) == ("later", False, 0, None)
    assert "very-secret-token" not in json.dumps(shown)


async def test_a_log_that_cannot_be_read_is_said_and_the_counters_stay(start):
    class Unreadable:
        async def stats(self):
            raise LogUnavailable("reading log.db: disk I/O error")

    admin = await start(Unreadable())
    answer = await admin.get("/status.json")
    assert (answer.status, (await answer.json())["error"]) == (503, "reading log.db: disk I/O error")
    answer = await admin.get("/metrics")
    assert answer.status == 200
    assert "firsthand_events_duplicate_total" in await answer.text()


@pytest.mark.parametrize("path", ["/metrics", "/status.json", "/nothing"])
@pytest.mark.parametrize(
    "given", [None, "Bearer wrong", "Bearer ", "Basic s3cret-token", "s3cret-token", "Bearer \xe9"]
)
async def test_with_a_token_everything_asks_for_it(start, path, given):
    admin = await start(token="s3cret-token")
    answer = await admin.get(path, headers={"Authorization": given} if given else {})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "firsthand" not in await answer.text()


async def test_the_token_opens_from_anywhere(start):
    admin = await start(token="s3cret-token")
    headers = {"Authorization": "bearer s3cret-token", "Host": "ops.shop.example"}
    assert (await admin.get("/metrics", headers=headers)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "", "203.0.113.7"])
async def test_without_a_token_a_name_that_points_here_is_not_enough(admin, host):
    answer = await admin.get("/status.json", headers={"Host": host})
    assert answer.status == 403
    assert "admin.open" in (await answer.json())["error"]


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "[::1]:8081", "LOCALHOST"])
async def test_without_a_token_localhost_is(admin, host):
    assert (await admin.get("/status.json", headers={"Host": host})).status == 200


async def test_other_paths_and_methods_are_answered_in_json(admin):
    for method, path, status in (("GET", "/", 404), ("GET", "/e", 404), ("POST", "/metrics", 405)):
        answer = await admin.request(method, path)
        assert answer.status == status
        assert "/status.json" in (await answer.json())["error"]


async def test_a_token_in_the_address_is_not_looked_at(start):
    admin = await start(token="s3cret-token")
    for query in ("token", "access_token", "admin.token"):
        assert (await admin.get("/metrics", params={query: "s3cret-token"})).status == 401


@pytest.mark.parametrize(
    ("path", "status"), [("/metrics", 200), ("/status.json", 200), ("/nothing", 404), ("/metrics\r\nX", 400)]
)
async def test_no_answer_can_be_framed_guessed_at_kept_or_tells_what_runs_here(admin, path, status):
    reader, writer = await asyncio.open_connection(admin.host, admin.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.read()).decode().partition("\r\n\r\n")[0]
    writer.close()
    assert head.startswith(f"HTTP/1.1 {status}")
    assert "X-Content-Type-Options: nosniff" in head
    assert "Cache-Control: no-store" in head
    assert "server:" not in head.lower()
    assert "aiohttp" not in head.lower()
    assert "python" not in head.lower()
    if status != 400:
        assert "X-Frame-Options: DENY" in head
        assert "frame-ancestors 'none'" in head


async def test_the_status_tells_what_was_not_kept_of_what_came(admin):
    before = (await (await admin.get("/status.json")).json())["collected"]
    metrics.events_dropped.labels("no_consent").inc(2)
    metrics.personal_removed.labels("page.title").inc()
    after = (await (await admin.get("/status.json")).json())["collected"]
    assert after["dropped"]["no_consent"] == before["dropped"].get("no_consent", 0) + 2
    assert after["personal_removed"]["page.title"] == before["personal_removed"].get("page.title", 0) + 1


@pytest.mark.parametrize("token", [None, "s3cret-token"])
async def test_no_bytes_upset_it(start, token):
    admin, loop = await start(token=token), asyncio.get_running_loop()
    address = (admin.host, admin.port)

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(data=requests(["/metrics", "/status.json", "/nothing"]))
    def try_it(data):
        answer = asyncio.run_coroutine_threadsafe(thrown(address, data), loop).result(100)
        assert is_fine(answer), (data, answer)
        assert token is None or b"HTTP/1.1 200" not in answer

    await asyncio.to_thread(try_it)
    assert (await admin.get("/metrics", headers={"Authorization": f"Bearer {token}"})).status == 200


def test_the_manual_shows_every_field_of_the_status_and_no_other():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    example = json.loads(page.split("```json\n")[1].split("```")[0])
    purge = LastPurge(at_ms=1)
    stats = LogStats(events=1, oldest_ms=1, bytes=1, head=1, readers=(), last_purge=purge)
    destination = load_all()["meta"]("meta", load_all()["meta"].Settings(kind="meta", pixel_id="1", access_token="t"))
    shown = status_of(stats, {"meta": destination}, 1, LogSettings())
    assert list(example) == [*shown, "collected"]
    for section in ("log", "destinations"):
        said, is_so = (one[0] if isinstance(one, list) else one for one in (example[section], shown[section]))
        assert list(said) == list(is_so)
    for part in ("keeps_days", "last_purge"):
        assert list(example["log"][part]) == list(shown["log"][part])
