"""Where one request ends and the next begins: nobody in front of us may be made to see it differently.

Every case carries a second request, hidden where a careless reader would find one. It must not be answered, and its
event must not be stored. In one piece, as the express lane likes it, and cut at every line, which is aiohttp's.
"""

import asyncio
import json
from contextlib import suppress

import pytest

from proxy.collector.express import ExpressRunner
from tests.collector.conftest import BROWSER, ORIGIN

HIDDEN_BODY = json.dumps({"id": "hidden", "name": "lead", "consent": {"marketing": "granted"}}).encode()
FIRST_BODY = json.dumps({"id": "first", "name": "lead", "consent": {"marketing": "granted"}}).encode()
COMMON = f"Host: t.shop.example\r\nOrigin: {ORIGIN}\r\nUser-Agent: {BROWSER}\r\n".encode()
HIDDEN = b"POST /e HTTP/1.1\r\n" + COMMON + b"Content-Length: %d\r\n\r\n" % len(HIDDEN_BODY) + HIDDEN_BODY
LENGTH = b"Content-Length: %d\r\n" % len(FIRST_BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n" % len(FIRST_BODY) + FIRST_BODY + b"\r\n0\r\n\r\n"
BOTH = len(FIRST_BODY) + len(HIDDEN)


@pytest.fixture
def runner():
    return ExpressRunner


def post(lines, body, first=b"POST /e HTTP/1.1\r\n"):
    return first + COMMON + lines + b"\r\n" + body


AMBIGUOUS = {
    "length and chunks": post(LENGTH + CHUNKED, CHUNKS + HIDDEN),
    "chunks and length": post(CHUNKED + LENGTH, CHUNKS + HIDDEN),
    "short length and chunks": post(b"Content-Length: 4\r\n" + CHUNKED, CHUNKS + HIDDEN),
    "two lengths": post(LENGTH + b"Content-Length: %d\r\n" % BOTH, FIRST_BODY + HIDDEN),
    "two lengths, the larger first": post(b"Content-Length: %d\r\n" % BOTH + LENGTH, FIRST_BODY + HIDDEN),
    "the same length twice": post(LENGTH + LENGTH, FIRST_BODY + HIDDEN),
    "lengths in a list": post(b"Content-Length: 4, 4\r\n", b"null" + HIDDEN),
    "length with a sign": post(b"Content-Length: +4\r\n", b"null" + HIDDEN),
    "length below nothing": post(b"Content-Length: -4\r\n", b"null" + HIDDEN),
    "length in hex": post(b"Content-Length: 0x4\r\n", b"null" + HIDDEN),
    "length with a gap": post(b"Content-Length: 4 4\r\n", b"null" + HIDDEN),
    "length with an underscore": post(b"Content-Length: 1_0\r\n", b"null" + HIDDEN),
    "length in other digits": post("Content-Length: \u0664\r\n".encode(), b"null" + HIDDEN),
    "length empty": post(b"Content-Length: \r\n", HIDDEN),
    "length beyond all": post(b"Content-Length: 99999999999999999999999\r\n", b"null" + HIDDEN),
    "chunked twice": post(CHUNKED + CHUNKED, CHUNKS + HIDDEN),
    "chunked and another": post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS + HIDDEN),
    "not quite chunked": post(b"Transfer-Encoding: xchunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "chunked in two lines": post(b"Transfer-Encoding: identity\r\n" + CHUNKED + LENGTH, CHUNKS + HIDDEN),
    "chunked behind a line feed": post(b"X: 1\nTransfer-Encoding: chunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "chunked behind a carriage return": post(b"X: 1\rTransfer-Encoding: chunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "space before the colon": post(b"Transfer-Encoding : chunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "tab before the colon": post(b"Transfer-Encoding\t: chunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "folded line": post(b"X: 1\r\n Transfer-Encoding: chunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "folded length": post(b"Content-Length:\r\n 4\r\n", b"null" + HIDDEN),
    "no name": post(b": 1\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "no colon": post(b"Transfer-Encoding\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "zero byte in a value": post(b"X: a\x00b\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "zero byte in a name": post(b"X\x00: a\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "vertical tab before chunked": post(b"Transfer-Encoding: \x0bchunked\r\n" + LENGTH, FIRST_BODY + HIDDEN),
    "lines ended by line feeds": post(LENGTH, FIRST_BODY + HIDDEN).replace(b"\r\n", b"\n"),
    "head ended by line feeds": post(b"", b"")[:-2] + b"\n\n" + HIDDEN,
    "chunk size signed": post(CHUNKED, b"+4\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk size prefixed": post(CHUNKED, b"0x4\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk size beyond all": post(CHUNKED, b"FFFFFFFFFFFFFFFFFFFF\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk size below nothing": post(CHUNKED, b"-4\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk size with a gap": post(CHUNKED, b"0 4\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk longer than it says": post(CHUNKED, b"3\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "chunk ended by a line feed": post(CHUNKED, b"4\r\nnull\n0\r\n\r\n" + HIDDEN),
    "chunk size ended by a line feed": post(CHUNKED, b"4\nnull\r\n0\r\n\r\n" + HIDDEN),
    "line feed in a chunk extension": post(CHUNKED, b"4;x=\n1\r\nnull\r\n0\r\n\r\n" + HIDDEN),
    "two first lines": post(LENGTH, FIRST_BODY + HIDDEN, b"POST /e HTTP/1.1 \r\nPOST /e HTTP/1.1\r\n"),
    "line feed in the address": post(LENGTH, FIRST_BODY + HIDDEN, b"POST /e?a=\nb HTTP/1.1\r\n"),
    "another version": post(LENGTH, FIRST_BODY + HIDDEN, b"POST /e HTTP/2.0\r\n"),
    "no version": post(LENGTH, FIRST_BODY + HIDDEN, b"POST /e\r\n"),
}

CLEAR = {
    "hidden in a body": post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "hidden in the body of a GET": b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    + HIDDEN,
    "hidden in a chunk": post(CHUNKED, b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "hidden in a chunk extension": post(CHUNKED, b"4;x=" + HIDDEN.partition(b"\r\n")[0] + b"\r\nnull\r\n0\r\n\r\n"),
    "hidden in trailers": post(CHUNKED, b"4\r\nnull\r\n0\r\nX: POST /e HTTP/1.1\r\nContent-Length: 4\r\n\r\n"),
    "hidden behind a wrong path": post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, b"POST /nothing HTTP/1.1\r\n"),
}


async def spoken(site, pieces):
    """Every piece by itself, then all that comes back until the connection is closed or says nothing more."""
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port)
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            for _ in range(10):  # the server shares this loop: let it see this piece by itself
                await asyncio.sleep(0)
        writer.write_eof()
    answer = b""
    with suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65_536), 30):
            answer += piece
    writer.transport.abort()
    return answer


def by_line(request):
    return [line + b"\n" for line in request.split(b"\n")]


@pytest.mark.parametrize("cut", [lambda request: [request], by_line], ids=["whole", "by line"])
@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(start, stored, request_, cut):
    answer = await spoken(await start(), cut(request_))
    assert b"hidden" not in [event.id.encode() for event in await stored()]
    assert answer.count(b"HTTP/1.") <= 1
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 413", b"HTTP/1.1 501"))


@pytest.mark.parametrize("cut", [lambda request: [request], by_line], ids=["whole", "by line"])
@pytest.mark.parametrize("request_", CLEAR.values(), ids=CLEAR)
async def test_a_body_is_a_body_whatever_it_looks_like(start, stored, request_, cut):
    answer = await spoken(await start(), cut(request_))
    assert [event.id for event in await stored()] == []
    assert answer.count(b"HTTP/1.") <= 1  # none: a reset after the 400 overtook it


async def test_what_follows_a_refused_request_on_its_connection_is_never_read(start, stored):
    site = await start()
    for request_ in AMBIGUOUS.values():
        await spoken(site, [request_, HIDDEN, HIDDEN])
    assert [event.id for event in await stored() if event.id == "hidden"] == []


FORWARDED = "listen: {trusted_proxies: [127.0.0.0/8]}"


@pytest.mark.parametrize(
    ("lines", "ip"),
    [
        (b"X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        (b"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        (b"x-forwarded-for: 198.51.100.1, 203.0.113.7\r\n", "203.0.113.7"),
        (b"X_Forwarded_For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        (b"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 127.0.0.1\r\n", "203.0.113.7"),
        (b"Forwarded: for=198.51.100.1\r\nX-Real-IP: 198.51.100.1\r\n", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("cut", [lambda request: [request], by_line], ids=["whole", "by line"])
async def test_only_the_proxys_own_word_says_who_the_visitor_is(start, stored, lines, ip, cut):
    site = await start(FORWARDED)
    await spoken(site, cut(post(LENGTH + lines, FIRST_BODY)))
    (event,) = await stored()
    assert event.client.ip == ip


async def test_of_the_answers_head_nothing_comes_from_the_request_but_its_permitted_origin(start):
    site = await start()
    odd = b"X-Request-Id: marked\r\nCookie: a=marked\r\nReferer: https://marked.example/\r\n"
    for first in (b"POST /e HTTP/1.1\r\n", b"POST /marked HTTP/1.1\r\n", b"POST /e?marked HTTP/1.1\r\n"):
        answer = await spoken(site, [post(LENGTH + odd, FIRST_BODY, first)])
        assert b"marked" not in answer
    for origin in (
        b"https://evil.example\r\nX: marked",
        b"https://www.shop.example\nX: marked",
        b"https://marked.example",
    ):
        foreign = post(LENGTH, FIRST_BODY).replace(ORIGIN.encode(), origin)
        head = (await spoken(site, [foreign])).partition(b"\r\n\r\n")[0]
        assert b"marked" not in head
