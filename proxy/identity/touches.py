"""First and last touch: which ad click began this visitor's story, which one is the latest, and how we know.

`touched` is a fold like everything here: what `_fh` held in, what it will hold out. A touch is a *new* click; the same
click seen again, on a reload or in the page a redirect led to, keeps the touch it made. Nothing here decides which
click id an event gets: `identity.py` does, and a fresh URL value wins over a stored one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from proxy.event import Attribution, ClickId, Client, Touch
from proxy.identity.click_ids import KEEP_MS


class Evidence(StrEnum):
    """Where a click id came from."""

    URL = "url"  # the landing page's own URL
    ALIAS = "alias"  # a parameter of the site's choosing, filled by the platform's macro
    IN_APP = "inapp"  # Facebook's or Instagram's in-app browser told it
    REFERER = "referer"  # the URL of our own page before this one
    REDIRECT = "redirect"  # a click redirect of ours (`/c/…`)
    EVENT = "event"  # the sender of the event stated it
    COOKIE = "cookie"  # the platform's own cookie
    STORE = "store"  # `_fh` remembered it; nothing fresh came


Touches = tuple[Touch, Touch]
"""First and last."""

_IN_APP = re.compile(r"\bFB(?:AN|AV|_IAB)/|\bInstagram ")


def stated(client: Client, name: str) -> Evidence:
    """For a click id that an event itself carries. Only Meta's in-app browser tells one to our script."""
    return Evidence.IN_APP if name == "fbclid" and _IN_APP.search(client.user_agent or "") else Evidence.EVENT


def touched(
    before: Touches | None,
    known: Mapping[str, ClickId],
    now: Mapping[str, ClickId],
    fresh: Mapping[str, str],
    now_ms: int,
) -> tuple[Touches | None, Attribution | None]:
    """`known`, `now`: the clicks before and after this event. `fresh`: evidence by name of those that came with it,
    the best last.

    Without any record, clicks that are known all the same (an older `_fh`) count as told by the store.
    """
    first, last = before or (None, None)
    if first is not None and now_ms - first.at > KEEP_MS:
        first = None
    if last is not None and now_ms - last.at > KEEP_MS:
        last = None
    news = [name for name in fresh if name in now and (name not in known or known[name].value != now[name].value)]
    if news or (last is None and now):
        # Of several at one time the one with the best evidence.
        name = max(reversed(news or [*now]), key=lambda name: now[name].clicked_at)
        touch = Touch(click=name, at=now[name].clicked_at, evidence=str(fresh.get(name, Evidence.STORE)))
        last = touch if last is None or touch.at >= last.at else last
        first = touch if first is None or touch.at < first.at else first
    if last is None:
        return None, None
    first = first or last
    evidence = str(fresh.get(last.click, Evidence.STORE))
    return (first, last), Attribution(first=first, last=last, evidence=evidence)
