"""A webhook: the event as JSON to an address of yours, signed.

The body is a stable interface, described in docs/destinations/webhook.md: fields are added, never renamed. What rules
did to the event (`only`, `set`, `as`) is what is sent. What identifies a person leaves hashed unless the operator asks
for it raw. The address may not lead into the network this server stands in, unless that is allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, Field, model_validator

from proxy.clock import DAY_S, SECOND_MS
from proxy.destinations import _amount
from proxy.destinations._answer import by_status
from proxy.destinations._row import given
from proxy.destinations.base import (
    CallingCode,
    Destination,
    DestinationSettings,
    Limits,
    Refusal,
    Reply,
    Request,
    Row,
    Secret,
)
from proxy.destinations.verdict import AuthBroken, Delivered, Verdict
from proxy.event import Event, Page, User, encode_json, replace
from proxy.identity import e164, match_keys, page_url
from proxy.identity.personal import harmless, names_a_person
from proxy.reach import unreachable

SIGNATURE = "X-Firsthand-Signature"

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{1,4000}")
_OURS = frozenset({"content-type", "content-length", "host", "transfer-encoding", "connection", SIGNATURE.lower()})
_SIGNATURE_ADVICE = "The receiver refuses us: check secret and headers against what it expects."
_GONE_ADVICE = "The receiver answered 410 Gone: it wants no more events. Check url, or remove the destination."


def _address(url: str) -> str:
    """`ValueError` in words unless it is an absolute http(s) address without credentials in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is no web address; write one such as https://crm.example/in") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("expected an absolute web address such as https://crm.example/in")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user and password in the address: use headers: {Authorization: …}")
    return url.partition("#")[0]


