"""Which cookies this configuration reads, remembers and renews; compiled once from the configuration.

Only cookies of configured platforms are read. `find` turns those that came, and what `_fh` remembers of those that did
not, into `Found`. It decides nothing about consent: `identity.py` does, before anything of it reaches an event or an
answer.

Which wins: a cookie that came over what `_fh` remembers of it. Of two clicks of one name the later one; a cookie that
does not tell its time beats a remembered click only if it is one of those we renew (then a difference is news), else
it fills a gap. The same click keeps its earliest time, for as long as the browser carries it. With several GA4 streams
each session stands under its stream's name (`ga_session_id_ABC1234567`), and under the plain one if all agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from proxy.clock import SECOND_MS
from proxy.config.settings import Settings
from proxy.event import ClickId
from proxy.identity.click_ids import KEEP_MS, Aliases
from proxy.identity.platform_cookies import (
    COOKIES,
    SESSION_ID,
    SESSION_NUMBER,
    ClickCookie,
    IdCookie,
    PlatformCookie,
    Reading,
    session_cookie,
    usable_click,
)

FBP, FBC = "_fbp", "_fbc"


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    visitor: str = "_fh"  # the visitor cookie's name
    names: frozenset[str] = frozenset({"_fh"})  # every cookie that is read
    reads_meta: bool = False
    sets_meta: bool = False
    ids: tuple[IdCookie, ...] = ()
    clicks: tuple[ClickCookie, ...] = ()
    renewed_ids: tuple[IdCookie, ...] = ()
    renewed_clicks: tuple[ClickCookie, ...] = ()
    measuring: frozenset[str] = frozenset()  # cookies that analytics consent covers
    streams: tuple[str, ...] = ()  # of GA4, without "G-", if there are several
    has_platforms: bool = False  # anything besides Meta
    aliases: Aliases | None = None  # parameters of the site's own that carry click ids
    remembers: tuple[str, ...] = ()  # match keys of the visitor that later events get


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the platforms' cookies say. Nothing of it is allowed anywhere yet."""

    cookies: dict[str, str] = {}  # name -> value, of those that are remembered
    measured_ids: dict[str, str] = {}  # for `Event.browser_ids`; analytics consent covers them
    ids: dict[str, str] = {}  # all of them, `measured_ids` too
    clicks: dict[str, ClickId] = {}  # those that count now, remembered or news
    unusable: frozenset[str] = frozenset()  # names that came without a usable value


NOTHING = Found()


def keeping(settings: Settings) -> Keeping:
    """For a configuration. Disabled destinations count: they may be back tomorrow."""
    cookie, configured = settings.cookie, settings.destinations.values()
    kinds = {one.kind for one in configured}
    renewed = kinds if cookie.keep == "auto" else set(cookie.keep)
    sets_meta = "meta" in renewed if cookie.meta is None else cookie.meta
    read = kinds | renewed
    # Google puts the measurement id without `G-` behind `_ga_`.
    measurement_ids = [str(getattr(one, "measurement_id", "")) for one in configured if one.kind == "ga4"]
    streams = tuple(dict.fromkeys(name.removeprefix("G-") for name in measurement_ids if name))
    rows: list[PlatformCookie] = [row for row in COOKIES if row.kind in read]
    several = streams if len(streams) > 1 else ()
    rows += [session_cookie(stream, f"_{stream}" if several else "") for stream in streams]
    ids = tuple(row for row in rows if isinstance(row, IdCookie))
    clicks = tuple(row for row in rows if isinstance(row, ClickCookie))
    reads_meta = sets_meta or "meta" in read
    return Keeping(
        visitor=cookie.name,
        names=frozenset({cookie.name, *((FBP, FBC) if reads_meta else ()), *(row.name for row in rows)}),
        reads_meta=reads_meta,
        sets_meta=sets_meta,
        ids=ids,
        clicks=clicks,
        renewed_ids=tuple(row for row in ids if row.lasts_s is not None and row.kind in renewed),
        renewed_clicks=tuple(row for row in clicks if row.lasts_s is not None and row.kind in renewed),
        measuring=frozenset(row.name for row in ids if row.measures),
        streams=several,
        has_platforms=bool(rows),
        aliases=Aliases(settings.identity.aliases) if settings.identity.aliases else None,
        remembers=settings.identity.remember,
    )


def find(
    keep: Keeping,
    came: Mapping[str, Sequence[str]],
    *,
    remembered: Mapping[str, str],
    clicks: Mapping[str, ClickId],
    seen_at: int,
    now_ms: int,
) -> Found:
    """`came`: cookies by name, every value. `remembered`, `clicks`, `seen_at` (ms): what `_fh` held, and since when."""
    cookies: dict[str, str] = {}
    advertising: dict[str, str] = {}
    measured: dict[str, str] = {}
    unusable = set()
    for row in keep.ids:
        values = came.get(row.name, ())
        value, ids = _first(row, values)
        if not ids and row.name in came:
            unusable.add(row.name)
        if not ids and row.lasts_s is not None and now_ms - seen_at <= row.lasts_s * SECOND_MS:
            value, ids = _first(row, (remembered.get(row.name, ""),))
        (measured if row.measures else advertising).update(ids)
        # Two different ones live on two domains, and only their tag knows which is whose: neither is written over.
        if ids and row.lasts_s is not None and (len(values) < 2 or len(set(values)) == 1):  # noqa: PLR2004 - several
            cookies[row.name] = value
    _agree(measured, keep.streams)
    carried: dict[str, ClickId] = {}
    for click_row in keep.clicks:
        if click_row.name in came:
            readings = [one for value in came[click_row.name] if (one := usable_click(click_row, value)) is not None]
            if not readings:
                unusable.add(click_row.name)
            elif click := _later(
                click_row, readings, carried.get(click_row.click) or clicks.get(click_row.click), now_ms
            ):
                carried[click_row.click] = click
    return Found(
        cookies=cookies,
        measured_ids=measured,
        ids=advertising | measured,
        clicks=carried,
        unusable=frozenset(unusable),
    )


def _first(row: IdCookie, values: Sequence[str]) -> tuple[str, Mapping[str, str]]:
    """Of several cookies of one name the first usable one: the browser's first is the one the tag reads."""
    for value in values:
        if ids := row.ids(value):
            return value, ids
    return "", {}


def _later(row: ClickCookie, readings: Sequence[Reading], before: ClickId | None, now_ms: int) -> ClickId | None:
    """The newest of what a cookie says, if it counts beside what is known; the same click keeps its earlier time."""
    value, stated = max(readings, key=lambda one: one[1] or 0)
    if stated is not None and now_ms - stated > KEEP_MS:
        return None
    clicked_at = now_ms if stated is None else min(stated, now_ms)
    if before is None:
        return ClickId(value=value, clicked_at=clicked_at)
    if before.value == value:
        return ClickId(value=value, clicked_at=min(clicked_at, before.clicked_at))
    is_news = clicked_at > before.clicked_at if stated is not None else row.lasts_s is not None
    is_gone = now_ms - before.clicked_at > KEEP_MS
    return ClickId(value=value, clicked_at=clicked_at) if is_news or is_gone else None


def _agree(measured: dict[str, str], streams: Sequence[str]) -> None:
    """Adds the session under its plain names, if every stream has the same."""
    for plain in (SESSION_ID, SESSION_NUMBER) if streams else ():
        values = {measured.get(f"{plain}_{stream}") for stream in streams}
        if len(values) == 1 and (value := values.pop()) is not None:
            measured[plain] = value
