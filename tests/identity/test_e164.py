"""E.164 digits: the country code must be there, the trunk zero must not."""

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from proxy.identity import e164

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
PHONES = [
    vector
    for vector in VECTORS["normalisation"]
    if vector["platform"] in ("tiktok", "snapchat") and vector["field"] in ("phone", "ph") and vector["adopt"] is True
]
CALLING_CODES = {"GB": 44}


@pytest.mark.parametrize("vector", PHONES, ids=lambda vector: vector["id"])
def test_every_adopted_number_is_the_one_both_platforms_hash(vector):
    digits = e164.digits(vector["input"], CALLING_CODES.get(vector.get("default_region")))
    assert digits == (vector["normalised"] and vector["normalised"].removeprefix("+"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+39 06 698 12345", "390669812345"),  # Italy dials its zero
        ("+225 01 02 03 04 05", "2250102030405"),  # so does Côte d'Ivoire, since 2021
        ("+33 (0)6 12 34 56 78", "33612345678"),
        ("+36 06 1 234 5678", "3612345678"),  # Hungary's trunk prefix has two digits
        ("+7 0912 345 67 89", "79123456789"),
        ("+999 0123 45", "999012345"),  # no such country: as typed
        ("00 44 20 7946 0958", "442079460958"),
        ("+٤٤ ٢٠ ٧٩٤٦ ٠٩٥٨", "442079460958"),
        ("(+1) 213 373 4253", "12133734253"),
        ("0151 23456789", None),
        ("0151 2345678901", None),
        ("16505551212", "16505551212"),
        ("6505551212", None),
        ("+1 23", None),
        ("+1234567890123456", None),
        ("null", None),
        ("+", None),
        ("", None),
    ],
)
def test_a_number_is_international_or_left_out(written, expected):
    assert e164.digits(written) == expected


@pytest.mark.parametrize(
    ("written", "code", "expected"),
    [
        ("0844 412 4653", 44, "448444124653"),
        ("650-555-1212", 1, "16505551212"),
        ("06 698 12345", 39, "390669812345"),
        ("+33 1 70 18 99 00", 44, "33170189900"),
        ("12", 44, None),
    ],
)
def test_a_default_country_code_completes_national_numbers(written, code, expected):
    assert e164.digits(written, code) == expected


@given(st.text(max_size=24) | st.from_regex(r"\A[+0]{0,2}[0-9 ()-]{0,20}\Z"), st.sampled_from([None, 1, 44, 39]))
def test_any_text_gives_seven_to_fifteen_ascii_digits_or_nothing(text, code):
    digits = e164.digits(text, code)
    assert digits is None or (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15 and digits[0] != "0")
