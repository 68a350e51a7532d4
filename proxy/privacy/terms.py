"""What holds for a visitor who has said nothing, where they are: the defaults per purpose, and what signals refuse.

`Terms` are what `proxy/privacy/consent.py` decides by; `TermsByRegion` finds those of a region. The order is: what the
visitor said, the region's default, the global default; and signals (GPC, DNT) above all. Where the region is not known
well enough to tell which terms apply, the strictest of those that may.
"""

from __future__ import annotations

from functools import lru_cache, reduce

import msgspec

from proxy.config.consent import ConsentSettings, PurposeDefaults, RegionSettings, Signal, State
from proxy.event import ConsentState
from proxy.privacy.region import possible

_HARDEST: tuple[Signal, ...] = ("refuse_marketing", "refuse_sale", "ignore")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    marketing: ConsentState
    analytics: ConsentState
    personalization: ConsentState
    gpc: Signal
    dnt: Signal


class TermsByRegion:
    """Made once per process. Without `consent.regions` there is one answer, and asking for it costs nothing."""

    def __init__(self, settings: ConsentSettings) -> None:
        self.everywhere = terms(settings)
        self._rules = {name: terms(settings, rule) for name, rule in settings.by_region.items()}
        self._found = lru_cache(maxsize=1024)(self._strictest)
        self.strictest = self._strictest(None)
        """Nobody, anywhere, is treated more strictly."""

    def of(self, region: str | None) -> Terms:
        return self._found(region) if self._rules else self.everywhere

    def _strictest(self, region: str | None) -> Terms:
        return reduce(_stricter, possible(self._rules, region, self.everywhere))


def terms(settings: ConsentSettings, rule: RegionSettings | None = None) -> Terms:
    """Those of one region; without `rule` those of everywhere else."""
    default = settings.default if rule is None or rule.default is None else rule.default
    states = default if isinstance(default, PurposeDefaults) else _all(default)
    return Terms(
        marketing=ConsentState(states.marketing),
        analytics=ConsentState(states.analytics),
        personalization=ConsentState(states.personalization),
        gpc=settings.gpc if rule is None or rule.gpc is None else rule.gpc,
        dnt=settings.dnt,
    )


def _all(state: State) -> PurposeDefaults:
    return PurposeDefaults(marketing=state, analytics=state, personalization=state)


def _stricter(one: Terms, other: Terms) -> Terms:
    def state(first: ConsentState, second: ConsentState) -> ConsentState:
        return ConsentState.DENIED if ConsentState.DENIED in (first, second) else ConsentState.GRANTED

    return Terms(
        marketing=state(one.marketing, other.marketing),
        analytics=state(one.analytics, other.analytics),
        personalization=state(one.personalization, other.personalization),
        gpc=min(one.gpc, other.gpc, key=_HARDEST.index),
        dnt=min(one.dnt, other.dnt, key=_HARDEST.index),
    )
