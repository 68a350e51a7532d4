"""What reading a body gives: events, refusals and the names of what was left out."""

from __future__ import annotations

import msgspec

from proxy.event import Consent, Event, Page

MAX_EVENTS = 100
"""Of one body."""


SEED_MIN = 16
"""Characters: a shorter seed could be one that other pages have, too."""


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """How this page load began, as our script tells it until its first answer (`landing` of the envelope).

    Requests of one page that race each other carry the same `seed`, so that what is minted for a new visitor is the
    same too; `page` still has the click id when the events are of a later view.
    """

    seed: str  # random, made by the page; 16 to 64 characters
    at: int  # ms, when the script started
    page: Page


class RefusedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that cannot be used. `index` counts from 0; `where` is its place in the body: `events[2].data.value`."""

    index: int
    where: str
    message: str
    reason: str


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[Event, ...]
    landing: Landing | None = None
    reset: int | None = None  # ms, when the page said that the person it had identified is gone
    decision: Consent | None = None  # what the visitor said, when the body tells only that: a withdrawal
    webdriver: bool = False  # the browser says that a program drives it
    cookies: dict[str, str] = {}  # by event id: what a server got from the visitor's browser and hands on
    refused: tuple[RefusedEvent, ...] = ()
    ignored: tuple[str, ...] = ()  # fields left out, as paths without positions; the sender's own words
