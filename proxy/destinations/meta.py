"""Meta (Facebook, Instagram): the Conversions API. Graph version and its end dates stand at the top of this file.

Owns the row Meta gets for an event, the checks that keep one bad event from costing a whole batch (Meta takes all of a
request or nothing), and the reading of its answers; the error table is `_meta_errors.py`. Personal data leaves hashed,
computed once per build and kept nowhere. Where Meta's documents and its libraries disagree, the choice made is in
docs/destinations/meta.md. Facts checked 2026-11 against Meta's Conversions API documentation.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from proxy.clock import DAY_MS, DAY_S, SECOND_MS
from proxy.destinations import _meta_errors as errors, _meta_order as order
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
from proxy.destinations.verdict import Verdict
from proxy.event import ActionSource, ConsentState, Event, replace
from proxy.identity import hashing, match_keys, meta_cookies, page_url, phone
from proxy.identity.address import public_ip

API = "https://graph.facebook.com"
VERSION = "v26.0"  # released 2026-07-29
# The Conversions API follows the Graph calendar. https://developers.facebook.com/docs/graph-api/changelog
ENDS = {
    20: date(2026, 9, 24),
    21: date(2027, 1, 21),
    22: date(2027, 5, 20),
    23: date(2027, 10, 8),
    24: date(2028, 2, 18),
    25: date(2028, 7, 29),
}
WARN_DAYS = 60
PHYSICAL_STORE_S = 62 * DAY_S

NAMES = {
    "page_view": "PageView",
    "view_content": "ViewContent",
    "search": "Search",
    "add_to_cart": "AddToCart",
    "add_to_wishlist": "AddToWishlist",
    "initiate_checkout": "InitiateCheckout",
    "add_payment_info": "AddPaymentInfo",
    "purchase": "Purchase",
    "lead": "Lead",
    "complete_registration": "CompleteRegistration",
    "contact": "Contact",
    "subscribe": "Subscribe",
    "start_trial": "StartTrial",
    "schedule": "Schedule",
    "find_location": "FindLocation",
    "customize_product": "CustomizeProduct",
    "donate": "Donate",
    "submit_application": "SubmitApplication",
}
"""Standard events; every other name is a custom event and goes unchanged."""

LDU_STATES = dict(zip("CA CO CT FL OR TX MT DE NE NH NJ MN MD RI".split(), range(1000, 1014), strict=True))
"""States in which Limited Data Use means something, as Meta numbered them."""

TOO_LITTLE = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
"""An event whose keys all lie in one of these sets is rejected (Best Practices, since v13.0)."""

NUMBERED_IDS = ("lead_id", "fb_login_id")
TEXT_IDS = ("subscription_id", "madid")

_NUMBER = re.compile(r"[0-9]{1,19}")
_LIBRARY_DIGEST = re.compile(r"([0-9a-fA-F]{64})\.(AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8})")
_REFERRERS = (*page_url.SCHEMES, "android-app://")
_EPOCH = date(1970, 1, 1)
_LAST_DAY = (date.max - _EPOCH).days
_MALFORMED_CLICK_ID = "2804001"


class Meta(Destination, kind="meta"):
    class Settings(DestinationSettings):
        pixel_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
        """Pixel (dataset) id from Events Manager: digits."""
        access_token: Secret
        """Conversions API token from Events Manager, or a system user's token."""
        api_version: Annotated[str, Field(pattern=r"^v[1-9][0-9]{0,2}\.[0-9]$")] = VERSION
        """Graph API version."""
        test_event_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
        """Shows events under Test Events. They count all the same: remove it when done."""
        app_secret: Secret | None = None
        """Secret of the app that made the token: every call is then signed (appsecret_proof)."""
        data_processing_options: Literal["auto", "always", "never"] = "auto"
        """Limited Data Use: auto marks events whose visitor refused sale or sharing."""
        data_processing_country: Literal[0, 1] = 0
        """Country for Limited Data Use: 1 is the US; 0: the visitor's where it is known, else Meta locates them."""
        data_processing_state: int = 0
        """State for Limited Data Use: 1000 is California, … 1013 Rhode Island; 0: as data_processing_country says."""
        opt_out: Literal["never", "personalization_denied", "always"] = "never"
        """Ask Meta to use events for attribution only, not to optimise delivery."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        content_type: Literal["product", "product_group"] | None = None
        """What item ids mean in your catalogue, when the event does not say. Default: Meta finds out."""
        external_id_from_visitor: bool = False
        """Send the hashed visitor id as external_id too."""
        partner_agent: Annotated[str, Field(max_length=100)] | None = None
        """Name of the integration as Meta should see it."""

        @model_validator(mode="after")
        def _limited_data_use(self) -> Self:
            if self.data_processing_state not in (0, *LDU_STATES.values()):
                raise ValueError("data_processing_state: expected 0 or 1000 to 1013")
            if self.data_processing_state and not self.data_processing_country:
                raise ValueError("data_processing_state needs data_processing_country: 1")
            if self.sale_refused == "limit" and self.data_processing_options == "never":
                raise ValueError("sale_refused: limit needs data_processing_options: auto (it is what limits)")
            return self

    limits = Limits(batch=1000, batch_default=50, max_age_s=7 * DAY_S)
    essential = ("page.url", "client.user_agent")
    deletion = (
        "no call that deletes single events is known to us (Meta's documentation, unverified). Remove the "
        "person from your custom audiences; the person disconnects past activity under 'Your activity off "
        "Meta technologies'"
    )
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        token = settings.access_token.get_secret_value()
        self._url = f"{(settings.base_url or API).rstrip('/')}/{settings.api_version}/{settings.pixel_id}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._proof = _proof(settings.app_secret, token)
        code = settings.default_country_code
        self._phone = partial(phone.digits, default_country_code=int(code) if code else None)

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        name = NAMES.get(event.name, event.name)
        keys = self._user_data(event, now_ms)
        facts = order.custom_data(event, self.settings.default_currency, self.settings.content_type)
        url = _shareable(event.page.url, page_url.SCHEMES)
        if refusal := _refusal(event, name, keys, facts, url):
            return refusal
        row: Row = {
            "event_name": name,
            "event_time": min(event.time, now_ms) // SECOND_MS,
            "event_id": event.id,
            "action_source": event.action_source.value,
            "event_source_url": url,
            "referrer_url": _shareable(event.page.referrer, _REFERRERS),
            "opt_out": self._opted_out(event) or None,
            **self._limited_data_use(event),
            "user_data": keys,
            "custom_data": facts or None,
        }
        return {key: value for key, value in row.items() if value is not None}

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        body = {
            "data": list(rows),
            "test_event_code": self.settings.test_event_code,
            "partner_agent": self.settings.partner_agent,
            "appsecret_proof": self._proof,
        }
        given = {key: value for key, value in body.items() if value is not None}
        return json_request(f"{self._url}/events", given, headers=self._headers, rows=positions)

    def probe(self, now_ms: int) -> Request:  # noqa: ARG002 - nothing in it depends on the time
        """Reads the pixel's name: proves token, signature and pixel id, and sends no event."""
        query = {"fields": "id,name"} | ({"appsecret_proof": self._proof} if self._proof else {})
        return Request(method="GET", url=f"{self._url}?{urlencode(query)}", headers=self._headers)

    def max_age_s_of(self, event: Event) -> float:
        if event.action_source is not ActionSource.PHYSICAL_STORE:
            return self.max_age_s
        hours = self.settings.max_age_hours
        return PHYSICAL_STORE_S if hours is None else min(hours * 3600, PHYSICAL_STORE_S)

    def secrets(self) -> tuple[str, ...]:
        found = (*super().secrets(), self._proof or "")
        return tuple(sorted(filter(None, found), key=len, reverse=True))

    def judge(self, reply: Reply) -> Verdict:
        return errors.judge(reply)

    def repair(self, event: Event, why: str) -> Event | None:
        """A click id Meta calls malformed: the event is worth more than its click id."""
        has_click = "fbc" in event.browser_ids or "fbclid" in event.click_ids
        if why != _MALFORMED_CLICK_ID or not has_click:
            return None
        return replace(
            event,
            browser_ids=_without(event.browser_ids, "fbc"),
            click_ids=_without(event.click_ids, "fbclid"),
        )

    def warnings(self, now_ms: int) -> tuple[str, ...]:
        found = []
        if self.settings.test_event_code:
            found.append("test_event_code is set: events show under Test Events, and count; remove it for production.")
        if ending := version_warning(self.settings.api_version, now_ms):
            found.append(ending)
        return tuple(found)

    def _user_data(self, event: Event, now_ms: int) -> Row:
        user = event.user
        country = match_keys.country(user.country) if user.country else None
        ids = user.external_id
        if self.settings.external_id_from_visitor and event.visitor is not None:
            ids = (*ids, event.visitor.id)
        keys: Row = {
            "em": _digests(user.email, match_keys.email),
            "ph": _digests(user.phone, self._phone),
            "fn": _digests(_one(user.first_name), match_keys.name),
            "ln": _digests(_one(user.last_name), match_keys.name),
            "db": _digests((user.birth_date,), partial(match_keys.birth_date, latest=_day(now_ms)))
            if user.birth_date
            else None,
            "ge": _digests(_one(user.gender), match_keys.gender),
            "ct": _digests(_one(user.city), match_keys.city),
            "st": _digests(_one(user.state), partial(match_keys.state, country=country)),
            "zp": _digests(_one(user.zip), partial(match_keys.zip_code, country=country)),
            "country": _digests(_one(user.country), lambda _: country),
            "external_id": _digests(ids, match_keys.external_id),
            "client_ip_address": public_ip(event.client.ip) if event.client.ip else None,
            "client_user_agent": None if hashing.is_junk(event.client.user_agent or "") else event.client.user_agent,
            "fbc": _fbc(event),
            "fbp": _fbp(event),
            **_known_ids(event.browser_ids),
        }
        return {key: value for key, value in keys.items() if value}

    def _limited_data_use(self, event: Event) -> Row:
        wanted = self.settings.data_processing_options
        if wanted == "never" or (wanted == "auto" and event.consent.sale is not ConsentState.DENIED):
            return {}
        country, state = self.settings.data_processing_country, self.settings.data_processing_state
        nation, _, abbreviation = (event.client.region or "").partition("-")
        if not country and nation == "US" and abbreviation in LDU_STATES:
            country, state = 1, LDU_STATES[abbreviation]
        return {
            "data_processing_options": ["LDU"],
            "data_processing_options_country": country,
            "data_processing_options_state": state,
        }

    def _opted_out(self, event: Event) -> bool:
        wanted = self.settings.opt_out
        denied = event.consent.personalization is ConsentState.DENIED
        return wanted == "always" or (wanted == "personalization_denied" and denied)


