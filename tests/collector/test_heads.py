"""Reading the head of a usual request, remembered or not: as aiohttp would, or not at all."""

import asyncio
import json

import pytest
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given, strategies as st

from proxy.collector import heads
from proxy.collector.heads import OWN, Heads

ORIGIN = "https://www.shop.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
FIRST = b"POST /e HTTP/1.1\r\n"
NOT_ASCII = "\u00fc".encode()
MOST = 512 * 1024


def body(number=1, **more):
    return json.dumps({"id": f"e-{number}", "name": "lead", "consent": {"marketing": "granted"}, **more}).encode()


def request(content, *lines, first=FIRST, length=None):
    head = [f"Host: t.shop.example\r\nOrigin: {ORIGIN}\r\nUser-Agent: {AGENT}".encode(), *lines]
    head.append(b"Content-Length: %d" % (len(content) if length is None else length))
    return first + b"\r\n".join(head) + b"\r\n\r\n" + content


def fresh():
    return Heads(FIRST, lambda headers: headers.get("User-Agent"))


def read(chunk, _=FIRST):
    """What a reader without memory makes of it; one that has read it before says the same."""
    reader = fresh()
    usual, again = reader.read(chunk, MOST), reader.read(chunk, MOST)
    assert (usual is None) is (again is None)
    if usual is not None:
        assert (fields(usual), usual.body, usual.told) == (fields(again), again.body, again.told)
    return usual


def fields(usual):
    return {**usual.headers._rest, **usual.headers._own}


def test_a_usual_request_is_read():
    usual = read(request(b"{}", b"cookie:  a=b ", b"Connection: keep-alive"), FIRST)
    assert (usual.body, usual.headers.get("Cookie"), usual.headers.get("Origin")) == (b"{}", "a=b", ORIGIN)
    assert (usual.headers.get("Referer"), usual.headers.getall("X-Forwarded-For", ())) == (None, ())


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        FIRST,
        request(b"{}", first=b"POST /e HTTP/1.0\r\n"),
        request(b"{}", first=b"POST /e?x=1 HTTP/1.1\r\n"),
        request(b"{}", first=b"GET /e HTTP/1.1\r\n"),
        request(b""),
        request(b"{}", length=1),
        request(b"{}", length=3),
        request(b"{}", b"Content-Length: 2"),
        FIRST + b"Host: a\r\nContent-Length: +2\r\n\r\n{}",
        request(b"{}", b"Transfer-Encoding: chunked"),
        request(b"{}", b"Content-Encoding: gzip"),
        request(b"{}", b"Expect: 100-continue"),
        request(b"{}", b"Upgrade: websocket"),
        request(b"{}", b"Connection: close"),
        request(b"{}", b"Cookie: a=1", b"cookie: b=2"),
        request(b"{}", b"Cookie: a=" + NOT_ASCII),
        request(b"{}", b"Cookie: a=1\n X: 2"),
        request(b"{}", b"Cookie: a=1\rX: 2"),
        request(b"{}", b"Cookie: a\t=1"),
        request(b"{}", b" folded: 1"),
        request(b"{}", b"Transfer-Encoding : chunked"),
        request(b"{}", b"no colon"),
        request(b"{}", b"nocolon"),
        request(b"{}", b": no name"),
        request(b"{}", b"X-Long: " + b"a" * 8_000),
        request(b"{}", *(b"X-%d: 1" % number for number in range(100))),
        FIRST + b"Origin: a\r\nContent-Length: 2\r\n\r\n{}",
        request(b"{}") + b"P",
        request(b"{}") + request(b"{}"),
    ],
)
def test_anything_else_is_not(chunk):
    assert read(chunk, FIRST) is None


class _Nobody:
    """What a parser wants of its connection."""

    def __getattr__(self, _):
        return lambda *_, **__: None


def by_aiohttp(chunk):
    parser = HttpRequestParser(_Nobody(), asyncio.get_running_loop(), 2**16, auto_decompress=False)
    messages, upgraded, tail = parser.feed_data(chunk)
    assert (len(messages), upgraded, tail) == (1, False, b"")
    message, payload = messages[0]
    assert payload.is_eof()
    return message, b"".join(payload._buffer)


WHOLE = request(body(), b"Accept: */*", b"Cookie: _fh=abc; _fbp=fb.1.2.3", b"Sec-Fetch-Site: same-site")
BYTES = st.sampled_from([bytes([byte]) for byte in b" \t\r\n:;,-_0aZ\x00\x7f\x80\"'"] + [b"\r\n", b": ", b"Te: x\r\n"])


WARM = fresh()
"""One for all examples: what they have in common it remembers."""


@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 3), BYTES), max_size=4))
def test_what_it_reads_aiohttp_reads_the_same(changes):
    chunk = WHOLE
    for at, removed, added in changes:
        chunk = chunk[:at] + added + chunk[at + removed :]
    usual = WARM.read(chunk, MOST)
    assert (usual is None) is (read(chunk) is None)
    if usual is None:
        return

    async def compare():
        message, content = by_aiohttp(chunk)
        assert (message.method, message.path, message.should_close) == ("POST", "/e", False)
        assert {name.lower(): value for name, value in message.headers.items()} == fields(usual)
        assert content == usual.body

    asyncio.run(compare())


def test_what_a_head_tells_is_worked_out_once_whatever_cookie_length_and_address_are():
    asked = []
    reader = Heads(FIRST, lambda headers: asked.append(headers.get("User-Agent")) or len(asked))
    for cookie, address, content in ((b"a=1", b"192.0.2.1", b"{}"), (b"a=2", b"192.0.2.2", b"[{}]")):
        usual = reader.read(request(content, b"Cookie: " + cookie, b"x-forwarded-for: " + address), MOST)
        assert usual.headers.get("Cookie") == cookie.decode()
        assert usual.headers.getall("X-Forwarded-For", ()) == (address.decode(),)
        assert (usual.body, usual.told) == (content, 1)
    assert asked == [AGENT]
    assert reader.read(request(b"{}"), MOST).headers.get("Cookie") is None
    assert reader.read(request(b"{}", b"Sec-GPC: 1"), MOST).told == 2


def test_what_it_remembers_hears_nothing_of_what_a_request_has_for_itself():
    def told(headers):
        return [headers.get(name) for name in OWN]

    usual = Heads(FIRST, told).read(request(b"{}", b"Cookie: a=1", b"X-Forwarded-For: 192.0.2.1"), MOST)
    assert usual.told == [None] * len(OWN)


def test_a_head_with_a_key_in_it_is_not_remembered():
    reader = fresh()
    assert reader.read(request(b"{}", b"AUTHORIZATION: Bearer secret"), MOST)
    assert reader.read(request(b"{}", b"authorization: Bearer secret"), MOST)
    assert not reader._known


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(heads, "_REMEMBERED", 3)
    reader = fresh()
    for number in range(10):
        assert reader.read(request(b"{}", b"X-Number: %d" % number), MOST)
    assert len(reader._known) == 3
    assert reader.read(request(b"{}", b"X-Long: " + b"a" * 3_000), MOST)
    assert len(reader._known) == 3


def test_a_body_larger_than_allowed_is_not_usual():
    assert fresh().read(request(b"{}"), 2) is not None
    assert fresh().read(request(b"{ }"), 2) is None
