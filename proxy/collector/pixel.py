"""`GET /n.gif`: one event from a page without JavaScript, in the address of an image.

    <img src="https://t.shop.example/n.gif?name=page_view" alt="" width="1" height="1">

`name` (default page_view) and `url` (default: the page's address as far as the browser gives it) are all it reads. Such
a page has no way to ask, so nothing counts as consent but the configured default.
"""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from proxy.collector.answers import LOG_UNAVAILABLE, NO_STORE, Answer, RequestRefusal
from proxy.collector.limits import TooMany
from proxy.collector.reception import Reception
from proxy.collector.visit import connection_of, readable, text_of
from proxy.errors import LogUnavailable
from proxy.event import encode_json
from proxy.observe.metrics import requests_refused
from proxy.wire import parse

GIF = bytes.fromhex(
    "474946383961"  # GIF89a
    "01000100800000"  # one by one pixel, a palette of two colours
    "000000ffffff"
    "21f9040100000000"  # the first of them is transparent
    "2c00000000010001000002024401003b"
)

_GIF = Answer(
    200,
    NO_STORE,
    b"Cross-Origin-Resource-Policy: cross-origin\r\n",
    body=GIF,
    content_type="image/gif",
)


class Pixel:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Always the image, whatever became of the event; but 503 when the log takes nothing, so that it shows, and 429
        when the sender is over its limit."""
        reception = self._reception
        now_ms = reception.clock()
        url = readable(request.query.get("url", "")) or text_of(request.headers, "Referer")
        peer, scheme = connection_of(request)
        if not self._is_ours(url, request.headers.get("Sec-Fetch-Site")):
            if (too_many := reception.asker(request.headers, peer, now_ms)) is not None:
                return too_many.reply(now_ms)
            requests_refused.labels(RequestRefusal.ORIGIN).inc()
            return _GIF.reply(now_ms)
        visit = reception.browser(request.headers, peer, scheme, now_ms, source="pixel")
        if isinstance(visit, TooMany):
            return visit.reply(now_ms)
        name = readable(request.query.get("name", "")) or "page_view"
        parsed = parse(
            encode_json({"name": name, "page": {"url": url}}),
            received_ms=now_ms,
            trusted=False,
            source="pixel",
            mint=partial(reception.event_id, now_ms),
        )
        cookies, storing = reception.take(visit, parsed)
        if storing is not None:
            await asyncio.wait([storing.known])
            try:
                storing.settle()
            except LogUnavailable:
                requests_refused.labels(RequestRefusal.LOG_UNAVAILABLE).inc()
                return LOG_UNAVAILABLE.reply(now_ms)
        return _GIF.reply(now_ms, *cookies)

    def _is_ours(self, url: str | None, fetch_site: str | None) -> bool:
        """An image request carries no Origin: the page's address says whose it is, as far as anything does."""
        if url is None:
            return self._reception.origins.permits_page(None, fetch_site)
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return self._reception.origins.permits(f"{parts.scheme}://{parts.netloc}".lower())