def version_warning(version: str, now_ms: int) -> str | None:
    """A sentence when `version` ended or ends within 60 days of `now_ms`; None when all is well or its end unknown."""
    number = int(version.removeprefix("v").partition(".")[0])
    if number < min(ENDS):
        return f"api_version {version} has ended; use {VERSION}."
    end = ENDS.get(number)
    if end is None:
        return None
    end_ms = int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()) * SECOND_MS
    if now_ms >= end_ms:
        return f"api_version {version} ended on {end}; use {VERSION}."
    if now_ms >= end_ms - WARN_DAYS * DAY_MS:
        return f"api_version {version} ends on {end}; use {VERSION}."
    return None


def _refusal(event: Event, name: str, keys: Row, facts: Row, url: str | None) -> Refusal | None:
    """Meta's hard rules, checked before a bad event can cost a batch."""
    if event.action_source is ActionSource.APP:
        return Refusal("app_event", "Meta wants app_data with device details for app events; a web proxy has none")
    if event.action_source is ActionSource.WEBSITE:
        if url is None:
            return Refusal("no_page_url", "Meta wants event_source_url (page.url, http or https) for website events")
        if "client_user_agent" not in keys:
            return Refusal("no_user_agent", "Meta wants client_user_agent (client.user_agent) for website events")
    if name == "Purchase":
        if "value" not in facts:
            return Refusal("no_value", "Meta wants a value for Purchase (2804009)")
        if "currency" not in facts:
            return Refusal("no_currency", "Meta wants an ISO 4217 currency for Purchase (2804010)")
    if any(keys.keys() <= weak for weak in TOO_LITTLE):
        have = ", ".join(keys) or "nothing"
        return Refusal("no_identifier", f"Meta refuses events that carry only {have}; send an e-mail, phone, id or IP")
    return None


