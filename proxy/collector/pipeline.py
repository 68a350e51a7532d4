"""From a well-formed event to what may be stored of it: a visible list of steps, each of which may drop the event.

A step is a plain function of the visit and the event; it returns the event, changed or not, or the reason to drop it.
Every reason is counted (`firsthand_events_dropped_total`). A dropped event is answered like a stored one: the sender
did nothing wrong. What is not in this list is not done to events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial

import msgspec

from proxy.collector.bots import Sign
from proxy.collector.visit import Visit
from proxy.config.settings import Settings
from proxy.event import Event, replace
from proxy.identity.identity import Identity, advance
from proxy.identity.keeping import Keeping
from proxy.privacy.consent import effective, is_said, may_advertise, may_identify, minimise
from proxy.privacy.geoip import Locate
from proxy.privacy.scrub import Scrub
from proxy.privacy.terms import TermsByRegion


class DropReason(StrEnum):
    PREFETCH = "prefetch"  # a browser fetched ahead of time; nobody has seen the page
    NO_USER_AGENT = Sign.NO_USER_AGENT.value
    CRAWLER = Sign.CRAWLER.value
    AUTOMATION = Sign.AUTOMATION.value
    FETCH_METADATA = Sign.FETCH_METADATA.value
    NO_CONSENT = "no_consent"  # no purpose was granted
    ERASED = "erased"  # of a visitor whose data was erased


class Rulebook(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps need of the configuration."""

    settings: Settings
    keep: Keeping
    terms: TermsByRegion
    locate: Locate
    scrub: Scrub
    is_erased: Callable[[str], bool] = lambda _: False


Step = Callable[[Visit, Event, Rulebook], Event | DropReason]


def drop_prefetches(visit: Visit, event: Event, _: Rulebook) -> Event | DropReason:
    return DropReason.PREFETCH if visit.is_prefetch else event


def sort_out_bots(visit: Visit, event: Event, book: Rulebook) -> Event | DropReason:
    """Servers are no browsers; what they say about a visitor's browser is theirs to judge."""
    if visit.bot is None or book.settings.bots.action == "keep":
        return event
    return replace(event, bot=visit.bot.value) if book.settings.bots.action == "mark" else DropReason(visit.bot.value)


def state_client(visit: Visit, event: Event, book: Rulebook) -> Event:
    """The connection says who the client is, unless the sender is a server that speaks for somebody."""
    if not visit.is_trusted:
        return replace(event, client=visit.client)
    client = event.client
    if client.region is None and client.ip is not None and (region := book.locate(client.ip)) is not None:
        return replace(event, client=replace(client, region=region))
    return event


def recall_consent(visit: Visit, event: Event, _: Rulebook) -> Event:
    """A server that hands on the visitor's cookie and says nothing about consent: what the visitor had said counts."""
    kept = visit.handed[event.id].kept if event.id in visit.handed else None
    if kept is None or kept.consent is None or is_said(event.consent):
        return event
    return replace(event, consent=kept.consent)


def settle_consent(visit: Visit, event: Event, book: Rulebook) -> Event:
    """From here on `event.consent` is what counts: the visitor's words, the defaults of their region, the signals."""
    terms = book.terms.of(event.client.region)
    return replace(event, consent=effective(event.consent, terms, gpc=visit.has_gpc, dnt=visit.has_dnt))


def identify(visit: Visit, event: Event, book: Rulebook) -> Event:
    """Visitor, click ids, browser ids as far as consent allows; learns of a withdrawal before the event is dropped."""
    known = partial(
        advance,
        consent=event.consent,
        now_ms=visit.received_ms,
        domain=visit.domain,
        mint=visit.mint,
        keep=book.keep,
    )
    if visit.is_trusted:
        # A server's events may be about as many people: each starts from its own cookie, or from nothing.
        return known(visit.handed.get(event.id, Identity()), event)[1]
    if visit.landing is not None and may_identify(event.consent):
        landed = Event(id=event.id, name=event.name, time=visit.landing.at, page=visit.landing.page)
        visit.identity, _ = known(visit.identity, landed)
        if may_advertise(event.consent):
            visit.landing = None
    visit.identity, event = known(visit.identity, event)
    return event


def drop_erased(visit: Visit, event: Event, book: Rulebook) -> Event | DropReason:
    """Nothing brings an erased visitor back: no late beacon, no server that still knows the id."""
    if visit.is_erased or (event.visitor is not None and book.is_erased(event.visitor.id)):
        return DropReason.ERASED
    return event


def keep_what_is_allowed(_: Visit, event: Event, book: Rulebook) -> Event | DropReason:
    return minimise(event, book.keep.aliases) or DropReason.NO_CONSENT


def scrub(visit: Visit, event: Event, book: Rulebook) -> Event:
    """Tokens in URLs, e-mail addresses and telephone numbers where they do not belong: not stored, whoever consented.
    After `identify`, which has to see the landing page's address as it was."""
    event, found = book.scrub(event)
    visit.removed.extend(found)
    return event


STEPS: tuple[Step, ...] = (
    drop_prefetches,
    sort_out_bots,
    state_client,
    recall_consent,
    settle_consent,
    identify,
    drop_erased,
    keep_what_is_allowed,
    scrub,
)


def collect(visit: Visit, events: Iterable[Event], book: Rulebook) -> tuple[list[Event], list[DropReason]]:
    """What to store of the events of one request, in order, and why the others are dropped."""
    kept: list[Event] = []
    dropped: list[DropReason] = []
    for event in events:
        found = _through(visit, event, book)
        if isinstance(found, DropReason):
            dropped.append(found)
        else:
            kept.append(found)
    return kept, dropped


def _through(visit: Visit, event: Event, book: Rulebook) -> Event | DropReason:
    for step in STEPS:
        found = step(visit, event, book)
        if isinstance(found, DropReason):
            return found
        event = found
    return event
