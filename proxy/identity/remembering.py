"""Match keys remembered: a person who once gave an e-mail address is recognised in later events of the same browser.

Only SHA-256 digests are kept, sealed inside `_fh`, and only while advertising is allowed; an event's own value always
wins. One browser remembers one person: `remember` adds to what is known only when the event agrees with it in some key,
otherwise it starts anew, and `fill` completes nobody who may be somebody else. Platforms spell before they hash, and
not all alike, so a value is kept in each spelling they ask for. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from proxy.event import User, replace
from proxy.identity import e164, google_keys, match_keys, verbatim

Keys = Mapping[str, tuple[bytes, ...]]
"""`email`, `phone`, `external_id` -> digests, the best one first."""

MOST_VALUES = 2
"""Of one kind: a private and a business address; longer lists are no person's."""

_SPELLINGS: Mapping[str, tuple[Callable[[str], str | None], ...]] = {
    "email": (match_keys.email, google_keys.email),  # Google drops dots and tags of its own addresses
    "phone": (e164.digits, google_keys.e164),  # without and with the plus
    "external_id": (verbatim.text, match_keys.external_id),  # as written; and lower case without spaces, for Meta
}
_ABOUT_A_PLACE = frozenset({"city", "state", "zip", "country"})


def digests(user: User, kinds: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    """What of `user` can be remembered. Unusable values (junk, a phone number without country code) are left out."""
    found = {}
    for kind in kinds:
        given: tuple[str, ...] = getattr(user, kind)
        if given:
            spelled = [match_keys.keyed((value,), spell) for value in given[:MOST_VALUES] for spell in _SPELLINGS[kind]]
            distinct = dict.fromkeys(digest for one in spelled for digest in one)
            if distinct:
                found[kind] = tuple(bytes.fromhex(digest) for digest in distinct)
    return found


def remember(known: Keys, user: User, kinds: Sequence[str]) -> Keys:
    """What is known after an event about `user`. Another person, or one who may be another, replaces the first."""
    told = digests(user, kinds)
    if not told:
        return known
    return {**known, **told} if _agree(known, told) else told


def fill(user: User, known: Keys, kinds: Sequence[str]) -> tuple[User, tuple[str, ...]]:
    """`user` with what is known where it says nothing itself, and the names of what was filled in."""
    missing = {kind: values for kind, values in known.items() if kind in kinds and not getattr(user, kind)}
    if not missing or not (_is_silent(user) or _agree(known, digests(user, kinds))):
        return user, ()
    told = {kind: tuple(digest.hex() for digest in values) for kind, values in missing.items()}
    return replace(user, **told), tuple(told)


def _agree(known: Keys, told: Keys) -> bool:
    """One person? Some kind in both, and every such kind with a digest in common."""
    both = known.keys() & told.keys()
    return bool(both) and all(set(known[kind]) & set(told[kind]) for kind in both)


def _is_silent(user: User) -> bool:
    """Nothing about the person but where."""
    return all(not getattr(user, field) for field in User.__struct_fields__ if field not in _ABOUT_A_PLACE)
