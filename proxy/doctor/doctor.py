"""The examination in order: find the page, find the collector, then every check there is. Returns, never raises.

What it sends: a `GET` of the page and of the script, two posts that hold no event (a refusal of everything, with a
cookie nobody has), TLS handshakes, DNS questions. Nothing of it is stored by the collector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urljoin, urlsplit

import msgspec

from proxy.clock import SECOND_MS
from proxy.collector.origin import Origins
from proxy.config.settings import CookieSettings, PathSettings
from proxy.doctor import answers, lists, names, safari
from proxy.doctor.dns import Dns, DnsTroubleError, in_order
from proxy.doctor.fetch import Answer, Fetcher
from proxy.doctor.finding import Finding, Level, fault, note, ok, warning, worst
from proxy.doctor.lists import Rule
from proxy.doctor.safari import Place
from proxy.event import encode_json

_REDIRECTS = range(300, 400)
_MOST_REDIRECTS = 5
_STRANGER = "https://stranger.example"
_NOBODY = "doctor"  # a value no key opens
_REFUSAL = {"marketing": "denied", "analytics": "denied", "personalization": "denied", "source": "api"}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """`collector`: its origin, None to find it in the page. `origins`: as configured, None: unknown."""

    page: str
    collector: str | None = None
    paths: PathSettings = PathSettings()
    cookie: CookieSettings = CookieSettings()
    origins: Sequence[str] | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`days`: how long the visitor cookie lives, by browser; empty while the collector is not found."""

    page: str
    collector: str | None
    findings: tuple[Finding, ...]
    days: dict[str, int] = {}

    @property
    def level(self) -> Level:
        return worst(self.findings)


