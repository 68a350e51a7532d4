"""The usual body, read in one go: an envelope as our own tracker sends it, with nothing in it that needs a second look.

`read` answers None whenever in doubt, and `parse` goes the long way round; it never judges. What it does answer is
exactly what the long way would give (a property test compares), at a quarter of the cost (`tests/bench/ingest.py
--parts`). The shapes are made from the tables of `sections.py`, so there is one list of fields and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, defstruct
from msgspec.structs import asdict

from proxy.event import Consent, ConsentState, Data, Event, Item, Page, User
from proxy.vocabulary import canonical
from proxy.wire import readers as r, sections as s
from proxy.wire.parsed import MAX_EVENTS, SEED_MIN, Landing, Parsed
from proxy.wire.readers import Reader, Unreadable
from proxy.wire.times import Times


# Nothing here is empty: what is, goes the long way, or is put in as null first (`_decoded`).
def _at_most(limit: int) -> Any:
    return Annotated[str, Meta(min_length=1, max_length=limit)]


def _several(member: Any, most: int) -> Any:
    return Annotated[tuple.__class_getitem__((member, ...)), Meta(min_length=1, max_length=most)]


_TYPES: dict[Reader[Any], Any] = {
    s.url: _at_most(s.URL),
    s.text: _at_most(r.TEXT),
    s.word: _at_most(s.WORD),
    s.identifier: _at_most(s.ID),
    s.name: _at_most(s.NAME),
    s.key: _at_most(s.MATCH_KEY),
    s.keys: _at_most(s.MATCH_KEY) | _several(_at_most(s.MATCH_KEY), s.MAX_VALUES),
    s.identifiers: _several(_at_most(s.ID), s.MAX_ITEMS),
    s.token: _at_most(s.WORD),
    r.amount: Decimal,
    r.currency: _at_most(3),
    r.count: Annotated[int, Meta(ge=0, le=r.COUNT_MAX)],
    r.moment: Annotated[int, Meta(ge=0, le=r.TEN_THOUSAND_YEARS)],
    r.consent: ConsentState,
}


def _shape(name: str, table: Mapping[str, Reader[Any]], like: type[msgspec.Struct] | None = None, **more: Any) -> Any:
    """A struct of the table's fields, all optional, that refuses any other. What is not given is as in `like`."""
    not_given = {field.name: field.default for field in msgspec.structs.fields(like)} if like else {}
    fields = {field: _TYPES[reader] for field, reader in table.items()} | more
    return defstruct(
        name,
        [
            (field, its_type if not_given.get(field) is not None else its_type | None, not_given.get(field))
            for field, its_type in fields.items()
        ],
        forbid_unknown_fields=True,
    )


_Page = _shape("Page", s.PAGE, Page)
_User = _shape("User", s.USER, User)
_Item = _shape("Item", s.ITEM, Item)
_Data = _shape("Data", s.DATA, Data, items=_several(_Item, s.MAX_ITEMS))
_Consent = _shape("Consent", s.CONSENT, Consent)
_SHARED = {"page": _Page, "user": _User, "consent": _Consent}
_OWN = {field: s.SCALARS[field] for field in ("id", "name", "time")}
_Event = _shape("Event", _OWN, **_SHARED, data=_Data, custom=dict[str, Any])
_Envelope = _shape(
    "Envelope",
    {"sent_at": r.moment},
    **_SHARED,
    landing=_shape("Landing", s.LANDING),
    events=Annotated[list.__class_getitem__(_Event), Meta(min_length=1, max_length=MAX_EVENTS)],
)
_decoder = msgspec.json.Decoder(_Envelope)


def read(body: bytes, *, received_ms: int, trusted: bool, source: str, make_id: Callable[[int], str]) -> Parsed | None:
    """As `parse`, for the usual body; None: not usual. `make_id` gets the index of an event without an id."""
    if not _is_plain(body):
        return None
    try:
        envelope = _decoded(body)
        if envelope.events is None:
            return None
        times = Times(received_ms, envelope.sent_at, trusted=trusted)
        events = [
            _event(envelope, given, times, source, given.id or make_id(index))
            for index, given in enumerate(envelope.events)
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Unreadable):
        return None
    return Parsed(events=tuple(events), landing=_landing(envelope.landing, times))