def _day(now_ms: int) -> date:
    return _EPOCH + timedelta(days=min(max(now_ms, 0) // DAY_MS, _LAST_DAY))


def _digests(values: Sequence[str], normalise: Callable[[str], str | None]) -> list[str]:
    """As `match_keys.keyed`; digests made by Meta's own library keep the suffix it appends."""
    if not values:
        return []
    if max(map(len, values)) <= hashing.DIGITS:
        return match_keys.keyed(values, normalise)
    found: dict[str, None] = {}
    for value in values:
        if len(value) > hashing.DIGITS and (made := _LIBRARY_DIGEST.fullmatch(value.strip())):
            digest = made[1].lower()
            if not hashing.is_junk_digest(digest):
                found[f"{digest}.{made[2]}"] = None
        else:
            found.update(dict.fromkeys(match_keys.keyed([value], normalise)))
    return list(found)


def _fbc(event: Event) -> str | None:
    """The click: the cookie's value, else one made from the fbclid. Never malformed, never wrapped twice."""
    cookie = event.browser_ids.get("fbc", "")
    if meta_cookies.valid_fbc(cookie):
        return cookie
    click = event.click_ids.get("fbclid")
    if click is None:
        return None
    value = click.value if click.value.startswith("fb.") else meta_cookies.fbc(click.value, click.clicked_at)
    return value if meta_cookies.valid_fbc(value) else None


def _fbp(event: Event) -> str | None:
    value = event.browser_ids.get("fbp", "")
    return value if meta_cookies.valid_fbp(value) else None


def _known_ids(ids: Mapping[str, str]) -> Row:
    """Meta's other identifiers, by Meta's names, never hashed. Two of them are numbers."""
    numbers = {key: int(ids[key]) for key in NUMBERED_IDS if key in ids and _NUMBER.fullmatch(ids[key])}
    texts = {key: ids[key] for key in TEXT_IDS if key in ids and not hashing.is_junk(ids[key])}
    return {**numbers, **texts}


def _shareable(url: str | None, schemes: tuple[str, ...]) -> str | None:
    return page_url.shareable(meta_cookies.clean_url(url), schemes) if url else None


def _proof(app_secret: Secret | None, token: str) -> str | None:
    if app_secret is None:
        return None
    return hmac.new(app_secret.get_secret_value().encode(), token.encode(), hashlib.sha256).hexdigest()


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}
