"""Credentials and visitors out of text: what is shown, stored or logged never carries a destination's secret, and a
platform's words never what they quote of an event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

from proxy.event import Event

MASK = "***"
SHORT = 16
"""Characters. Platforms' credentials are longer; one that is shorter (`tok`, `secret`) may be part of a common word."""
TINY = 8
"""Characters. What is shorter still may be a common word itself."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret as `***`, also where it stands percent-encoded or inside a JSON string.

    `secrets`: longest first (`Destination.secrets()`), so that no secret hides inside what is left of another. A short
    one is masked where it stands as a word: `access_token=tok` loses its value, `tiktok` keeps its end.
    """
    for secret in secrets:
        for pattern in _patterns(secret):
            text = pattern.sub(MASK, text)
    return text


def redact_url(url: str, secrets: Iterable[str]) -> str:
    """As `redact`; scheme and host, which hold no credentials, stay."""
    start = url.find("/", url.find("://") + 3)
    return url if start < 0 else url[:start] + redact(url[start:], secrets)


def redact_value(text: str, secrets: Iterable[str]) -> str:
    """As `redact`, for a text somebody wrote (`Men's` is no leak of the secret `s`): tiny secrets only as a whole."""
    known = tuple(secrets)
    return MASK if text in known else redact(text, (secret for secret in known if len(secret) >= TINY))


_EMAIL_OR_HASH = re.compile(
    r"[^\s@/\"'(<=,:;]+(?:@|%40)[\w.-]+\.\w{2,}|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE
)
_FEWEST = 3
"""Characters. What is shorter (a gender, a country) tells nobody apart, and stands in every other word."""


def redact_visitors(text: str, events: Iterable[Event]) -> str:
    """`text` without what these events say about their visitors: match keys, click ids, addresses, browsers."""
    text = _EMAIL_OR_HASH.sub(MASK, text)
    found = {value for event in events for value in _said_of_visitor(event) if len(value) >= _FEWEST and value in text}
    for value in sorted(found, key=lambda one: (-len(one), one)):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    return text


def _said_of_visitor(event: Event) -> Iterator[str]:
    user, client = event.user, event.client
    yield from (*user.email, *user.phone, *user.external_id)
    yield from (click.value for click in event.click_ids.values())
    yield from event.browser_ids.values()
    names = (user.first_name, user.last_name, user.street, user.city, user.zip, user.birth_date)
    visitor = event.visitor.id if event.visitor is not None else None
    yield from filter(None, (*names, client.ip, client.user_agent, visitor))


@lru_cache(maxsize=256)
def _patterns(secret: str) -> tuple[re.Pattern[str], ...]:
    """Matches each of its spellings, the longest first."""
    in_json = msgspec.json.encode(secret)[1:-1].decode()
    forms = {secret, in_json, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    word = r"(?<![A-Za-z0-9_]){}(?![A-Za-z0-9_])" if len(secret) < SHORT else "{}"
    return tuple(re.compile(word.format(re.escape(form))) for form in sorted(forms, key=lambda one: (-len(one), one)))
