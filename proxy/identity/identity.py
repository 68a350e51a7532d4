"""Who sent this: a fold over the events of one request, from the cookies that came to the cookies that go back.

    identity = read(request.headers.get("Cookie", ""), codec, keep, now_ms)
    for event in events:                       # `event.consent` and `consent=` both hold the effective consent
        identity, event = advance(identity, event, consent=event.consent, now_ms=…, domain=…, mint=…, keep=keep)
        stored = minimise(event)               # proxy/privacy/consent.py; advance fills in, minimise takes out
    headers = set_cookies(identity, codec=codec, settings=settings, domain=…, now_ms=…, secure=…, keep=keep)

`explain` starts from `Identity()` and gives no `mint`. `domain` is `cookie_domain(host, settings.domain)`; `keep`:
which cookies we read and set (`keeping.py`); `mint`: a function returning 128 random bits, None when nothing new may be
made up (server events, explain). Values a browser must not state (`event.visitor`) are the collector's to remove
beforehand.

Pure. Which value wins, for the event: one given in it, if valid; a click in the page's URL (it beats a *given* `fbc` of
another click too: that is an old cookie read too early); one under an alias there; a click in a referrer of the same
site; the platform's cookie; `_fh` (more in `keeping.py`). A value in a cookie is kept to the byte; the same click keeps
the time it had. Without the consent it needs, nothing passes from a cookie into an event, nothing is minted and nothing
set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from proxy.clock import DAY_S
from proxy.config.settings import CookieSettings
from proxy.event import ClickId, Consent, ConsentState, Event, Page, Visitor, replace
from proxy.identity import meta_cookies, verbatim
from proxy.identity.click_ids import KEEP_MS, harvest, merge, valid
from proxy.identity.cookie_domain import CookieDomain, same_site
from proxy.identity.cookie_header import expire_cookie, read_cookies, set_cookie
from proxy.identity.keeping import FBC, FBP, NOTHING, Found, Keeping, find
from proxy.identity.remembering import Keys, fill, remember
from proxy.identity.touches import Evidence, Touches, stated, touched
from proxy.identity.visitor import LONGEST_MS, Remembered, VisitorCookie, visitor_id
from proxy.privacy.consent import (
    BY_DEFAULT,
    may_advertise,
    may_identify,
    to_remember,
    withdraws_advertising,
    withdraws_identity,
)
from proxy.privacy.proof import Logged

_LONGEST_ID = 512  # characters of a browser id that an event states


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What one browser carries, as of now in the fold. Nothing of it is allowed anywhere before `advance` says so."""

    visitor: Visitor | None = None
    click_ids: dict[str, ClickId] = {}
    touches: Touches | None = None
    fbp: str | None = None  # what the browser's cookie holds or will hold after this answer
    fbc: str | None = None
    found: Found = NOTHING  # in the other platforms' cookies
    keys: Keys = {}  # match keys of the person
    reset_at: int = 0
    kept: Remembered | None = None  # what `_fh` held when the request came
    kept_text: str = ""  # and its value, to the byte
    sent: frozenset[str] = frozenset()  # cookie names of ours that came, usable or not
    consent: Consent | None = None  # the visitor's latest word among the events so far
    logged: Logged | None = None  # the last proof of consent


def read(cookie_header: str, codec: VisitorCookie, keep: Keeping, now_ms: int) -> Identity:
    """The identity in a `Cookie` header. Of several valid `_fh` the one with the oldest visitor counts: one set later
    by a sibling host to take a visitor over loses."""
    if not cookie_header:
        return Identity()
    came = read_cookies(cookie_header, keep.names)
    kept, kept_text = None, ""
    for value in came.get(keep.visitor, ()):
        opened = codec.decode(value)
        if opened is None or now_ms - opened.seen_at > LONGEST_MS:
            continue
        if kept is None or opened.visitor.first_seen < kept.visitor.first_seen:
            kept, kept_text = opened, value
    return Identity(
        visitor=kept.visitor if kept else None,
        click_ids=kept.click_ids if kept else {},
        touches=kept.touches if kept else None,
        logged=kept.logged if kept else None,
        fbp=meta_cookies.first_fbp(came.get(FBP, ())),
        fbc=meta_cookies.newest_fbc(came.get(FBC, ())),
        found=_in_platform_cookies(keep, came, kept, now_ms) if keep.has_platforms else NOTHING,
        keys=kept.keys if kept and keep.remembers else {},
        reset_at=kept.reset_at if kept else 0,
        kept=kept,
        kept_text=kept_text,
        sent=frozenset(came),
    )


