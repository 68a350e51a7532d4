"""First-party cookies of the platforms besides Meta's (`meta_cookies.py`): one row per cookie, read by `keeping.py`.

A cookie tells either ids of the browser or one click. Values are kept to the byte, their form being the platform's
business: what has spaces, controls or the look of junk is no value. A row with `lasts_s` is renewed by our answers in
the platform's own form, so that its tag finds what a script-set cookie would have lost after a week; a row without is
only read. Never made up: `_ttp`, `_scid` and `_ga` come from the platform's tag or not at all, because nobody documents
that ids made elsewhere match. Only read: Google's about clicks, which are Google's to write, and `_twclid`, which has
two forms in the wild. Supporting another cookie is one row in `COOKIES`; rows of a kind without a destination count
when `cookie.keep` names it.

Not read: what no platform takes from a server (`_scid_r`, `_pin_unauth`, `_derived_epik`, `ttcsid`, `_gcl_gs`).

Source: docs/cookies.md; forms from captured cookies and open server-side containers (checked 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

from proxy.clock import DAY_S
from proxy.identity import click_ids, google_cookies, verbatim

THIRTEEN_MONTHS_S = 395 * DAY_S
YEAR_S = 365 * DAY_S
LONGEST_S = 400 * DAY_S  # browsers clamp there; Google asks for two years
QUARTER_S, MONTH_S = 90 * DAY_S, 30 * DAY_S


Reading = tuple[str, int | None]
"""A click id and its time in ms, None when the cookie does not tell."""


class IdCookie(msgspec.Struct, frozen=True, kw_only=True):
    """Tells ids of the browser: value -> names and values for `Event.browser_ids`, nothing when it is unusable."""

    kind: str
    name: str
    ids: Callable[[str], Mapping[str, str]]
    lasts_s: int | None = None  # None: we never set it
    measures: bool = False  # analytics consent is enough; else it is advertising


class ClickCookie(msgspec.Struct, frozen=True, kw_only=True):
    """Tells one click; `read` gives None when the value is unusable."""

    kind: str
    name: str
    click: str  # the name in `Event.click_ids`
    read: Callable[[str], Reading | None] = lambda value: (value, None)
    lasts_s: int | None = None
    write: Callable[[str], str] = lambda click: click  # what we set for a click id


PlatformCookie = IdCookie | ClickCookie


def _token(name: str) -> Callable[[str], Mapping[str, str]]:
    return lambda value: {name: value} if verbatim.token(value) else {}


def _client(value: str) -> Mapping[str, str]:
    found = google_cookies.client_id(value)
    return {"ga_client_id": found} if found else {}


_UET = "_uet"  # stands before the click id in Microsoft's own cookie


def _uet_click(value: str) -> Reading | None:
    return (value.removeprefix(_UET), None) if value.startswith(_UET) else None


class _X(msgspec.Struct):
    twclid: str


_x_decoder = msgspec.json.Decoder(_X)


def _x_click(value: str) -> Reading | None:
    """The bare id, as X's server tag writes it, or the pixel's JSON object around it."""
    text = unquote(value)
    if not text.startswith("{"):
        return value, None
    try:
        return _x_decoder.decode(text).twclid, None
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _google_click(cookie: str, click: str) -> ClickCookie:
    return ClickCookie(kind="google_ads", name=cookie, click=click, read=google_cookies.click)


COOKIES: tuple[PlatformCookie, ...] = (
    IdCookie(kind="tiktok", name="_ttp", ids=_token("ttp"), lasts_s=THIRTEEN_MONTHS_S),
    ClickCookie(kind="tiktok", name="ttclid", click="ttclid"),
    IdCookie(kind="snapchat", name="_scid", ids=_token("scid"), lasts_s=THIRTEEN_MONTHS_S),
    ClickCookie(kind="snapchat", name="_scclid", click="sccid"),
    ClickCookie(kind="pinterest", name="_epik", click="epik", lasts_s=YEAR_S),
    IdCookie(kind="ga4", name="_ga", ids=_client, lasts_s=LONGEST_S, measures=True),
    _google_click("FPGCLAW", "gclid"),
    _google_click("FPGCLGB", "wbraid"),
    _google_click("FPGCLAG", "gbraid"),
    _google_click("FPGCLDC", "dclid"),
    _google_click("_gcl_aw", "gclid"),
    _google_click("_gcl_gb", "wbraid"),
    _google_click("_gcl_ag", "gbraid"),
    _google_click("_gcl_dc", "dclid"),
    ClickCookie(
        kind="microsoft",
        name="_uetmsclkid",
        click="msclkid",
        read=_uet_click,
        lasts_s=QUARTER_S,
        write=lambda click: _UET + click,
    ),
    IdCookie(kind="microsoft", name="_uetvid", ids=_token("uetvid"), lasts_s=THIRTEEN_MONTHS_S),
    IdCookie(kind="microsoft", name="_uetsid", ids=_token("uetsid")),
    ClickCookie(kind="linkedin", name="li_fat_id", click="li_fat_id", lasts_s=QUARTER_S),
    ClickCookie(kind="reddit", name="_rdt_cid", click="rdt_cid", lasts_s=MONTH_S),
    ClickCookie(kind="reddit", name="rdt_cid", click="rdt_cid"),
    IdCookie(kind="reddit", name="_rdt_uuid", ids=_token("rdt_uuid"), lasts_s=QUARTER_S),
    ClickCookie(kind="x", name="_twclid", click="twclid", read=_x_click),
    ClickCookie(kind="x", name="twclid", click="twclid", read=_x_click),
)
"""Of two cookies about one click at one time the earlier row counts."""
NAMES = frozenset(row.name for row in COOKIES)

SESSION_ID, SESSION_NUMBER = "ga_session_id", "ga_session_number"


def session_cookie(stream: str, suffix: str) -> IdCookie:
    """`_ga_<stream>` of a GA4 stream (`ABC1234567`, the measurement id without `G-`); `suffix`: of the ids' names."""

    def ids(value: str) -> Mapping[str, str]:
        found = google_cookies.session(value)
        if found is None:
            return {}
        named = {SESSION_ID + suffix: found.id}
        return named if found.number is None else named | {SESSION_NUMBER + suffix: found.number}

    return IdCookie(kind="ga4", name=f"_ga_{stream}", ids=ids, measures=True)


def usable_click(row: ClickCookie, value: str) -> Reading | None:
    """What `row` reads from a value, if that can be a click id at all."""
    found = row.read(value)
    return found if found is not None and click_ids.valid(row.click, found[0]) else None
