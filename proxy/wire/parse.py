"""A body to events: one event, a list, or an envelope whose fields its events share.

An event's own field wins over the envelope's, key by key within `page`, `user`, `consent` and the like (a shared
`user.email` and an event's `user.phone` make one user); lists are not merged. One bad event never costs the others.

Whom to believe: `trusted` senders (an ingest key, `explain`) state `client`, `visitor`, `source` and any past `time`,
and are refused a field we do not know. From browsers these are left out and counted, and `time` is corrected by what
`sent_at` says about the browser's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from proxy.clock import DAY_MS, SECOND_MS
from proxy.errors import WireError, dotted
from proxy.event import ClickId, Client, Consent, Data, Event, Page, User, Visitor
from proxy.vocabulary import canonical
from proxy.wire import sections as s, text
from proxy.wire.readers import Reason, Unreadable, moment

MAX_EVENTS = 100
BROWSER_PAST_MS = 7 * DAY_MS
"""A browser's event older than this has a wrong clock, not a long memory: its time becomes the time of arrival."""
CLICK_PAST_MS = 400 * DAY_MS
SKEW_MS = 10 * SECOND_MS
"""Clocks that differ by less are left alone: the travel time of a request looks the same."""
SEED_MIN = 16
"""Characters: a shorter seed could be one that other pages have, too."""
_YEAR_2000, _YEAR_2100 = 946_684_800_000, 4_102_444_800_000


class RefusedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that cannot be used. `index` counts from 0; `where` is its place in the body: `events[2].data.value`."""

    index: int
    where: str
    message: str
    reason: str


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """How this page load began, as our script tells it until its first answer (`landing` of the envelope).

    Requests of one page that race each other carry the same `seed`, so that what is minted for a new visitor is the
    same too; `page` still has the click id when the events are of a later view.
    """

    seed: str  # random, made by the page; 16 to 64 characters
    at: int  # ms, when the script started
    page: Page


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[Event, ...]
    landing: Landing | None = None
    refused: tuple[RefusedEvent, ...] = ()
    ignored: tuple[str, ...] = ()  # fields left out, as paths without positions; the sender's own words


def parse(
    body: bytes,
    *,
    received_ms: int,
    trusted: bool,
    source: str = "browser",
    mint: Callable[[], str] | None = None,
) -> Parsed:
    """Raises `WireError` when the body as a whole is unusable; a bad event is in `refused` instead.

    `source`: what events say that do not (or may not) say it themselves. `mint` makes the id of an event without one;
    without `mint` the id is derived from the body and `received_ms`.
    """
    envelope, raws, place = _unwrap(text.values(body))
    reading = s.Reading(trusted=trusted)
    events: list[Event] = []
    refused: list[RefusedEvent] = []
    try:
        sent_at = _sent_at(envelope, reading)
        landing = _landing(envelope, reading, received_ms, sent_at)
        shared = _parts(envelope, reading) if envelope else {}
    except Unreadable as fault:
        where = dotted(fault.path)
        refused = [
            RefusedEvent(index=index, where=where, message=fault.message, reason=fault.reason)
            for index in range(len(raws))
        ]
        return Parsed(events=(), refused=tuple(refused), ignored=tuple(reading.ignored))
    times = _Times(received_ms, _skew_ms(received_ms, sent_at, trusted=trusted), trusted)
    for index, raw in enumerate(raws):
        try:
            own = _parts(_own(raw), reading)
            parts = _merge(shared, own) if shared else own
            event_id = parts.get("id") or (mint() if mint else _derived_id(body, index, received_ms))
            events.append(_event(parts, event_id, parts.get("source", source), times))
        except Unreadable as fault:
            where = dotted((*place(index), *fault.path))
            refused.append(RefusedEvent(index=index, where=where, message=fault.message, reason=fault.reason))
    return Parsed(events=tuple(events), landing=landing, refused=tuple(refused), ignored=tuple(reading.ignored))


Place = Callable[[int], tuple[str | int, ...]]


def _unwrap(value: Any) -> tuple[dict[str, Any], list[Any], Place]:
    """The shared fields, the events, and where the event of an index stands in the body."""
    if type(value) is dict:
        if "events" not in value:
            return {key: value[key] for key in ("sent_at", "landing") if key in value}, [value], lambda _: ()
        envelope, raws, place = value, value["events"], _in_envelope
    else:
        envelope, raws, place = {}, value, _in_list
    if type(raws) is not list:
        where = "events" if envelope else ""
        raise WireError("expected one event, a list of events or an envelope with events", where)
    if not raws:
        raise WireError("there are no events in it", "events" if envelope else "", Reason.EMPTY)
    if len(raws) > MAX_EVENTS:
        message = f"{len(raws)} events; one request carries at most {MAX_EVENTS}, send the rest in another"
        raise WireError(message, "events" if envelope else "", Reason.TOO_MANY)
    return envelope, raws, place


def _in_envelope(index: int) -> tuple[str | int, ...]:
    return ("events", index)


def _in_list(index: int) -> tuple[str | int, ...]:
    return (index,)


def _own(raw: Any) -> dict[str, Any]:
    if type(raw) is not dict:
        raise Unreadable("expected an event, which is an object with a name", Reason.MALFORMED)
    return raw


def _sent_at(envelope: dict[str, Any], reading: s.Reading) -> int | None:
    given = envelope.get("sent_at")
    try:
        return None if given is None else moment(given)
    except Unreadable as fault:
        reading.leave_out(fault.under("sent_at"))
        return None


def _skew_ms(received_ms: int, sent_at: int | None, *, trusted: bool) -> int:
    skew_ms = 0 if trusted or sent_at is None else received_ms - sent_at
    return skew_ms if abs(skew_ms) > SKEW_MS else 0


def _landing(envelope: dict[str, Any], reading: s.Reading, received_ms: int, sent_at: int | None) -> Landing | None:
    """None when it is not there or of no use: events are collected without it, too."""
    given = envelope.get("landing")
    if given is None or reading.trusted:
        return None
    try:
        told = s.members(given, s.LANDING, reading, "landing")
    except Unreadable:
        reading.ignored.append("landing")
        return None
    seed = told.get("seed", "")
    if len(seed) < SEED_MIN:
        return None
    times = _Times(received_ms, _skew_ms(received_ms, sent_at, trusted=False), trusted=False)
    page = Page(url=told.get("url"), referrer=told.get("referrer"))
    return Landing(seed=seed, at=times.known(told.get("at"), DAY_MS, received_ms), page=page)


_SECTIONS = {
    "page": lambda raw, reading: s.members(raw, s.PAGE, reading, "page"),
    "user": s.user,
    "client": lambda raw, reading: s.members(raw, s.CLIENT, reading, "client"),
    "consent": lambda raw, reading: s.members(raw, s.CONSENT, reading, "consent"),
    "visitor": s.visitor,
    "click_ids": s.click_ids,
    "browser_ids": s.browser_ids,
    "custom": s.custom,
}
_OF_SERVERS = frozenset({"client", "visitor", "source"})
_OF_THE_ENVELOPE = frozenset({"events", "sent_at", "landing"})
_KNOWN = (*s.SCALARS, *_SECTIONS, "data", *_OF_THE_ENVELOPE)


def _parts(raw: dict[str, Any], reading: s.Reading) -> dict[str, Any]:
    """The fields of an event (or those its envelope shares), each read: scalars as values, parts as dicts."""
    parts: dict[str, Any] = {}
    spill: dict[str, Any] = {}
    for key, value in raw.items():
        if value is None or key in _OF_THE_ENVELOPE:
            continue
        try:
            if key in _OF_SERVERS and not reading.trusted:
                raise Unreadable("believed from servers only", Reason.UNKNOWN_FIELD, dispensable=True)  # noqa: TRY301
            if key in s.SCALARS:
                parts[key] = s.SCALARS[key](value)
            elif key in _SECTIONS:
                parts[key] = _SECTIONS[key](value, reading)
            elif key == "data":
                parts["data"] = {**parts.get("data", {}), **s.data(value, reading, spill)}
            else:
                _other_name(key, value, raw, parts, reading)
        except Unreadable as fault:
            reading.leave_out(fault.under(key))
    if spill:
        parts["custom"] = {**spill, **parts.get("custom", {})}
    return parts


def _other_name(key: str, value: Any, raw: dict[str, Any], parts: dict[str, Any], reading: s.Reading) -> None:
    """`event` for `name` and the like; the fields of `data` may also stand beside it (`{"name": …, "value": 5}`)."""
    field = s.field_of(key, s.SCALAR_ALIASES)
    if field in s.SCALARS:
        if field not in raw:
            parts[field] = s.SCALARS[field](value)
        return
    field = s.field_of(key, s.DATA_ALIASES)
    if field != "items" and field not in s.DATA:
        raise s.unknown_field(key, (*_KNOWN, *s.DATA, "items"))
    parts["data"] = {**s.data({field: value}, reading, {}), **parts.get("data", {})}


def _merge(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = {**shared, **own}
    for key in shared.keys() & own.keys():
        if type(own[key]) is dict and key != "visitor":
            merged[key] = {**shared[key], **own[key]}
    return merged


def _derived_id(body: bytes, index: int, received_ms: int) -> str:
    return hashlib.sha256(b"%d:%d:%b" % (received_ms, index, body)).hexdigest()[:32]


class _Times:
    """What the sender's times mean on our clock."""

    __slots__ = ("received_ms", "skew_ms", "trusted")

    def __init__(self, received_ms: int, skew_ms: int, trusted: bool) -> None:
        self.received_ms, self.skew_ms, self.trusted = received_ms, skew_ms, trusted

    def known(self, given: int | None, past_ms: int, instead: int) -> int:
        """A browser's time corrected, or `instead` when it lies in the future or further back than `past_ms`."""
        if given is None:
            return instead
        if self.trusted:
            if not _YEAR_2000 <= given <= _YEAR_2100:
                hint = "; that looks like seconds" if _YEAR_2000 <= given * 1000 <= _YEAR_2100 else ""
                raise Unreadable(f"expected Unix milliseconds, got {given}{hint}", Reason.OUT_OF_RANGE)
            return given
        corrected = given + self.skew_ms
        return corrected if self.received_ms - past_ms <= corrected <= self.received_ms else instead