def advance(
    identity: Identity,
    event: Event,
    *,
    consent: Consent,
    now_ms: int,
    domain: CookieDomain,
    mint: Callable[[], int] | None,
    keep: Keeping,
    via: Evidence = Evidence.URL,
) -> tuple[Identity, Event]:
    """The event as it should be stored (before `minimise`), and the identity the next event of the request meets.

    `via`: what a click id in the page's URL counts as.
    """
    identity = replace(identity, consent=_latest(identity.consent, consent))
    if not may_identify(consent):
        return identity, event
    if identity.visitor is None and mint is not None:
        identity = replace(identity, visitor=Visitor(id=visitor_id(mint()), first_seen=_seen_ms(event, now_ms)))
    if event.visitor is None:
        event = replace(event, visitor=identity.visitor)
    advertise = may_advertise(consent)
    if ids := identity.found.ids if advertise else identity.found.measured_ids:
        event = replace(event, browser_ids=_with_known(event.browser_ids, ids))
    if advertise:
        identity, event = _advertise(identity, event, now_ms, domain, mint, keep=keep, via=via)
        if keep.remembers and event.time > identity.reset_at:
            keys = remember(identity.keys, event.user, keep.remembers)
            user, filled = fill(event.user, keys, keep.remembers)
            identity, event = (
                replace(identity, keys=keys),
                replace(event, user=user, remembered=(*event.remembered, *filled)),
            )
    return identity, event


def revoked(identity: Identity) -> Identity:
    """Of a visitor whose data was erased: every cookie of ours that came is taken back."""
    refused = ConsentState.DENIED
    return replace(identity, consent=Consent(marketing=refused, analytics=refused, sale=refused, source="erased"))


def reset(identity: Identity, at_ms: int) -> Identity:
    """The person has gone (a logout): nothing is remembered of them, and their last events, still under way, tell
    nothing anew. The browser stays the same visitor. Told again, it changes nothing: somebody else may be here now."""
    return identity if at_ms <= identity.reset_at else replace(identity, keys={}, reset_at=at_ms)


