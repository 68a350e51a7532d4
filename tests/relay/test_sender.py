"""The edge against a real socket: whatever the platform does, a `Reply` comes back."""

import asyncio
import gzip
import socket

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from proxy.destinations.base import Request
from proxy.relay.sender import BODY_MAX, NotPublicError, Sender, _public_socket

PATIENCE_S = 30  # with a busy machine


@pytest.fixture
async def sender():
    found = Sender()
    yield found
    await found.close()


def post(url, **more):
    return Request(method="POST", url=url, headers={"Content-Type": "application/json"}, body=b'{"data": []}', **more)


async def test_an_answer_comes_back_whole(sender, platform, answer):
    platform.script = [answer(429, {"error": "slow down"}, {"Retry-After": "7"})]
    reply = await sender.send(post(f"{platform.url}/events"), PATIENCE_S)
    assert (reply.status, reply.json(), reply.error) == (429, {"error": "slow down"}, "")
    assert reply.headers["retry-after"] == "7"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 503])
async def test_any_status_is_an_answer(sender, platform, answer, status):
    platform.script = [answer(status, b"<html>not json</html>")]
    reply = await sender.send(post(f"{platform.url}/events"), PATIENCE_S)
    assert (reply.status, reply.body) == (status, b"<html>not json</html>")


async def test_a_slow_platform_is_a_timeout(sender, platform, answer):
    platform.script = [answer(hang=True)]
    assert (await sender.send(post(f"{platform.url}/events"), 0.05)).error == "timeout"


async def test_an_answer_cut_in_the_middle_is_no_answer(sender, platform, answer):
    platform.script = [answer(body={"a": 1}, cut=True)]
    reply = await sender.send(post(f"{platform.url}/events"), PATIENCE_S)
    assert (reply.status, reply.error) == (0, "answer cut off")


async def test_a_dropped_connection_is_no_answer(sender, platform, answer):
    platform.script = [answer(drop=True)]
    reply = await sender.send(post(f"{platform.url}/events"), PATIENCE_S)
    assert reply.status == 0
    assert reply.error in {"connection closed before an answer", "connection reset"}


async def test_nobody_there_is_said_without_an_address(sender):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reply = await sender.send(post(f"http://127.0.0.1:{taken.getsockname()[1]}/?access_token=s3cret"), PATIENCE_S)
    assert (reply.status, reply.error) == (0, "connection refused")


@pytest.mark.parametrize(
    "url", ["", "no scheme", "http://", "ftp://x.example/", "http://[::1", "http://x.example:99999/"]
)
async def test_an_address_that_is_none_is_said(sender, url):
    reply = await sender.send(post(url), PATIENCE_S)
    assert reply.status == 0
    assert reply.error in {"invalid address", "invalid request"}


async def test_a_header_that_cannot_be_sent_is_said(sender, platform):
    request = Request(method="POST", url=f"{platform.url}/events", headers={"X-Click": "a\r\nX-Evil: 1"}, body=b"")
    assert (await sender.send(request, PATIENCE_S)).error == "invalid request"


async def test_something_that_is_not_http_is_said(sender):
    async def babble(reader, writer):
        await reader.readuntil(b"[]}")  # what is left unread when it closes would be a reset instead
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await sender.send(post(f"http://127.0.0.1:{port}/"), PATIENCE_S)).error == "answer is not HTTP"


async def serving(aiohttp_server, handler):
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    return str((await aiohttp_server(app)).make_url("/"))


async def test_redirects_are_not_followed(sender, aiohttp_server):
    seen = []

    async def handler(request):
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    assert (await sender.send(post(await serving(aiohttp_server, handler)), PATIENCE_S)).status == 307
    assert seen == ["/"]


async def test_cookies_are_not_kept_and_connections_are(sender, aiohttp_server):
    seen = []

    async def handler(request):
        seen.append((request.headers.get("Cookie"), request.transport.get_extra_info("peername")))
        answer = web.Response()
        answer.set_cookie("tracking", "us")
        return answer

    url = await serving(aiohttp_server, handler)
    for _ in range(3):
        await sender.send(post(url), PATIENCE_S)
    assert {cookie for cookie, _ in seen} == {None}
    assert len({peer for _, peer in seen}) == 1


async def test_an_endless_answer_is_read_only_so_far(sender, aiohttp_server):
    async def handler(request):
        packed = gzip.compress(b"x" * (BODY_MAX * 20))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    reply = await sender.send(post(await serving(aiohttp_server, handler)), PATIENCE_S)
    assert (reply.status, len(reply.body)) == (200, BODY_MAX)
    assert (await sender.send(post(await serving(aiohttp_server, handler)), PATIENCE_S)).status == 200


async def test_the_url_goes_out_byte_for_byte(sender, aiohttp_server):
    seen = []

    async def handler(request):
        seen.append(request.raw_path)
        return web.Response()

    url = await serving(aiohttp_server, handler)
    await sender.send(post(f"{url}a%2Fb?q=%7e%20x&m=a+b"), PATIENCE_S)
    assert seen == ["/a%2Fb?q=%7e%20x&m=a+b"]


async def test_a_proxy_from_the_environment_is_used_only_when_asked(platform, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    plain, asked = Sender(), Sender(proxies_from_env=True)
    assert (await plain.send(post(f"{platform.url}/events"), PATIENCE_S)).status == 200
    assert (await asked.send(post(f"{platform.url}/events"), PATIENCE_S)).status == 0
    await plain.close()
    await asked.close()


async def test_a_public_only_request_reaches_no_private_address(sender, platform):
    for host in ("127.0.0.1", "localhost"):
        url = platform.url.replace("127.0.0.1", host)
        reply = await sender.send(post(f"{url}/events", public_only=True), PATIENCE_S)
        assert (reply.status, reply.error) == (0, "address is not public")
    assert platform.requests == []
    assert (await sender.send(post(f"{platform.url}/events"), PATIENCE_S)).status == 200


class Rebinding(AbstractResolver):
    """A name that was public when somebody looked, and is this machine when we connect."""

    def __init__(self, port):
        self.port = port

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {"hostname": host, "host": address, "port": self.port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for address in ("127.0.0.1", "10.0.0.1")
        ]

    async def close(self):
        pass


async def test_what_counts_is_the_address_connected_to(sender, platform):
    connector = sender._open_public().connector
    await connector._resolver.close()
    connector._resolver = Rebinding(int(platform.url.rpartition(":")[2]))
    reply = await sender.send(post("http://crm.example/in", public_only=True), PATIENCE_S)
    assert (reply.status, reply.error) == (0, "address is not public")
    assert platform.requests == []


def test_a_public_address_gets_its_socket():
    with _public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("203.0.113.9", 443))) as made:
        assert made.family is socket.AF_INET
    with pytest.raises(NotPublicError):
        _public_socket((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::ffff:10.0.0.1", 443, 0, 0)))


async def test_a_public_only_request_takes_no_proxy(platform, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", platform.url)
    asked = Sender(proxies_from_env=True)
    reply = await asked.send(post("http://127.0.0.1:1/in", public_only=True), PATIENCE_S)
    await asked.close()
    assert reply.error == "address is not public"
    assert platform.requests == []
