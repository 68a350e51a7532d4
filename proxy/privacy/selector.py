"""Whose data is meant: a visitor, or what a site knows a person by. Pure.

Match keys are compared as platforms would: normalised and hashed the same way, so `Ann@Example.com` finds an event that
came with the digest of `ann@example.com`, and the other way round. Every spelling that a platform's file makes of a key
counts (Gmail's dots, a phone number with and without `+`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from proxy.event import Event
from proxy.identity import google_keys, match_keys, phone

_Normalise = Callable[[str], str | None]


class By(StrEnum):
    VISITOR = "visitor"
    EMAIL = "email"
    PHONE = "phone"
    EXTERNAL_ID = "external_id"
    ORDER = "order"


def _with_plus(value: str) -> str | None:
    digits = phone.digits(value)
    return None if digits is None else f"+{digits}"


_SPELLINGS: dict[By, tuple[_Normalise, ...]] = {
    By.EMAIL: (match_keys.email, google_keys.email),
    By.PHONE: (phone.digits, _with_plus),
    By.EXTERNAL_ID: (match_keys.external_id, str.strip),
}


class Selector(msgspec.Struct, frozen=True):
    by: By
    value: str  # as given
    digests: frozenset[str] = frozenset()  # of a match key, in every spelling

    def finds(self, event: Event) -> bool:
        """Does the event itself name this person?"""
        match self.by:
            case By.VISITOR:
                return event.visitor is not None and event.visitor.id == self.value
            case By.ORDER:
                return event.data.order_id == self.value
            case _:
                given: tuple[str, ...] = getattr(event.user, self.by.value)
                return bool(given) and not self.digests.isdisjoint(_digests(self.by, given))


def selector(by: By, value: str) -> Selector:
    """`ValueError` in words when the value is no such thing."""
    value = value.strip()
    if not value:
        raise ValueError("it is empty")
    if by not in _SPELLINGS:
        return Selector(by, value)
    digests = frozenset(_digests(by, (value,)))
    if not digests:
        raise ValueError(f"{value!r} is neither {_NAMES[by]} nor its SHA-256 (64 hex digits)")
    return Selector(by, value, digests)


_NAMES = {
    By.EMAIL: "an e-mail address",
    By.PHONE: "a phone number with its country code",
    By.EXTERNAL_ID: "an id of yours",
}


def _digests(by: By, values: Iterable[str]) -> set[str]:
    values = tuple(values)
    return {digest for normalise in _SPELLINGS[by] for digest in match_keys.keyed(values, normalise)}
