"""What is fuzzed: functions of bytes that must accept any, and raise nothing but what they promise to.

Used by `make fuzz` (coverage-guided, tests/fuzz/__main__.py) and by test_targets.py (seeds and past finds, in every run
of the tests). An `AssertionError` is a find too: each target also states what must hold of what it got.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from proxy.collector.events import MAX_BODY
from proxy.collector.heads import Heads
from proxy.config.example import sample_values
from proxy.config.load import read as read_config
from proxy.destinations import load_all
from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.errors import ConfigError, WireError
from proxy.event import Event, encode_json
from proxy.identity import click_ids
from proxy.identity.cookie_domain import cookie_domain
from proxy.identity.identity import read as read_identity, set_cookies
from proxy.identity.keeping import keeping
from proxy.identity.visitor import VisitorCookie
from proxy.log.base import Entry
from proxy.privacy.keys import Keyring
from proxy.relay import guard
from proxy.wire import parse
from proxy.wire.usual import read as read_usual

NOW_MS = 1_790_000_000_000
SITE = "site: {origins: ['https://www.shop.example']}\n"
GRANTED = '"consent": {"marketing": "granted", "analytics": "granted"}'
ORDER = (
    '{"id": "o-1", "name": "purchase", '
    + GRANTED
    + ', "page": {"url": "https://www.shop.example/?gclid=abc&fbclid=x"},'
    ' "user": {"email": "ann@example.com", "phone": "+32470123456", "country": "be"}, "client": {"ip": "203.0.113.9",'
    ' "user_agent": "Mozilla/5.0"}, "visitor": "v_1", "browser_ids": {"fbp": "fb.1.1790000000000.1", "ga_client_id": "1.2"},'
    ' "data": {"value": 59.9, "currency": "EUR", "order_id": "o-1", "items": [{"id": "mug", "price": "59.90", "quantity": 1}]}}'
).encode()


def _samples() -> dict[str, dict[str, object]]:
    found = {}
    for kind, destination in load_all().items():
        values = sample_values(kind, destination.Settings)
        values = {name: "s" * 40 if str(value).startswith("${") else value for name, value in values.items()}
        if kind == "google_ads":
            del values["service_account"]
            values |= {"client_id": "c", "client_secret": "s" * 40, "refresh_token": "r" * 40}
        found[kind.replace("_", "-")] = {"kind": kind, **values}
    return found


CONFIG = read_config(SITE + f"destinations: {json.dumps(_samples())}\n", Path("config.yaml"), {})
_KEYS = Keyring.parse("A" * 43)
_CODEC = VisitorCookie(_KEYS)
_KEEP = keeping(CONFIG.settings)
_DOMAIN = cookie_domain("t.shop.example")
_FIRST = b"POST /e HTTP/1.1\r\n"
_HEADS = Heads(_FIRST, lambda headers: (headers.get("User-Agent"), headers.get("Origin")))
_decoder = msgspec.json.Decoder(Event)


def wire(data: bytes) -> None:
    """Any bytes are events or a `WireError`; what was read survives the log; both ways of reading agree."""
    trusted, body = data[:1] > b"\x7f", data[1:]
    how = {"received_ms": NOW_MS, "trusted": trusted, "source": "server" if trusted else "browser"}
    usual = read_usual(body, make_id=str, **how)
    try:
        parsed = parse(body, mint=lambda: "minted", **how)
    except WireError as error:
        parsed, said = None, str(error)
    if parsed is None:
        assert usual is None
        assert len(said) < 2_000
        return
    for event in parsed.events:
        again = _decoder.decode(encode_json(event))
        assert (again.id, again.name, again.time) == (event.id, event.name, event.time)
    assert usual is None or len(usual.events) == len(parsed.events)


def head(data: bytes) -> None:
    """The express lane reads a whole usual request or nothing."""
    for chunk in (data, _FIRST + data):
        usual = _HEADS.read(chunk, MAX_BODY)
        if usual is not None:
            again = _HEADS.read(chunk, MAX_BODY)  # this time from memory
            assert again is not None
            assert (again.body, again.told) == (usual.body, usual.told)
            assert usual.body
            assert chunk.endswith(usual.body)
            assert usual.headers.get("Host") is not None
            assert usual.headers.get("Transfer-Encoding") is None


def cookies(data: bytes) -> None:
    """Any `Cookie` header is an identity; what we set because of it is one safe line each."""
    identity = read_identity(data.decode("utf-8", "surrogateescape"), _CODEC, _KEEP, NOW_MS)
    for secure in (True, False):
        for line in set_cookies(
            identity,
            codec=_CODEC,
            settings=CONFIG.settings.cookie,
            domain=_DOMAIN,
            now_ms=NOW_MS,
            secure=secure,
            keep=_KEEP,
        ):
            assert line.isascii()
            assert line.isprintable()
            assert len(line) < 4_500


def clicks(data: bytes) -> None:
    """Click ids found in a URL are well-formed, and none is left in it afterwards."""
    url = data.decode("utf-8", "replace")
    for name, click in click_ids.harvest(url, NOW_MS).items():
        assert click_ids.valid(name, click.value)
    stripped = click_ids.strip_click_ids(url)
    assert len(stripped) <= len(url)
    assert click_ids.harvest(stripped, NOW_MS) == {}
    assert click_ids.strip_click_ids(stripped) == stripped


def config(data: bytes) -> None:
    """Any bytes are a configuration or a `ConfigError` with places."""
    for raw in (data, SITE.encode() + data):
        faults = None
        try:
            read_config(raw, Path("config.yaml"), {"NAME": "value"})
        except ConfigError as error:
            faults = error.faults
        assert faults is None or (faults and all(len(str(fault)) < 5_000 for fault in faults))


def rules(data: bytes) -> None:
    """Any JSON below `rules:` is rules or a `ConfigError`, and rules decide on every event."""
    try:
        loaded = read_config(
            SITE.encode()
            + b"destinations: {crm: {kind: webhook, url: 'https://crm.example/', secret: s0s0s0s0s0s0s0s0}}\nrules: "
            + data,
            Path("config.yaml"),
            {},
        )
    except ConfigError:
        return
    for event in _events(ORDER):
        loaded.rules.decide(event, trace=True)


def build(data: bytes) -> None:
    """Every destination makes requests of any event, or says why not; it never raises."""
    for event in _events(data):
        for destination in CONFIG.destinations.values():
            entry = Entry(seq=1, stored_at_ms=NOW_MS, event=event)
            plan = guard.plan(destination, [entry], CONFIG.rules.decide, NOW_MS, frozenset())
            assert not [loss for loss in plan.losses if loss.why == guard.INTERNAL], plan.losses
            for parcel in plan.parcels:
                assert parcel.request.url.startswith("https://")
                assert parcel.request.url.isprintable()


_VERDICTS = (Delivered, RetryLater, Rejected, AuthBroken)
_STATUSES = (200, 201, 202, 204, 207, 301, 400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 0)


def judge(data: bytes) -> None:
    """Whatever a platform replies is one of the four verdicts."""
    status = _STATUSES[(data[0] if data else 0) % len(_STATUSES)]
    waits, _, body = data[1:].partition(b"\n")
    headers = {"retry-after": waits.decode("latin-1")} if waits else {}
    for destination in CONFIG.destinations.values():
        for sent in (1, 3):
            verdict = destination.judge(Reply(status=status, headers=headers, body=body, sent=sent))
            assert isinstance(verdict, _VERDICTS)
        with suppress(NotImplementedError):
            destination.read_receipt(Reply(status=status, headers=headers, body=body))


def _events(body: bytes) -> Iterator[Event]:
    with suppress(WireError):
        yield from parse(body, received_ms=NOW_MS, trusted=True).events


TARGETS: dict[str, Callable[[bytes], None]] = {
    "wire": wire,
    "head": head,
    "cookies": cookies,
    "clicks": clicks,
    "config": config,
    "rules": rules,
    "build": build,
    "judge": judge,
}
_REQUEST = (
    b"POST /e HTTP/1.1\r\nHost: t.shop.example\r\nOrigin: https://www.shop.example\r\nUser-Agent: x\r\nContent-Length: 2"
    b"\r\n\r\n{}"
)
SEEDS: dict[str, list[bytes]] = {
    "wire": [
        b"\x00" + ORDER,
        b"\xff" + ORDER,
        b"\x00[" + ORDER + b"]",
        b'\x00{"sent_at": 1, "events": [' + ORDER + b"]}",
    ],
    "head": [_REQUEST, _REQUEST.replace(b"{}", b"[]"), _REQUEST + _REQUEST],
    "cookies": [
        b"_fh=AAAA; _fbp=fb.1.1790000000000.1; _fbc=fb.1.1790000000000.abc",
        b"_ga=GA1.1.1.2; _ttp=x; _epik=dj0y; _scid=1",
    ],
    "clicks": [b"https://a.example/?gclid=abc&fbclid=x#/r?fbclid=y", b"//?u=https%3A%2F%2Fx%3Fgclid%3Dz&ScCid=1;_gl=2"],
    "config": [
        Path(__file__).parents[2].joinpath(name).read_bytes() for name in ("config.minimal.yaml", "config.example.yaml")
    ],
    "rules": [
        b'[{"name": "a", "when": {"event": ["purchase"], "value": {"at_least": 10}}, "send_to": ["crm"]}]',
        b'[{"name": "b", "when": {"any": [{"page.url": {"matches": "x+"}}, {"not": {"client.ip": {"in_network": ["10.0.0.0/8"]}}}]}, "drop": true}]',
        b'[{"name": "c", "set": {"custom.a": "${page.host}"}, "rename": {"custom.a": "custom.b"}, "remove": ["user.email"], "sample": 0.5, "send_to": {"destination": "crm", "as": "X", "only": ["data.value"]}}]',
    ],
    "build": [ORDER, ORDER.replace(b"purchase", b"page_view"), ORDER.replace(b"59.9", b"1e9")],
    "judge": [
        b'\x00\n{"events_received": 1}',
        b'\x06\n{"error": {"message": "Invalid parameter", "code": 100, "error_subcode": 2804003}}',
        b'\x0f30\n{"code": 40100, "message": "slow down"}',
        b'\x06\n{"error": {"status": "INVALID_ARGUMENT", "details": [{"fieldViolations": [{"field": "events[0]"}]}]}}',
        b'\x04\n{"num_events_received": 1, "events": [{"status": "failed", "error_message": "x"}]}',
    ],
}
