"""Finds what gives a person away in text where nobody should have put it: e-mail addresses and telephone numbers.

Made to be wrong seldom rather than to find everything: order numbers, prices, dates, EANs and click ids are no
telephone numbers. So a number counts when it is written like one (`+49 151 …`, `(415) 555-…`, `06 12 34 …`), or stands
under a name that says it is one (`phone=…`). Digits alone do not. Names and addresses are not looked for.

Pure, and cheap on texts with nothing in them: most are settled by looking for an `@`, a `%` and seven digits in a row.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

REMOVED = "redacted"
"""What stands where something was taken out."""

_EMAIL = re.compile(
    r"[\w.+'-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,6}"
    r"(?!(?:png|jpe?g|gif|webp|avif|svg|css|js|mjs|html?|php|json)(?!\w))[^\W\d_]{2,24}(?![\w@])"  # logo@2x.png
)
_SEVEN_DIGITS = re.compile(r"[0-9](?:[^0-9A-Za-z_]{0,3}[0-9]){6}")
_COUNTRY = (  # E.164 calling codes in use
    r"(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|2[1-689]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[578]\d|9[679]\d)"
)
_BETWEEN = r"[ ().\u00a0/-]{0,3}"
_PHONES = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (
        ("+", rf"\+(?<![\w+]\+){_BETWEEN}{_COUNTRY}(?:{_BETWEEN}\d){{7,13}}(?!\w)"),
        ("tel:", r"tel:\+?(?:[ ().-]{0,3}\d){7,15}(?!\w)"),
        ("00", rf"00(?<![\w.+-]00) ?{_COUNTRY}[ ()/-]{{1,3}}\d(?:{_BETWEEN}\d){{5,12}}(?!\w)"),
        # North America: (415) 555-2671, 415-555-2671, 415.555.2671
        (") ", r"\([2-9]\d\d\) [2-9]\d\d[ .-]\d{4}(?![\w-]|\.\d)"),
        (")", r"\([2-9]\d\d\)[2-9]\d\d[ .-]\d{4}(?![\w-]|\.\d)"),
        *(
            (sign, rf"(?<![\w(.+/-])(?:1[{sign}])?[2-9](?!11)\d\d[{sign}][2-9](?!11)\d\d[{sign}]\d{{4}}(?![\w-]|\.\d)")
            for sign in "-."
        ),
        # France and who writes like it: 06 12 34 56 78
        *((sign, rf"0(?<![\w.+,-]0)[1-9](?:[{sign}]\d\d){{4}}(?![\w-]|[ .,]\d)") for sign in " ."),
    )
)
"""A character without which the pattern cannot match, and the pattern: looking for the first is far cheaper."""

_PHONE_NAMES = frozenset(
    "phone phone_number phonenumber phone_no tel telephone telefon telefono mobile mobile_number mobile_phone handy "
    "cell cellphone cell_phone msisdn whatsapp customer_phone ph fax".split()
)
_ONLY_A_NUMBER = re.compile(r"\+?(?:[ ().\u00a0/-]{0,3}\d){7,15}")


def may_hold_personal(text: str) -> bool:
    """A quick look: is there anything that `holds_personal` would have to think about?"""
    return "@" in text or "%" in text or _SEVEN_DIGITS.search(text) is not None


def holds_personal(text: str, *, phones: bool = True) -> bool:
    """Is there an e-mail address or (with `phones`) a telephone number in it, percent-encoded up to twice?"""
    if "%" in text:
        once = unquote(text)
        return any(_holds(form, phones=phones) for form in dict.fromkeys((text, once, unquote(once))))
    return _holds(text, phones=phones)


def cleaned(text: str, *, phones: bool = True) -> str:
    """The text with each of them replaced by `redacted`; the very same object when there is none.

    Where one shows only after decoding, the whole text is replaced.
    """
    if "@" in text:
        text = _EMAIL.sub(REMOVED, text)
    if phones and _SEVEN_DIGITS.search(text) is not None:
        for sign, pattern in _PHONES:
            if sign in text:
                text = pattern.sub(REMOVED, text)
    return REMOVED if "%" in text and holds_personal(text, phones=phones) else text


def is_phone_under(name: str, value: str | int) -> bool:
    """Is this a telephone number because of the name it stands under (`phone`, `Mobile-Number`)?"""
    if name.lower().replace("-", "_") not in _PHONE_NAMES:
        return False
    return _ONLY_A_NUMBER.fullmatch(str(value).strip()) is not None


def _holds(text: str, *, phones: bool) -> bool:
    if "@" in text and _EMAIL.search(text) is not None:
        return True
    if not phones or _SEVEN_DIGITS.search(text) is None:
        return False
    return any(sign in text and pattern.search(text) is not None for sign, pattern in _PHONES)
