"""The site's own reverse proxy in front of `serve`: says whom it speaks for, passes everything else on, and remembers.

A test may hold answers (`hold`) or let the next ones be others than those of the collector (`instead`).
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL


@dataclass
class Passed:
    """One request that came by, and what was answered; `status` is None while the answer is held."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None
    answer: dict[str, str] = field(default_factory=dict)

    @property
    def events(self) -> list[str]:
        """The names of the events in it."""
        return [event["name"] for event in json.loads(self.body).get("events", [])]

    @property
    def by_beacon(self) -> bool:
        return self.headers.get("Content-Type") == "text/plain"  # fetch adds a charset

    @property
    def consent(self) -> dict[str, Any]:
        return json.loads(self.body)["consent"]


class Edge:
    def __init__(self, port: int, address: str) -> None:
        """`port`: where `serve` listens on this machine. `address`: the visitor's, told in X-Forwarded-For."""
        self._port, self._address = port, address
        self.passed: list[Passed] = []
        self.pages: dict[str, str] = {}  # html by path, of the site itself: collector and pages are one origin then
        self.instead: deque[tuple[int, dict[str, str]]] = deque()  # answers to the next POSTs, which then go no further
        self._gate = asyncio.Event()
        self.flow()

    def hold(self) -> asyncio.Event:
        """POSTs that come from now on are passed on, but not answered before the returned event is set."""
        self._gate = asyncio.Event()
        return self._gate

    def flow(self) -> None:
        """POSTs that come from now on are answered at once; what is held is still held."""
        self._gate = asyncio.Event()
        self._gate.set()

    def make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        if request.path in self.pages:
            return web.Response(text=self.pages[request.path], content_type="text/html")
        body = await request.read()
        passed = Passed(request.method, request.path, dict(request.headers), body)
        self.passed.append(passed)
        if request.method == "POST" and self.instead:
            status, headers = self.instead.popleft()
            passed.status = status
            origin = request.headers.get("Origin", "null")
            cors = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
            return web.Response(status=status, headers={**cors, **headers})
        gate = self._gate
        answer = await self._forward(request, body)
        if request.method == "POST":
            await gate.wait()
        passed.status, passed.answer = answer.status, dict(answer.headers)
        return answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name != "Transfer-Encoding"}
        headers["X-Forwarded-For"] = self._address
        target = URL(f"http://127.0.0.1:{self._port}{request.raw_path}", encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(request.method, target, headers=headers, data=body or None) as reply,
        ):
            return web.Response(status=reply.status, headers=reply.headers, body=await reply.read())
