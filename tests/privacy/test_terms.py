"""What holds where: the region's default before the global one, the strictest where the region is not known."""

import itertools

import pytest
from hypothesis import given, strategies as st

from proxy.config.consent import ConsentSettings
from proxy.event import Consent, ConsentState
from proxy.privacy.consent import effective
from proxy.privacy.terms import TermsByRegion, terms

G, D, U = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
HEADER = {"region_header": "CF-IPCountry"}
REGIONS = [None, "DE", "GB", "CH", "US", "US-CA", "US-TX", "JP"]


def by_region(**settings):
    return TermsByRegion(ConsentSettings(**HEADER, **settings))


@pytest.mark.parametrize(
    ("region", "state"), [("DE", D), ("GB", D), ("CH", D), ("US", G), ("US-CA", G), ("JP", D), (None, D)]
)
def test_auto_is_opt_in_in_europe_and_opt_out_in_the_us(region, state):
    found = by_region(regions="auto").of(region)
    assert (found.marketing, found.analytics, found.personalization) == (state, state, state)
    assert found.gpc == "refuse_sale"


def test_auto_never_loosens_the_default_of_the_rest_of_the_world():
    assert by_region(regions="auto", default="granted").of("JP").marketing is G
    assert by_region(regions="auto", default="granted").of(None).marketing is D


def test_a_state_of_the_us_can_be_stricter_and_a_visitor_of_an_unknown_state_is_treated_like_it():
    found = by_region(regions={"US": {"default": "granted"}, "US-CA": {"default": "denied", "gpc": "refuse_marketing"}})
    assert found.of("US-TX").marketing is G
    assert (found.of("US-CA").marketing, found.of("US-CA").gpc) == (D, "refuse_marketing")
    assert (found.of("US").marketing, found.of("US").gpc) == (D, "refuse_marketing")


def test_what_a_region_does_not_say_is_as_everywhere():
    found = by_region(default="granted", gpc="refuse_marketing", regions={"DE": {"default": "denied"}})
    assert found.of("DE").gpc == "refuse_marketing"
    found = by_region(default="granted", regions={"DE": {"gpc": "ignore"}})
    assert (found.of("DE").marketing, found.of("DE").gpc) == (G, "ignore")


def test_defaults_of_a_region_can_differ_per_purpose():
    found = by_region(default="granted", regions={"FR": {"default": {"analytics": "granted"}}}).of("FR")
    assert (found.marketing, found.analytics, found.personalization) == (D, G, D)


def test_without_regions_every_region_has_the_same_terms():
    found = TermsByRegion(ConsentSettings(default="granted"))
    assert {found.of(region) for region in REGIONS} == {found.everywhere}


RULE = st.fixed_dictionaries(
    {
        "default": st.sampled_from(["granted", "denied", None]),
        "gpc": st.sampled_from(["ignore", "refuse_sale", "refuse_marketing", None]),
    }
)
NAMES = st.sampled_from(["EEA", "UK", "DE", "US", "US-CA", "JP"])


@given(st.dictionaries(NAMES, RULE, max_size=4), st.sampled_from(["granted", "denied"]), st.booleans())
def test_nobody_is_treated_more_strictly_than_the_unknown(rules, default, gpc):
    found = by_region(regions=rules, default=default)
    unknown = effective(Consent(), found.of(None), gpc=gpc)
    for region in REGIONS:
        known = effective(Consent(), found.of(region), gpc=gpc)
        for purpose in ("marketing", "analytics", "personalization", "sale"):
            if getattr(unknown, purpose) is not D:
                assert getattr(known, purpose) is not D


def test_the_visitors_words_beat_the_region_and_a_signal_beats_them():
    for region, gpc, word in itertools.product(REGIONS, (True, False), (G, D)):
        said = Consent(marketing=word, analytics=word, source="tcf")
        counts = effective(said, by_region(regions="auto").of(region), gpc=gpc)
        assert (counts.marketing, counts.analytics, counts.source) == (word, word, "tcf")
        assert (counts.sale is D) is gpc


def test_a_scripts_own_idea_of_the_default_grants_nothing():
    stale = Consent(marketing=G, analytics=G, personalization=D, source="default")
    strict, lenient = terms(ConsentSettings()), terms(ConsentSettings(default="granted"))
    assert effective(stale, strict, gpc=False) == Consent(marketing=D, analytics=D, personalization=D, source="default")
    assert effective(stale, lenient, gpc=False) == Consent(
        marketing=G, analytics=G, personalization=D, source="default"
    )


@pytest.mark.parametrize(
    ("dnt", "refused"), [("ignore", ()), ("refuse_sale", ("sale",)), ("refuse_marketing", ("marketing", "sale"))]
)
def test_dnt_refuses_what_the_operator_says_it_does(dnt, refused):
    counts = effective(Consent(), terms(ConsentSettings(default="granted", dnt=dnt)), gpc=False, dnt=True)
    assert [name for name in ("marketing", "sale") if getattr(counts, name) is D] == list(refused)
    assert counts.source == ("dnt" if refused else "default")


def test_of_two_signals_the_first_names_the_source_and_both_count():
    found = terms(ConsentSettings(default="granted", dnt="refuse_marketing"))
    counts = effective(Consent(), found, gpc=True, dnt=True)
    assert (counts.marketing, counts.sale, counts.source) == (D, D, "gpc")
