"""The shapes of Meta's two first-party values: `fbc` (a click) and `fbp` (a browser). Text in, text out.

`fb.<index>.<time ms>.<payload>`, sometimes with a fifth part by which Meta's own libraries mark what they touched. The
index counts the dots of the cookie's domain. A value found in the wild is kept to the byte or not used at all; we
never add a fifth part, because it claims to be Meta's library. Which of several sources wins: `identity.py`.

Source: Meta, "ClickID and the fbp and fbc Parameters" and "Parameter Builder Library" (read 2026-11); the tolerance
for the fifth part comes from running the libraries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

COOKIE_MAX_AGE_S = 7_776_000
"""Both cookies live 90 days, counted from the last answer that set them."""

_HEAD = r"fb\.[0-9]{1,2}\.([0-9]{10,14})\."
_MARK = r"(?:AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})"
_FBCLID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_FBC = re.compile(rf"{_HEAD}([A-Za-z0-9_-]{{1,500}})(?:\.{_MARK})?")
_FBP = re.compile(rf"{_HEAD}([0-9]{{1,20}})(?:\.{_MARK})?")

# Six bytes in base64url: format 1, language 1-6, change 0-3, major version below 4. Looser would eat ".AQUARIUM".
_URL_MARKS = re.compile(r"(?:\.AQ[EIMQUY][A-D]A[A-Za-z0-9_-]{3})+\Z")
_ADDRESS_MARKS = re.compile(rf"(?:\.{_MARK})+\Z")

_REMEMBERED = 4096
"""Values whose reading is remembered: one request reads the same `fbc` five times, 0.5 us each."""

_SECONDS_BELOW = 10**11  # a smaller number is no plausible time in ms: somebody wrote seconds


def valid_fbclid(value: str) -> bool:
    """Could be put into an `fbc`. Other characters make Meta refuse the whole event (error 100/2804001)."""
    return _FBCLID.fullmatch(value) is not None


@lru_cache(maxsize=_REMEMBERED)
def _read(value: str) -> tuple[int, str] | None:
    """When an `fbc` (or an `fbp`, which has its shape) came to be, in ms, and the click in it; None: it is none."""
    match = _FBC.fullmatch(value)
    if match is None:
        return None
    time = int(match[1])
    return time * 1000 if time < _SECONDS_BELOW else time, match[2]


def valid_fbc(value: str) -> bool:
    return _read(value) is not None


@lru_cache(maxsize=_REMEMBERED)
def valid_fbp(value: str) -> bool:
    return _FBP.fullmatch(value) is not None


def fbc(fbclid: str, clicked_at_ms: int, subdomain_index: int = 1) -> str:
    """The value that carries a click; `fbclid` goes in unchanged, so check it with `valid_fbclid` first.

    `clicked_at_ms`: when the landing page was first seen. `subdomain_index`: 1 when no cookie is involved.
    """
    return f"fb.{subdomain_index}.{clicked_at_ms}.{fbclid}"


def fbp(random_number: int, now_ms: int, subdomain_index: int = 1) -> str:
    """A new browser id. Any non-negative number will do; its low 31 bits are used, as Meta's libraries do."""
    return f"fb.{subdomain_index}.{now_ms}.{random_number & 0x7FFF_FFFF}"


def fbclid_of(value: str) -> str | None:
    """The click inside an `fbc`: the *fourth* part, never "what follows the last dot". None: not a valid `fbc`."""
    found = _read(value)
    return found and found[1]


def created_at_ms(value: str) -> int | None:
    """When a valid `fbc` or `fbp` came to be; None for anything else. Values made in seconds are put right."""
    found = _read(value)
    return found and found[0]


def newest_fbc(values: Iterable[str]) -> str | None:
    """Of several `_fbc` (two cookie domains, say) the valid one made last; the earlier listed one among equals."""
    dated = [(created, value) for value in values if (created := created_at_ms(value)) is not None]
    return max(dated, key=lambda pair: pair[0])[1] if dated else None


def first_fbp(values: Iterable[str]) -> str | None:
    """Of several `_fbp` the first valid one: whichever the browser puts first is the one the Pixel reads."""
    return next(filter(valid_fbp, values), None)


def clean_url(url: str) -> str:
    """A URL without the marks Meta's libraries append to `event_source_url` and `referrer_url`."""
    return _URL_MARKS.sub("", url) if ".AQ" in url else url


def bare_address(value: str) -> str:
    """An `_fbi` cookie (the browser library's idea of the client IP) without its marks, however many there are."""
    return _ADDRESS_MARKS.sub("", value)
