"""The record of processing (GDPR 30) as far as a configuration tells it: who receives what, for which purpose, how long
what is kept. Markdown, the same for the same file. Pure.

Fields are not listed by hand: a sample event in which everything is filled in goes through the very plan the relay
follows, and what stands in the requests is what is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from proxy.config.consent import ConsentSettings, PurposeDefaults
from proxy.config.load import Config
from proxy.destinations.base import Destination
from proxy.event import (
    ClickId,
    Client,
    Consent,
    ConsentState,
    Data,
    Event,
    Item,
    Page,
    User,
    Visitor,
)
from proxy.identity.click_ids import NAMES
from proxy.log.base import Entry
from proxy.relay import guard
from proxy.relay.plan import Decide
from proxy.rules.decision import Decision, Route

_NOW_MS = 1_790_000_000_000  # some time: the same file gives the same text
_USUAL = ("page_view", "view_content", "add_to_cart", "purchase", "lead")
_OTHER = "something_else"

_EVENT = (
    "page addresses, visitor id, click and browser ids, what the site said about the person, order data, IP address "
    "and user agent, the consent they came with"
)
_SIGNALS = {
    "refuse_sale": "refuses sale and sharing",
    "refuse_marketing": "refuses marketing",
    "ignore": "is ignored",
}
_PROOF = "decision, time, source, page host, network, browser family, digest of the visitor id"


def record(config: Config) -> Iterator[str]:
    """Lines of Markdown."""
    settings = config.settings
    yield "# Record of processing: first-party event collection and relay"
    yield ""
    yield f"Written by `firsthand record` from configuration `{config.version}`. Names in `code` are keys of that file."
    yield ""
    yield f"- Sites: {', '.join(settings.site.origins)}"
    yield "- Subjects: visitors and customers of these sites"
    yield f"- Legal basis: consent. {_consent(settings.consent)}"
    yield "- To be added by you: controller and contacts, data protection officer, agreements with the recipients,"
    yield "  transfers to third countries"
    yield ""
    yield "## What is stored, and how long"
    yield ""
    yield "In the event log on the own server, encrypted (AES-256-GCM); found again by keyed digests."
    yield ""
    yield "| Data | Holds | Deleted after |"
    yield "|---|---|---|"
    keeps, consent = settings.log, settings.consent
    proof = f"{_PROOF}, cookies of the banner: {', '.join(consent.receipts)}" if consent.receipts else _PROOF
    proofs = f"{keeps.consent_days:g} days" if consent.log else "not written"
    yield f"| Events | {_EVENT} | {keeps.retention_days:g} days |"
    yield f"| Dead letters | events a destination refused, with its words | {keeps.dead_days:g} days |"
    yield f"| Proofs of consent | {proof} | {proofs} |"
    if keeps.find_orders:
        yield f"| Orders named by visitors | a digest of the order's number | {keeps.retention_days:g} days |"
    yield "| Consent taken back | a digest of the visitor id, the purposes | with the events from before |"
    yield f"| Erased visitors | a digest of the visitor id | {keeps.erased_days:g} days |"
    yield ""
    cookie = settings.cookie
    lasts = f"{cookie.max_age_days} days, {'renewed with every visit' if cookie.rolling else 'not renewed'}"
    yield (
        f"In the visitor's browser, only under consent: the cookie `{cookie.name}` (sealed; {lasts}) with visitor id, "
        "click ids (90 days) and the platforms' cookies named in docs/cookies.md."
    )
    yield ""
    yield "## Who receives what"
    for destination in config.destinations.values():
        yield ""
        yield from _recipient(destination, config)
    if not config.destinations:
        yield ""
        yield "Nobody: there is no destination."


def _consent(consent: ConsentSettings) -> str:
    default = consent.default
    if isinstance(default, PurposeDefaults):
        counts = ", ".join(f"{purpose} {getattr(default, purpose)}" for purpose in PurposeDefaults.model_fields)
    else:
        counts = str(default)
    signals = ", ".join(
        f"`{name}` {_SIGNALS[signal]}" for name, signal in (("Sec-GPC", consent.gpc), ("DNT", consent.dnt))
    )
    regions = f"; other defaults in {', '.join(consent.by_region)}" if consent.by_region else ""
    proof = "decisions are written down as proof" if consent.log else "decisions are not written down"
    return f"Until the visitor decides: {counts}{regions}; {signals}; {proof}."


def _recipient(destination: Destination, config: Config) -> Iterator[str]:
    settings = destination.settings
    names, fields, hosts = _sent(destination, config)
    yield f"### {destination.name} (`{destination.kind}`{'' if settings.enabled else ', switched off'})"
    yield ""
    yield f"- Purposes that must be granted: {', '.join(settings.consent) or 'none'}"
    limited = "sent nothing" if settings.sale_refused == "skip" else "sent with the platform's limited-use flag"
    yield f"- When sale or sharing was refused: {limited}"
    yield f"- Host: {', '.join(hosts) or 'unknown'}"
    yield f"- Events: {', '.join(names) or 'as the conditions of its rules say'}"
    yield f"- Fields, as the recipient names them: {', '.join(f'`{field}`' for field in fields) or 'none'}"
    yield f"- Sent within {destination.max_age_s / 86_400:g} days, or not at all"
    yield f"- Deletion there: {destination.deletion}"


def _sent(destination: Destination, config: Config) -> tuple[list[str], list[str], list[str]]:
    """Names of events, fields and hosts, by planning a sample of each name."""
    named = {name for rule in config.rules.rules for name in rule.names or ()}
    names, fields, hosts = [], set(), set()

    def requests(name: str, decide: Decide) -> bool:
        entry = Entry(seq=1, stored_at_ms=_NOW_MS, event=_sample(name))
        plan = guard.plan(destination, [entry], decide, _NOW_MS, frozenset())
        for parcel in plan.parcels:
            hosts.add(urlsplit(parcel.request.url).hostname or "")
            fields.update(_fields(parcel.request.body))
        return bool(plan.parcels)

    for name in (*_USUAL, *sorted(named - {*_USUAL})):
        if requests(name, config.rules.decide):
            names.append(name)  # noqa: PERF401 - it asks as it goes
    if requests(_OTHER, config.rules.decide):
        names.append("any other name")
    if not names:  # the sample meets none of its rules' conditions: what it would be sent, if it did
        requests("purchase", partial(_to, destination.name))
    return names, sorted(fields), sorted(filter(None, hosts))


def _to(destination: str, event: Event) -> Decision:
    return Decision(routes=(Route(destination, event, ()),))


def _fields(body: bytes | None) -> set[str]:
    try:
        value = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()
    return set(_paths(value, ""))


def _paths(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _paths(one, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, at)
    else:
        yield at


def _sample(name: str) -> Event:
    granted = ConsentState.GRANTED
    items: Sequence[Item] = [
        Item(id="sku-1", name="Mug", brand="B", category="C", variant="V", price=Decimal("9.90"), quantity=1)
    ]
    return Event(
        id="o-1001",
        name=name,
        time=_NOW_MS,
        page=Page(
            url="https://www.shop.example/",
            referrer="https://ads.example/",
            title="Shop",
            language="en",
            screen="1920x1080",
            viewport="1280x720",
        ),
        visitor=Visitor(id="v_aaaaaaaaaaaaaaaaaaaaaaaaaa", first_seen=_NOW_MS),
        click_ids={click: ClickId(value="AbC123", clicked_at=_NOW_MS) for click in sorted(NAMES)},
        browser_ids={
            "fbp": f"fb.1.{_NOW_MS}.1",
            "fbc": f"fb.1.{_NOW_MS}.AbC123",
            "ttp": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "scid": "AbCdEfGh0123456789",
            "ga_client_id": "1234567890.1690000000",
            "ga_session_id": "1790000000",
            "ga_session_number": "1",
        },
        user=User(
            email=("ann@example.com",),
            phone=("+491711234567",),
            external_id=("c-7",),
            first_name="Ann",
            last_name="Example",
            street="Main St 1",
            city="Berlin",
            state="BE",
            zip="10115",
            country="de",
            gender="f",
            birth_date="1990-01-31",
        ),
        data=Data(
            value=Decimal("59.90"),
            currency="EUR",
            order_id="o-1001",
            items=tuple(items),
            search_term="mug",
            coupon="C",
            shipping=Decimal(1),
            tax=Decimal(1),
            predicted_ltv=Decimal(1),
            net_revenue=Decimal(1),
            status="paid",
            num_items=1,
            content_ids=("sku-1",),
            content_type="product",
            content_name="Mug",
            content_category="C",
            delivery_category="home_delivery",
            description="D",
        ),
        client=Client(ip="203.0.113.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", mobile=False),
        consent=Consent(
            marketing=granted, analytics=granted, personalization=granted, sale=granted, source="record", time=_NOW_MS
        ),
    )
