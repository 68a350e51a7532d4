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

from proxy.errors import WireError, dotted
from proxy.event import ClickId, Client, Consent, Data, Event, Page, User, Visitor
from proxy.vocabulary import canonical
from proxy.wire import sections as s, text, usual
from proxy.wire.parsed import MAX_EVENTS, SEED_MIN, Landing, Parsed, RefusedEvent
from proxy.wire.readers import Reason, Unreadable, moment
from proxy.wire.times import Times


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

    def make_id(index: int) -> str:
        return mint() if mint is not None else _derived_id(body, index, received_ms)

    parsed = usual.read(body, received_ms=received_ms, trusted=trusted, source=source, make_id=make_id)
    return parsed or _read(body, received_ms=received_ms, trusted=trusted, source=source, make_id=make_id)


def _read(body: bytes, *, received_ms: int, trusted: bool, source: str, make_id: Callable[[int], str]) -> Parsed:
    """Any body, with patience."""
    envelope, raws, place = _unwrap(text.values(body))
    reading = s.Reading(trusted=trusted)
    events: list[Event] = []
    refused: list[RefusedEvent] = []
    try:
        times = Times(received_ms, _sent_at(envelope, reading), trusted=trusted)
        landing = _landing(envelope, times, reading)
        shared = _parts(envelope, reading) if envelope else {}
    except Unreadable as fault:
        if not raws:
            raise WireError(fault.message, dotted(fault.path), fault.reason) from None
        refused = [_refused(index, fault.path, fault) for index in range(len(raws))]
        return Parsed(events=(), refused=tuple(refused), ignored=tuple(reading.ignored))
    cookies: dict[str, str] = {}
    decision = None if raws else _consent(shared.get("consent", {}), times, received_ms)
    for index, raw in enumerate(raws):
        try:
            own = _parts(_own(raw), reading)
            parts = _merge(shared, own, raw) if shared else own
            event = _event(parts, parts.get("id") or make_id(index), parts.get("source", source), times)
            if cookie := parts.get("visitor", {}).get("cookie"):
                cookies[event.id] = cookie
            events.append(event)
        except Unreadable as fault:
            refused.append(_refused(index, (*place(index), *fault.path), fault))
    return Parsed(
        events=tuple(events),
        landing=landing,
        webdriver=envelope.get("webdriver") is True,
        reset=_reset(envelope, times, reading),
        decision=decision,
        cookies=cookies,
        refused=tuple(refused),
        ignored=tuple(reading.ignored),
    )


def _refused(index: int, where: tuple[str | int, ...], fault: Unreadable) -> RefusedEvent:
    return RefusedEvent(index=index, where=dotted(where), message=fault.message, reason=fault.reason)


Place = Callable[[int], tuple[str | int, ...]]


def _unwrap(value: Any) -> tuple[dict[str, Any], list[Any], Place]:
    """The shared fields, the events, and where the event of an index stands in the body."""
    if type(value) is dict:
        if "events" not in value:
            return {key: value[key] for key in _OF_REQUESTS if key in value}, [value], lambda _: ()
        envelope, raws, place = value, value["events"], _in_envelope
    else:
        envelope, raws, place = {}, value, _in_list
    if type(raws) is not list:
        where = "events" if envelope else ""
        raise WireError("expected one event, a list of events or an envelope with events", where)
    if not raws and "consent" not in envelope:
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


def _reset(envelope: dict[str, Any], times: Times, reading: s.Reading) -> int | None:
    """A nonsensical time is the time of arrival: the wish is clear."""
    given = envelope.get("reset")
    if given is None or reading.trusted:
        return None
    try:
        return times.landing(moment(given))
    except Unreadable:
        reading.ignored.append("reset")
        return times.received_ms


def _landing(envelope: dict[str, Any], times: Times, reading: s.Reading) -> Landing | None:
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
    page = Page(url=told.get("url"), referrer=told.get("referrer"))
    return Landing(seed=seed, at=times.landing(told.get("at")), page=page)


_SECTIONS = {
    "page": lambda raw, reading: s.members(raw, s.PAGE, reading, "page"),
    "user": s.user,
    "client": lambda raw, reading: s.members(raw, s.CLIENT, reading, "client"),
    "consent": lambda raw, reading: s.members(raw, s.CONSENT, reading, "consent"),
    "visitor": s.visitor,
    "click_ids": s.click_ids,
    "browser_ids": s.browser_ids,
    "attribution": s.attribution,
    "remembered": s.remembered,
    "custom": s.custom,
}
_AS_THEY_ARE = ("browser_ids", "custom", "debug", "action_source", "attribution", "remembered", "bot")
_OF_SERVERS = frozenset({"client", "visitor", "source", "attribution", "remembered", "bot"})
_OF_REQUESTS = ("sent_at", "landing", "reset", "webdriver")
_OF_THE_ENVELOPE = frozenset({"events", *_OF_REQUESTS})
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
        raise s.unknown_field(key, (*_KNOWN, *s.DATA, "items"), reading)
    parts["data"] = {**s.data({field: value}, reading, {}), **parts.get("data", {})}


def _merge(shared: dict[str, Any], own: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """`raw`: the event as it came. An empty object in it says "none", not "as shared": `{"user": {}}` is nobody."""
    merged = {**shared, **own}
    for key in shared.keys() & own.keys():
        if type(own[key]) is dict and raw.get(key) != {} and key != "visitor":
            merged[key] = {**shared[key], **own[key]}
    return merged


def _derived_id(body: bytes, index: int, received_ms: int) -> str:
    return hashlib.sha256(b"%d:%d:%b" % (received_ms, index, body)).hexdigest()[:32]


def _event(parts: dict[str, Any], event_id: str, source: str, times: Times) -> Event:
    name = parts.get("name")
    if not name:
        raise Unreadable("every event needs a name, such as purchase", Reason.MISSING).under("name")
    time = times.event(parts.get("time"))
    optional = {key: parts[key] for key in _AS_THEY_ARE if parts.get(key)}
    for field, struct in _STRUCTS.items():
        if field in parts:
            optional[field] = struct(**parts[field])
    if "consent" in parts:
        optional["consent"] = _consent(parts["consent"], times, time)
    if parts.get("click_ids"):
        optional["click_ids"] = {
            name: ClickId(value=value, clicked_at=times.earlier(clicked_at, time, "click_ids", name, "clicked_at"))
            for name, (value, clicked_at) in parts["click_ids"].items()
        }
    if visitor_id := parts.get("visitor", {}).get("id"):
        first_seen = times.earlier(parts["visitor"].get("first_seen"), time, "visitor", "first_seen")
        optional["visitor"] = Visitor(id=visitor_id, first_seen=first_seen)
    return Event(id=event_id, name=canonical(name), time=time, source=source, **optional)


def _consent(given: dict[str, Any], times: Times, time: int) -> Consent:
    """`time`: of what it came with, for a decision that does not say when it was taken or says nonsense."""
    if "time" in given:
        given = {**given, "time": times.earlier(given["time"], time, "consent", "time")}
    return Consent(**given)


_STRUCTS = {"page": Page, "user": User, "data": Data, "client": Client}
