"""`GET /l`: the site's own reverse proxy asks, for a page it is about to deliver, which cookies should go with it.

A cookie in the answer to the document itself is never cut short by Safari, and it is there before any script runs or is
blocked. The proxy tells what the browser asked it for in `X-Forwarded-Uri` and `X-Forwarded-Method`, believed from
`listen.trusted_proxies` only, and passes the browser's own headers on; it copies `X-Firsthand-Cookie-1`, `-2`, … of our
answer into its `Set-Cookie`. (nginx and Caddy cannot copy a header that is there several times.) docs/landing.md.

The proxy's answer is always 204: whatever is wrong here, the visitor gets the page.
"""

from __future__ import annotations

from enum import StrEnum

from aiohttp import web

from proxy.collector.answers import NO_STORE, Answer
from proxy.collector.bots import opens_pages
from proxy.collector.limits import TooMany
from proxy.collector.reception import Reception
from proxy.collector.visit import Headers, connection_of, is_page_view, readable, text_of
from proxy.event import Page
from proxy.identity.touches import Evidence
from proxy.observe.metrics import landings

_LONGEST = 4_096  # characters of an address
_ANSWER = Answer(204, NO_STORE)


class Outcome(StrEnum):
    """What became of a page's visit; a metric label."""

    COOKIES = "cookies"  # set or renewed
    NOTHING = "nothing"  # consent allows none
    NO_PAGE = "no_page"  # a picture, a POST, a fetch: not a page somebody opens
    BOT = "bot"
    PREFETCH = "prefetch"
    UNTRUSTED = "untrusted"  # who asks is not in listen.trusted_proxies
    FOREIGN = "foreign"  # the page is on no origin of site.origins, or has no address
    LIMITED = "limited"  # the visitor is over their limit


class Documents:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def get(self, request: web.Request) -> web.StreamResponse:
        now_ms = self._reception.clock()
        peer, _ = connection_of(request)
        if not self._reception.is_proxy(peer):
            landings.labels(Outcome.UNTRUSTED).inc()
            too_many = self._reception.asker(request.headers, peer, now_ms)
            return _ANSWER.reply(now_ms) if too_many is None else too_many.reply(now_ms)
        outcome, lines = await self._outcome(request, now_ms)
        landings.labels(outcome).inc()
        copies = [b"X-Firsthand-Cookie-%d:%b" % (at, line.partition(b":")[2]) for at, line in enumerate(lines, 1)]
        return _ANSWER.reply(now_ms, *lines, *copies)

    async def _outcome(self, request: web.Request, now_ms: int) -> tuple[Outcome, list[bytes]]:
        reception, headers = self._reception, request.headers
        peer, scheme = connection_of(request)
        if headers.get("X-Forwarded-Method", "GET") != "GET" or not is_page_view(headers):
            return Outcome.NO_PAGE, []
        visit = reception.browser(headers, peer, scheme, now_ms, source="landing")
        if isinstance(visit, TooMany):
            return Outcome.LIMITED, []
        if visit.is_prefetch:
            return Outcome.PREFETCH, []
        if not opens_pages(visit.bot):
            return Outcome.BOT, []
        url = self._address(headers, "https" if visit.is_secure else "http")
        if url is None:
            return Outcome.FOREIGN, []
        lines = await reception.land(visit, Page(url=url, referrer=text_of(headers, "Referer")), Evidence.URL)
        return (Outcome.COOKIES if lines else Outcome.NOTHING), lines

    def _address(self, headers: Headers, scheme: str) -> str | None:
        """What the browser asked the site for; None when that is no page of ours."""
        path = readable(headers.get("X-Forwarded-Uri") or "")
        origin = f"{scheme}://{headers.get('Host') or ''}".lower()
        if not path.startswith("/") or len(path) > _LONGEST or not self._reception.origins.permits(origin):
            return None
        return origin + path
