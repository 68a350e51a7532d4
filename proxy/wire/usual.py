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

from proxy.event import Consent, ConsentState, Data, Event, Item, Page, User, replace
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
    webdriver=bool,
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
    return Parsed(events=tuple(events), landing=_landing(envelope.landing, times), webdriver=envelope.webdriver is True)


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
    if (page := _merged(envelope.page, given.page)) is not None:
        parts["page"] = _page(page)
    if (user := _merged(envelope.user, given.user)) is not None:
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


def _merged(shared: Any, own: Any) -> Any:
    if shared is None or own is None:
        return shared if own is None else own
    stated = {field: value for field, value in asdict(own).items() if value}
    if not stated:
        raise Unreadable("an empty object: shared, or nobody?", r.Reason.MISSING)
    return replace(shared, **stated)


# Field by field, because a struct made from a dict takes two to three times as long (a page 0.12 against 0.35 us). That
# none is forgotten is seen by the property test.
def _page(given: Any) -> Page:
    return Page(
        url=given.url,
        referrer=given.referrer,
        title=given.title,
        language=given.language,
        screen=given.screen,
        viewport=given.viewport,
    )


def _user(given: Any) -> User:
    return User(
        email=_keys(given.email),
        phone=_keys(given.phone),
        external_id=_keys(given.external_id),
        first_name=given.first_name,
        last_name=given.last_name,
        street=given.street,
        city=given.city,
        state=given.state,
        zip=given.zip,
        country=given.country,
        gender=given.gender,
        birth_date=given.birth_date,
    )


def _keys(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if type(given) is str else given  # type: ignore[return-value] # a subclass of str does not come


_ONE, _TENTH, _CENT = Decimal(1), Decimal("0.1"), Decimal("0.01")
_FEW_DIGITS = Decimal(10**13)  # below it 15 at most, with cents


def _amount(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    is_money = value.same_quantum(_CENT) or value.same_quantum(_ONE) or value.same_quantum(_TENTH)
    if is_money and -_FEW_DIGITS < value < _FEW_DIGITS:
        return value
    return r.amount(value)


def _data(given: Any) -> Data:
    currency = given.currency
    return Data(
        value=_amount(given.value),
        currency=currency if currency in _CURRENCIES else r.currency(currency),
        order_id=given.order_id,
        items=tuple([_item(item) for item in given.items]),
        search_term=given.search_term,
        coupon=given.coupon,
        shipping=_amount(given.shipping),
        tax=_amount(given.tax),
        predicted_ltv=_amount(given.predicted_ltv),
        net_revenue=_amount(given.net_revenue),
        status=given.status,
        num_items=given.num_items,
        content_ids=given.content_ids,
        content_type=given.content_type,
        content_name=given.content_name,
        content_category=given.content_category,
        delivery_category=given.delivery_category,
        description=given.description,
    )


_CURRENCIES = frozenset({None, "EUR", "USD", "GBP", "CHF"})  # as they should be, and often are


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
    return Consent(
        marketing=given.marketing,
        analytics=given.analytics,
        personalization=given.personalization,
        sale=given.sale,
        source=given.source,
        time=None if given.time is None else times.earlier(given.time, time, "consent", "time"),
    )
