"""What every way in shares: seeing who sends, running the steps, storing, and giving the browser its cookies."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable

from proxy.clock import Clock
from proxy.collector.bots import Sign, is_crawler
from proxy.collector.client_ip import TrustedProxies, is_inner
from proxy.collector.decisions import Decisions
from proxy.collector.limits import Limits, TooMany
from proxy.collector.origin import Origins
from proxy.collector.pipeline import Rulebook, collect
from proxy.collector.recalling import recalled
from proxy.collector.senders import IngestKeys
from proxy.collector.store import Left, Store, Storing
from proxy.collector.visit import Headers, Manner, Visit, address_of, manner_of
from proxy.collector.whereabouts import Whereabouts
from proxy.config.load import Config
from proxy.errors import LogUnavailable
from proxy.event import Client, Consent, Event, Page, replace
from proxy.identity.cookie_domain import CookieDomain, cookie_domain
from proxy.identity.identity import Identity, advance, read, reset, revoked, set_cookies
from proxy.identity.keeping import FBC, FBP, keeping
from proxy.identity.touches import Evidence
from proxy.identity.visitor import VisitorCookie
from proxy.log.base import EventLog
from proxy.observe.logs import get_logger
from proxy.observe.metrics import cookies_rejected, orders_found
from proxy.privacy.consent import effective
from proxy.privacy.keys import Keyring
from proxy.privacy.scrub import scrubber
from proxy.privacy.terms import TermsByRegion
from proxy.wire import Parsed

_NAME_IT = (
    "it forwards requests and all visitors have its address: name it in listen.trusted_proxies, if it is yours, for "
    "their own addresses, their regions and https to be seen"
)
_log = get_logger("collector")

Mint = Callable[[], int]
"""Returns 128 random bits."""


def random_bits() -> int:
    return secrets.randbits(128)


class Reception:
    def __init__(self, config: Config, log: EventLog, keyring: Keyring, clock: Clock, mint: Mint) -> None:
        settings = config.settings
        self.settings = settings
        self.clock = clock
        self.mint = mint
        self.origins = Origins(settings.site.origins)
        self.ingest_keys = IngestKeys(key.get_secret_value() for key in settings.ingest_keys)
        self.store = Store(log, clock)
        self.limits = Limits(settings.limits)
        self._said_proxy = False
        self.proxies = TrustedProxies(settings.listen.trusted_proxies)
        self._keyring = keyring
        self._codec = VisitorCookie(keyring)
        self._keep = keeping(settings)
        self._where = Whereabouts(settings.consent, self.proxies)
        self.terms = TermsByRegion(settings.consent)
        self._decisions = Decisions(config, self.terms)
        self._log = log
        self._is_erased = log.is_erased
        self._book = Rulebook(
            settings=settings,
            keep=self._keep,
            terms=self.terms,
            locate=self._where.locate,
            scrub=scrubber(settings.privacy),
            is_erased=log.is_erased,
        )
        _warm_up()

    def server(self, received_ms: int) -> Visit:
        """A request with an ingest key. Its connection tells nothing about the visitor, so it is not looked at."""
        return Visit(
            received_ms=received_ms,
            source="server",
            client=Client(),
            domain=CookieDomain(),
            is_secure=True,
            is_trusted=True,
        )

    def manner(self, headers: Headers) -> Manner:
        return manner_of(headers, self.settings.cookie.domain)

    def browser(
        self,
        headers: Headers,
        peer: str | None,
        scheme: str,
        received_ms: int,
        *,
        source: str = "browser",
        manner: Manner | None = None,
    ) -> Visit | TooMany:
        """A request as a browser makes it. `peer`, `scheme`: of the connection itself; of a trusted proxy's connection
        its word counts. `manner`: that of the headers, if known already."""
        manner = manner or self.manner(headers)
        client = self.client(headers, peer, manner)
        if (too_many := self.limits.take(client.ip, received_ms)) is not None:
            return too_many
        if manner.forwarded_scheme and peer in self.proxies:
            scheme = manner.forwarded_scheme
        cookies = headers.get("Cookie") or ""
        identity = read(cookies, self._codec, self._keep, received_ms)
        if identity.sent:
            self._count_unusable(identity)
        return Visit(
            received_ms=received_ms,
            source=source,
            client=client,
            domain=manner.domain,
            is_secure=scheme == "https",
            is_prefetch=manner.is_prefetch,
            bot=manner.bot,
            has_gpc=manner.has_gpc,
            has_dnt=manner.has_dnt,
            is_erased=identity.kept is not None and self._is_erased(identity.kept.visitor.id),
            origin=headers.get("Origin"),
            cookies=cookies,
            identity=identity,
            mint=self.mint,
        )

    async def land(self, visit: Visit, page: Page, via: Evidence) -> list[bytes]:
        """A visitor opens `page`, and nobody can say what they consent to but `_fh`, if they brought one, and the
        default. The `Set-Cookie` lines for the answer; nothing is stored but what a signal takes back."""
        if visit.is_erased:
            visit.identity = revoked(visit.identity)
            return self._cookies(visit)
        kept = visit.identity.kept
        said = kept.consent if kept is not None and kept.consent is not None else Consent()
        consent = effective(said, self.terms.of(visit.client.region), gpc=visit.has_gpc, dnt=visit.has_dnt)
        landed = Event(id="", name="page_view", time=visit.received_ms, page=page, client=visit.client)
        visit.identity, _ = advance(
            visit.identity,
            landed,
            consent=consent,
            now_ms=visit.received_ms,
            domain=visit.domain,
            mint=visit.mint,
            keep=self._keep,
            via=via,
        )
        if (refusal := self._decisions.refusal(visit)) is not None:
            storing = self.store.keep((), "browser", refusal=refusal)
            await asyncio.wait([storing.known])
            try:
                storing.settle()
            except LogUnavailable:
                return []  # what no cookie remembers is told again
        return self._cookies(visit)

    def is_proxy(self, peer: str | None) -> bool:
        """Is the other end of the connection one of the operator's own reverse proxies?"""
        return peer in self.proxies

    def stranger(self, headers: Headers, peer: str | None, received_ms: int) -> TooMany | None:
        """A request that will be refused: it counts too, so that nobody tries keys without end."""
        return self.limits.take(self._address(headers, peer), received_ms)

    def asker(self, headers: Headers, peer: str | None, received_ms: int) -> TooMany | None:
        """A request that brings no event counts for its address alone."""
        return self.limits.ask(self._address(headers, peer), received_ms)

    def client(self, headers: Headers, peer: str | None, manner: Manner | None = None) -> Client:
        """Who is at the other end, and where that is when something can tell."""
        manner = manner or self.manner(headers)
        ip = self._address(headers, peer)
        return Client(
            ip=ip,
            user_agent=manner.user_agent,
            mobile=manner.mobile,
            platform=manner.platform,
            region=self._where.of(headers, peer, ip) if self._where.can_tell else None,
        )

    def _address(self, headers: Headers, peer: str | None) -> str | None:
        if not self._said_proxy and peer not in self.proxies and headers.get("X-Forwarded-For") and is_inner(peer):
            self._said_proxy = True
            _log.warning("a proxy is not trusted", proxy=peer, advice=_NAME_IT)
        return address_of(headers, peer, self.proxies, self.settings.listen.client_ip_header)

    def recalls(self, visit: Visit) -> bool:
        """Is the log to be asked, before `take`, whose orders a server's events are about?"""
        return visit.is_trusted and self.settings.log.find_orders

    async def recall(self, visit: Visit, parsed: Parsed) -> None:
        """Whom it does not name itself, but by the order. Raises `LogUnavailable`."""
        orders = {
            event.id: event.data.order_id
            for event in parsed.events
            if event.data.order_id is not None and event.visitor is None and event.id not in parsed.cookies
        }
        if orders:
            found = await self._log.of_orders({*orders.values()})
            visit.handed = {key: recalled(found[order], self._keep) for key, order in orders.items() if order in found}
            orders_found.labels("found").inc(len(visit.handed))
            orders_found.labels("unknown").inc(len(orders) - len(visit.handed))

    def take(self, visit: Visit, parsed: Parsed) -> tuple[list[bytes], Storing | None]:
        """Collect, and hand to the log: the `Set-Cookie` lines for the answer, and what has to be on disk before it is
        sent, if anything."""
        if not visit.is_trusted and (more := len(parsed.events) + len(parsed.refused) - 1) > 0:
            self.limits.charge(visit.client.ip, more, visit.received_ms)
        if parsed.landing is not None and not visit.is_trusted:
            visit.landing = parsed.landing
            visit.mint = self._sown(parsed.landing.seed)
        if parsed.webdriver and not visit.is_trusted:
            visit.bot = visit.bot or Sign.AUTOMATION
        if parsed.cookies and visit.is_trusted:
            handed = {key: self._handed(text, visit.received_ms) for key, text in parsed.cookies.items()}
            visit.handed = {**visit.handed, **handed}
        if parsed.reset is not None:
            visit.identity = reset(visit.identity, parsed.reset)
        if parsed.decision is not None:
            terms = self.terms.of(visit.client.region)
            consent = effective(parsed.decision, terms, gpc=visit.has_gpc, dnt=visit.has_dnt)
            visit.identity = replace(visit.identity, consent=consent)
        decided = refusal = None
        kept, dropped = collect(visit, parsed.events, self._book)
        if visit.is_erased:
            visit.identity = revoked(visit.identity)
        elif not visit.is_trusted:
            refusal, decided = self._decisions.refusal(visit), self._decisions.proof(visit)
        cookies = [] if visit.is_trusted else self._cookies(visit)
        left = Left(dropped, parsed.refused, parsed.ignored, visit.removed)
        if kept or decided is not None or refusal is not None:
            return cookies, self.store.keep(kept, visit.source, left, decided, refusal)
        self.store.count(left)
        return cookies, None

    def _handed(self, text: str, now_ms: int) -> Identity:
        """`text`: a visitor's `Cookie` header, or the value of the visitor cookie alone, which has no `=` in it."""
        header = text if "=" in text else f"{self.settings.cookie.name}={text}"
        identity = read(header, self._codec, self._keep, now_ms)
        self._count_unusable(identity)
        return identity

    def event_id(self, received_ms: int) -> str:
        """For an event whose sender gave it none. Begins with its time: ids in order are kinder to an index."""
        return f"{received_ms:012x}{self.mint() >> 48:020x}"

    def _sown(self, seed: str) -> Mint:
        """Random bits that are the same for the same page load: two of its requests that race each other, neither with
        a cookie yet, make one visitor. Keyed, so that a page cannot choose whom it becomes."""
        draws = itertools.count()
        return lambda: int.from_bytes(self._keyring.pseudonym("mint", f"{next(draws)}:{seed}".encode()))

    def _cookies(self, visit: Visit) -> list[bytes]:
        values = set_cookies(
            visit.identity,
            codec=self._codec,
            settings=self.settings.cookie,
            domain=visit.domain,
            now_ms=visit.received_ms,
            secure=visit.is_secure,
            keep=self._keep,
        )
        return [f"Set-Cookie: {value}\r\n".encode("ascii") for value in values]

    def _count_unusable(self, identity: Identity) -> None:
        """Cookies of our names that came and say nothing: forged, cut, of a lost key, broken by a script."""
        usable = {self.settings.cookie.name: identity.kept, FBP: identity.fbp, FBC: identity.fbc}
        for name in identity.sent:
            if name in identity.found.unusable or (name in usable and usable[name] is None):
                cookies_rejected.labels(name).inc()


def _warm_up() -> None:
    """What is read from disk and compiled when first asked for is wanted before the first visitor."""
    cookie_domain("warm.example")
    is_crawler("Mozilla/5.0")
