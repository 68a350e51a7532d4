"""`GET /consent`: what counts for this visitor before a decision, and whether Global Privacy Control is honoured.

For our script where defaults differ by region, and for a notice on the page ("your opt-out signal is honoured"). It is
asked without cookies, sets none and stores nothing; the answer is made of the request alone.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from proxy.collector.answers import success
from proxy.collector.origin import cors_lines
from proxy.collector.reception import Reception
from proxy.collector.visit import connection_of
from proxy.event import Consent, ConsentState, Purpose
from proxy.privacy.consent import effective


class Standing:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def get(self, request: web.Request) -> web.StreamResponse:
        headers, reception = request.headers, self._reception
        origin = headers.get("Origin")
        readable = reception.origins.permits_page(origin, headers.get("Sec-Fetch-Site"))
        cors, now_ms = cors_lines(origin if readable else None), reception.clock()
        peer, _ = connection_of(request)
        if (too_many := reception.asker(headers, peer, now_ms)) is not None:
            return too_many.reply(now_ms, cors)
        region = reception.client(headers, peer).region
        gpc, dnt = headers.get("Sec-GPC") == "1", headers.get("DNT") == "1"
        terms = reception.terms.of(region)
        counts = effective(Consent(), terms, gpc=gpc, dnt=dnt)
        told: dict[str, Any] = {
            "default": {
                purpose.value: state
                for purpose in Purpose
                if (state := counts.state(purpose)) is not ConsentState.UNKNOWN
            },
            "region": region,
            "gpc": {"detected": gpc, "honoured": gpc and terms.gpc != "ignore"},
        }
        return success(told).reply(now_ms, cors)
