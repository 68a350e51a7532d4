"""Phone numbers as E.164 digits without the trunk zero: `+44 (0)844 412 4653` -> `448444124653`.

For platforms that ask for E.164 and hash it, with or without a plus (TikTok, Snapchat). Meta wants digits as typed
(`phone.py`) and Google has rules of its own (`google_keys.py`). A number that lacks its country code is left out: its
digest could only match a stranger.
"""

from __future__ import annotations

import re

from proxy.identity import phone

_INTERNATIONAL = re.compile(r"[^0-9+]*(?:\+|00)")
_WITH_COUNTRY_CODE = 11  # digits; unmarked numbers shorter than this are national ones in most of the world
# ITU-T E.164 assigned codes: +1 and +7, these of two digits, all others of three.
_COUNTRY_CODE = re.compile(r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3}", re.ASCII)


def digits(value: str, default_country_code: int | None = None) -> str | None:
    """Country code first, 7 to 15 digits; None when there are fewer or more, or the country code is unknown.

    `default_country_code` (44, not +44) completes numbers starting with neither `+` nor `00`. Without it such a number
    counts as international when it has 11 digits or more and does not start with a zero.
    """
    number = phone.digits(value, default_country_code)
    if number is None:
        return None
    if default_country_code is None and not _INTERNATIONAL.match(value) and not _carries_country_code(value, number):
        return None
    return _without_trunk_zero(number)


def _carries_country_code(value: str, number: str) -> bool:
    first = next(char for char in value if char.isdecimal())
    return int(first) != 0 and len(number) >= _WITH_COUNTRY_CODE


def _without_trunk_zero(number: str) -> str:
    """Only a zero behind the country code costs a look into libphonenumber: Italy dials it, Britain does not."""
    code = _COUNTRY_CODE.match(number)
    if code is None or not number.startswith("0", code.end()):
        return number
    import phonenumbers  # noqa: PLC0415 - 40 ms and 8 MB that only numbers with such a zero cost

    try:
        parsed = phonenumbers.parse(f"+{number}")
        if not parsed.italian_leading_zero:
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
        shorter = number[: code.end()] + number[code.end() :].lstrip("0")
        wrong = not phonenumbers.is_valid_number(parsed) and phonenumbers.is_valid_number(
            phonenumbers.parse(f"+{shorter}")
        )
    except phonenumbers.NumberParseException:
        return number
    return shorter if wrong else number