def _decoded(body: bytes) -> Any:
    """Empty texts are not given, but for those in `custom`, where they mean something."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        if b'""' not in body or b'"custom"' in body:
            raise
        return _decoder.decode(body.replace(b'""', b"null"))


def _is_plain(body: bytes) -> bool:
    """Does no text in it need cleaning? No escapes, no space at either end of a text, nothing unprintable."""
    # `rfind` looks for the first of two bytes, `in` for the last: spaces are rarer than quotes (0.5 against 1.0 us).
    if b"\\" in body or body.rfind(b' "') >= 0 or body.rfind(b'" ') >= 0:
        return False
    if body.isascii():
        return b"\x7f" not in body
    try:
        return body.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _event(envelope: Any, given: Any, times: Times, source: str, event_id: str) -> Event:
    if given.name is None or (given.consent is not None and envelope.consent is not None):
        raise Unreadable("not usual", r.Reason.MISSING)
    time = times.event(given.time)
    parts: dict[str, Any] = {}
    if page := _merged(envelope.page, given.page):
        parts["page"] = Page(**page)
    if user := _merged(envelope.user, given.user):
        parts["user"] = _user(user)
    if given.data is not None:
        parts["data"] = _data(given.data)
    if given.custom:
        parts["custom"] = {r.clean(key)[: s.NAME]: r.free(value) for key, value in given.custom.items()}
    if (consent := given.consent or envelope.consent) is not None:
        parts["consent"] = _consent(consent, times, time)
    return Event(id=event_id, name=canonical(given.name), time=time, source=source, **parts)


def _landing(given: Any, times: Times) -> Landing | None:
    if given is None or times.trusted or given.seed is None or len(given.seed) < SEED_MIN:
        return None
    return Landing(seed=given.seed, at=times.landing(given.at), page=Page(url=given.url, referrer=given.referrer))


def _merged(shared: Any, own: Any) -> dict[str, Any] | None:
    if own is None:
        return None if shared is None else asdict(shared)
    if shared is None:
        return asdict(own)
    stated = {field: value for field, value in asdict(own).items() if value}
    if not stated:
        raise Unreadable("an empty object: shared, or nobody?", r.Reason.MISSING)
    return {**asdict(shared), **stated}


def _user(fields: dict[str, Any]) -> User:
    for field in ("email", "phone", "external_id"):
        if type(fields[field]) is str:
            fields[field] = (fields[field],)
    return User(**fields)


_AMOUNTS = tuple(field for field, reader in s.DATA.items() if reader is r.amount)
_ONE, _TENTH, _CENT = Decimal(1), Decimal("0.1"), Decimal("0.01")


def _amount(value: Decimal | None) -> Decimal | None:
    if value is None or value.same_quantum(_CENT) or value.same_quantum(_ONE) or value.same_quantum(_TENTH):
        return value
    return r.amount(value)


def _data(given: Any) -> Data:
    fields = asdict(given)
    for field in _AMOUNTS:
        if fields[field] is not None:
            fields[field] = _amount(fields[field])
    if fields["currency"] is not None:
        fields["currency"] = r.currency(fields["currency"])
    fields["items"] = tuple([_item(item) for item in given.items])
    return Data(**fields)


def _item(item: Any) -> Item:
    return Item(
        id=item.id,
        name=item.name,
        brand=item.brand,
        category=item.category,
        variant=item.variant,
        price=_amount(item.price),
        quantity=item.quantity,
    )


def _consent(given: Any, times: Times, time: int) -> Consent:
    fields = asdict(given)
    if given.time is not None:
        fields["time"] = times.earlier(given.time, time, "consent", "time")
    return Consent(**fields)
