"""Google Analytics 4: the Measurement Protocol. https://developers.google.com/analytics/devguides/collection/protocol/ga4

GA4 answers 204 to whatever it gets, so "delivered" means sent, not recorded; what its rules would make it ignore is
refused before (`_ga4_event.py`). A request speaks for one browser: events are grouped by whatever stands beside them in
the body. Advertising signals go only where marketing was granted. Facts and choices: docs/destinations/ga4.md (checked
2026-11).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from proxy.clock import SECOND_MS
from proxy.destinations import _ga4_event as ga4_event
from proxy.destinations._answer import by_status, one_line, retry_after_s
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
    json_request,
)
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault, Verdict
from proxy.event import ConsentState, Event, Purpose, User, replace
from proxy.identity import google_keys, hashing, match_keys
from proxy.identity.address import public_ip
from proxy.identity.click_ids import strip_click_ids
from proxy.identity.personal import harmless

API = "https://www.google-analytics.com"
EU_API = "https://region1.google-analytics.com"

MICROS = 1_000  # per millisecond
USER_ID_CHARS = 256

_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,255}")
_STATE = re.compile(r"[a-z]{2}")
_SCREEN = re.compile(r"[0-9]{2,5}x[0-9]{2,5}")
_ROW = re.compile(r"events[\[./]([0-9]{1,2})")
_CREDENTIALS = re.compile(r"api_secret|measurement_id")
_ADVICE = "Check measurement_id and api_secret: Admin, Data streams, your stream, Measurement Protocol API secrets."


class Ga4(Destination, kind="ga4"):
    class Settings(DestinationSettings):
        measurement_id: Annotated[str, Field(pattern=r"^G-[A-Z0-9]{3,20}$", examples=["G-ABC1234567"])]
        """Measurement id of the web data stream."""
        api_secret: Secret
        """Measurement Protocol API secret of that stream."""
        consent: tuple[Purpose, ...] = (Purpose.ANALYTICS,)
        """Purposes that must all be granted before an event goes here. Advertising data also needs marketing."""
        eu: bool = False
        """Send to Google's collection endpoint in the EU."""
        debug: bool = False
        """Ask Google's validation server what it thinks of the events. Nothing is recorded."""
        debug_view: bool = False
        """Mark events for DebugView. They are recorded all the same."""
        without_client_id: Literal["derive", "refuse"] = "derive"
        """Visitors without Google's _ga cookie: a lasting client id made from our visitor id, or no event."""
        engagement_time_msec: Annotated[int, Field(ge=1, le=86_400_000)] = 100
        """Engagement time of each event: without one GA4 counts no active user."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        purchase_without_items: Literal["refuse", "send"] = "refuse"
        """Purchases without a single item: Google's documentation wants one."""
        location: Literal["ip", "address", "none"] = "ip"
        """Where the visitor is: from the IP address, from the city and country the site told, or not at all."""
        user_agent: bool = True
        """Send the browser's user agent: GA4 reads browser and device from it."""
        device: bool = False
        """Send language, screen and system as well; Google does not say whether that replaces the user agent's."""
        event_id: bool = False
        """Send our event id as the parameter event_id, to find events again in a BigQuery export."""
        user_id: bool = False
        """Send the site's external id as user_id. It must not be personal data."""
        user_data: bool = False
        """Send hashed e-mail, phone and address where marketing was granted. GA4 must be set up for it."""
        long_texts: bool = False
        """Texts of up to 500 characters instead of 100: Google Analytics 360 keeps them."""

    limits = Limits(batch=25, batch_default=25, max_age_s=72 * 3600, body_bytes=130_000)
    deletion = "Admin, 'Data deletion requests', or the User Deletion API, by the client id in the events"
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self._base = (settings.base_url or (EU_API if settings.eu else API)).rstrip("/")
        account = {"measurement_id": settings.measurement_id, "api_secret": settings.api_secret.get_secret_value()}
        self._query = urlencode(account, safe="", quote_via=quote)
        code = settings.default_country_code
        self._phone = partial(google_keys.e164, default_country_code=int(code) if code else None)
        self._longest = ga4_event.TEXT_360 if settings.long_texts else ga4_event.TEXT
        self._stream = settings.measurement_id.removeprefix("G-")
        debug_mode = {"debug_mode": 1} if settings.debug_view else {}
        self._every_event: Row = {"engagement_time_msec": settings.engagement_time_msec, **debug_mode}

    # --- out

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        """A whole request body with one event; `request` puts the events of a group into one body."""
        client_id = self._client_id(event)
        if client_id is None:
            return Refusal("no_client_id", "GA4 wants a client_id: the _ga cookie's, or our visitor id to make one of")
        name = ga4_event.name_of(event)
        if isinstance(name, Refusal):
            return name
        shared = event if _may_advertise(event) else _without_clicks(event)
        currency = self.settings.default_currency
        every_event = {**ga4_event.session(shared, self._stream), **self._every_event}
        if self.settings.event_id:
            every_event["event_id"] = event.id
        params = ga4_event.params_of(shared, name, every_event, currency, self._longest)
        without_items = self.settings.purchase_without_items == "send"
        if refusal := ga4_event.refusal(name, params, without_items=without_items):
            return refusal
        micros = min(event.time, now_ms) * MICROS
        row: Row = {
            "client_id": client_id,
            **self._beside(event),
            "events": [{"name": name, "params": params, "timestamp_micros": micros}],
        }
        return {key: value for key, value in row.items() if value}

    def group(self, event: Event) -> Hashable:
        """Everything `_beside` and the client id are made of: equal groups have equal bodies but for their events."""
        consent = (event.consent.marketing, event.consent.personalization, event.consent.sale)
        page = (event.page.language, event.page.screen)
        properties = repr(ga4_event.user_properties(event.custom))
        return (self._client_id(event), consent, event.user, event.client, page, properties)

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        body = {**rows[0], "events": [event for row in rows for event in row["events"]]}
        return json_request(self._url(debug=self.settings.debug), body, rows=positions)

    def probe(self, now_ms: int) -> Request:
        """A made-up event for the validation server, which records nothing and, alas, does not check the secret."""
        event = {"name": "firsthand_check", "params": self._every_event, "timestamp_micros": now_ms * MICROS}
        return json_request(self._url(debug=True), {"client_id": "1.1", "events": [event]})

    # --- back

    def judge(self, reply: Reply) -> Verdict:
        """Google asks not to send again what it refused, so a 4xx loses the whole request; it has no other words."""
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP success
            verdict = by_status(reply, advice=_ADVICE)
            if isinstance(verdict, Rejected) and verdict.why != "too_large":
                rows = tuple(RowFault(row, verdict.why, verdict.detail) for row in range(reply.sent or 0))
                return Rejected(verdict.why, verdict.detail, rows)
            return verdict
        if reply.body.lstrip()[:1] == b"<":
            return RetryLater("no_json", retry_after_s(reply), f"HTTP {reply.status}")
        return _validated(reply)

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing in it depends on the time
        found = []
        if self.settings.debug:
            found.append("debug is on: Google's validation server checks events and records none; remove it.")
        if self.settings.debug_view:
            found.append("debug_view is on: every event shows in DebugView, where GA4 keeps it apart; remove it.")
        return tuple(found)

    # --- parts of a body

    def _url(self, *, debug: bool) -> str:
        return f"{self._base}{'/debug' if debug else ''}/mp/collect?{self._query}"

    def _client_id(self, event: Event) -> str | None:
        """The `_ga` cookie's. Else one in its shape, made of the visitor: the same for as long as we know them."""
        given = event.browser_ids.get("ga_client_id", "")
        if _CLIENT_ID.fullmatch(given) and not hashing.is_junk(given):
            return given
        visitor = event.visitor
        if visitor is None or self.settings.without_client_id == "refuse":
            return None
        digest = hashlib.sha256(f"ga client id of {visitor.id}".encode()).digest()
        return f"{int.from_bytes(digest[:4]) >> 1}.{max(visitor.first_seen, 0) // SECOND_MS}"

    def _beside(self, event: Event) -> Row:
        """What a body says besides client id and events. Change `group` with it."""
        settings, client = self.settings, event.client
        agent = client.user_agent if settings.user_agent and not hashing.is_junk(client.user_agent or "") else None
        advertise = _may_advertise(event)
        personal = advertise and event.consent.personalization is ConsentState.GRANTED
        return {
            "user_id": _user_id(event) if settings.user_id else None,
            "user_properties": ga4_event.user_properties(event.custom),
            "user_data": self._user_data(event.user) if settings.user_data and advertise else None,
            "consent": {"ad_user_data": _word(advertise), "ad_personalization": _word(personal)},
            "ip_override": public_ip(client.ip) if settings.location == "ip" and client.ip else None,
            "user_location": _location(event.user) if settings.location == "address" else None,
            "user_agent": agent,
            "device": _device(event) if settings.device else None,
        }

    def _user_data(self, user: User) -> Row:
        keys = {
            "sha256_email_address": match_keys.keyed(user.email, google_keys.email),
            "sha256_phone_number": match_keys.keyed(user.phone, self._phone),
            "address": [address] if (address := _address(user)) else [],
        }
        return {key: value for key, value in keys.items() if value}


