"""What one HTTP request tells about its sender, read once from connection and headers before any event is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from proxy.collector.bots import Sign, is_prefetch, sign_in
from proxy.collector.client_ip import TrustedProxies
from proxy.event import Client
from proxy.identity.cookie_domain import CookieDomain, cookie_domain
from proxy.identity.identity import Identity
from proxy.wire import Landing

_TEXT = 2_048  # characters of a header we store


class Headers(Protocol):
    """Names without case; aiohttp's `CIMultiDictProxy` is one."""

    def get(self, key: str, /) -> str | None: ...
    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]: ...


class Visit(msgspec.Struct, kw_only=True):
    """One request's facts. `identity` changes with every event; `landing` is used up by the first event that may."""

    received_ms: int
    source: str  # browser, pixel, server
    client: Client
    domain: CookieDomain  # where cookies of the answer belong
    is_secure: bool  # the browser spoke https
    is_trusted: bool = False  # a server with an ingest key
    is_prefetch: bool = False
    bot: Sign | None = None
    has_gpc: bool = False  # Sec-GPC: 1
    has_dnt: bool = False  # DNT: 1
    is_erased: bool = False  # its visitor cookie is of somebody whose data was erased
    origin: str | None = None  # of the page, as the browser states it
    cookies: str = ""  # as the browser sent them
    identity: Identity = Identity()
    handed: Mapping[str, Identity] = {}  # by event id, from cookies that a server hands on, or from its order
    landing: Landing | None = None
    removed: list[str] = msgspec.field(default_factory=list)  # where personal text was taken out of its events
    mint: Callable[[], int] | None = None  # 128 random bits; None: nothing new is made up


def connection_of(request: web.BaseRequest) -> tuple[str | None, str]:
    """The other end of the connection (None: a Unix socket), and the scheme it speaks."""
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    return name[0] if isinstance(name, tuple) else None, request.scheme


def text_of(headers: Headers, name: str) -> str | None:
    """A header as text that can be stored, cut to a sensible length."""
    value = headers.get(name)
    return None if value is None else readable(value)[:_TEXT]


def readable(text: str) -> str:
    """Text as aiohttp gives it, where bytes that are no UTF-8 have become lone surrogates, in a form that encodes."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What headers say, cookies and addresses aside: the same in one request of a browser as in the next."""

    user_agent: str | None
    mobile: bool | None
    platform: str | None
    domain: CookieDomain  # where cookies of the answer belong
    forwarded_scheme: str  # of the browser's own request, as a proxy tells it; "": not told
    bot: Sign | None
    is_prefetch: bool
    has_gpc: bool
    has_dnt: bool


def manner_of(headers: Headers, cookie_setting: str) -> Manner:
    """Reads none of `proxy.collector.heads.OWN`. `cookie_setting`: `cookie.domain`."""
    user_agent, platform = text_of(headers, "User-Agent"), text_of(headers, "Sec-CH-UA-Platform")
    return Manner(
        user_agent=user_agent,
        mobile=_MOBILE.get(headers.get("Sec-CH-UA-Mobile")),
        platform=platform.strip('"') or None if platform else None,
        domain=cookie_domain(headers.get("Host") or "", cookie_setting),
        forwarded_scheme=(headers.get("X-Forwarded-Proto") or "").partition(",")[0].strip().lower(),
        bot=sign_in(headers, user_agent),
        is_prefetch=is_prefetch(headers.get("Sec-Purpose") or headers.get("Purpose")),
        has_gpc=headers.get("Sec-GPC") == "1",
        has_dnt=headers.get("DNT") == "1",
    )


_MOBILE: Mapping[str | None, bool] = {"?1": True, "?0": False}


def address_of(headers: Headers, peer: str | None, proxies: TrustedProxies, ip_header: str | None) -> str | None:
    """Who is at the other end of the connection, or behind the proxies there."""
    if peer is not None and peer not in proxies:
        return peer
    stated = headers.get(ip_header) if ip_header is not None else None
    return proxies.client_ip(peer, headers.getall("X-Forwarded-For", ()), stated)


def is_page_view(headers: Headers) -> bool:
    """Is it a page somebody opens, and no picture, frame or fetch within one? Browsers of before 2023 tell it by what
    they accept."""
    destination = headers.get("Sec-Fetch-Dest")
    return destination == "document" if destination is not None else "text/html" in (headers.get("Accept") or "")
