"""Answers, rendered by hand: the few that exist are known beforehand, and aiohttp's own cost more than storing an event
(`tests/bench/ingest.py --parts`).

An `Answer` is immutable; a request's own lines (CORS, Set-Cookie) are added by `Answer.reply`, which gives aiohttp the
response object it expects. Every body is short; every error is JSON with the key `error`.
"""

from __future__ import annotations

from email.utils import formatdate
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from proxy.event import encode_json

JSON = "application/json"
NO_STORE = b"Cache-Control: no-store\r\n"


class RequestRefusal(StrEnum):
    """Why a whole request was answered 4xx or 503; a metric label beside `proxy.wire.Reason`."""

    ORIGIN = "origin"  # a page that is not in site.origins
    INGEST_KEY = "ingest_key"  # Authorization that is not one of ingest_keys
    TOO_LARGE = "too_large"  # more than 512 KiB
    ENCODING = "encoding"  # a compressed body
    INCOMPLETE = "incomplete"  # the body ended early
    ALL_REFUSED = "all_refused"  # read, but none of its events is usable
    NOT_FOUND = "not_found"  # no such path
    METHOD = "method"  # no such method on that path
    BAD_HTTP = "bad_http"  # not HTTP as we speak it
    RATE_ADDRESS = "rate_address"  # one address sent too many events
    RATE_SITE = "rate_site"  # all browsers together did
    CONNECTIONS = "connections"  # more connections than one process takes
    CONNECTIONS_ADDRESS = "connections_address"  # more than one address may have
    LOG_UNAVAILABLE = "log_unavailable"  # the event log takes nothing now


class Answer:
    """Status, headers and body, ready to be sent any number of times."""

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, *lines: bytes, body: bytes = b"", content_type: str | None = None) -> None:
        """`lines`: complete header lines, each ending in CRLF."""
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode(), *lines]
        if content_type is not None:
            head.append(f"Content-Type: {content_type}\r\nX-Content-Type-Options: nosniff\r\n".encode())
        if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            head.append(b"Content-Length: %d\r\n" % len(body))
        self.status, self.head, self.body = status, b"".join(head), body

    def reply(self, now_ms: int, *lines: bytes) -> Reply:
        """This answer to one request, with more header lines."""
        return Reply(self.status, b"".join((self.head, *lines, _date_line(now_ms // 1000))), self.body)


def failure(status: int, error: str, *lines: bytes, **more: Any) -> Answer:
    """A JSON answer that says what is wrong: `{"error": …}` and what else the sender should know."""
    return Answer(status, NO_STORE, *lines, body=encode_json({"error": error, **more}) + b"\n", content_type=JSON)


def success(value: Any) -> Answer:
    return Answer(200, NO_STORE, body=encode_json(value) + b"\n", content_type=JSON)


LOG_UNAVAILABLE = failure(503, "the events cannot be stored now; keep them and try again", b"Retry-After: 5\r\n")


@lru_cache(maxsize=2)
def _date_line(now_s: int) -> bytes:
    return f"Date: {formatdate(now_s, usegmt=True)}\r\n".encode()


class Reply(web.StreamResponse):
    """What aiohttp calls to send an `Answer`: head and body leave in one write. Nothing of its base class is used, so
    its constructor, which costs more than all of this, is not called."""

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        self._status, self._head, self._body_bytes = status, head, body
        self._keep_alive = True

    def force_close(self) -> None:
        self._keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if not (request.keep_alive and request.version >= HttpVersion11):
            self._keep_alive = False
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(self.wire(has_body=request.method != "HEAD"))
        await request.writer.drain()  # who sends requests and does not read must not fill our memory
        return None

    def wire(self, *, has_body: bool = True) -> bytes:
        """The answer's bytes."""
        end = b"\r\n" if self._keep_alive else b"Connection: close\r\n\r\n"
        return b"".join((self._head, end, self._body_bytes if has_body else b""))

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything has been sent."""