def _event(parts: dict[str, Any], event_id: str, source: str, times: _Times) -> Event:
    name = parts.get("name")
    if not name:
        raise Unreadable("every event needs a name, such as purchase", Reason.MISSING).under("name")
    try:
        time = times.known(parts.get("time"), BROWSER_PAST_MS, times.received_ms)
    except Unreadable as fault:
        raise fault.under("time") from None
    optional = {key: parts[key] for key in ("browser_ids", "custom", "debug", "action_source") if parts.get(key)}
    if "page" in parts:
        optional["page"] = Page(**parts["page"])
    if "user" in parts:
        optional["user"] = User(**parts["user"])
    if "data" in parts:
        optional["data"] = Data(**parts["data"])
    if "client" in parts:
        optional["client"] = Client(**parts["client"])
    if "consent" in parts:
        optional["consent"] = _consent(parts["consent"], times, time)
    if parts.get("click_ids"):
        optional["click_ids"] = _clicks(parts["click_ids"], times, time)
    if parts.get("visitor", {}).get("id"):
        optional["visitor"] = _visitor(parts["visitor"], times, time)
    return Event(id=event_id, name=canonical(name), time=time, source=source, **optional)


def _consent(given: dict[str, Any], times: _Times, time: int) -> Consent:
    if "time" not in given:
        return Consent(**given)
    try:
        return Consent(**{**given, "time": times.known(given["time"], CLICK_PAST_MS, time)})
    except Unreadable as fault:
        raise fault.under("consent", "time") from None


def _clicks(given: dict[str, tuple[str, int | None]], times: _Times, time: int) -> dict[str, ClickId]:
    clicks = {}
    for name, (value, clicked_at) in given.items():
        try:
            clicks[name] = ClickId(value=value, clicked_at=times.known(clicked_at, CLICK_PAST_MS, time))
        except Unreadable as fault:
            raise fault.under("click_ids", name, "clicked_at") from None
    return clicks


def _visitor(given: dict[str, Any], times: _Times, time: int) -> Visitor:
    try:
        return Visitor(id=given["id"], first_seen=times.known(given.get("first_seen"), CLICK_PAST_MS, time))
    except Unreadable as fault:
        raise fault.under("visitor", "first_seen") from None
