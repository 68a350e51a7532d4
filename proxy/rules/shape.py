"""What a rule, or one entry of its `send_to`, changes: `rename`, `set`, `default`, `remove`, `only`, `hash_only`.

The order written does not matter. Everything is read from the event as it came; then fields are taken out (`remove`,
`only`, what `rename` moves), then put in (`rename`, `set`), then `default` fills what is still absent, and at last
`hash_only` replaces what is raw. So a field can be removed and used in `set` by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proxy.event import Event
from proxy.identity import match_keys, phone
from proxy.rules.draft import Draft
from proxy.rules.fields import Field
from proxy.rules.references import Produce
from proxy.rules.values import is_absent

_Puts = tuple[tuple[Field, Produce], ...]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    renames: tuple[tuple[Field, Field, Produce], ...] = ()
    sets: _Puts = ()
    defaults: _Puts = ()
    removes: tuple[Field, ...] = ()
    removes_groups: tuple[str, ...] = ()
    only: tuple[Field, ...] | None = None
    only_groups: frozenset[str] = frozenset()
    hashes: tuple[Field, ...] = ()
    gives: str | None = None  # the name, as compared, that `set` gives the event

    def __call__(self, event: Event) -> Event:
        draft = Draft(event)
        moves = [(source, target, produce(event)) for source, target, produce in self.renames]
        puts = [(target, value) for _, target, value in moves]
        puts += [(target, produce(event)) for target, produce in self.sets]
        fills = [(target, produce(event)) for target, produce in self.defaults]
        if self.only is not None:
            draft.keep_only(self.only, self.only_groups)
        for source, _, value in moves:
            if value is not None:
                draft.take(source)
        for field in self.removes:
            draft.take(field)
        for group in self.removes_groups:
            draft.take_group(group)
        for field, value in puts:
            if value is not None:
                draft.put(field, value)
        changed = _filled(draft.done(), fills)
        return _hashed(changed, self.hashes)


def _filled(event: Event, fills: list[tuple[Field, Any]]) -> Event:
    draft = Draft(event)
    for field, value in fills:
        if value is not None and is_absent(field.get(event)):
            draft.put(field, value)
    return draft.done()


def _hashed(event: Event, fields: tuple[Field, ...]) -> Event:
    """What cannot be normalised is taken out: raw it must not stay, and its digest would match nobody."""
    draft = Draft(event)
    country = match_keys.country(event.user.country or "")
    for field in fields:
        values = field.get(event)
        if is_absent(values):
            continue
        digests = _digests(field.key, values if field.many else (values,), country)
        if not digests:
            draft.take(field)
        else:
            draft.put(field, tuple(digests) if field.many else digests[0])
    return draft.done()


def _digests(key: str, values: tuple[str, ...], country: str | None) -> list[str]:
    normalise = _NORMALISERS[key]
    return match_keys.keyed(values, lambda text: normalise(text, country))


_Normalise = Callable[[str, str | None], str | None]

_NORMALISERS: dict[str, _Normalise] = {
    "email": lambda text, _: match_keys.email(text),
    "phone": lambda text, _: phone.digits(text),
    "external_id": lambda text, _: match_keys.external_id(text),
    "first_name": lambda text, _: match_keys.name(text),
    "last_name": lambda text, _: match_keys.name(text),
    "street": lambda text, _: text.strip().lower() or None,
    "city": lambda text, _: match_keys.city(text),
    "state": match_keys.state,
    "zip": match_keys.zip_code,
    "country": lambda text, _: match_keys.country(text),
    "gender": lambda text, _: match_keys.gender(text),
    "birth_date": lambda text, _: match_keys.birth_date(text),
}
"""Field of `user` -> its normaliser, given the text and the country (alpha-2) if known."""
