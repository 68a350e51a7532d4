"""The proof of consent: what a visitor decided, when and how we learnt of it. Written when a decision changes. Pure.

Who was it? The log keeps a keyed digest of the visitor id beside a `Proof`, never the id. `Logged` is what the
visitor's own cookie remembers of the last proof, so that no request has to look anything up: a proof is due when the
cookie does not say the same. Defaults, mere signals (`Sec-GPC`, `DNT`) and what the cookie remembers of an earlier
decision are no decisions. A visitor without an id (nothing granted, ever) leaves no proof: there is nobody it could be
about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

import msgspec

from proxy.clock import DAY_MS
from proxy.event import Consent, ConsentState, replace
from proxy.identity.address import network_of
from proxy.identity.browsers import browser_family
from proxy.privacy.consent import BY_DEFAULT, BY_DNT, BY_GPC, BY_MEMORY

AGAIN_MS = 180 * DAY_MS
"""A decision that still holds is written down again after this long: by then the site has asked again."""

UNNAMED = "api"
"""The source of a decision whose sender does not name one."""

RECEIPT_CHARS = 4_000
"""Of one cookie: a TC string has some 500, with every vendor of the list 1,500."""

_NO_RECEIPTS: Mapping[str, str] = {}
_LETTERS = {ConsentState.GRANTED: "g", ConsentState.DENIED: "d", ConsentState.UNKNOWN: "u"}


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    at: int  # ms, when it reached us
    visitor: str  # the id; never stored as it is
    source: str  # tcf, gpp, gcm, api, the name of a banner…
    marketing: ConsentState
    analytics: ConsentState
    personalization: ConsentState
    sale: ConsentState
    config: str  # version of the configuration it was read under
    decided_at: int | None = None  # ms, as the page says
    host: str | None = None  # of the page
    network: str | None = None  # the address, cut to /24 or /48
    browser: str | None = None  # its family, such as Firefox
    region: str | None = None  # whose default would have held, such as DE or US-CA, where that is known
    receipts: dict[str, str] = {}  # the banner's own record, by cookie: a TC string, the id of a consent

    def without_traces(self) -> Proof:
        """What is left when the visitor is erased: what was decided, when and where, and nothing that leads to them."""
        return replace(self, network=None, browser=None, receipts={})


class Logged(msgspec.Struct, frozen=True, array_like=True):
    """The last proof, as `_fh` remembers it."""

    states: str  # a letter per purpose
    at: int  # ms


@cache
def _states(*states: ConsentState) -> str:
    return "".join(_LETTERS[state] for state in states)


def due(consent: Consent | None, logged: Logged | None, now_ms: int) -> Logged | None:
    """What the cookie is to remember, when `consent` (effective) has to be written down; None: nothing new."""
    if consent is None or consent.source in (BY_DEFAULT, BY_GPC, BY_DNT, BY_MEMORY):
        return None
    states = _states(consent.marketing, consent.analytics, consent.personalization, consent.sale)
    if logged is not None and logged.states == states and now_ms - logged.at < AGAIN_MS:
        return None
    return Logged(states, now_ms)


def proof(
    consent: Consent,
    *,
    visitor: str,
    now_ms: int,
    config: str,
    origin: str | None,
    ip: str | None,
    user_agent: str | None,
    region: str | None = None,
    receipts: Mapping[str, str] = _NO_RECEIPTS,
) -> Proof:
    """`origin`: of the page, as the browser states it. `receipts`: checked already."""
    return Proof(
        at=now_ms,
        visitor=visitor,
        source=consent.source or UNNAMED,
        marketing=consent.marketing,
        analytics=consent.analytics,
        personalization=consent.personalization,
        sale=consent.sale,
        config=config,
        decided_at=consent.time,
        host=_host(origin),
        network=None if ip is None else network_of(ip),
        region=region,
        browser=browser_family(user_agent),
        receipts=dict(receipts),
    )


def _host(origin: str | None) -> str | None:
    try:
        return urlsplit(origin).hostname if origin else None
    except ValueError:
        return None
