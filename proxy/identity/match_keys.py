"""What a site says about a person, in the one spelling platforms hash. Text in, text out; None means: leave it out.

Each function takes what a site sent and gives the normalised text, not yet hashed; `keyed` puts a normaliser and
SHA-256 together. Nothing raises, whatever the input. The rules are those of Meta's customer information parameters,
with our choices where documents and official libraries disagree (docs/destinations/meta.md, "Choices we made").
Most platforms ask for the same; one that deviates does so in its own file.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date

from proxy.identity import hashing, regions

_EMAIL = re.compile(r"[^\s@,;:<>()\"\x00-\x1f\x7f]+@[^\s@,;:<>()\"\x00-\x1f\x7f]+\.[^\s@.,;:<>()\"\x00-\x1f\x7f]+")
_NOT_IN_NAMES = str.maketrans("", "", string.punctuation)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_FOUR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[t ].*)?", re.ASCII | re.DOTALL)
_FOUR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_US_ZIP = re.compile(r"(\d{5})-\d{4}", re.ASCII)
_US_ZIP_LOOSE = re.compile(r"(\d{5})[- ]?\d{4}", re.ASCII)
_ISO_STATE = re.compile(r"(us|ca)-([a-z]{2})")
_GENDERS = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # no UTF-8, so no digest
_MONTHS = 12
_EARLIEST = 1900


def email(value: str) -> str | None:
    """Trimmed, lower case; None unless it is one address. Dots and `+tags` are kept."""
    text = clean(value)
    return text if text and _EMAIL.fullmatch(text) else None


def name(value: str) -> str | None:
    """Lower case without spaces and ASCII punctuation; letters of every script stay: `José María` -> `josémaría`."""
    text = clean(value)
    return _unless_junk("".join(text.split()).translate(_NOT_IN_NAMES)) if text else None


def city(value: str) -> str | None:
    """Lower-case letters and digits of every script: `Val-d'Or` -> `valdor`, `Paris 15` -> `paris15`."""
    text = clean(value)
    return _unless_junk(_letters_and_digits(text)) if text else None


def state(value: str, country: str | None = None) -> str | None:
    """Two letters for the US and Canada (`California`, `US-CA`, `N.Y.`), elsewhere the name as in `city`.

    `country` is alpha-2 in lower case when known.
    """
    text = clean(value)
    if not text:
        return None
    if iso := _ISO_STATE.fullmatch(text):
        return iso[2]
    return regions.state_code(text, country) or _unless_junk(_letters_and_digits(text))


def zip_code(value: str, country: str | None = None) -> str | None:
    """Lower case without spaces and dashes; a US ZIP+4 is cut to its five digits.

    Where the country is unknown, five digits, a dash and four digits count as a US code.
    """
    text = clean(unicodedata.normalize("NFKC", value))
    if not text:
        return None
    pattern = _US_ZIP if country is None else _US_ZIP_LOOSE
    if country in {None, "us"} and (us := pattern.fullmatch(text)):
        return us[1]
    return _unless_junk(_letters_and_digits(text))


def country(value: str) -> str | None:
    """ISO 3166-1 alpha-2 in lower case from a code, an alpha-3 code or an English name; None when unknown."""
    text = clean(value)
    return regions.country_code(text) if text else None


def gender(value: str) -> str | None:
    """`m` or `f`; None for everything else, which is what the platforms can take."""
    text = clean(value)
    return _GENDERS.get(text) if text else None


def birth_date(value: str, latest: date | None = None) -> str | None:
    """`YYYYMMDD`. Reads year first, or day and month first with a four-digit year; month before day when both fit.

    None when it is no day of the calendar, before 1900 or after `latest`.
    """
    text = clean(value)
    if not text:
        return None
    if match := _COMPACT.fullmatch(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    elif match := _FOUR_FIRST.fullmatch(text):
        year, month, day = int(match[1]), int(match[3]), int(match[4])
    elif match := _FOUR_LAST.fullmatch(text):
        month, day, year = int(match[1]), int(match[3]), int(match[4])
        if month > _MONTHS:
            month, day = day, month
    else:
        return None
    try:
        born = date(year, month, day)
    except ValueError:
        return None
    return f"{born:%Y%m%d}" if born.year >= _EARLIEST and (latest is None or born <= latest) else None


def external_id(value: str) -> str | None:
    """Lower case without any whitespace, so that every channel's spelling of one id hashes the same."""
    text = clean(value)
    return _unless_junk("".join(text.split())) if text else None


def clean(value: str) -> str | None:
    """Composed, lower case, trimmed (byte order marks too); None for junk."""
    if value.isascii():  # nothing to compose; most of what shops in most countries send
        text = value.lower().strip()
        return None if text in hashing.JUNK else text
    text = unicodedata.normalize("NFC", value).lower().strip().strip("\ufeff\u200b").strip()
    return None if text in hashing.JUNK or _LONE_SURROGATE.search(text) else text


def keyed(values: Iterable[str], normalise: Callable[[str], str | None]) -> list[str]:
    """The SHA-256 digests of `values` in their order, each once; what is hashed already is passed on in lower case."""
    digests: dict[str, None] = {}
    for value in values:
        digest = hashing.digest_in(value) if len(value) >= hashing.DIGITS else None
        if digest is None:
            text = normalise(value)
            if text is None:
                continue
            digest = hashing.sha256_hex(text)
        if not hashing.is_junk_digest(digest):
            digests[digest] = None
    return list(digests)


def _unless_junk(text: str) -> str | None:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)  # what was taken out may have stood between a letter and its accent
    return None if text in hashing.JUNK else text


def _letters_and_digits(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text
    return "".join(char for char in text if unicodedata.category(char)[0] in "LMN")
