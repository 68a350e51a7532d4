"""Who a Google Ads conversion is about: hashed identifiers, the click, the device. Pure.

Google's hard rules stand here too: ten identifiers, an address whole or not at all, one click id, no IP address of
visitors in the EEA, the UK and Switzerland. Source: Data Manager API, "Send events" and "Format user data" (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from proxy.destinations.base import Row
from proxy.event import ClickId, Event
from proxy.identity import click_ids, google_keys, hashing, match_keys, regions
from proxy.identity.address import public_ip
from proxy.privacy.region import belongs

IDENTIFIERS = 10  # of one event
CLICKS = ("gclid", "gbraid", "wbraid")
NO_IP = ("EEA", "UK", "CH")
"""Google does not want IP addresses of visitors there."""

SendIp = Literal["auto", "always", "never"]

_US_ZIP = re.compile(r"\d{5}(-\d{4})?", re.ASCII)
_LANGUAGE = re.compile(r"([a-z]{2})(-.*)?", re.DOTALL)
_SCREEN = re.compile(r"(\d{2,5})x(\d{2,5})", re.ASCII)
_SYSTEM = re.compile(r"[A-Za-z0-9 ._-]{1,40}")


def user_identifiers(event: Event, e164: Callable[[str], str | None]) -> list[Row]:
    """The most telling first, because Google takes ten: an e-mail, a phone, the address, then further ones."""
    emails = [{"emailAddress": one} for one in match_keys.keyed(event.user.email, google_keys.email)]
    phones = [{"phoneNumber": one} for one in match_keys.keyed(event.user.phone, e164)]
    return [*emails[:1], *phones[:1], *_address(event), *emails[1:], *phones[1:]][:IDENTIFIERS]


def ad_identifiers(event: Event) -> Row:
    """Exactly one: gclid, which names the click; else the newer of gbraid and wbraid, which name a campaign."""
    usable: dict[str, ClickId] = {
        name: event.click_ids[name]
        for name in CLICKS
        if name in event.click_ids and click_ids.valid(name, event.click_ids[name].value)
    }
    if not usable:
        return {}
    name = "gclid" if "gclid" in usable else max(usable, key=lambda one: usable[one].clicked_at)
    return {name: usable[name].value}


def device(event: Event, send_ip: SendIp) -> Row:
    client, page = event.client, event.page
    language = _LANGUAGE.fullmatch(page.language or "")
    screen = _SCREEN.fullmatch(page.screen or "")
    agent, system = client.user_agent or "", client.platform or ""
    facts: Row = {
        "userAgent": None if hashing.is_junk(agent) else agent,
        "ipAddress": _ip(event, send_ip),
        "category": "mobile" if client.mobile else None,
        "languageCode": language[1] if language else None,
        "screenWidth": int(screen[1]) if screen else None,
        "screenHeight": int(screen[2]) if screen else None,
        "operatingSystem": system if _SYSTEM.fullmatch(system) and not hashing.is_junk(system) else None,
    }
    return {key: value for key, value in facts.items() if value}


def _ip(event: Event, wanted: SendIp) -> str | None:
    ip = event.client.ip
    if ip is None or wanted == "never":
        return None
    return public_ip(ip) if wanted == "always" or _is_elsewhere(event) else None


def _is_elsewhere(event: Event) -> bool:
    """Is the visitor known to be outside `NO_IP`, by the connection or the site, and does neither say otherwise?"""
    country = match_keys.country(event.user.country or "")
    places = [place for place in (event.client.region, country and country.upper()) if place]
    return bool(places) and not any(belongs(place, *NO_IP) for place in places)


def _address(event: Event) -> list[Row]:
    """One address, or none: Google refuses it unless both names, country and postal code are there."""
    user = event.user
    given = match_keys.keyed([user.first_name or ""], google_keys.given_name)
    family = match_keys.keyed([user.last_name or ""], google_keys.family_name)
    region = regions.country_code(google_keys.region(user.country or "") or "")
    code = google_keys.postal_code(user.zip or "")
    if not (given and family and region and code) or (region == "us" and not _US_ZIP.fullmatch(code)):
        return []
    address = {"givenName": given[0], "familyName": family[0], "regionCode": region.upper(), "postalCode": code}
    return [{"address": address}]
