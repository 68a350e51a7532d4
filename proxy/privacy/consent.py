"""What a visitor's consent allows: which destination may get an event, what may be set on the device, what be kept.

Pure. The collector calls `effective` once per event and stores its result in the event; everybody else (relay,
identity, explain) asks this module about that stored consent and never reads a purpose's state itself.

    marketing, analytics, personalization   allowed only when granted
    sale (or sharing, the US opt-out)       allowed until refused; nothing refuses it by default

`minimise` is the last step before storing: what it returns holds nothing the consent beside it does not cover.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.destinations.base import DestinationSettings
from proxy.event import ClickId, Consent, ConsentState, Event, Page, Purpose, User, replace
from proxy.identity.click_ids import NAMES, Aliases, strip_click_ids
from proxy.privacy.terms import Terms

BY_DEFAULT = "default"
"""`Consent.source` when the visitor has said nothing and the configured default decided."""
BY_GPC, BY_DNT = "gpc", "dnt"
"""`Consent.source` when the visitor has said nothing and `Sec-GPC: 1` (`DNT: 1`) refused something."""
BY_MEMORY = "remembered"
"""`Consent.source` when `_fh` told what the visitor had said before; nobody said anything this time."""

_NOBODY_SAID = frozenset({BY_DEFAULT, BY_GPC, BY_DNT})
_SOLD = frozenset({Purpose.MARKETING, Purpose.PERSONALIZATION, Purpose.SALE})  # purposes a refused sale stops
_GRANTED, _DENIED, _UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN

_ADVERTISING_NAMES = frozenset(
    {"fbp", "fbc", "ttp", "scid", "uetvid", "uetsid", "rdt_uuid", *NAMES}
)  # also when found in `custom`
MEASURING = "ga_"
"""How the names of browser ids of measurement begin, not of advertising."""


def effective(given: Consent, terms: Terms, *, gpc: bool, dnt: bool = False) -> Consent:
    """The consent that counts: the visitor's words, then the default of `terms`, then the signals over both.

    `gpc`, `dnt`: the request came with `Sec-GPC: 1`, `DNT: 1`. A consent whose `source` says that no visitor spoke (a
    script's own idea of the default, say an old one) grants nothing; what it refuses is refused. Applying this to its
    own result changes nothing.
    """
    marketing, analytics, personalization, sale = given.marketing, given.analytics, given.personalization, given.sale
    source = given.source
    if source in _NOBODY_SAID:
        silent = True
        marketing, analytics, personalization = _refusal(marketing), _refusal(analytics), _refusal(personalization)
    elif marketing is analytics is personalization is sale is _UNKNOWN:
        silent, source = True, BY_DEFAULT
    else:
        silent = False
    if marketing is _UNKNOWN:
        marketing = terms.marketing
    if analytics is _UNKNOWN:
        analytics = terms.analytics
    if personalization is _UNKNOWN:
        personalization = terms.personalization
    for signal, refuses, name in ((gpc, terms.gpc, BY_GPC), (dnt, terms.dnt, BY_DNT)):
        if signal and refuses != "ignore":
            sale = _DENIED
            if refuses == "refuse_marketing":
                marketing = _DENIED
            if silent and source == BY_DEFAULT:
                source = name
    return Consent(
        marketing=marketing,
        analytics=analytics,
        personalization=personalization,
        sale=sale,
        source=source,
        time=given.time,
    )


def signalled(terms: Terms, *, gpc: bool, dnt: bool) -> frozenset[Purpose]:
    """The purposes that the signals refuse by themselves."""
    refused: set[Purpose] = set()
    for signal, refuses in ((gpc, terms.gpc), (dnt, terms.dnt)):
        if signal and refuses != "ignore":
            refused |= {Purpose.SALE, Purpose.MARKETING} if refuses == "refuse_marketing" else {Purpose.SALE}
    return frozenset(refused)


def _refusal(state: ConsentState) -> ConsentState:
    return _DENIED if state is _DENIED else _UNKNOWN


def is_said(consent: Consent) -> bool:
    """Did anybody say anything about any purpose?"""
    return any(consent.state(purpose) is not _UNKNOWN for purpose in Purpose)


def permits(consent: Consent, destination: DestinationSettings) -> str | None:
    """None when an event with this consent may be sent there; else the reason, such as "consent: marketing denied"."""
    for purpose in destination.consent:
        if purpose is not Purpose.SALE and (state := consent.state(purpose)) is not _GRANTED:
            return f"consent: {purpose} {state}"
    if consent.sale is _DENIED and destination.sale_refused == "skip" and not _SOLD.isdisjoint(destination.consent):
        return "consent: sale denied"
    return None


def may_identify(consent: Consent) -> bool:
    """May a visitor id be set, read or stored? Marketing or analytics is enough."""
    return consent.marketing is _GRANTED or consent.analytics is _GRANTED


def may_advertise(consent: Consent) -> bool:
    """May advertising identifiers (`_fbp`, `_fbc`, click ids) be set, read or stored?"""
    return consent.marketing is _GRANTED and consent.sale is not _DENIED


def withdraws_identity(consent: Consent) -> bool:
    """Has the visitor *said* that no visitor id is wanted? A default or a mere signal does not delete what exists."""
    refused = consent.marketing is _DENIED and consent.analytics is _DENIED
    return refused and consent.source not in _NOBODY_SAID


def withdraws_advertising(consent: Consent) -> bool:
    """Has the visitor (or a signal of the visitor's browser) *said* no to advertising or to sale?"""
    return consent.sale is _DENIED or (consent.marketing is _DENIED and consent.source != BY_DEFAULT)


def to_remember(before: Consent | None, now: Consent, now_ms: int) -> Consent | None:
    """What the visitor has said, for requests on which nobody can say it. `before`: what was remembered; `now`: the
    effective consent. A default is no word; a signal refuses, and grants nothing."""
    if now.source in _NOBODY_SAID and now.sale is _DENIED:  # no default does that
        said = replace(before or Consent(source=BY_MEMORY, time=now_ms), sale=_DENIED)
        if now.source != BY_DEFAULT and now.marketing is _DENIED:
            said = replace(said, marketing=_DENIED)
        return before if before is not None and _same(before, said) else said
    if now.source in _NOBODY_SAID or now.source == BY_MEMORY or (before is not None and _same(before, now)):
        return before
    return replace(now, source=BY_MEMORY, time=now_ms if now.time is None else now.time)


def _same(one: Consent, other: Consent) -> bool:
    return (
        one.marketing is other.marketing
        and one.analytics is other.analytics
        and one.personalization is other.personalization
        and one.sale is other.sale
    )


def minimise(event: Event, aliases: Aliases | None = None) -> Event | None:
    """What of `event` may be stored under `event.consent` (already effective); None: nothing at all.

    `aliases`, which have been read by now, are taken out of its URLs whatever was granted: they are nobody else's.

    - No purpose granted: nothing.
    - Marketing granted and sale not refused: everything.
    - Marketing granted, sale refused: without click ids and advertising browser ids. The site's own knowledge of its
      customer (`user`) stays, because a destination with `sale_refused: limit` may get it under its limited-use flag.
    - Analytics or personalization only: also without `user`, and without `visitor` unless analytics is granted.
    """
    consent = event.consent
    if _GRANTED not in (consent.marketing, consent.analytics, consent.personalization):
        return None
    if aliases is not None:
        event = replace(event, page=_changed(event.page, aliases.strip))
    if may_advertise(consent):
        return event
    no_clicks: dict[str, ClickId] = {}
    return replace(
        event,
        page=_changed(event.page, strip_click_ids),
        click_ids=no_clicks,
        attribution=None,
        browser_ids={name: value for name, value in event.browser_ids.items() if name.startswith(MEASURING)},
        custom={name: value for name, value in event.custom.items() if name.lower() not in _ADVERTISING_NAMES},
        user=event.user if consent.marketing is _GRANTED else User(),
        visitor=event.visitor if may_identify(consent) else None,
    )


def _changed(page: Page, change: Callable[[str], str]) -> Page:
    """The page with both of its URLs changed."""
    return replace(page, url=page.url and change(page.url), referrer=page.referrer and change(page.referrer))
