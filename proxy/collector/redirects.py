"""`GET /c/CODE`: a click on a link of the site's own, on its way to a page that the configuration names.

The visitor's browser comes by in a top-level navigation, so the click id in the link, and the visitor, can be put into
cookies that live as long as they should, where consent allows (what `_fh` remembers of it, else the default). Click ids
and campaign parameters of the link go on to the page, unless its stored address has its own. Where the link leads is
never taken from the request. Whoever is no visitor (a crawler, a preview, a prefetch, a picture in a page) is led on
and leaves no trace.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aiohttp import web

from proxy.collector.answers import NO_STORE, Answer
from proxy.collector.bots import opens_pages
from proxy.collector.limits import TooMany
from proxy.collector.reception import Reception
from proxy.collector.visit import connection_of, is_page_view, text_of
from proxy.event import Page
from proxy.identity.click_ids import is_click_parameter
from proxy.identity.touches import Evidence
from proxy.observe.metrics import redirects_followed

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_VALUE = re.compile(r"[A-Za-z0-9._~%!$'()*,;:@/+=?-]{0,600}")
_CAMPAIGN = re.compile(r"utm_.+|gad_(?:source|campaignid)", re.IGNORECASE)
_MOST = 20  # parameters of a link that are passed on

_FOUND = Answer(
    302,
    NO_STORE,
    b"Referrer-Policy: strict-origin-when-cross-origin\r\nX-Robots-Tag: noindex\r\n",
)


class Redirect:
    """One link."""

    def __init__(self, reception: Reception, code: str, target: str) -> None:
        self._reception = reception
        self._target = target
        self._aliases = frozenset(reception.settings.identity.aliases)
        self._followed = redirects_followed.labels(code)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Over the limit a visitor is led on, without cookies; whoever opens no page is told to wait."""
        reception, headers = self._reception, request.headers
        now_ms = reception.clock()
        location = onward(self._target, request.raw_path.partition("?")[2], self._aliases)
        lines = [f"Location: {location}\r\n".encode("ascii")]
        peer, scheme = connection_of(request)
        if request.method == "GET" and is_page_view(headers):
            visit = reception.browser(headers, peer, scheme, now_ms, source="redirect")
            if not isinstance(visit, TooMany) and opens_pages(visit.bot) and not visit.is_prefetch:
                self._followed.inc()
                page = Page(url=location, referrer=text_of(headers, "Referer"))
                lines += await reception.land(visit, page, Evidence.REDIRECT)
        elif (too_many := reception.asker(headers, peer, now_ms)) is not None:
            return too_many.reply(now_ms)
        return _FOUND.reply(now_ms, *lines)


def onward(target: str, query: str, aliases: frozenset[str]) -> str:
    """`target` with what its link brought: click ids, their `aliases` and campaign parameters that it lacks."""
    address, hash_mark, fragment = target.partition("#")
    taken = {pair.partition("=")[0].lower() for pair in urlsplit(address).query.split("&")}
    brought = []
    for pair in query.partition("#")[0].split("&")[: _MOST * 2]:
        name, _, value = pair.partition("=")
        wanted = name in aliases or is_click_parameter(name) or _CAMPAIGN.fullmatch(name) is not None
        if wanted and _NAME.fullmatch(name) and value and _VALUE.fullmatch(value) and name.lower() not in taken:
            taken.add(name.lower())
            brought.append(pair)
    if not brought:
        return target
    sign = "&" if "?" in address else "?"
    return f"{address}{sign}{'&'.join(brought[:_MOST])}{hash_mark}{fragment}"
