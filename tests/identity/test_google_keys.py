"""Google's match keys: the vectors of its own libraries where we follow them, our own rules where we do not."""

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from proxy.identity import google_keys, match_keys

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())["normalisation"]
NORMALISERS = {
    "emailAddress": google_keys.email,
    "phoneNumber": google_keys.e164,
    "address.givenName": google_keys.given_name,
    "address.familyName": google_keys.family_name,
    "address.regionCode": google_keys.region,
    "address.postalCode": google_keys.postal_code,
}


def test_the_vectors_are_all_there():
    assert len(VECTORS) == 55
    assert all(vector["adopt"] for vector in VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_holds(vector):
    normalise, expect = NORMALISERS[vector["field"]], vector["expect"]
    assert normalise(vector["input"]) == (expect and expect["normalised"])
    if "Code" not in vector["field"]:
        assert match_keys.keyed([vector["input"]], normalise) == ([expect["sha256_hex"]] if expect else [])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("020 7946 0958", "+442079460958"),
        ("+1 800 555 0100", "+18005550100"),
        ("0033 1 99 00 12 34", "+33199001234"),
        ("(020) 7946-0958", "+442079460958"),
        ("ring me", None),
    ],
)
def test_a_default_country_completes_national_numbers_only(written, expected):
    assert google_keys.e164(written, 44) == expected


def test_italy_keeps_the_zero_in_brackets():
    assert google_keys.e164("+39 (0)6 1234 5678") == "+390612345678"


@pytest.mark.parametrize("written", ["650-555-1212", "06 12 34 56 78", "030 901820", "(030) 901820"])
def test_a_number_without_its_country_is_left_out(written):
    assert google_keys.e164(written) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("Dr. Dr. Ute", "ute"), ("Mr Bean", "mr bean"), ("Drew", "drew"), ("undefined", None), ("ms.", None)],
)
def test_only_titles_with_their_dot_are_cut(written, expected):
    assert google_keys.given_name(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("Ives", "ives"), ("Iv", "iv"), ("Smith,Jr", "smith"), ("Vi Md", "vi"), ("Jr Smith", "jr smith"), ("null", None)],
)
def test_only_suffixes_behind_a_name_are_cut(written, expected):
    assert google_keys.family_name(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [(" St. Gallen ", "st gallen"), ("1 Main St., #5", "1 main st 5"), ("Val-d'Or", "valdor"), ("--", None)],
)
def test_places_lose_case_and_symbols(written, expected):
    assert google_keys.place(written) == expected


@pytest.mark.parametrize("written", ["null", "12345; DROP", "x" * 21, "ann@example.com"])
def test_what_is_no_postal_code_is_left_out(written):
    assert google_keys.postal_code(written) is None


@given(st.text())
def test_nothing_raises_and_nothing_empty_comes_back(text):
    for normalise in (*NORMALISERS.values(), google_keys.place):
        assert normalise(text) != ""
    assert google_keys.e164(text, 44) != ""
