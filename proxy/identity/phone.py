"""Phone numbers as digits with the country code first.

`digits` follows Meta's documentation to the letter: it removes what is no digit and the leading zeros, and guesses
nothing. Only where the operator configured a country code does a number written the national way become an
international one, and then libphonenumber decides about trunk zeros (Italy keeps them, Britain does not).
"""

from __future__ import annotations

import re

SHORTEST, LONGEST = 7, 15  # E.164 allows 15 digits; below 7 nothing is a subscriber number with its country code

_NO_DIGITS = re.compile(r"[^0-9]+")
_INTERNATIONAL = re.compile(r"[^0-9+]*(\+|00)")


def digits(value: str, default_country_code: int | None = None) -> str | None:
    """`+1 (650) 555-1212` -> `16505551212`; None when 7 to 15 digits do not remain.

    `default_country_code` (44, not +44) is used for numbers that start with neither `+` nor `00`.
    """
    plain = _ascii_digits(value)
    if default_country_code is not None and not _INTERNATIONAL.match(value):
        plain = _from_national(plain, default_country_code)
    plain = plain.lstrip("0")
    return plain if SHORTEST <= len(plain) <= LONGEST else None


def calling_code(text: str) -> str:
    """`+44` or `44` -> `44`, for settings; `ValueError` in words when no country has that code."""
    import phonenumbers  # noqa: PLC0415 - only for those who set it

    code = text.removeprefix("+")
    known = re.fullmatch(r"[0-9]{1,3}", code) and phonenumbers.region_code_for_country_code(int(code)) != "ZZ"
    if not known:
        raise ValueError(f"no country has the calling code {text!r}; write digits such as 44 or 1")
    return code


def _ascii_digits(value: str) -> str:
    """Digits of any script as 0-9: people type phone numbers in Arabic-Indic and full-width digits too."""
    if value.isascii():
        return _NO_DIGITS.sub("", value)
    return "".join(str(int(char)) for char in value if char.isdecimal())


def _from_national(national: str, country_code: int) -> str:
    """A number that already carries the country code keeps it; what libphonenumber cannot read stays as typed."""
    import phonenumbers  # noqa: PLC0415 - 40 ms and 8 MB that only sites with a default country code pay

    region = phonenumbers.region_code_for_country_code(country_code)
    try:
        number = phonenumbers.parse(national, region)
    except phonenumbers.NumberParseException:
        return national
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
