"""`POST /e`: a batch of events from a page or a server. Reads, collects, stores, and only then answers.

204 when every event was fine (stored, stored before, or dropped without fault of the sender), 200 with a list when
some were refused, 4xx when nothing could be used, 429 and 503 when the sender should come back: docs/http.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

import msgspec
from aiohttp import web

from proxy.collector.answers import (
    LOG_UNAVAILABLE,
    NO_STORE,
    Answer,
    Reply,
    RequestRefusal,
    failure,
    success,
)
from proxy.collector.limits import TooMany
from proxy.collector.origin import PREFLIGHT_LINES, cors_lines
from proxy.collector.reception import Reception
from proxy.collector.store import Storing
from proxy.collector.visit import Headers, Manner, Visit, connection_of, text_of
from proxy.errors import LogUnavailable, WireError
from proxy.observe.metrics import requests_refused
from proxy.wire import Parsed, RefusedEvent, parse

MAX_BODY = 512 * 1024

_ACCEPTED = Answer(204, NO_STORE)
_PREFLIGHT = Answer(204, PREFLIGHT_LINES)
_TOO_LARGE = failure(413, f"the body is larger than {MAX_BODY // 1024} KiB; send fewer events per request")
_COMPRESSED = failure(415, "compressed bodies are not read; send the JSON as it is")
_INCOMPLETE = failure(400, "the body ended early, or took too long to arrive")
_FAULT = failure(500, "something is wrong here; keep the events and send them again")
_BAD_KEY = failure(401, "this key is not in ingest_keys", b"WWW-Authenticate: Bearer\r\n")


class Later(msgspec.Struct, frozen=True):
    """An answer that waits for the disk."""

    when_stored: Reply
    storing: Storing
    now_ms: int
    cors: bytes

    def reply(self) -> Reply:
        """To be called once, when it is known what became of the events."""
        try:
            self.storing.settle()
        except LogUnavailable:
            return _refuse(LOG_UNAVAILABLE, RequestRefusal.LOG_UNAVAILABLE, self.now_ms, self.cors)
        return self.when_stored


class Events:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def manner(self, headers: Headers) -> Manner:
        return self._reception.manner(headers)

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """A browser asks first when a page sends more than `text/plain`; our own script never makes it ask."""
        origin = request.headers.get("Origin")
        now_ms = self._reception.clock()
        if not self._reception.origins.permits_page(origin, None):
            return self._foreign(request.headers, now_ms)
        return _PREFLIGHT.reply(now_ms, cors_lines(origin))

    async def post(self, request: web.Request) -> web.StreamResponse:
        admitted = self.admit(request.headers, *connection_of(request))
        if isinstance(admitted, Reply):
            return admitted
        body = await _body_of(request, self._reception.settings.limits.body_s)
        if isinstance(body, RequestRefusal):
            visit, cors = admitted
            return _refuse(_UNREAD[body], body, visit.received_ms, cors)
        visit, cors = admitted
        parsed = self._parsed(visit, cors, body)
        if isinstance(parsed, Reply):
            return parsed
        if self.recalls(visit):
            try:
                await self._reception.recall(visit, parsed)
            except LogUnavailable:
                return _refuse(LOG_UNAVAILABLE, RequestRefusal.LOG_UNAVAILABLE, visit.received_ms, cors)
        answer = self._taken(visit, cors, parsed)
        if isinstance(answer, Reply):
            return answer
        await asyncio.wait([answer.storing.known])
        return answer.reply()

    def admit(
        self, headers: Headers, peer: str | None, scheme: str, manner: Manner | None = None
    ) -> tuple[Visit, bytes] | Reply:
        """Who sends, and the CORS lines of the answer; or the answer, when they may not. No body is read before."""
        reception = self._reception
        now_ms = reception.clock()
        authorization = headers.get("Authorization")
        if authorization is not None:
            if not reception.ingest_keys.permits(authorization):
                if (too_many := reception.stranger(headers, peer, now_ms)) is not None:
                    return too_many.reply(now_ms)
                return _refuse(_BAD_KEY, RequestRefusal.INGEST_KEY, now_ms)
            return reception.server(now_ms), b""
        origin = headers.get("Origin")
        if not reception.origins.permits_page(origin, headers.get("Sec-Fetch-Site")):
            if (too_many := reception.asker(headers, peer, now_ms)) is not None:
                return too_many.reply(now_ms)
            return self._foreign(headers, now_ms)
        visit, cors = reception.browser(headers, peer, scheme, now_ms, manner=manner), cors_lines(origin)
        return visit.reply(now_ms, cors) if isinstance(visit, TooMany) else (visit, cors)

    def take(self, visit: Visit, cors: bytes, body: bytes) -> Reply | Later:
        """The answer to `body`; with events in it, the answer once they are on disk. Everything is done before the
        disk is asked: a request that waits for it holds little, and needs no task of its own."""
        parsed = self._parsed(visit, cors, body)
        return parsed if isinstance(parsed, Reply) else self._taken(visit, cors, parsed)

    def recalls(self, visit: Visit) -> bool:
        """Has the log to be read before the answer? Then `take` is not for it."""
        return self._reception.recalls(visit)

    def fault(self) -> Reply:
        """The answer when our own code failed. aiohttp has one of its own for the ordinary routes."""
        reply = _FAULT.reply(self._reception.clock())
        reply.force_close()
        return reply

    def _parsed(self, visit: Visit, cors: bytes, body: bytes) -> Parsed | Reply:
        reception, now_ms = self._reception, visit.received_ms
        try:
            return parse(
                body,
                received_ms=now_ms,
                trusted=visit.is_trusted,
                source=visit.source,
                mint=partial(reception.event_id, now_ms),
            )
        except WireError as error:
            return _refuse(failure(400, error.message, where=error.where), error.reason, now_ms, cors)

    def _taken(self, visit: Visit, cors: bytes, parsed: Parsed) -> Reply | Later:
        now_ms = visit.received_ms
        cookies, storing = self._reception.take(visit, parsed)
        if not parsed.refused:
            reply = _ACCEPTED.reply(now_ms, cors, *cookies)
        else:
            reply = self._partly(parsed, now_ms, cors, cookies)
        return reply if storing is None else Later(reply, storing, now_ms, cors)

    def _partly(self, parsed: Parsed, now_ms: int, cors: bytes, cookies: Sequence[bytes]) -> Reply:
        refused = [_told(event) for event in parsed.refused]
        if parsed.events:
            answer = success({"accepted": len(parsed.events), "refused": refused})
            return answer.reply(now_ms, cors, *cookies)
        first = parsed.refused[0]
        where = f"{first.where}: " if first.where else ""
        answer = failure(400, f"no event could be used; the first: {where}{first.message}", refused=refused)
        return _refuse(answer, RequestRefusal.ALL_REFUSED, now_ms, cors)

    def _foreign(self, headers: Headers, now_ms: int) -> Reply:
        origin = text_of(headers, "Origin")
        if origin is None:
            error = (
                "who sends this? Browsers say so with Origin, which must be one of site.origins; "
                "a server sends an ingest key: Authorization: Bearer …"
            )
        else:
            error = f"pages of {origin[:200]} may not post here; if they are yours, add it to site.origins"
        return _refuse(failure(403, error, b"Vary: Origin\r\n"), RequestRefusal.ORIGIN, now_ms)


_UNREAD = {
    RequestRefusal.TOO_LARGE: _TOO_LARGE,
    RequestRefusal.ENCODING: _COMPRESSED,
    RequestRefusal.INCOMPLETE: _INCOMPLETE,
}


async def _body_of(request: web.Request, longest_s: float) -> bytes | RequestRefusal:
    """The whole body, or why it is not read. The usual body has come together with its headers."""
    length = request.content_length
    if length is not None and length > MAX_BODY:
        return RequestRefusal.TOO_LARGE
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return RequestRefusal.ENCODING
    content = request.content
    if length and content.total_bytes == length:
        return content.read_nowait()
    try:
        async with asyncio.timeout(longest_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return RequestRefusal.TOO_LARGE
    except (web.RequestPayloadError, TimeoutError):
        return RequestRefusal.INCOMPLETE


def _refuse(answer: Answer, reason: str, now_ms: int, cors: bytes = b"") -> Reply:
    requests_refused.labels(reason).inc()
    reply = answer.reply(now_ms, cors)
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        reply.force_close()  # what is still on its way is not read
    return reply


def _told(event: RefusedEvent) -> dict[str, object]:
    return {"index": event.index, "where": event.where, "message": event.message}
