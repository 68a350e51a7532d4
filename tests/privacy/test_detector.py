"""E-mail addresses and telephone numbers are found however they are written; order numbers and their like are not."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from proxy.privacy.detector import REMOVED, cleaned, holds_personal, is_phone_under

EMAILS = ["ann@shop.example", "Ann.Lee+news@mail.shop.co.uk", "o'neil@example.com", "müller@bücher.example", "a@b.io"]
PHONES = [
    "+49 151 12345678",
    "+4915112345678",
    "+49 (0) 30 1234567",
    "+1 415 555 2671",
    "+44 20 7946 0958",
    "0049 151 1234567",
    "(415) 555-2671",
    "(415)555-2671",
    "1-415-555-2671",
    "415.555.2671",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "tel:4155552671",
]
NOTHING = [
    "Blue mug, 300 ml",
    "logo@2x.png",
    "@annlee",
    "https://maps.example/@52.5163,13.3777,15z",
    "lib@1.2.3",
    "order 113-1234567-1234567",
    "2026-11-26T21:20:01.123+01:00",
    "2026-11-26 21:20:01",
    "26.11.2026 21:20",
    "4006381333931",
    "978-3-16-148410-0",
    "1,234,567.89",
    "192.168.100.200",
    "fb.1.1790000000000.1234567890",
    "GS1.1.1790000000.12.1.1790000123.0.0.0",
    "EAIaIQobChMI-415-555-2671x",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "00123456789",
    "+12 %",
    "100 + 20000000",
    "size 38-39-40-41-42",
]


@pytest.mark.parametrize("text", EMAILS + PHONES)
def test_it_is_found_alone_and_within_words(text):
    assert cleaned(text).replace("tel:", "") == REMOVED
    assert cleaned(f"call {text} now") == f"call {REMOVED} now"


@pytest.mark.parametrize("text", EMAILS + PHONES)
@pytest.mark.parametrize("times", [1, 2])
def test_it_is_found_percent_encoded_once_and_twice(text, times):
    encoded = f"to {text}"
    for _ in range(times):
        encoded = quote(encoded, safe="")
    assert holds_personal(encoded)
    assert cleaned(encoded) == REMOVED


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_a_bit_like_one_stays(text):
    assert not holds_personal(text)
    assert cleaned(text) is text


DIGITS = st.text(string.digits, min_size=1, max_size=20)
TOKEN = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=60)


@given(DIGITS)
def test_digits_alone_are_no_phone(number):
    """Order numbers, EANs, timestamps, prices in cents."""
    assert not holds_personal(number)
    assert not holds_personal(f"order {number}")
    assert not holds_personal(f"#{number}")


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_a_price_is_no_phone(price):
    for text in (f"{price:f}", f"{price:,f}", f"EUR {price:f}", f"{price:f}".replace(".", ",")):
        assert not holds_personal(text)


@given(st.datetimes())
def test_a_date_is_no_phone(moment):
    formats = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%SZ")
    for text in map(moment.strftime, formats):
        assert not holds_personal(text)


@given(st.uuids())
def test_a_uuid_is_no_phone(uuid):
    assert not holds_personal(str(uuid))


@given(st.text(string.ascii_letters + string.digits, min_size=1, max_size=80))
def test_a_click_id_of_letters_and_digits_is_no_phone(click):
    assert not holds_personal(click)


@given(st.text(max_size=60), st.sampled_from(EMAILS), st.text(max_size=60))
def test_no_address_survives_whatever_stands_around_it(before, email, after):
    assert email not in cleaned(f"{before} {email} {after}")


@given(st.text(max_size=120))
def test_cleaning_never_raises_and_is_done_once(text):
    once = cleaned(text)
    assert cleaned(once) == once


@pytest.mark.parametrize("name", ["phone", "Phone", "phone-number", "mobile_number", "tel", "telefon"])
@pytest.mark.parametrize("value", ["0151 23456789", "030/1234567", "4155552671", 4155552671])
def test_the_name_it_stands_under_makes_a_number_a_phone(name, value):
    assert is_phone_under(name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("order", "4155552671"), ("phone", "iPhone 15"), ("tel", "12"), ("mobile", 1)]
)
def test_no_other_name_and_no_other_value(name, value):
    assert not is_phone_under(name, value)


def test_a_long_text_takes_no_long_time():
    """Every pattern is bounded: no text of a visitor's makes one slow."""
    for piece in ("@", "a@", "a.", "1 ", "+1", "%40", "(415) ", "a@b.", "0"):
        holds_personal(piece * 2_000)
        cleaned(piece * 2_000)
