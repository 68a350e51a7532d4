"""The forms of Google's first-party cookies: a browser (`_ga`), its sessions (`_ga_<stream>`), clicks. Text to values.

    GA1.<n>.<random>.<s>                          a browser; its client id is the last two parts
    GS1.<n>.<session>.<count>. …                  a session, until 2025
    GS2.<n>.s<session>$o<count>$g<engaged> …      a session, since; the letters come in any order
    GCL.<s>.<id>                                  a click, by the conversion linker in the page
    2.1.k<id>$i<s> …                              a click, by Google's server-side tagging

Some writers percent-encode the `$`; where `%24` is seen, a value is decoded once. Never raises. We read these cookies
and write none of them but `_ga`, unchanged: they are Google's.

Source: captures of Google's tags and of open server-side containers (checked 2026-11); Google documents no form.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from proxy.clock import SECOND_MS

_CLIENT = re.compile(r"GA1\.[0-9A-Za-z-]{1,16}\.([0-9]{1,20}\.[0-9]{1,20})")
_SESSION_1 = re.compile(r"GS1\.[0-9A-Za-z-]{1,16}\.([0-9]{1,20})\.([0-9]{1,10})(?:\..{0,500})?")
_SESSION_2 = re.compile(r"GS2\.[0-9A-Za-z-]{1,16}\.(.{1,1000})")
_ID, _COUNT = re.compile(r"[0-9]{1,20}"), re.compile(r"[0-9]{1,10}")
_CLICK_1 = re.compile(r"GCL\.([0-9]{1,12})\.(.{1,512})")
_CLICK_2 = re.compile(r"2\.[0-9]{1,2}\.(k.{1,1000})")
_SECONDS = re.compile(r"[0-9]{1,12}")


class Session(msgspec.Struct, frozen=True):
    """Digits as they stood. `number`: the how-manieth of this browser, None when the cookie does not say."""

    id: str
    number: str | None


def client_id(value: str) -> str | None:
    """The client id in a `_ga`, which is how GA4 calls a browser."""
    match = _CLIENT.fullmatch(value)
    return match[1] if match else None


def session(value: str) -> Session | None:
    """The session in a `_ga_<stream>`, in its old form or its new one."""
    value = _decoded(value)
    if match := _SESSION_1.fullmatch(value):
        return Session(match[1], match[2])
    if match := _SESSION_2.fullmatch(value):
        parts = _parts(match[1])
        found, number = parts.get("s", ""), parts.get("o", "")
        if _ID.fullmatch(found):
            return Session(found, number if _COUNT.fullmatch(number) else None)
    return None


def click(value: str) -> tuple[str, int] | None:
    """The click id in a `_gcl_…` or `FPGCL…`, and its time in ms. Whether it can be one is for `click_ids.valid`."""
    value = _decoded(value)
    if match := _CLICK_1.fullmatch(value):
        return match[2], int(match[1]) * SECOND_MS
    if match := _CLICK_2.fullmatch(value):
        parts = _parts(match[1])
        found, seconds = parts.get("k", ""), parts.get("i", "")
        if found and _SECONDS.fullmatch(seconds):
            return found, int(seconds) * SECOND_MS
    return None


def _decoded(value: str) -> str:
    return unquote(value) if "%24" in value else value


def _parts(text: str) -> dict[str, str]:
    """`s1747132561$o3` as letter -> value; of a letter that stands twice the first counts."""
    parts: dict[str, str] = {}
    for part in text.split("$"):
        parts.setdefault(part[:1], part[1:])
    return parts
