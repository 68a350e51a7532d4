"""Bytes as somebody might throw at a listener: pieces of requests, whole and broken, in any order; for hypothesis."""

import asyncio

from hypothesis import strategies as st

VERSIONS = (b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/9.9\r\n", b"\r\n", b" HTTP/1.1\n", b"\x00HTTP/1.1\r\n")
METHODS = (b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"PUT ", b"PRI ", b"get ", b"CONNECT ", b"")
LINES = (
    b"Host: localhost\r\n",
    b"Host: \xff\xfe\r\n",
    b"Host: [::1\r\n",
    b"Origin: https://www.shop.example\r\n",
    b"Origin: null\r\nSec-Fetch-Site: same-site\r\n",
    b"User-Agent: Firefox\r\n",
    b"Authorization: Bearer \xc3\x28\r\n",
    b"Authorization: \r\n",
    b"Cookie: _fh=AAAA; _fbp=fb.1.2.3; _fbc=\xe9; =; ;;\r\n",
    b"X-Forwarded-For: , 1.2.3.4, [::1]:x, unknown\r\n",
    b"X-Forwarded-Proto: HTTPS, http\r\n",
    b"Accept-Encoding: br;q=0, gzip;q=, *\r\n",
    b"If-None-Match: *\r\n",
    b"Content-Type: \x7f\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 99999\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"Sec-GPC: 1\r\nSec-Purpose: prefetch\r\n",
    b"Referer: https://www.shop.example/\xff\r\n",
)
BODIES = (b"{}", b"[]", b"\xff", b'{"name": "lead"}', b"2\r\n{}\r\n0\r\n\r\n", b"0\r\n\r\n", b"")


def requests(paths):
    """One or two requests to these paths, each with some of everything, and now and then plain noise."""
    path = st.sampled_from([path.encode() for path in paths]) | st.binary(max_size=20)
    query = st.just(b"") | st.binary(max_size=30).map(lambda text: b"?url=" + text)
    lines = st.lists(st.sampled_from(LINES) | st.binary(max_size=30), max_size=8).map(b"".join)
    method, version, body = (st.sampled_from(values) for values in (METHODS, VERSIONS, BODIES))
    one = st.tuples(method, path, query, version, lines, st.sampled_from([b"\r\n", b""]), body).map(b"".join)
    return st.lists(one | st.binary(max_size=60), min_size=1, max_size=2).map(b"".join)


async def thrown(address, data):
    """What comes back until the other side closes, for which it is given every reason."""
    reader, writer = await asyncio.open_connection(*address)
    answer = b""
    try:
        writer.write(data)
        for _ in range(60):  # the server shares this loop: it has answered by then, and closes at once when we do
            await asyncio.sleep(0)
        writer.write_eof()
        async with asyncio.timeout(30):
            while piece := await reader.read(65_536):
                answer += piece
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return answer


def is_fine(answer):
    """No answer at all, or answers none of which is a 5xx or tells about our code."""
    return b"Traceback" not in answer and b'File "' not in answer and b"\nHTTP/1.1 5" not in b"\n" + answer