class Doctor:
    def __init__(
        self, subject: Subject, dns: Dns, fetcher: Fetcher, places: dict[str, tuple[str, ...]], blocking: Iterable[Rule]
    ) -> None:
        """`places`: what `fetcher` connects to; filled here as hosts are resolved."""
        self._subject, self._dns, self._fetcher, self._places = subject, dns, fetcher, places
        self._blocking = tuple(blocking)
        self._findings: list[Finding] = []

    async def examine(self, now_ms: int) -> Report:
        """Everything, as far as it can be seen."""
        answer, page = await self._page()
        if page is None or answer is None:
            return self._report(self._subject.page, None)
        collector = self._subject.collector or _found_in(answer, self._script_path)
        if collector is None:
            self._say(
                fault(
                    "collector",
                    f"no script whose address ends in {self._script_path} stands in {answer.url}",
                    "name the collector: --collector https://t.shop.example",
                )
            )
            return self._report(answer.url, None)
        place = await self._place(urlsplit(collector).hostname or "")
        if place is None:
            return self._report(answer.url, collector)
        self._say(
            ok("dns", f"{place.host}: {', '.join((*place.aliases, *place.addresses))}"),
            safari.finding(page, place),
        )
        origin = origin_of(answer.url)
        self._say(*self._configured(origin))
        self._say(*answers.page(answer, collector, self._script_path))
        await self._tls(collector, place, now_ms)
        await self._collector(collector, origin, same_host=page.host == place.host)
        self._names(collector, page.host)
        days = safari.lifetimes(safari.judge(page, place), self._subject.cookie.max_age_days)
        return self._report(answer.url, collector, days)

    @property
    def _script_path(self) -> str:
        return self._subject.paths.prefix + self._subject.paths.script

    async def _page(self) -> tuple[Answer | None, Place | None]:
        """The document a visitor ends at, and where it is; None where it cannot be had."""
        url = self._subject.page
        for _ in range(_MOST_REDIRECTS):
            place = await self._place(urlsplit(url).hostname or "")
            if place is None:
                return None, None
            answer = await self._fetcher.ask(url, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
            if answer.error:
                self._say(fault("page", f"{url}: {answer.error}", "name a page that visitors see, as they see it"))
                return None, None
            target = answer.header("location")
            if answer.status not in _REDIRECTS or not target:
                self._say(ok("dns", f"{place.host}: {', '.join((*place.aliases, *place.addresses))}"))
                if (finding := answers.clock(answer, place.host)) is not None:
                    self._say(finding)
                return answer, place
            url = urljoin(url, target)
            self._say(note("page", f"{answer.url} leads to {url}, which is looked at instead"))
        self._say(
            fault("page", f"{self._subject.page} redirects more than {_MOST_REDIRECTS} times", "mend the redirects")
        )
        return None, None

    async def _place(self, host: str) -> Place | None:
        try:
            place = await self._dns.place(host)
        except DnsTroubleError as trouble:
            self._say(fault("dns", str(trouble), "make the A and AAAA records; a new one may take an hour to be seen"))
            return None
        self._places[host] = tuple(in_order(place.addresses))
        return place

    def _configured(self, origin: str) -> Iterator[Finding]:
        wanted = self._subject.origins
        if wanted is not None and not Origins(wanted).permits(origin):
            yield fault(
                "origin", f"{origin} is not among `site.origins`: its events are refused", f"add {origin} there"
            )

    async def _tls(self, collector: str, place: Place, now_ms: int) -> None:
        parts = urlsplit(collector)
        if parts.scheme != "https":
            self._say(
                fault("tls", f"{collector} is not https: browsers send no Secure cookie there", "serve it over https")
            )
            return
        shown = [
            await self._fetcher.certificate(place.host, parts.port or 443, address)
            for address in in_order(place.addresses)
        ]
        self._say(*answers.certificates(shown, place.host, now_ms / SECOND_MS))

    async def _collector(self, collector: str, origin: str, *, same_host: bool) -> None:
        script = await self._fetcher.ask(collector + self._script_path, headers={"Accept-Encoding": "br, gzip"})
        self._say(*answers.script(script))
        if (finding := answers.clock(script, urlsplit(collector).hostname or "")) is not None and not same_host:
            self._say(finding)
        is_cross = origin != origin_of(collector)
        cookie = self._subject.cookie.name
        self._say(
            *answers.probe(
                await self._post(collector, origin, "same-site" if is_cross else "same-origin"),
                origin=origin,
                cookie=cookie,
                cross_origin=is_cross,
            ),
            answers.stranger(await self._post(collector, _STRANGER, "cross-site"), _STRANGER),
        )

    async def _post(self, collector: str, origin: str, fetch_site: str) -> Answer:
        """No event, only the word of somebody who refuses everything: the collector answers by removing the cookie."""
        headers = {
            "Origin": origin,
            "Content-Type": "text/plain",
            "Cookie": f"{self._subject.cookie.name}={_NOBODY}",
            "Sec-Fetch-Site": fetch_site,
        }
        url = collector + self._subject.paths.prefix + self._subject.paths.events
        body = encode_json({"consent": _REFUSAL, "events": []})
        return await self._fetcher.ask(url, method="POST", headers=headers, body=body)

    def _names(self, collector: str, page_host: str) -> None:
        paths = self._subject.paths
        at = collector + paths.prefix
        urls = {"script": at + paths.script, "events": at + paths.events, "image": f"{at}{paths.pixel}?name=page_view"}
        self._say(names.finding(urls))
        if not self._blocking:
            return
        found = {url: lists.blocking(self._blocking, url, kind, page_host) for kind, url in urls.items()}
        hits = [f"{url} by {rule}" for url, rule in found.items() if rule is not None]
        self._say(
            warning("lists", "the lists given block " + "; ".join(hits), "rename under `paths`, or the host")
            if hits
            else ok("lists", f"none of the {len(self._blocking):,} rules of the lists given blocks us")
        )

    def _say(self, *findings: Finding) -> None:
        self._findings += findings

    def _report(self, page: str, collector: str | None, days: Mapping[str, int] | None = None) -> Report:
        return Report(page=page, collector=collector, findings=tuple(self._findings), days=dict(days or {}))


def origin_of(url: str) -> str:
    """Scheme, host and port as a browser's `Origin` header has them."""
    parts = urlsplit(url)
    standard = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{'' if parts.port in (None, standard) else f':{parts.port}'}"


def _found_in(answer: Answer, script_path: str) -> str | None:
    """The origin of the first script address in the page that ends in our path."""
    text = answer.body.decode("utf-8", "replace")
    found = re.search(rf"""src\s*=\s*["']?([^"'\s>]*{re.escape(script_path)})(?=["'\s>?])""", text, re.IGNORECASE)
    return origin_of(urljoin(answer.url, found[1])) if found else None
