"""What consent allows, over every combination of states."""

import itertools

import pytest
from hypothesis import given, strategies as st

from proxy.config.consent import ConsentSettings, PurposeDefaults
from proxy.destinations.base import DestinationSettings
from proxy.event import ClickId, Client, Consent, ConsentState, Data, Event, Page, Purpose, User, Visitor, encode_json
from proxy.privacy.consent import (
    effective,
    may_advertise,
    may_identify,
    minimise,
    permits,
    withdraws_advertising,
    withdraws_identity,
)
from proxy.privacy.terms import terms

G, D, U = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
EVERY_CONSENT = [
    Consent(marketing=m, analytics=a, personalization=p, sale=s)
    for m, a, p, s in itertools.product((G, D, U), repeat=4)
]
DENIED = terms(ConsentSettings())
GRANTED = terms(ConsentSettings(default="granted"))


def destination(*purposes, **settings):
    return DestinationSettings(kind="any", consent=purposes, **settings)


def full_event(consent):
    return Event(
        id="o-1",
        name="purchase",
        time=1,
        page=Page(url="https://x.example/p?fbclid=CLICK1&a=1", referrer="https://x.example/?gclid=CLICK2", title="T"),
        visitor=Visitor(id="v_visitor", first_seen=1),
        click_ids={"fbclid": ClickId(value="CLICK1", clicked_at=1)},
        browser_ids={"fbp": "BROWSER1", "ttp": "BROWSER2", "scid": "BROWSER3", "ga_client_id": "1.2"},
        user=User(email=("ann@example.com",), external_id=("USER1",), city="USER2"),
        data=Data(order_id="o-1"),
        custom={"plan": "gold", "GCLID": "CLICK3", "fbc": "fb.1.1.CLICK4"},
        client=Client(ip="203.0.113.9", user_agent="UA"),
        consent=consent,
    )


def test_silence_means_the_configured_default_and_says_so():
    assert effective(Consent(), DENIED, gpc=False) == Consent(
        marketing=D, analytics=D, personalization=D, sale=U, source="default"
    )
    assert effective(Consent(), GRANTED, gpc=False) == Consent(
        marketing=G, analytics=G, personalization=G, sale=U, source="default"
    )


def test_defaults_can_differ_per_purpose():
    settings = terms(ConsentSettings(default=PurposeDefaults(analytics="granted")))
    assert effective(Consent(), settings, gpc=False) == Consent(
        marketing=D, analytics=G, personalization=D, sale=U, source="default"
    )


def test_the_visitors_words_beat_the_default_and_keep_their_source_and_time():
    said = Consent(marketing=D, analytics=G, source="tcf", time=5)
    assert effective(said, GRANTED, gpc=False) == Consent(
        marketing=D, analytics=G, personalization=G, source="tcf", time=5
    )


def test_gpc_refuses_sale_even_against_a_stored_yes():
    said = Consent(marketing=G, sale=G, source="api")
    assert effective(said, DENIED, gpc=True).sale is D
    assert effective(said, DENIED, gpc=True).marketing is G


def test_gpc_can_be_made_to_refuse_marketing_too_or_nothing():
    said = Consent(marketing=G, source="api")
    strict = effective(said, terms(ConsentSettings(gpc="refuse_marketing")), gpc=True)
    assert (strict.marketing, strict.sale, strict.source) == (D, D, "api")
    assert effective(said, terms(ConsentSettings(gpc="ignore")), gpc=True) == effective(said, DENIED, gpc=False)


def test_gpc_alone_is_named_as_the_source():
    assert effective(Consent(), GRANTED, gpc=True).source == "gpc"
    assert effective(Consent(), terms(ConsentSettings(gpc="ignore")), gpc=True).source == "default"


@pytest.mark.parametrize(
    "settings", [DENIED, GRANTED, terms(ConsentSettings(gpc="refuse_marketing")), terms(ConsentSettings(gpc="ignore"))]
)
@pytest.mark.parametrize("gpc", [True, False])
def test_effective_consent_is_decided_and_stable(settings, gpc):
    for said in EVERY_CONSENT:
        counts = effective(said, settings, gpc=gpc)
        assert U not in (counts.marketing, counts.analytics, counts.personalization)
        assert effective(counts, settings, gpc=gpc) == counts
        for purpose in Purpose:
            if said.state(purpose) is D:
                assert counts.state(purpose) is D
        if said.sale is not D and not gpc:
            assert counts.sale is said.sale


