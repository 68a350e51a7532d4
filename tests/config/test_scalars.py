import pytest
from hypothesis import given, strategies as st

from proxy.config.scalars import plain, resolve


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "yes", "on", "Off", "y", "12:30", "1:2:3", "2026-11-23", "0123", "-012", "00", "1_000", "0b11", "017x",
     "0X1F", "0O17", "+0x1F", ".inf", "-.INF", ".nan", "1e999", "1e", "e5", ".", "-", "+", "tRUE", "nULL", "=", "<<",
     "0123.5", "9" * 65, "١٢٣"],
)  # fmt: skip
def test_these_words_are_text(text):
    assert resolve(text) == text
    assert isinstance(resolve(text), str)


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("FALSE", False), ("0", 0), ("-17", -17),
     ("+5", 5), ("0x1F", 31), ("0o17", 15), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-1.50", -1.5), ("1e3", 1000.0),
     ("6.02E+23", 6.02e23)],
)  # fmt: skip
def test_these_words_are_values(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value) or isinstance(resolve(text), type(value))


@pytest.mark.parametrize("text", ["1.10", "0x1F", "+4915112345678", "1e5", "12345678901234567890", "-0", "1."])
def test_a_number_remembers_how_it_was_written(text):
    assert str(resolve(text)) == text


@given(st.text(max_size=80))
def test_any_word_has_a_value_and_numbers_print_as_written(text):
    value = resolve(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        assert str(value) == text
    elif isinstance(value, str):
        assert value == text


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_python_prints_is_read_back(number):
    text = str(number)
    assert resolve(text) == (number if len(text) <= 64 else text)


def test_plain_leaves_ordinary_numbers():
    found = plain({"a": [resolve("0x1F"), resolve("1.10"), "x", None, True]})
    assert found == {"a": [31, 1.1, "x", None, True]}
    assert [type(value) for value in found["a"][:2]] == [int, float]