def _address(user: User) -> Row:
    """Empty without a name or a street: a place alone is nobody's."""
    hashed = {
        "sha256_first_name": match_keys.keyed(_one(user.first_name), google_keys.given_name),
        "sha256_last_name": match_keys.keyed(_one(user.last_name), google_keys.family_name),
        "sha256_street": match_keys.keyed(_one(user.street), google_keys.place),
    }
    plain = {
        "city": _plain(user.city, google_keys.place),
        "region": _plain(user.state, google_keys.place),
        "postal_code": _plain(user.zip, google_keys.postal_code),
        "country": _country(user),
    }
    found = {key: value[0] for key, value in hashed.items() if value}
    return found and found | {key: value for key, value in plain.items() if value}


def _plain(text: str | None, normalise: Any) -> str | None:
    """What Google wants unhashed; a digest cannot be that, and an e-mail address must not."""
    return None if not text or hashing.digest_in(text) or not harmless(text) else normalise(text)


def _country(user: User) -> str | None:
    code = match_keys.country(user.country) if user.country else None
    return code.upper() if code else None


def _location(user: User) -> Row | None:
    """City, region and country as ISO codes, from what the site told."""
    country = _country(user)
    state = match_keys.state(user.state, country.lower() if country else None) if user.state else None
    city = None if not user.city or hashing.digest_in(user.city) else match_keys.clean(user.city)
    found = {
        "city": harmless(city),
        "region_id": f"{country}-{state.upper()}" if country and state and _STATE.fullmatch(state) else None,
        "country_id": country,
    }
    return {key: value for key, value in found.items() if value}