def set_cookies(
    identity: Identity,
    *,
    codec: VisitorCookie,
    settings: CookieSettings,
    domain: CookieDomain,
    now_ms: int,
    secure: bool,
    keep: Keeping,
) -> list[str]:
    """`Set-Cookie` values for the answer: renewed under consent, expired when the visitor took it back.

    `secure`: the browser spoke https (to the proxy in front of us, if there is one). No event, no cookie.
    """
    consent = identity.consent
    if consent is None:
        return []
    advertise = may_advertise(consent)
    headers = []
    remembered = _to_remember(identity, consent, now_ms, keep)
    if remembered is not None:
        age_ms = 0 if settings.rolling else now_ms - remembered.visitor.first_seen
        max_age_s = max(0, settings.max_age_days * DAY_S - age_ms // 1000)
        value = codec.renew(remembered, identity.kept, identity.kept_text) if max_age_s else ""
        headers.append(
            set_cookie(settings.name, value, domain=domain.domain, max_age_s=max_age_s, secure=secure, http_only=True)
        )
    elif withdraws_identity(consent) and settings.name in identity.sent:
        headers.append(expire_cookie(settings.name, domain=domain.domain, secure=secure, http_only=True))
    # Never HttpOnly: the platform's tag has to read its cookie, or it makes one of its own.
    for name, current, age, measures in _renewable(identity, keep):
        if current is not None and (advertise or (measures and may_identify(consent))):
            headers.append(
                set_cookie(name, current, domain=domain.domain, max_age_s=age, secure=secure, http_only=False)
            )
        elif name in identity.sent and (withdraws_identity if measures else withdraws_advertising)(consent):
            headers.append(expire_cookie(name, domain=domain.domain, secure=secure, http_only=False))
    return headers


def _to_remember(identity: Identity, consent: Consent, now_ms: int, keep: Keeping) -> Remembered | None:
    """What `_fh` is to hold from now on, as far as consent goes; None: it is not to be written."""
    visitor, kept, cookies = identity.visitor, identity.kept, identity.found.cookies
    if visitor is None or not may_identify(consent):
        if kept is None or identity.reset_at <= kept.reset_at or withdraws_identity(consent):
            return None
        return replace(kept, keys={}, reset_at=identity.reset_at)  # to forget somebody needs nobody's consent
    said = kept.consent if kept is not None else None
    common: dict[str, Any] = {"visitor": visitor, "seen_at": now_ms, "reset_at": identity.reset_at}
    common["logged"] = identity.logged
    if may_advertise(consent):
        return Remembered(
            click_ids=identity.click_ids,
            fbp=identity.fbp,
            fbc=identity.fbc,
            cookies=cookies,
            touches=identity.touches,
            keys=identity.keys,
            consent=to_remember(said, consent, now_ms),
            **common,
        )
    measured = {name: value for name, value in cookies.items() if name in keep.measuring}
    is_silent = consent.source == BY_DEFAULT and not withdraws_advertising(consent)
    if kept is not None and said is not None and is_silent and may_advertise(said):
        # A page that has not asked its banner yet: what the visitor said before is not forgotten for it.
        keys = {} if identity.reset_at > kept.reset_at else kept.keys
        return replace(kept, cookies=kept.cookies | measured, keys=keys, **common)
    return Remembered(cookies=measured, consent=to_remember(said, consent, now_ms), **common)


def _renewable(identity: Identity, keep: Keeping) -> list[tuple[str, str | None, int, bool]]:
    """Platforms' cookies that are ours to set: name, the value we know, seconds to live, does analytics cover it."""
    found: list[tuple[str, str | None, int, bool]] = []
    if keep.sets_meta:
        age = meta_cookies.COOKIE_MAX_AGE_S
        found = [(FBP, identity.fbp, age, False), (FBC, identity.fbc, age, False)]
    if keep.has_platforms:
        cookies, clicks = identity.found.cookies, identity.click_ids
        for row in keep.renewed_ids:
            found.append((row.name, cookies.get(row.name), row.lasts_s or 0, row.measures))
        for click_row in keep.renewed_clicks:
            click = clicks.get(click_row.click)
            found.append(
                (click_row.name, click_row.write(click.value) if click else None, click_row.lasts_s or 0, False)
            )
    return found


def _in_platform_cookies(
    keep: Keeping, came: Mapping[str, Sequence[str]], kept: Remembered | None, now_ms: int
) -> Found:
    if kept is None:
        return find(keep, came, remembered={}, clicks={}, seen_at=now_ms, now_ms=now_ms)
    return find(keep, came, remembered=kept.cookies, clicks=kept.click_ids, seen_at=kept.seen_at, now_ms=now_ms)


def _with_known(given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The browser ids of an event: what it states where that is usable, else what we know."""
    stated = {name for name in known if verbatim.token(given.get(name), _LONGEST_ID) is not None}
    return {**given, **{name: value for name, value in known.items() if name not in stated}}


def _advertise(
    identity: Identity,
    event: Event,
    now_ms: int,
    domain: CookieDomain,
    mint: Callable[[], int] | None,
    *,
    keep: Keeping,
    via: Evidence,
) -> tuple[Identity, Event]:
    given_fbp, given_fbc = _stated(event)
    seen_ms = _seen_ms(event, now_ms)
    given = {
        name: click if 0 <= click.clicked_at <= now_ms else replace(click, clicked_at=seen_ms)
        for name, click in event.click_ids.items()
        if valid(name, click.value)
    }
    in_url = harvest(event.page.url, seen_ms)
    aliased = keep.aliases.harvest(event.page.url, seen_ms) if keep.aliases is not None else {}
    before_it = _from_own_referrer(event.page, keep, seen_ms)
    fresh = {**before_it, **aliased, **in_url, **given}
    known_before = identity.click_ids
    carried = identity.found.clicks
    if carried:
        clicks = merge({**identity.click_ids, **carried}, {**carried, **fresh}, now_ms)
        still = {name: click for name, click in carried.items() if clicks[name].value == click.value}
        identity = replace(identity, found=replace(identity.found, clicks=still))
    else:
        clicks = merge(identity.click_ids, fresh, now_ms)
    kept_fbp, kept_fbc = _restorable(identity, now_ms) if keep.reads_meta else (None, None)

    landed = in_url["fbclid"].value if "fbclid" in in_url and "fbclid" not in given else None
    if given_fbc is not None and landed in (None, meta_cookies.fbclid_of(given_fbc)):
        event_fbc: str | None = given_fbc
        browser_fbc: str | None = _adopt(identity.fbc, given_fbc)
    else:
        known = [value for value in (identity.fbc, kept_fbc) if value is not None]
        index = domain.subdomain_index if keep.sets_meta else None
        event_fbc = browser_fbc = _current_fbc(known, clicks.get("fbclid"), is_fresh="fbclid" in fresh, index=index)
    if browser_fbc is not None:
        clicks = _agree(clicks, browser_fbc, now_ms, is_fresh="fbclid" in fresh)

    touches = attribution = None
    if clicks:
        evidence: dict[str, str] = dict.fromkeys(carried, Evidence.COOKIE)
        if identity.fbc is not None and "fbclid" in clicks:
            evidence["fbclid"] = Evidence.COOKIE
        for found, source in ((before_it, Evidence.REFERER), (aliased, Evidence.ALIAS), (in_url, via)):
            evidence |= dict.fromkeys(found, source)
        evidence |= {name: stated(event.client, name) for name in given}
        touches, attribution = touched(identity.touches, known_before, clicks, evidence, now_ms)

    browser_fbp = identity.fbp or given_fbp or kept_fbp
    if browser_fbp is None and keep.sets_meta and mint is not None:
        browser_fbp = meta_cookies.fbp(mint(), seen_ms, domain.subdomain_index)

    chosen = {**event.browser_ids, "fbp": given_fbp or browser_fbp, "fbc": event_fbc}
    browser_ids = {name: value for name, value in chosen.items() if value is not None}
    return (
        replace(identity, click_ids=clicks, touches=touches, fbp=browser_fbp, fbc=browser_fbc),
        replace(event, click_ids=clicks, browser_ids=browser_ids, attribution=event.attribution or attribution),
    )


def _seen_ms(event: Event, now_ms: int) -> int:
    """When the visitor was seen: at the event, not at its arrival; a late beacon is no later visit."""
    return event.time if 0 <= now_ms - event.time <= KEEP_MS else now_ms


def _stated(event: Event) -> tuple[str | None, str | None]:
    """The valid `fbp` and `fbc` an event itself brings. Some senders put a whole `fbc` where the click belongs."""
    if not (event.browser_ids or event.click_ids):
        return None, None
    fbp, fbc = event.browser_ids.get("fbp", ""), event.browser_ids.get("fbc", "")
    click = event.click_ids.get("fbclid")
    if click is not None and not meta_cookies.valid_fbc(fbc):
        fbc = click.value
    return fbp if meta_cookies.valid_fbp(fbp) else None, fbc if meta_cookies.valid_fbc(fbc) else None


def _restorable(identity: Identity, now_ms: int) -> tuple[str | None, str | None]:
    """The `fbp` and `fbc` to give back to a browser that lost them: those its own cookies could still hold."""
    kept = identity.kept
    if kept is None or now_ms - kept.seen_at > KEEP_MS:
        return None, None
    if kept.fbc is None or kept.fbc == identity.fbc:
        return kept.fbp, None
    created = meta_cookies.created_at_ms(kept.fbc)
    return kept.fbp, kept.fbc if created is not None and now_ms - created <= KEEP_MS else None


def _from_own_referrer(page: Page, keep: Keeping, seen_ms: int) -> dict[str, ClickId]:
    """Clicks in the previous page's URL, when that page was ours: a landing page that redirected by script."""
    if page.url is None or page.referrer is None:
        return {}
    found = harvest(page.referrer, seen_ms)
    if keep.aliases is not None:
        found = {**keep.aliases.harvest(page.referrer, seen_ms), **found}
    return found if found and same_site(page.url, page.referrer) else {}


def _current_fbc(known: Sequence[str], click: ClickId | None, *, is_fresh: bool, index: int | None) -> str | None:
    """The `fbc` for a click: a known value that carries it, else a new one (`index` None: none is made).

    Without a fresh click: the first known value, be its click what it may.
    """
    if known and not is_fresh:
        return known[0]
    if click is None:
        return None
    for value in known:
        if meta_cookies.fbclid_of(value) == click.value:
            return value
    made = meta_cookies.fbc(click.value, click.clicked_at, index) if index is not None else ""
    return made if meta_cookies.valid_fbc(made) else None  # an absurd time, from a sender we believe


def _adopt(cookie: str | None, given: str) -> str:
    """What the cookie becomes when an event states an `fbc`: of two clicks the newer; of one click the cookie's."""
    if cookie is None or meta_cookies.fbclid_of(cookie) == meta_cookies.fbclid_of(given):
        return cookie or given
    return meta_cookies.newest_fbc((cookie, given)) or given


def _agree(clicks: dict[str, ClickId], fbc: str, now_ms: int, *, is_fresh: bool) -> dict[str, ClickId]:
    """Clicks in which `fbclid` says what `fbc` says, and of one click the earlier time. An `fbc` too old to count as
    a click adds none."""
    value, before = meta_cookies.fbclid_of(fbc), clicks.get("fbclid")
    created = meta_cookies.created_at_ms(fbc)
    assert value is not None
    assert created is not None
    clicked_at = min(created, now_ms)
    if before is not None and before.value == value:
        clicked_at = min(clicked_at, before.clicked_at)
    if (now_ms - clicked_at > KEEP_MS and not is_fresh) or ClickId(value=value, clicked_at=clicked_at) == before:
        return clicks
    return {**clicks, "fbclid": ClickId(value=value, clicked_at=clicked_at)}


def _latest(before: Consent | None, now: Consent) -> Consent:
    """A stored event sent late may carry an older decision than the one before it; the later decision counts."""
    if before is None or before.time is None or now.time is None or now.time >= before.time:
        return now
    return before
