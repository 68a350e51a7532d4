"""The stand-ins as one HTTP server: answers like the platforms, keeps what they accepted, shows it on a page.

GET  /                 the page: what arrived, what was refused and why, switches to play trouble
GET  /received.json    the same for programs
POST /control          {"kind": "meta", "mode": "ok" | "down" | "throttled" | "bad_token" | "bad_row"}
any other path         goes to the stand-in that owns it

`bad_row` picks the first event of the next request and from then on finds it faulty, each time it comes, in the
platform's way; all others are judged as ever.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from importlib.resources import files
from typing import Any

import msgspec
from aiohttp import web

from proxy.clock import Clock, system_clock
from proxy.event import encode_json
from proxy.sandbox import load_all
from proxy.sandbox.base import Answer, Call, StandIn

_KEPT = 2000
_TROUBLES = ("down", "throttled", "bad_token")
_MODES = ("ok", *_TROUBLES, "bad_row")
_COUNTED = ("accepted", "repeated", "refused", "turned_away")


class Sandbox:
    """State of one running sandbox. Bounded: the newest records are kept, the counts are of everything."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._stand_ins: dict[str, StandIn] = {kind: cls() for kind, cls in load_all().items()}
        self._modes = dict.fromkeys(self._stand_ins, "ok")
        self._bad_rows: dict[str, bytes] = {}
        self._seen: dict[str, Counter[Hashable]] = {kind: Counter() for kind in self._stand_ins}
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in self._stand_ins}
        self._records: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._html = files("proxy.sandbox").joinpath("page.html").read_text()

    def make_app(self) -> web.Application:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_get("/", self._page)
        app.router.add_get("/received.json", self._received)
        app.router.add_post("/control", self._control)
        app.router.add_route("*", "/{path:.*}", self._platform)
        return app

    def received(self) -> dict[str, Any]:
        """`platforms`: kind -> mode and counts; `records`: newest last, each with kind, name, row or faults."""
        platforms = {
            kind: {
                "mode": self._modes[kind],
                **{key: self._counts[kind][key] for key in _COUNTED},
            }
            for kind in self._stand_ins
        }
        return {"platforms": platforms, "records": list(self._records)}

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=self._html, content_type="text/html")

    async def _received(self, _: web.Request) -> web.Response:
        return web.Response(body=encode_json(self.received()), content_type="application/json")

    async def _control(self, request: web.Request) -> web.Response:
        try:
            wish = msgspec.json.decode(await request.read(), type=dict[str, str])
        except msgspec.DecodeError:
            wish = {}
        kind, mode = wish.get("kind", ""), wish.get("mode", "")
        if kind not in self._modes or mode not in _MODES:
            advice = f"expected a kind of {', '.join(self._modes)} and a mode of {', '.join(_MODES)}"
            return web.json_response({"error": advice}, status=400)
        self._modes[kind] = mode
        self._bad_rows.pop(kind, None)
        return web.json_response(self.received()["platforms"])

    async def _platform(self, request: web.Request) -> web.Response:
        call = Call(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        for stand_in in self._stand_ins.values():
            if stand_in.owns(call):
                answer = self._answer(stand_in, call)
                if self._modes[stand_in.kind] in _TROUBLES and not answer.faults:
                    self._counts[stand_in.kind]["turned_away"] += 1
                self._record(stand_in, call, answer)
                return _response(answer)
        return web.json_response({"error": f"no stand-in owns {request.method} {request.path}"}, status=404)

    def _answer(self, stand_in: StandIn, call: Call) -> Answer:
        match self._modes[stand_in.kind]:
            case "ok":
                return stand_in.answer(call, self._clock())
            case "bad_row":
                return stand_in.answer(self._with_bad_row(stand_in, call), self._clock())
            case mode:
                return stand_in.trouble(mode, call)

    def _with_bad_row(self, stand_in: StandIn, call: Call) -> Call:
        """The request as if the chosen row had been built wrong; a request without rows as it is."""

        def spoil(row: Any) -> Any:
            if not isinstance(row, dict):
                return row
            written = encode_json(row)
            chosen = self._bad_rows.setdefault(stand_in.kind, written)
            return {**row, **stand_in.spoiled} if written == chosen else row

        body = call.json()
        changed = stand_in.with_rows(body, spoil)
        return call if changed == body else stand_in.resealed(msgspec.structs.replace(call, body=encode_json(changed)))

    def _record(self, stand_in: StandIn, call: Call, answer: Answer) -> None:
        kind = stand_in.kind
        record = {"kind": kind, "at": self._clock(), "path": call.path}
        accounts = answer.accounts or [""] * len(answer.accepted)
        for row, account in zip(answer.accepted, accounts, strict=True):
            key = stand_in.dedup_key(row)
            repeated = key is not None and self._seen[kind][account, key] > 0
            if key is not None:
                self._seen[kind][account, key] += 1
            self._counts[kind]["repeated" if repeated else "accepted"] += 1
            named = {"name": stand_in.name_of(row), "account": account}
            self._records.append({**record, **named, "repeated": repeated, "row": row})
        for refused in answer.refused:
            self._counts[kind]["refused"] += 1
            reason = {"status": answer.status, "faults": refused.faults, "body": refused.row}
            self._records.append({**record, "name": stand_in.name_of(refused.row), **reason})
        if answer.faults:
            self._counts[kind]["refused"] += 1
            self._records.append({**record, "status": answer.status, "faults": answer.faults, "body": call.json()})


def _response(answer: Answer) -> web.Response:
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, content_type="text/html", headers=answer.headers)
    body = b"" if answer.body is None else encode_json(answer.body)
    return web.Response(status=answer.status, body=body, content_type="application/json", headers=answer.headers)