def _device(event: Event) -> Row:
    mobile = {True: "mobile", False: "desktop", None: None}[event.client.mobile]
    screen = event.page.screen or ""
    found = {
        "category": mobile,
        "language": harmless(event.page.language),
        "screen_resolution": screen if _SCREEN.fullmatch(screen) else None,
        "operating_system": harmless(event.client.platform),
    }
    return {key: value[: ga4_event.TEXT] for key, value in found.items() if value}


def _user_id(event: Event) -> str | None:
    """As the site states it, today: a remembered digest would make a second user of the same person."""
    if "external_id" in event.remembered:
        return None
    usable = (one.strip() for one in event.user.external_id if harmless(one) and match_keys.clean(one))
    return next((one for one in usable if len(one) <= USER_ID_CHARS), None)


def _may_advertise(event: Event) -> bool:
    return event.consent.marketing is ConsentState.GRANTED and event.consent.sale is not ConsentState.DENIED


def _without_clicks(event: Event) -> Event:
    """Google attributes to an ad by the click id in the page's address."""
    page = event.page
    url = strip_click_ids(page.url) if page.url else None
    referrer = strip_click_ids(page.referrer) if page.referrer else None
    return replace(event, page=replace(page, url=url, referrer=referrer))


def _word(granted: bool) -> str:
    return "GRANTED" if granted else "DENIED"


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


# --- reading the validation server


def _validated(reply: Reply) -> Verdict:
    """Production says nothing; the validation server lists what it would ignore, by place in the body."""
    body = reply.json()
    messages = body.get("validationMessages") if isinstance(body, dict) else None
    faults: dict[int, RowFault] = {}
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict):
            continue
        place = one_line(message.get("fieldPath"))
        detail = one_line(place, message.get("description"))
        if _CREDENTIALS.search(place):
            return AuthBroken("credentials_refused", detail, _ADVICE)
        why = _label(message.get("validationCode"))
        named = _ROW.search(place)
        for row in [int(named[1])] if named else range(reply.sent or 0):
            if row < (reply.sent or 0):
                faults.setdefault(row, RowFault(row, why, detail))
    return Delivered(rejected=tuple(faults[row] for row in sorted(faults)))


def _label(code: Any) -> str:
    text = code.lower() if isinstance(code, str) else ""
    return text if re.fullmatch(r"[a-z_]{1,30}", text) else "invalid"
