"""Consent taken back: what was stored while it held, and is not sent yet, goes nowhere that needs it. Pure.

The collector writes a `Refusal` down when a visitor we know refuses what they had not refused before; the log tells it
with each earlier event of theirs that it hands out, be it the first time or a replay weeks later; `still_allowed` says
what of such an event is left. A later grant is about later events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from proxy.event import Consent, ConsentState, Event, Purpose, replace
from proxy.privacy.consent import BY_DNT, BY_GPC, minimise, to_remember


class Refusal(msgspec.Struct, frozen=True):
    visitor: str  # the id; never stored as it is
    purposes: tuple[Purpose, ...]


def taken_back(
    before: Consent | None, now: Consent, now_ms: int, signalled: Collection[Purpose] = ()
) -> tuple[Purpose, ...]:
    """What the visitor refuses and had not refused before. `before`: their last word, as `_fh` remembers it; `now`: the
    effective consent; `signalled`: what the browser's signals refuse. A default takes nothing back."""
    said = to_remember(before, now, now_ms)
    if said is None or said is before:
        return ()
    words = signalled if now.source in (BY_GPC, BY_DNT) else Purpose  # without a word the rest is the default
    return tuple(
        purpose
        for purpose in Purpose
        if purpose in words
        and said.state(purpose) is ConsentState.DENIED
        and (before is None or before.state(purpose) is not ConsentState.DENIED)
    )


def still_allowed(event: Event, refused: Iterable[Purpose]) -> Event | None:
    """A stored event as it would have been stored, had the visitor refused this then; None: not at all."""
    consent = narrowed(event.consent, refused)
    return event if consent is event.consent else minimise(replace(event, consent=consent))


def narrowed(consent: Consent, refused: Iterable[Purpose]) -> Consent:
    denied = {purpose.value: ConsentState.DENIED for purpose in refused}
    return replace(consent, **denied) if denied else consent
