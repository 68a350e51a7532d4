"""The visitor of an earlier event, for a server's event about the same order: as if it handed on their cookie. Pure.

The site's server has no cookie to hand on, but both name the order: the browser when it was placed, the server when it
was paid. What the visitor has taken back between the two counts.
"""

from __future__ import annotations

from proxy.event import replace
from proxy.identity.identity import Identity
from proxy.identity.keeping import Found, Keeping
from proxy.identity.remembering import remember
from proxy.identity.visitor import Remembered
from proxy.log.base import Entry
from proxy.privacy.consent import MEASURING, to_remember
from proxy.privacy.refusal import narrowed, still_allowed


def recalled(entry: Entry, keep: Keeping) -> Identity:
    """`entry`: of the visitor's own browser, so it has a visitor."""
    before = entry.event
    assert before.visitor is not None
    said = to_remember(None, narrowed(before.consent, entry.refused), before.time)
    kept = Remembered(visitor=before.visitor, seen_at=before.time, consent=said)
    event = still_allowed(before, entry.refused)
    if event is None or event.visitor is None:
        return Identity(kept=kept)
    ids = {name: value for name, value in event.browser_ids.items() if name not in ("fbp", "fbc")}
    touched = event.attribution
    return Identity(
        visitor=event.visitor,
        click_ids=event.click_ids,
        touches=None if touched is None else (touched.first, touched.last),
        found=Found(ids=ids, measured_ids={name: ids[name] for name in ids if name.startswith(MEASURING)}),
        keys=remember({}, event.user, keep.remembers) if keep.remembers else {},
        kept=replace(kept, fbp=event.browser_ids.get("fbp"), fbc=event.browser_ids.get("fbc")),
    )
