"""The proof: over every combination of what a visitor can say, signal and be, nothing is stored, set or sent that their
consent does not cover. Through the collector's own steps, the log's form, the rules and every platform's own code.

The expectation is written out here anew, from the manual's tables, and shares no code with what it judges.
"""

import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.collector.pipeline import Rulebook, collect
from proxy.collector.visit import Visit
from proxy.config.load import read
from proxy.event import (
    ClickId,
    Client,
    Consent,
    ConsentState,
    Data,
    Event,
    Item,
    Page,
    Purpose,
    User,
    decode_event,
    encode_json,
)
from proxy.identity.cookie_domain import CookieDomain
from proxy.identity.identity import Identity, set_cookies
from proxy.identity.keeping import keeping
from proxy.identity.visitor import VisitorCookie
from proxy.log.base import Entry
from proxy.privacy.geoip import nowhere
from proxy.privacy.keys import Keyring, generate_key
from proxy.privacy.scrub import scrubber
from proxy.privacy.terms import TermsByRegion
from proxy.relay.plan import plan

GOLDEN = Path(__file__).parents[1] / "golden"
NOW_MS = 1_790_000_000_000
STATES = tuple(ConsentState)
REGIONS = (None, "DE", "GB", "US-CA", "JP")
REFUSES = {"refuse_sale": ("sale",), "refuse_marketing": ("sale", "marketing"), "ignore": ()}
KINDS = ("meta", "tiktok", "snapchat", "pinterest", "google_ads", "ga4", "webhook")

CONFIG = """
site: {{origins: [https://www.shop.example]}}
consent: {{default: {default}, gpc: {gpc}, regions: auto, region_header: CF-IPCountry}}
cookie: {{keep: [meta, tiktok, snapchat, pinterest, ga4]}}
destinations:
{destinations}
"""


def destinations():
    """Every kind as its golden settings have it: once as it comes, once limited, once for analytics."""
    for kind in KINDS:
        settings = json.loads((GOLDEN / kind / "settings.json").read_text())
        name = kind.replace("_", "-")
        for suffix, more in (
            ("plain", {"consent": ["marketing"]}),
            ("limited", {"consent": ["marketing"], "sale_refused": "limit"}),
            ("analytics", {"consent": ["analytics"]}),
            ("all", {"consent": ["marketing", "analytics", "personalization", "sale"]}),
        ):
            yield f"  {name}-{suffix}: {json.dumps({'kind': kind, **settings, **more})}"


@pytest.fixture(scope="module", params=itertools.product(("denied", "granted"), REFUSES), ids=str)
def shop(request):
    default, gpc = request.param
    text = CONFIG.format(default=default, gpc=gpc, destinations="\n".join(destinations()))
    return read(text, Path("config.yaml"), {}), default, gpc


KEYS = VisitorCookie(Keyring.parse(generate_key()))


def event(said):
    states = dict(zip(("marketing", "analytics", "personalization", "sale"), said, strict=True))
    spoke = any(state is not ConsentState.UNKNOWN for state in said)
    return Event(
        id="o-1",
        name="purchase",
        time=NOW_MS,
        page=Page(url="https://www.shop.example/thanks?fbclid=CLICK1&gclid=CLICK2&token=TOKEN", title="Thanks"),
        click_ids={"ttclid": ClickId(value="CLICK3", clicked_at=NOW_MS)},
        browser_ids={"fbp": "fb.1.1790000000000.777777", "ga_client_id": "11.22", "ttp": "TTP55555"},
        user=User(email=("ann@shop.example",), country="us", state="ca", city="Springfield"),
        data=Data(order_id="o-1", value=Decimal("59.90"), currency="EUR", items=(Item(id="sku-1", quantity=1),)),
        custom={"note": "from ANN@shop.example"},
        consent=Consent(**states, source="tcf" if spoke else None),
    )


def expected(said, region, *, gpc, default, refuses):
    """The manual's order: words, region, default; then the signal over all."""
    by_region = {None: "denied", "DE": "denied", "GB": "denied", "US-CA": "granted", "JP": default}[region]
    # In the US `auto` says what GPC refuses; where the region is unknown, the hardest of both.
    signal = "refuse_sale" if region == "US-CA" or (region is None and refuses == "ignore") else refuses
    counts = {
        purpose: by_region if state is ConsentState.UNKNOWN and purpose != "sale" else str(state)
        for purpose, state in zip(("marketing", "analytics", "personalization", "sale"), said, strict=True)
    }
    if gpc:
        counts |= dict.fromkeys(REFUSES[signal], "denied")
    return counts


