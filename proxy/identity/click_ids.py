"""Click ids: the parameters ad platforms append to the links people click, found in URLs and cleaned out of them.

`harvest` reads, `merge` remembers, `strip_click_ids` removes; `Aliases` reads and removes the parameters an operator
chose. All are pure, never raise on any text, and keep a value as it stood: percent-decoded once, never trimmed,
truncated or changed in case. Supporting another platform is one line in `PARAMETERS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from urllib.parse import unquote

from proxy.clock import DAY_MS
from proxy.event import ClickId
from proxy.identity.meta_cookies import clean_url, valid_fbclid

KEEP_MS = 90 * DAY_MS
"""A click older than this is forgotten; no platform we know attributes later."""

PARAMETERS = {
    "fbclid": "fbclid",  # Meta
    "gclid": "gclid",  # Google Ads
    "gbraid": "gbraid",  # Google Ads, app to web
    "wbraid": "wbraid",  # Google Ads, web to app
    "dclid": "dclid",  # Google Marketing Platform
    "ttclid": "ttclid",  # TikTok
    "(?i:sccid)": "sccid",  # Snapchat writes ScCid
    "epik": "epik",  # Pinterest
    "msclkid": "msclkid",  # Microsoft
    "li_fat_id": "li_fat_id",  # LinkedIn
    "rdt_cid": "rdt_cid",  # Reddit
    "twclid": "twclid",  # X
    "tblci": "tblci",  # Taboola
    "dicbo": "dicbo",  # Outbrain
}
"""What stands in a URL (a pattern; exact case, as the platforms write it) -> the name in `Event.click_ids`."""
NAMES = frozenset(PARAMETERS.values())

_OTHERS = "gclsrc|ndclid|yclid|ysclid|srsltid|irclickid|obclid|qclid|igshid|mc_eid|wickedid|_gl"
_NAMES = "|".join(PARAMETERS)
_IN_QUERY = re.compile(rf"(?:^|&)({_NAMES})=([^&]+)")
_FBCLID_IN_QUERY = re.compile(r"(?:^|&)fbclid=([^&]+)")
# What gets removed is wider than what gets read: any case, names we do not relay, and names at any boundary.
_MENTIONED = re.compile(rf"(?:^|[?&#;/])(?:{'|'.join(PARAMETERS.values())}|{_OTHERS})(?:=|$)", re.IGNORECASE)
_PIECES = re.compile(r"[?&#]")

_VALUE = re.compile(r"[A-Za-z0-9._~=:+/-]{1,512}")
# What templates leave behind when nobody filled them in. `{gclid}` and friends fail _VALUE already.
_UNFILLED = re.compile(r"__[A-Za-z0-9_]+__|null|undefined|none|nan|true|false", re.IGNORECASE)


def valid(name: str, value: str) -> bool:
    """Could this be a click id we know? Refuses unfilled macros (`__CLICKID__`), foreign characters, long text."""
    if name not in NAMES or _VALUE.fullmatch(value) is None or _UNFILLED.fullmatch(value) is not None:
        return False
    return name != "fbclid" or valid_fbclid(value)


def is_click_parameter(name: str) -> bool:
    """Is a URL parameter of that name a click id's, in whatever case, of any platform we know of?"""
    return _MENTIONED.fullmatch(f"&{name}=") is not None


def harvest(url: str | None, now_ms: int) -> dict[str, ClickId]:
    """Click ids in a URL's query, and `fbclid` in its fragment too, by name; of several usable values the first.

    `now_ms`: when the page was seen; it becomes `clicked_at`.
    """
    if url is None or ("?" not in url and "#" not in url):
        return {}
    head, _, fragment = clean_url(url).partition("#")
    query = head.partition("?")[2]
    found: dict[str, ClickId] = {}
    if query:
        for parameter, value in _IN_QUERY.findall(query):
            _keep(found, parameter if parameter in PARAMETERS else parameter.lower(), value, now_ms)
    if fragment:
        for value in _FBCLID_IN_QUERY.findall(fragment.rpartition("?")[2]):  # "#fbclid=…", "#/route?fbclid=…"
            _keep(found, "fbclid", value, now_ms)
    return found


def merge(stored: Mapping[str, ClickId], fresh: Mapping[str, ClickId], now_ms: int) -> dict[str, ClickId]:
    """What is known after seeing `fresh`: the same click keeps its earlier time, another one replaces it.

    Stored clicks older than 90 days are dropped. A fresh one stays, even if it turns out to be an old acquaintance.
    """
    known = {name: click for name, click in stored.items() if now_ms - click.clicked_at <= KEEP_MS}
    for name, click in fresh.items():
        before = stored.get(name)
        same = before is not None and before.value == click.value and before.clicked_at <= click.clicked_at
        known[name] = before if same and before is not None else click
    return known


class Aliases:
    """Parameters of the site's own choosing that a platform's macro fills with a click id: `g_id={gclid}`.

    What stands under such a name counts like the click id it is called, and is taken out of every URL that is stored:
    no platform, consent or not, gets to see it there.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names`: the parameter (exact case) -> a name of `NAMES`."""
        self._names = dict(names)
        known = "|".join(map(re.escape, self._names))
        self._in_query = re.compile(rf"(?:^|&)({known})=([^&]+)")
        self._mentioned = re.compile(rf"(?:^|[?&#;/])(?:{known})(?:=|$)")

    def harvest(self, url: str | None, now_ms: int) -> dict[str, ClickId]:
        """As `harvest`, from the aliases alone."""
        found: dict[str, ClickId] = {}
        if url is not None and "?" in url:
            query = url.partition("#")[0].partition("?")[2]
            for parameter, value in self._in_query.findall(query):
                _keep(found, self._names[parameter], value, now_ms)
        return found

    def strip(self, url: str) -> str:
        """As `strip_click_ids`, of the aliases alone."""
        return _without(url, self._mentioned)


def strip_click_ids(url: str) -> str:
    """The URL without click ids, ours or of platforms we do not relay to; the rest unchanged to the byte.

    A parameter whose value hides another URL with a click id is removed whole.
    """
    return _without(url, _MENTIONED)


def _without(url: str, mentioned: re.Pattern[str]) -> str:
    if not _mentions(url, mentioned):
        return url
    cuts = [*(match.start() for match in _PIECES.finditer(url)), len(url)]
    kept = [url[: cuts[0]]]
    orphan = ""  # the ? or # of a removed piece, for the piece that takes its place
    for cut, end in pairwise(cuts):
        sign, piece = url[cut], url[cut + 1 : end]
        if _mentions(piece, mentioned):
            orphan = orphan or sign.strip("&")
            continue
        if sign == "&":
            sign = orphan or sign
        elif sign == "?" and orphan == "#":
            sign = "#?"
        kept.append(sign + piece)
        orphan = ""
    return "".join(kept)


def _keep(found: dict[str, ClickId], name: str, raw: str, now_ms: int) -> None:
    if name in found:
        return
    value = unquote(raw) if "%" in raw else raw
    if valid(name, value):
        found[name] = ClickId(value=value, clicked_at=now_ms)


def _mentions(text: str, mentioned: re.Pattern[str]) -> bool:
    """A parameter by name, also when percent-encoded once or twice (a URL inside a URL)."""
    if mentioned.search(text):
        return True
    if "%" not in text:
        return False
    once = unquote(text)
    return mentioned.search(once) is not None or mentioned.search(unquote(once)) is not None
