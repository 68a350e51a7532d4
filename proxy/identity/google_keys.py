"""Match keys in Google's spelling, for every destination of theirs (Google Ads through Data Manager, GA4).

Differs from `match_keys`: gmail addresses lose dots and `+tag`, phone numbers keep their `+`, names keep what stands
inside them and lose titles and suffixes, places go unhashed. Text in, text out, not yet hashed; `match_keys.keyed`
hashes. None means: leave it out. Nothing raises. Source: Google, Data Manager API, "Format user data", and Google's
answers in googleads/google-ads-php#1167 (checked 2026-11); where its own libraries disagree: tests/vectors.
"""

from __future__ import annotations

import re
import unicodedata

from proxy.identity import match_keys
from proxy.identity.e164 import digits as e164_digits

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_LETTER = re.compile(r"[^\W\d_]")
_TITLE = re.compile(r"(?:(?:mrs|mr|ms|dr)\.\s*)+")
_SUFFIXES = frozenset("jr sr 2nd 3rd ii iii iv v vi cpa dc dds vm jd md phd".split())
_REGION = re.compile(r"[A-Z]{2}")
_POSTAL_CODE = re.compile(r"[\w -]{2,20}")


def email(value: str) -> str | None:
    """Trimmed, lower case; at gmail.com and googlemail.com without dots and `+tag`. None unless it is one address."""
    text = match_keys.email(value)
    if text is None:
        return None
    local, _, domain = text.partition("@")
    if domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    return f"{local}@{domain}" if local else None


def e164(value: str, default_country_code: int | None = None) -> str | None:
    """`+1 (800) 555-0100` -> `+18005550100`; None for letters, and for a number that lacks its country code.

    `default_country_code`: 44, not +44.
    """
    digits = None if _LETTER.search(value) else e164_digits(value, default_country_code)
    return digits and f"+{digits}"


def given_name(value: str) -> str | None:
    """Lower case, composed, without `mr.`, `mrs.`, `ms.`, `dr.` in front; inside everything stays: `anne-marie`."""
    text = match_keys.clean(value)
    if not text:
        return None
    title = _TITLE.match(text)
    return match_keys.clean(text[title.end() :] if title else text)


def family_name(value: str) -> str | None:
    """Lower case, composed, without `jr.`, `III`, `PhD` and the like behind; inside everything stays: `o'brien`."""
    text = match_keys.clean(value)
    if not text:
        return None
    while True:
        body = text.rstrip(", ")
        start = max(body.rfind(" "), body.rfind(","))
        if start < 0 or body[start + 1 :].removesuffix(".") not in _SUFFIXES:
            return match_keys.clean(text)
        text = body[:start].rstrip(", ")


def region(value: str) -> str | None:
    """ISO 3166-1 alpha-2 in upper case, not hashed; None for anything else, names and alpha-3 codes too."""
    text = value.strip().upper()
    return text if _REGION.fullmatch(text) else None


def postal_code(value: str) -> str | None:
    """Trimmed, not hashed; what the site wrote otherwise (`SW1A 1AA`, `94045-1234`)."""
    text = value.strip()
    return text if match_keys.clean(text) and _POSTAL_CODE.fullmatch(text) else None


def place(value: str) -> str | None:
    """A city, a state or a street: lower case, symbols out, trimmed. City and state go unhashed, a street hashed."""
    text = match_keys.clean(value)
    if not text:
        return None
    plain = "".join(char for char in text if char.isspace() or unicodedata.category(char)[0] in "LMN")
    return match_keys.clean(" ".join(plain.split()))
