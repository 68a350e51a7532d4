"""Consent taken back: what counts as that, and what of an earlier event is left."""

import pytest

from proxy.event import ClickId, Consent, ConsentState, Event, Page, Purpose, User, Visitor
from proxy.privacy.refusal import still_allowed, taken_back

GRANTED, DENIED, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
MARKETING, ANALYTICS, PERSONALIZATION, SALE = Purpose
NOW_MS = 1_790_000_000_000
AGREED = Consent(marketing=GRANTED, analytics=GRANTED, personalization=GRANTED, source="tcf")
STORED = Event(
    id="e-1",
    name="purchase",
    time=NOW_MS,
    page=Page(url="https://www.shop.example/?gclid=CLICK"),
    visitor=Visitor(id="v_ann", first_seen=1),
    click_ids={"gclid": ClickId(value="CLICK", clicked_at=1)},
    browser_ids={"fbp": "fb.1.1790000000000.1", "ga_client_id": "1.2"},
    user=User(email=("ann@shop.example",)),
    consent=AGREED,
)


def said(source="tcf", **purposes):
    states = {"marketing": GRANTED, "analytics": GRANTED, "personalization": GRANTED, **purposes}
    return Consent(**states, source=source, time=NOW_MS)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (AGREED, said(), ()),
        (AGREED, said(marketing=DENIED), (MARKETING,)),
        (
            AGREED,
            said(marketing=DENIED, analytics=DENIED, personalization=DENIED),
            (MARKETING, ANALYTICS, PERSONALIZATION),
        ),
        (AGREED, said(sale=DENIED), (SALE,)),
        (said(marketing=DENIED), said(marketing=DENIED), ()),
        (said(marketing=DENIED), said(marketing=DENIED, sale=DENIED), (SALE,)),
        (said(marketing=DENIED), said(), ()),
        (None, said(), ()),  # known by a default until now
        (None, said(analytics=DENIED), (ANALYTICS,)),
    ],
)
def test_what_was_not_refused_before_is_taken_back(before, now, expected):
    assert taken_back(before, now, NOW_MS) == expected


@pytest.mark.parametrize("source", ["default", "remembered"])
def test_where_nobody_spoke_nothing_is_taken_back(source):
    assert taken_back(AGREED, said(source, marketing=DENIED, analytics=DENIED), NOW_MS) == ()


def test_an_opt_out_signal_takes_back_the_sale():
    assert taken_back(AGREED, said("gpc", sale=DENIED), NOW_MS, {SALE}) == (SALE,)
    assert taken_back(AGREED, said("tcf", sale=DENIED), NOW_MS, {SALE}) == (SALE,)


def test_with_a_signal_alone_the_rest_is_the_default_and_nobodys_word():
    by_default = said("gpc", marketing=DENIED, sale=DENIED)
    assert taken_back(AGREED, by_default, NOW_MS, {SALE}) == (SALE,)
    assert taken_back(AGREED, by_default, NOW_MS, {SALE, MARKETING}) == (MARKETING, SALE)


def test_what_was_not_refused_stays_as_it_was():
    assert still_allowed(STORED, ()) is STORED


def test_an_event_is_left_as_if_it_had_been_refused_then():
    without_marketing = still_allowed(STORED, (MARKETING,))
    assert (without_marketing.consent.marketing, without_marketing.consent.analytics) == (DENIED, GRANTED)
    assert (without_marketing.click_ids, without_marketing.user) == ({}, User())
    assert without_marketing.browser_ids == {"ga_client_id": "1.2"}
    assert without_marketing.page.url == "https://www.shop.example/"
    unsold = still_allowed(STORED, (SALE,))
    assert (unsold.consent.sale, unsold.click_ids, unsold.user) == (DENIED, {}, STORED.user)


def test_with_every_purpose_taken_back_nothing_is_left():
    assert still_allowed(STORED, (MARKETING, ANALYTICS, PERSONALIZATION)) is None
