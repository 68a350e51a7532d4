"""Several platforms behind one port: the strict stand-ins judge what arrives, and a script of faults spoils answers.

What a platform has taken counts as arrived in the moment it was taken, whatever then happens to its answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from aiohttp import web

from proxy.event import encode_json
from proxy.sandbox.base import Answer, Call, StandIn
from tests.crash.faults import TAKING, Fault, Script

TIMEOUT_S = 3.0
"""What the service is configured to wait for an answer; one without faults is waited for at length, on the busiest machine."""
PUT_OFF = "put-off"
"""The page title of such events."""


class Platform:
    """One destination's far end."""

    def __init__(self, stand_in: StandIn, script: Script, path: str = "") -> None:
        """`path`: of its requests, where several are of one kind."""
        self.arrivals: list[str] = []
        """Event ids in the order of arrival, repeated ones each time."""
        self.faults: Counter[Fault] = Counter()
        self.requests = 0
        self.refused: list[str] = []
        """Why a whole request was refused: our fault, or a dead letter in the making."""
        self.held: asyncio.Event | None = None
        """While there is one, answers wait for it (events are taken at once)."""
        self.asked = asyncio.Event()
        self._stand_in, self._script, self._path = stand_in, script, path

    def owns(self, call: Call) -> bool:
        return self._stand_in.owns(call) and call.path.startswith(self._path)

    async def answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        fault = self._script.next()
        answer = self._take(call) if fault is None or fault in TAKING else Answer(status=503)
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        if fault is None:
            return web.Response(status=answer.status, body=_body(answer))
        self.faults[fault] += 1
        return await _spoiled(fault, answer, request)

    def _take(self, call: Call) -> Answer:
        answer = self._stand_in.answer(call, time.time_ns() // 1_000_000)
        self.arrivals += [self._id(row) for row in answer.accepted]
        self.refused += answer.faults
        return answer

    def _id(self, row: Mapping[str, object]) -> str:
        key = self._stand_in.dedup_key(row)
        assert isinstance(key, tuple)  # (name, id)
        return str(key[1])


class Picky(Platform):
    """Nothing goes wrong here, but for single events that are put off for ever."""

    async def answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        if PUT_OFF.encode() in call.body:
            self.requests += 1
            return web.Response(status=503, text="temporarily unavailable, and always so with this event")
        return await super().answer(call, request)


async def open_platforms(platforms: Mapping[str, Platform], port: int) -> web.AppRunner:
    async def any_path(request: web.Request) -> web.StreamResponse:
        call = Call(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        owner = next(platform for platform in platforms.values() if platform.owns(call))
        return await owner.answer(call, request)

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", any_path)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def _body(answer: Answer) -> bytes:
    if isinstance(answer.body, str):
        return answer.body.encode()
    return b"" if answer.body is None else encode_json(answer.body)


async def _spoiled(fault: Fault, answer: Answer, request: web.Request) -> web.StreamResponse:
    match fault:
        case Fault.DOWN | Fault.DOWN_AFTER:
            return web.Response(status=503, text="temporarily unavailable")
        case Fault.THROTTLED:
            return web.Response(status=429)
        case Fault.THROTTLED_FOR:
            return web.Response(status=429, headers={"Retry-After": "1"})
        case Fault.GARBAGE | Fault.GARBAGE_AFTER:
            return web.Response(status=200, body=b"\x00\xff<<{not json", content_type="application/json")
        case Fault.SILENT | Fault.SILENT_AFTER:
            await asyncio.sleep(TIMEOUT_S * 1.5)
            return web.Response(status=503)
        case Fault.HUNG_UP:
            return _hang_up(request, web.Response(status=503))
        case Fault.CUT:
            return await _drip(answer, request, pause_s=0, bytes_at_most=3)
        case Fault.DRIP:
            return await _drip(answer, request, pause_s=0.002)
        case Fault.DRIP_FOR_EVER:
            return await _drip(answer, request, pause_s=TIMEOUT_S / 4, bytes_at_most=6)


async def _drip(answer: Answer, request: web.Request, *, pause_s: float, bytes_at_most: int = 0) -> web.StreamResponse:
    """The answer a byte at a time; cut off after `bytes_at_most` (0: the whole)."""
    body = _body(answer).ljust(16)
    response = web.StreamResponse(status=answer.status, headers={"Content-Length": str(len(body))})
    try:
        await response.prepare(request)
        for at in range(bytes_at_most or len(body)):
            await response.write(body[at : at + 1])
            await asyncio.sleep(pause_s)
        if bytes_at_most:
            return _hang_up(request, response)
        await response.write_eof()
    except ConnectionError:  # the service was killed, or has had enough of waiting
        pass
    return response


def _hang_up(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response
