"""The one canonical shape: what a site reported, once. Everything else in this package is about Events.

An `Event` is frozen; steps return changed copies (`msgspec.structs.replace`). Field names are the wire names of
`POST /e`. `None` and empty mean "not given", never "failed". Times are Unix **milliseconds**, UTC. Money is `Decimal`
and never passes through a float before a platform's own file turns it into what that platform wants.

None of these can be part of a circle (frozen, made from JSON), so Python's garbage collector need not look at them
(`gc=False`): an event is some ten objects that it would go through again and again while the event is kept.

`proxy/wire.py` makes Events from JSON, `proxy/destinations/*.py` turn them into platform requests.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec


class ConsentState(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Purpose(StrEnum):
    """What a visitor can agree to. `sale` (sale or sharing, the US opt-out) counts as granted until it is refused."""

    MARKETING = "marketing"
    ANALYTICS = "analytics"
    PERSONALIZATION = "personalization"
    SALE = "sale"


class ActionSource(StrEnum):
    """Where the event happened, in the words Meta made common."""

    WEBSITE = "website"
    APP = "app"
    EMAIL = "email"
    PHONE_CALL = "phone_call"
    CHAT = "chat"
    PHYSICAL_STORE = "physical_store"
    SYSTEM_GENERATED = "system_generated"
    OTHER = "other"


class Page(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    url: str | None = None
    referrer: str | None = None
    title: str | None = None
    language: str | None = None  # BCP 47, as `navigator.language` gives it
    screen: str | None = None  # "1920x1080"
    viewport: str | None = None  # "1280x720"


class Visitor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    id: str
    first_seen: int  # ms


class ClickId(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    value: str  # as it stood in the URL: never decoded twice, trimmed or lower-cased
    clicked_at: int  # ms, when the landing page was first seen


class Touch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A visit that began with a click on an ad."""

    click: str  # name in `click_ids`
    at: int  # ms
    evidence: str  # how we came to know: a word of `proxy.identity.touches.Evidence`


class Attribution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The visitor's first and last ad click of 90 days, whichever platform's."""

    first: Touch
    last: Touch
    evidence: str  # where *this* event has the last one from: a fresh source, or `store`


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the site tells us about the person: raw, or already SHA-256 in hex (64 digits)."""

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    first_name: str | None = None
    last_name: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    gender: str | None = None
    birth_date: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    id: str | None = None
    name: str | None = None
    brand: str | None = None
    category: str | None = None
    variant: str | None = None
    price: Decimal | None = None  # of one unit
    quantity: int | None = None


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was bought, searched, asked for. `value` is the total in `currency` (ISO 4217, upper case)."""

    value: Decimal | None = None
    currency: str | None = None
    order_id: str | None = None
    items: tuple[Item, ...] = ()
    search_term: str | None = None
    coupon: str | None = None
    shipping: Decimal | None = None
    tax: Decimal | None = None
    predicted_ltv: Decimal | None = None
    net_revenue: Decimal | None = None
    status: str | None = None
    num_items: int | None = None
    content_ids: tuple[str, ...] = ()
    content_type: str | None = None
    content_name: str | None = None
    content_category: str | None = None
    delivery_category: str | None = None
    description: str | None = None


class Client(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    ip: str | None = None
    user_agent: str | None = None
    mobile: bool | None = None  # low-entropy client hints only: Sec-CH-UA-Mobile
    platform: str | None = None  # Sec-CH-UA-Platform, unquoted
    region: str | None = None  # "DE", "US-CA": country, in the US and Canada also the state


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    marketing: ConsentState = ConsentState.UNKNOWN
    analytics: ConsentState = ConsentState.UNKNOWN
    personalization: ConsentState = ConsentState.UNKNOWN
    sale: ConsentState = ConsentState.UNKNOWN
    source: str | None = None  # tcf, gpp, gcm, api, …; nobody spoke: default, gpc, dnt
    time: int | None = None  # ms, when the visitor decided

    def state(self, purpose: Purpose) -> ConsentState:
        state: ConsentState = getattr(self, purpose.value)
        return state


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    id: str  # the deduplication key, shared with the browser pixel
    name: str  # canonical (proxy/vocabulary.py) or custom
    time: int  # ms, when it happened
    source: str = "browser"  # browser, server, webhook:<kind>, segment, gtag, pixel
    action_source: ActionSource = ActionSource.WEBSITE
    page: Page = Page()
    visitor: Visitor | None = None
    click_ids: dict[str, ClickId] = {}  # by parameter name: fbclid, gclid, gbraid, wbraid, ttclid, sccid, epik, …
    browser_ids: dict[str, str] = {}  # fbp, fbc, ttp, scid, ga_client_id, ga_session_id, uetvid, …
    attribution: Attribution | None = None  # from the click ids' history; advertising consent only
    user: User = User()
    remembered: tuple[str, ...] = ()  # fields of `user` that come from an earlier event of the visitor
    data: Data = Data()
    custom: dict[str, Any] = {}  # free key/values, passed where a platform allows them
    client: Client = Client()
    consent: Consent = Consent()
    debug: str | None = None  # preview session token
    bot: str | None = None  # why it is marked as a bot's: crawler, automation, …; then only rules that ask send it


_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Event)


def encode_json(value: Any) -> bytes:
    """Compact JSON; `Decimal` as an exact JSON number. The only JSON encoder of the package."""
    return _encoder.encode(value)


def decode_event(raw: bytes) -> Event:
    """The inverse of `encode_json(event)`; for what we wrote ourselves (the log), not for input."""
    return _decoder.decode(raw)


replace = msgspec.structs.replace
"""A copy with some fields changed; a shorter name for what every step does."""
