"""Money on its way to JSON."""

from decimal import Decimal

import pytest

from proxy.destinations import _amount


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("49.90", "49.90"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("-5", "-5"),
        ("0", "0"),
        ("0.1", "0.1"),
        ("59.900000000000", "59.9"),
        ("60.000000000000", "60"),
        ("0.3000", "0.3000"),
        ("0.123450", "0.12345"),
    ],
)
def test_text_is_what_was_given_without_exponent(amount, written):
    assert _amount.text(Decimal(amount)) == written


@pytest.mark.parametrize("amount", [None, "NaN", "sNaN", "Infinity", "1E+15", "1E+999999"])
def test_what_is_no_amount_is_none(amount):
    assert _amount.text(None if amount is None else Decimal(amount)) is None


@pytest.mark.parametrize(
    ("given", "default", "value", "expected"),
    [(" eur ", None, None, "EUR"), (None, "usd", 1, "USD"), (None, "usd", None, None), ("euro", "USD", 1, None)],
)
def test_a_default_currency_never_replaces_what_was_said(given, default, value, expected):
    assert _amount.currency(given, default, None if value is None else Decimal(value)) == expected
