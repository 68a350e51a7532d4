"""Phone numbers: digits, country code first, nothing guessed unless the operator said so."""

import pytest

from proxy.identity import phone


@pytest.mark.parametrize(
    ("written", "code", "expected"),
    [
        ("020 7946 0958", 44, "442079460958"),
        ("(650)555-1212", 1, "16505551212"),
        ("1 650 555 1212", 1, "16505551212"),
        ("06 698 12345", 39, "390669812345"),
        ("447911123456", 44, "447911123456"),
        ("+33 1 70 18 99 00", 44, "33170189900"),
        ("0033 1 70 18 99 00", 44, "33170189900"),
        ("(+1) 213 373 4253", 44, "12133734253"),
        ("12", 44, None),
    ],
)
def test_a_default_country_code_completes_national_numbers_only(written, code, expected):
    assert phone.digits(written, code) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("123456", None),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456", None),
        ("000", None),
        ("٠٠٤٤ ٢٠ ٧٩٤٦ ٠٩٥٨", "442079460958"),
    ],
)
def test_seven_to_fifteen_digits_of_any_script_are_a_number(written, expected):
    assert phone.digits(written) == expected