def collected(config, said, region, *, gpc):
    """What is stored, and the names of the cookies that are set (not deleted)."""
    settings = config.settings
    keep = keeping(settings)
    book = Rulebook(
        settings=settings,
        keep=keep,
        terms=TermsByRegion(settings.consent),
        locate=nowhere,
        scrub=scrubber(settings.privacy),
    )
    visit = Visit(
        received_ms=NOW_MS,
        source="browser",
        client=Client(ip="203.0.113.9", user_agent="Mozilla/5.0 (example)", region=region),
        domain=CookieDomain("shop.example", 1),
        is_secure=True,
        has_gpc=gpc,
        identity=Identity(),
        mint=lambda: 1 << 100,
    )
    kept, _ = collect(visit, [event(said)], book)
    cookies = set_cookies(
        visit.identity,
        codec=KEYS,
        settings=settings.cookie,
        domain=visit.domain,
        now_ms=NOW_MS,
        secure=True,
        keep=keep,
    )
    return kept, {cookie.partition("=")[0] for cookie in cookies if "Max-Age=0" not in cookie}


def test_nothing_unconsented_is_stored_set_or_sent(shop):
    config, default, refuses = shop
    sent_somewhere = set()
    for said, region, gpc in itertools.product(itertools.product(STATES, repeat=4), REGIONS, (False, True)):
        counts = expected(said, region, gpc=gpc, default=default, refuses=refuses)
        case = (said, region, gpc, counts)
        kept, cookies = collected(config, said, region, gpc=gpc)
        sold = counts["sale"] != "denied"
        marketing, analytics = counts["marketing"] == "granted", counts["analytics"] == "granted"

        # Stored: nothing without a purpose; no ids of advertising without marketing and sale; nobody without marketing.
        assert bool(kept) is (marketing or analytics or counts["personalization"] == "granted"), case
        text = "".join(encode_json(one).decode() for one in kept)
        assert (marketing and sold) or not any(word in text for word in ("CLICK", "777777", "TTP55555")), case
        assert marketing or not any(word in text for word in ("ann@", "Springfield")), case
        assert marketing or analytics or '"visitor"' not in text, case
        assert "TOKEN" not in text, case
        assert "ANN@" not in text, case

        # Set: the visitor cookie for marketing or analytics, platforms' cookies for marketing and sale.
        assert ("_fh" in cookies) is (marketing or analytics), case
        assert (marketing and sold) or not cookies & {"_fbp", "_fbc", "_ttp", "_scid", "_epik"}, case

        # Sent: every purpose the destination needs, and no sale that was refused, but where it is limited.
        for one in kept:
            stored = decode_event(encode_json(one))
            for destination in config.destinations.values():
                found = plan(
                    destination, [Entry(seq=1, stored_at_ms=NOW_MS, event=stored)], config.rules.decide, NOW_MS
                )
                if not found.parcels:
                    continue
                sent_somewhere.add(destination.name)
                needs = {str(purpose) for purpose in destination.settings.consent}
                assert all(counts[purpose] == "granted" for purpose in needs - {"sale"}), (destination.name, case)
                body = b"".join(parcel.request.body or b"" for parcel in found.parcels).decode()
                if not sold and needs != {"analytics"}:
                    assert destination.settings.sale_refused == "limit", (destination.name, case)
                    assert flagged(destination.kind, body), (destination.name, body)
                if not (marketing and sold):
                    assert "CLICK" not in body, (destination.name, case)
    assert sent_somewhere == set(config.destinations)  # or the test would prove nothing


def test_what_is_taken_back_while_an_event_waits_is_sent_as_if_it_had_been_refused_from_the_start(shop):
    config, _, _ = shop
    granted, denied = ConsentState.GRANTED, ConsentState.DENIED
    agreed = (granted, granted, granted, ConsentState.UNKNOWN)
    stored, _ = collected(config, agreed, "DE", gpc=False)
    for refused in itertools.product((False, True), repeat=4):
        said = tuple(denied if no else state for no, state in zip(refused, agreed, strict=True))
        fresh, _ = collected(config, said, "DE", gpc=False)
        since = tuple(purpose for no, purpose in zip(refused, Purpose, strict=True) if no)
        waiting = [Entry(1, NOW_MS, decode_event(encode_json(one)), since) for one in stored]
        anew = [Entry(1, NOW_MS, decode_event(encode_json(one))) for one in fresh]
        for destination in config.destinations.values():
            assert requests(config, destination, waiting) == requests(config, destination, anew), (
                destination.name,
                said,
            )


def requests(config, destination, entries):
    parcels = plan(destination, entries, config.rules.decide, NOW_MS).parcels
    return [(parcel.request.url, parcel.request.body) for parcel in parcels]


def flagged(kind, body):
    """Does the platform's own words for limited use stand in it?"""
    return {
        "meta": '"data_processing_options":["LDU"]',
        "tiktok": '"limited_data_use":true',
        "snapchat": '"data_processing_options":["LDU"]',
        "pinterest": '"opt_out_type":"LDP"',
        "google_ads": '"adPersonalization":"CONSENT_DENIED"',
        "ga4": '"ad_user_data":"DENIED"',
        "webhook": '"sale":"denied"',
    }[kind] in body