class Webhook(Destination, kind="webhook"):
    class Settings(DestinationSettings):
        url: Annotated[str, AfterValidator(_address), Field(examples=["https://crm.example/in"])]
        """Where events are posted to: https, unless allow_private_addresses is true."""
        secret: Annotated[Secret, Field(min_length=1)]
        """Signs every request (HMAC-SHA256), so that the receiver knows it is from you."""
        raw_user: bool = False
        """Send e-mail, phone and all else about the person as the site gave it. false: hashed (SHA-256)."""
        headers: dict[str, Secret] | None = None
        """More headers, such as Authorization; their values are treated as secrets."""
        allow_private_addresses: bool = False
        """Let the address lead into your own network (and be plain http)."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one, before they are hashed."""

        @model_validator(mode="after")
        def _reachable(self) -> Self:
            parts = urlsplit(self.url)
            if not self.allow_private_addresses:
                if reason := unreachable(parts.hostname or ""):
                    raise ValueError(f"url: {reason}; if you mean it, set allow_private_addresses: true")
                if parts.scheme != "https":
                    raise ValueError("url: expected https; plain http needs allow_private_addresses: true")
            for name, value in (self.headers or {}).items():
                if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                    raise ValueError(f"headers: {name!r} cannot be set here")
                if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
                    raise ValueError(f"headers: the value of {name!r} is empty, too long or holds a line break")
            return self

    limits = Limits(batch=100, batch_default=1, max_age_s=30 * DAY_S, body_bytes=1_000_000)
    deletion = "delete there what came with the ids of these events (`firsthand export` lists them)"
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self._url = settings.url
        if settings.base_url:
            parts = urlsplit(settings.url)
            query = f"?{parts.query}" if parts.query else ""
            self._url = f"{settings.base_url.rstrip('/')}{parts.path or '/'}{query}"
        self._public_only = not settings.allow_private_addresses and settings.base_url is None
        self._key = settings.secret.get_secret_value().encode()
        given = settings.headers or {}
        self._headers = {
            "Content-Type": "application/json",
            **{name: value.get_secret_value() for name, value in given.items()},
        }
        code = settings.default_country_code
        phone = partial(e164.digits, default_country_code=int(code) if code else None)
        self._normalise: dict[str, Callable[[str], str | None]] = {**_NORMALISE, "phone": phone}

    # --- out

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        """The event beside the time it is signed at; `request` takes them apart."""
        return {"signed_at_s": max(now_ms, 0) // SECOND_MS, "event": self._told(event)}

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        """One event as an object. With a `batch_size` above 1 always a list, however short."""
        events = [row["event"] for row in rows]
        return self._signed(events if self.batch_size > 1 else events[0], rows[0]["signed_at_s"], positions)

    def probe(self, now_ms: int) -> Request:
        """`{"ping": …}`, signed like an event: proves address, secret and headers. It is no event."""
        return self._signed({"ping": "firsthand check"}, now_ms // SECOND_MS, ())

    def secrets(self) -> tuple[str, ...]:
        values = (value.get_secret_value() for value in (self.settings.headers or {}).values())
        return tuple(sorted({*super().secrets(), *values}, key=len, reverse=True))

    # --- back

    def judge(self, reply: Reply) -> Verdict:
        """Any 2xx has taken the events, whatever its body says."""
        match reply.status:
            case status if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                return Delivered()
            case HTTPStatus.GONE:
                return AuthBroken("gone", f"HTTP {reply.status}", _GONE_ADVICE)
        return by_status(reply, advice=_SIGNATURE_ADVICE)

    # --- parts

    def _signed(self, content: Any, at_s: int, positions: tuple[int, ...]) -> Request:
        body = encode_json(content)
        headers = {**self._headers, SIGNATURE: signature(self._key, at_s, body)}
        return Request(
            method="POST",
            url=self._url,
            headers=headers,
            body=body,
            rows=positions,
            public_only=self._public_only,
        )

    def _told(self, event: Event) -> Row:
        raw = self.settings.raw_user
        event = replace(event, debug=None, page=event.page if raw else _shareable(event.page))
        told: Row = msgspec.to_builtins(event, builtin_types=(Decimal,))
        told |= {"source": event.source, "action_source": event.action_source.value}
        for part in told.keys() - _KEPT:
            told[part] = _plain(told[part], raw, part == "custom")
        if "user" in told and not raw:
            told["user"] = self._hashed(event.user)
        return given(told)

    def _hashed(self, user: User) -> Row:
        """The same fields as lists or texts, as they were, each value normalised and hashed."""
        found: Row = {}
        for field, normalise in self._normalise.items():
            given = getattr(user, field)
            if field in _LISTS:
                found[field] = match_keys.keyed(given, normalise)
            elif given:
                found[field] = next(iter(match_keys.keyed((given,), normalise)), None)
        return {field: value for field, value in found.items() if value}


def signature(key: bytes, at_s: int, body: bytes) -> str:
    """`t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`."""
    digest = hmac.new(key, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


_KEPT = frozenset({"id", "name", "time", "source", "action_source", "user", "consent"})
"""Parts of an event that are as they are; all others are looked through."""
_LISTS = frozenset({"email", "phone", "external_id"})
_NORMALISE: dict[str, Callable[[str], str | None]] = {
    "email": match_keys.email,
    "phone": e164.digits,
    "external_id": match_keys.external_id,
    "first_name": match_keys.name,
    "last_name": match_keys.name,
    "street": match_keys.clean,
    "city": match_keys.city,
    "state": match_keys.state,
    "zip": match_keys.zip_code,
    "country": match_keys.country,
    "gender": match_keys.gender,
    "birth_date": match_keys.birth_date,
}


def _shareable(page: Page) -> Page:
    urls = {"url": page.url, "referrer": page.referrer}
    return replace(page, **{key: page_url.shareable(url) if url else None for key, url in urls.items()})


def _plain(value: Any, raw: bool, free: bool) -> Any:
    """What JSON can carry; without `raw` also without e-mail addresses, and in the site's own properties (`free`)
    without those that name a person. None for what is left out."""
    kind = type(value)  # built-in types and Decimal, as `to_builtins` gives them
    if kind is str:
        return value if raw else harmless(value)
    if kind is dict:
        kept = (one for one in value.items() if raw or not free or not names_a_person(one[0]))
        return {key: part for key, one in kept if (part := _plain(one, raw, free)) is not None}
    if kind is list or kind is tuple:
        return [part for one in value if (part := _plain(one, raw, free)) is not None]
    if kind is Decimal:
        return _amount.exact(value)
    if kind is float:
        return value if math.isfinite(value) else None
    return value