@pytest.mark.parametrize(
    ("consent", "destination_", "reason"),
    [
        (Consent(marketing=G), destination(Purpose.MARKETING), None),
        (Consent(marketing=D), destination(Purpose.MARKETING), "consent: marketing denied"),
        (Consent(), destination(Purpose.MARKETING), "consent: marketing unknown"),
        (
            Consent(marketing=G, analytics=D),
            destination(Purpose.MARKETING, Purpose.ANALYTICS),
            "consent: analytics denied",
        ),
        (Consent(marketing=G, sale=D), destination(Purpose.MARKETING), "consent: sale denied"),
        (Consent(marketing=G, sale=D), destination(Purpose.MARKETING, sale_refused="limit"), None),
        (
            Consent(marketing=D, sale=D),
            destination(Purpose.MARKETING, sale_refused="limit"),
            "consent: marketing denied",
        ),
        (Consent(analytics=G, sale=D), destination(Purpose.ANALYTICS), None),
        (Consent(analytics=G, sale=D), destination(Purpose.ANALYTICS, Purpose.SALE), "consent: sale denied"),
        (Consent(personalization=G, sale=D), destination(Purpose.PERSONALIZATION), "consent: sale denied"),
        (Consent(), destination(Purpose.SALE), None),
        (Consent(), destination(), None),
    ],
)
def test_permits_names_the_purpose_that_is_missing(consent, destination_, reason):
    assert permits(consent, destination_) == reason


EVERY_DESTINATION = [
    destination(*purposes, sale_refused=refused)
    for size in range(5)
    for purposes in itertools.combinations(Purpose, size)
    for refused in ("skip", "limit")
]


@given(st.sampled_from(EVERY_CONSENT), st.sampled_from(EVERY_DESTINATION))
def test_nothing_is_sent_without_every_purpose_it_needs(consent, to):
    if permits(consent, to) is None:
        assert all(consent.state(purpose) is G for purpose in to.consent if purpose is not Purpose.SALE)
        assert consent.sale is not D or to.sale_refused == "limit" or set(to.consent) <= {Purpose.ANALYTICS}


def test_advertising_needs_marketing_and_no_refused_sale_and_identity_needs_either_purpose():
    for consent in EVERY_CONSENT:
        assert may_advertise(consent) == (consent.marketing is G and consent.sale is not D)
        assert may_identify(consent) == (G in (consent.marketing, consent.analytics))


def test_only_words_withdraw_not_defaults():
    said = Consent(marketing=D, analytics=D, source="api")
    assert withdraws_identity(said)
    assert withdraws_advertising(said)
    default = effective(Consent(), DENIED, gpc=False)
    assert not withdraws_identity(default)
    assert not withdraws_advertising(default)


def test_a_gpc_signal_withdraws_advertising_but_leaves_the_visitor_id():
    signal = effective(Consent(), DENIED, gpc=True)
    assert withdraws_advertising(signal)
    assert not withdraws_identity(signal)


@pytest.mark.parametrize("consent", EVERY_CONSENT, ids=lambda c: "-".join(c.state(p)[0] for p in Purpose))
def test_what_is_stored_is_covered_by_the_consent_beside_it(consent):
    event = full_event(consent)
    stored = minimise(event)
    if G not in (consent.marketing, consent.analytics, consent.personalization):
        assert stored is None
        return
    text = encode_json(stored).decode()
    if not may_advertise(consent):
        assert "CLICK" not in text
        assert "BROWSER" not in text
    if consent.marketing is not G:
        assert "USER" not in text
        assert "ann@" not in text
    if not may_identify(consent):
        assert "v_visitor" not in text
    if may_advertise(consent):
        assert stored == event
    assert minimise(stored) == stored


def test_analytics_alone_keeps_the_page_the_purchase_and_measurement_ids():
    stored = minimise(full_event(Consent(analytics=G)))
    assert stored.page == Page(url="https://x.example/p?a=1", referrer="https://x.example/", title="T")
    assert stored.browser_ids == {"ga_client_id": "1.2"}
    assert stored.visitor.id == "v_visitor"
    assert stored.custom == {"plan": "gold"}
    assert stored.data.order_id == "o-1"
    assert stored.client.ip == "203.0.113.9"


def test_a_refused_sale_keeps_the_customer_for_limited_use_but_no_advertising_ids():
    stored = minimise(full_event(Consent(marketing=G, sale=D)))
    assert stored.user.email == ("ann@example.com",)
    assert stored.click_ids == {}
    assert stored.browser_ids == {"ga_client_id": "1.2"}
