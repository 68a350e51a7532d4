"""Everything around the events: health, paths that do not exist, and what is no HTTP."""

import json

import pytest

from proxy.collector.express import ExpressRunner
from proxy.collector.store import Store
from proxy.errors import LogUnavailable
from proxy.event import Event

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", "Host": "t.shop.example"}


async def test_it_is_alive_and_ready(site):
    for path in ("/healthz", "/readyz"):
        answer = await site.client.get(path)
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        assert answer.headers["Cache-Control"] == "no-store"


async def test_it_is_alive_but_not_ready_while_the_log_takes_nothing(site, log, clock):
    log.broken = "disk full: /some/path"
    await site.post({"name": "lead", "consent": {"marketing": "granted"}})
    answer = await site.client.get("/readyz")
    assert answer.status == 503
    assert "path" not in await answer.text()
    assert (await site.client.get("/healthz")).status == 200
    clock.now_ms += 10_000
    assert (await site.client.get("/readyz")).status == 200  # worth a try again
    await site.post({"name": "lead", "consent": {"marketing": "granted"}})
    assert (await site.client.get("/readyz")).status == 503
    log.broken = ""
    await site.post({"name": "lead", "consent": {"marketing": "granted"}})
    assert (await site.client.get("/readyz")).status == 200


async def test_a_log_that_cannot_be_read_is_not_ready(clock):
    class Unreadable:
        async def append(self, events, proofs=(), refusals=()):
            return len(events)

        async def stats(self):
            raise LogUnavailable("gone")

    store = Store(Unreadable(), clock)
    await store.keep([Event(id="a", name="b", time=1)], "browser").known
    assert await store.trouble() == "gone"


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/e/", "/E", "/tracker.js/x", "/../etc/passwd", "/metrics", "/status.json"]
)
async def test_other_paths_are_404_in_json(site, path):
    answer = await site.client.get(path, headers={"Accept": "text/html"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert "error" in await answer.json()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/e", "OPTIONS, POST"),
        ("PUT", "/e", "OPTIONS, POST"),
        ("POST", "/tracker.js", "GET, HEAD"),
        ("DELETE", "/n.gif", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_other_methods_are_405_and_say_which_are_meant(site, method, path, allowed):
    answer = await site.client.request(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed
    assert allowed in (await answer.json())["error"]


async def test_paths_can_be_moved(start, stored):
    site = await start("paths: {prefix: /fh, events: /in, script: /s.js, pixel: /p.gif}")
    headers = {**BROWSER, "Origin": "https://www.shop.example"}
    body = json.dumps({"name": "lead", "consent": {"marketing": "granted"}})
    assert (await site.client.post("/fh/in", data=body, headers=headers)).status == 204
    assert (await site.client.get("/fh/s.js")).status == 200
    assert (await site.client.get("/fh/p.gif")).status == 200
    assert (await site.client.get("/healthz")).status == 200
    assert (await site.client.post("/e", data=body, headers=headers)).status == 404
    assert len(await stored()) == 1


@pytest.mark.parametrize(
    ("setting", "honoured"), [("refuse_sale", True), ("refuse_marketing", True), ("ignore", False)]
)
async def test_the_gpc_statement_says_what_is_done(start, setting, honoured):
    site = await start(f"consent: {{gpc: {setting}}}")
    answer = await site.client.get("/.well-known/gpc.json")
    assert (answer.status, await answer.json()) == (200, {"gpc": honoured})


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 500 + b"\r\n",
        b"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_400_without_a_trace(site, request_bytes):
    answer = await site.raw(request_bytes)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"Traceback" not in answer
    assert b"<html" not in answer


@pytest.mark.parametrize(
    ("version", "connection"), [("1.0", ""), ("1.0", "Connection: keep-alive\r\n"), ("1.1", "Connection: close\r\n")]
)
async def test_a_client_that_keeps_no_connection_is_told_that_it_ends(site, version, connection):
    body = b'{"name":"lead"}'
    answer = await site.raw(
        f"POST /e HTTP/{version}\r\nHost: t.shop.example\r\nOrigin: https://www.shop.example\r\n"
        f"User-Agent: Firefox\r\nContent-Length: {len(body)}\r\n{connection}\r\n".encode()
        + body
    )
    assert answer.startswith(b"HTTP/1.1 204")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_several_requests_share_a_connection(site):
    one = (
        b"POST /e HTTP/1.1\r\nHost: t.shop.example\r\nOrigin: https://www.shop.example\r\nUser-Agent: Firefox\r\n"
        b'Content-Length: 15\r\n\r\n{"name":"lead"}'
    )
    last = one.replace(b"User-Agent", b"Connection: close\r\nUser-Agent")
    answer = await site.raw(one + one + last)
    assert answer.count(b"HTTP/1.1 204 No Content") == 3


async def test_answers_carry_their_date(site, clock):
    answer = await site.client.get("/healthz")
    assert answer.headers["Date"] == "Mon, 21 Sep 2026 14:13:20 GMT"


async def test_no_answer_tells_what_runs_here_or_lets_its_type_be_guessed(start, runner, log):
    if runner is not ExpressRunner:
        pytest.skip("the service runs behind this one only")
    site = await start()
    requests = [
        f"{route.method} {route.resource.canonical}" for route in site.client.app.router.routes() if route.method != "*"
    ]
    requests += ["GET /nothing", "DELETE /e", "GET /\x01", "POST /e", "PRI *", "GET /n.gif?url=x"]
    log.broken = "full"
    for line in requests:
        body = '{"name": "lead", "consent": {"marketing": "granted"}}'
        head = f"Host: a\r\nOrigin: https://www.shop.example\r\nUser-Agent: Firefox\r\nContent-Length: {len(body)}\r\n"
        answer = await site.raw(f"{line} HTTP/1.1\r\n{head}Connection: close\r\n\r\n{body}".encode())
        head = answer.partition(b"\r\n\r\n")[0].decode().lower()
        assert head.startswith("http/1.1 "), line
        assert "server:" not in head, line
        assert "aiohttp" not in head, line
        assert ("content-type:" in head) == ("x-content-type-options: nosniff" in head), line
