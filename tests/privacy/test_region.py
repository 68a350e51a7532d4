"""Regions and rules by region: the narrowest rule counts, and what is not known is answered by every rule there is."""

import pytest
from hypothesis import given, strategies as st

from proxy.privacy.region import GROUPS, belongs, possible, region_code, region_name

RULES = {"EEA": "eea", "UK": "uk", "US": "us", "US-CA": "california", "DE": "germany"}


@pytest.mark.parametrize(
    ("said", "region"),
    [
        (("DE",), "DE"),
        ((" de ",), "DE"),
        (("US-CA",), "US-CA"),
        (("us_ca",), "US-CA"),
        (("US", "CA"), "US-CA"),
        (("US", "US-CA"), "US-CA"),
        (("CA", "QC"), "CA-QC"),
        (("US", "XX"), "US"),
        (("US", None), "US"),
        (("DE", "BY"), "DE"),
        (("UK",), "GB"),
        (("EU",), "EU"),
        (("XX",), None),
        (("T1",), None),
        (("",), None),
        ((None,), None),
        (("Germany",), None),
        (("US-CA; drop",), None),
    ],
)
def test_what_headers_say_becomes_a_region_or_nothing(said, region):
    assert region_code(*said) == region


@given(st.text(max_size=12), st.text(max_size=6))
def test_a_region_is_one_the_configuration_could_name(country, state):
    found = region_code(country, state)
    assert found is None or found == "EU" or region_name(found) == found


@pytest.mark.parametrize("name", ["eea", "UK", "CH", "us", "US-CA", "us_ca", "NO"])
def test_names_of_regions(name):
    assert region_name(name) == name.upper().replace("_", "-")


@pytest.mark.parametrize("name", ["EUROPE", "XX", "US-ZZ", "DE-BY", "", "GDPR"])
def test_other_names_are_refused_in_words(name):
    with pytest.raises(ValueError, match="no region"):
        region_name(name)


@pytest.mark.parametrize(
    ("region", "rules"),
    [
        ("DE", ["germany"]),
        ("FR", ["eea"]),
        ("NO", ["eea"]),
        ("GP", ["eea"]),
        ("EU", ["eea"]),
        ("GB", ["uk"]),
        ("US-CA", ["california"]),
        ("US-TX", ["us"]),
        ("US", ["us", "california"]),
        ("JP", ["else"]),
        (None, ["eea", "uk", "us", "california", "germany", "else"]),
    ],
)
def test_the_narrowest_rule_counts_and_of_the_unknown_every_one(region, rules):
    assert possible(RULES, region, "else") == rules


def test_belonging():
    assert belongs("DE", "EEA", "UK")
    assert belongs("US-CA", "US")
    assert not belongs("US", "US-CA")
    assert not belongs(None, *GROUPS)
