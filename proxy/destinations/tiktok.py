"""TikTok: the Events API 2.0, for web events, offline events and leads (CRM events).

Owns the row TikTok gets for an event, the checks that keep one bad event from costing a batch (TikTok takes all of a
request or nothing); the reading of answers is `_tiktok_errors.py`. Where TikTok's documents are silent, the choice made
is a setting and stands in docs/destinations/tiktok.md. Facts checked 2026-11: TikTok API for Business, "Events API 2.0"
(doc ids 1771101303285761, 1771101186666498).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from proxy.clock import DAY_S, SECOND_MS
from proxy.destinations import _amount as amounts, _basket as basket, _tiktok_errors as errors
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
from proxy.event import ActionSource, ConsentState, Event, Item
from proxy.identity import click_ids, e164, hashing, match_keys, page_url, verbatim
from proxy.identity.address import public_ip
from proxy.identity.personal import harmless
from proxy.vocabulary import CANONICAL

API = "https://business-api.tiktok.com"
PATH = "/open_api/v1.3/event/track/"  # without its last slash TikTok does not know it

NAMES = {
    "view_content": "ViewContent",
    "search": "Search",
    "add_to_cart": "AddToCart",
    "add_to_wishlist": "AddToWishlist",
    "initiate_checkout": "InitiateCheckout",
    "add_payment_info": "AddPaymentInfo",
    "purchase": "Purchase",
    "lead": "Lead",
    "complete_registration": "CompleteRegistration",
    "subscribe": "Subscribe",
    "start_trial": "StartTrial",
    "contact": "Contact",
    "schedule": "Schedule",
    "download": "Download",
    "find_location": "FindLocation",
    "customize_product": "CustomizeProduct",
    "submit_application": "SubmitApplication",
}
"""Standard events. Our other canonical names have no counterpart; a name of the site's own is a custom event."""

STANDARD = frozenset({*NAMES.values(), "ApplicationApproval", "ClickButton", "PlaceAnOrder"})
"""All of TikTok's for web, offline and CRM; the last two are supported until 2027."""

PRODUCT_EVENTS = frozenset({"ViewContent", "AddToCart", "PlaceAnOrder", "Purchase"})
"""Those that get a `content_type` although the event says none; on others TikTok's reports suffer from one."""

CURRENCIES = frozenset(
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS INR ISK "
    "JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY "
    "TWD UAH USD VES VND ZAR".split()
)
"""What TikTok documents. What it does with others is not known: they are sent."""

WEAK = frozenset({"locale", "city", "state", "country"})
"""Nobody is found by these alone. TikTok states no minimum; an event below this one could only be counted."""

CONTENT_TYPES = ("product", "product_group")
DELIVERY_CATEGORIES = ("in_store", "curbside", "home_delivery")
LEAD_ID = "tiktok_lead_id"
"""Where an event carries the id of a lead from TikTok's lead export: a key of `browser_ids`."""

_OWN_PROPERTIES = ("query", "shop_id")  # TikTok's, for which an event has no field: taken from `custom`
_REFERRERS = (*page_url.SCHEMES, "android-app://")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")  # the usual part of BCP 47
_ID = r"^[A-Za-z0-9_-]{1,64}$"


class Channel(StrEnum):
    """TikTok's `event_source`, except app: those are allow-listed and need a device."""

    WEB = "web"
    OFFLINE = "offline"
    CRM = "crm"


class TikTok(Destination, kind="tiktok"):
    class Settings(DestinationSettings):
        pixel_code: Annotated[str, Field(pattern=_ID, examples=["C4PIXELCODE0EXAMPLE0"])]
        """Pixel code from Events Manager."""
        access_token: Secret
        """Events API access token of the pixel, from Events Manager."""
        test_event_code: Annotated[str, Field(pattern=_ID)] | None = None
        """Sends everything to Test Events, apart from reporting: remove it when done."""
        offline_event_set_id: Annotated[str, Field(pattern=_ID)] | None = None
        """Offline event set that takes events which did not happen on the website. Default: they are refused."""
        crm_event_set_id: Annotated[str, Field(pattern=_ID)] | None = None
        """CRM event set that takes events with a browser_ids.tiktok_lead_id."""
        lead_event_source: Annotated[str, Field(min_length=1, max_length=100)] | None = None
        """Name of your CRM, sent with CRM events."""
        page_view_name: Annotated[str, Field(min_length=1, max_length=50)] | None = None
        """Custom event name for page views, which have no name at TikTok. Default: they are refused."""
        limited_data_use: Literal["auto", "always", "never"] = "auto"
        """Limited Data Use: auto marks events whose visitor refused sale or sharing."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        content_type: Literal["product", "product_group"] = "product"
        """What item ids mean in your catalogue, for events about products that do not say."""
        external_id_case: Literal["keep", "lower"] = "keep"
        """Case of external_id before hashing: what your pixel's external_id has."""
        external_id_from_visitor: bool = False
        """Send the hashed visitor id as external_id too."""
        name_spaces: Literal["keep", "remove"] = "keep"
        """Spaces inside first and last names before hashing."""
        zip_dashes: Literal["remove", "keep"] = "remove"
        """Dashes inside postal codes before hashing."""
        partner_name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
        """Name of the integration as TikTok should see it."""

        @model_validator(mode="after")
        def _limited(self) -> Self:
            if self.sale_refused == "limit" and self.limited_data_use == "never":
                raise ValueError("sale_refused: limit needs limited_data_use: auto (it is what limits)")
            return self

    limits = Limits(batch=1000, batch_default=50, max_age_s=28 * DAY_S, max_age_default_s=7 * DAY_S)
    deletion = (
        "no call that deletes single events is known to us (TikTok's documentation, unverified): write to "
        "its business support, and remove the person from your audiences"
    )
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self._url = f"{(settings.base_url or API).rstrip('/')}{PATH}"
        self._headers = {"Access-Token": settings.access_token.get_secret_value()}  # bare: "Bearer " is code 40105
        self._ids = {
            Channel.WEB: settings.pixel_code,
            Channel.OFFLINE: settings.offline_event_set_id,
            Channel.CRM: settings.crm_event_set_id,
        }
        code = settings.default_country_code
        self._phone = partial(_phone, default_country_code=int(code) if code else None)
        self._person = match_keys.clean if settings.name_spaces == "keep" else _without_spaces
        self._external_id = verbatim.text if settings.external_id_case == "keep" else match_keys.clean
        self._zip = partial(_zip_code, dashes=settings.zip_dashes == "keep")

    # --- out

    def group(self, event: Event) -> Hashable:
        return self._channel(event)

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        channel = self._channel(event)
        name = self._name(event)
        user = self._user(event, channel)
        page = _page(event) if channel is Channel.WEB else None
        limited = self._is_limited(event)
        if refusal := self._refusal(event, channel, name, user, page, limited=limited):
            return refusal
        row: Row = {
            "event": name,
            "event_time": min(event.time, now_ms) // SECOND_MS,
            "event_id": event.id,
            "user": user,
            "page": page,
            "properties": self._properties(event, name or "") or None,
            "lead": self._lead(event) if channel is Channel.CRM else None,
            "limited_data_use": limited or None,
        }
        return _given(row)

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        return self._request(_channel_of(rows[0]), rows, positions)

    def probe(self, now_ms: int) -> Request:  # noqa: ARG002 - nothing in it depends on the time
        """A request without events. TikTok looks at the token first and then misses the events, so a complaint about
        parameters is the good answer, and nothing can be recorded."""
        return self._request(Channel.WEB, (), ())

    def _request(self, channel: Channel, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        body = {
            "event_source": channel.value,
            "event_source_id": self._ids[channel],
            "test_event_code": self.settings.test_event_code,
            "partner_name": self.settings.partner_name,
            "data": list(rows),
        }
        return json_request(self._url, _given(body), headers=self._headers, rows=positions)

    # --- back

    def judge(self, reply: Reply) -> Verdict:
        return errors.judge(reply)

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing in it depends on the time
        found = []
        if self.settings.test_event_code:
            found.append("test_event_code is set: events go to Test Events only; remove it for production.")
        currency = self.settings.default_currency
        if currency and currency.upper() not in CURRENCIES:
            found.append(f"default_currency {currency} is not on TikTok's list; it may refuse such events.")
        return tuple(found)

    # --- parts of a row

    def _channel(self, event: Event) -> Channel:
        if self.settings.crm_event_set_id and verbatim.token(event.browser_ids.get(LEAD_ID)):
            return Channel.CRM
        return Channel.WEB if event.action_source is ActionSource.WEBSITE else Channel.OFFLINE

    def _name(self, event: Event) -> str | None:
        """TikTok's name for the event; None when it has none and the operator gave none."""
        if event.name == "page_view":
            return self.settings.page_view_name
        return NAMES.get(event.name, None if event.name in CANONICAL else event.name)

    def _refusal(
        self, event: Event, channel: Channel, name: str | None, user: Row, page: Row | None, *, limited: bool
    ) -> Refusal | None:
        """TikTok's hard rules, checked before a bad event can cost a batch."""
        if event.action_source is ActionSource.APP and channel is not Channel.CRM:
            return Refusal("app_event", "TikTok takes app events from allow-listed senders with device details only")
        if self._ids[channel] is None:
            return Refusal(
                "no_event_set",
                f"TikTok wants an event set for what did not happen on the website ({event.action_source.value}); "
                "set offline_event_set_id",
            )
        if name is None:
            return Refusal(
                "unknown_name",
                f"TikTok has no event like {event.name}; name one in the rule (`as:`) or leave it out",
                routine=True,
            )
        if channel is Channel.OFFLINE and name not in STANDARD:
            return Refusal(
                "unknown_name",
                "TikTok takes its standard events only offline; name one in the rule (`as:`)",
                routine=True,
            )
        if channel is Channel.WEB and page is None:
            return Refusal("no_page_url", "TikTok wants page.url (http or https) for web events")
        if limited and channel is not Channel.WEB:
            return Refusal("cannot_limit", "TikTok knows Limited Data Use for web events only")
        if not user.keys() - WEAK:
            return Refusal("no_identifier", "TikTok has nothing to match; send an e-mail, phone, id, click id or IP")
        return None

    def _user(self, event: Event, channel: Channel) -> Row:
        """What this channel may carry: browser and network ids are for web only, an external id not for offline."""
        user = event.user
        keys: Row = {"email": _digests(user.email, match_keys.email), "phone": _digests(user.phone, self._phone)}
        if channel is not Channel.OFFLINE:
            own = (event.visitor.id,) if self.settings.external_id_from_visitor and event.visitor else ()
            keys["external_id"] = _digests((*user.external_id, *own), self._external_id)
        if channel is Channel.WEB:
            country = _plain(user.country, match_keys.country)
            click = event.click_ids.get("ttclid")
            keys |= {
                "ttclid": click.value if click and click_ids.valid("ttclid", click.value) else None,
                "ttp": verbatim.token(event.browser_ids.get("ttp")),
                **_network(event),
                "locale": _locale(event.page.language),
                "first_name": _digests([user.first_name or ""], self._person),
                "last_name": _digests([user.last_name or ""], self._person),
                "city": _plain(user.city, match_keys.city),
                "state": _plain(user.state, partial(match_keys.state, country=country)),
                "country": country,
                "zip_code": _digests([user.zip or ""], self._zip),
            }
        return _given(keys)

    def _properties(self, event: Event, name: str) -> Row:
        data = event.data
        items = basket.bought(data)
        given_type = data.content_type if data.content_type in CONTENT_TYPES else None
        default_type = self.settings.content_type if name in PRODUCT_EVENTS else None
        fields: Row = {
            "currency": amounts.currency(data.currency, self.settings.default_currency, data.value),
            "value": amounts.exact(data.value),
            "content_type": given_type or default_type,
            "content_ids": basket.ids(data, items),
            "num_items": basket.count(data, items),
            "order_id": harmless(data.order_id),
            "contents": [_content(item) for item in items] or None,
            "search_string": harmless(data.search_term),
            "description": harmless(data.description),
            "delivery_category": data.delivery_category if data.delivery_category in DELIVERY_CATEGORIES else None,
            "predicted_ltv": amounts.exact(data.predicted_ltv),
            **basket.own_texts(event.custom, _OWN_PROPERTIES),
        }
        return _given(fields)

    def _lead(self, event: Event) -> Row:
        return _given({"lead_id": event.browser_ids[LEAD_ID], "lead_event_source": self.settings.lead_event_source})

    def _is_limited(self, event: Event) -> bool:
        wanted = self.settings.limited_data_use
        return wanted == "always" or (wanted == "auto" and event.consent.sale is ConsentState.DENIED)


def _channel_of(row: Row) -> Channel:
    """Rows tell by what only their kind must have."""
    if "lead" in row:
        return Channel.CRM
    return Channel.WEB if "page" in row else Channel.OFFLINE


def _page(event: Event) -> Row | None:
    url = page_url.shareable(event.page.url) if event.page.url else None
    if url is None:
        return None
    referrer = page_url.shareable(event.page.referrer, _REFERRERS) if event.page.referrer else None
    return _given({"url": url, "referrer": referrer})


def _network(event: Event) -> Row:
    """IP address and user agent: TikTok matches on the pair, so both or neither."""
    ip = public_ip(event.client.ip) if event.client.ip else None
    user_agent = verbatim.text(event.client.user_agent or "")
    return {"ip": ip, "user_agent": user_agent} if ip and user_agent else {}


def _content(item: Item) -> Row:
    return _given(
        {
            "content_id": item.id,
            "content_name": harmless(item.name),
            "content_category": harmless(item.category),
            "brand": harmless(item.brand),
            "price": amounts.exact(item.price),
            "quantity": item.quantity or 1,
        }
    )


def _digests(values: Iterable[str], normalise: Callable[[str], str | None]) -> str | list[str] | None:
    """One digest as text, several as a list: TikTok takes both."""
    digests = match_keys.keyed(values, normalise)
    return digests if len(digests) > 1 else next(iter(digests), None)


def _phone(value: str, default_country_code: int | None) -> str | None:
    """With the plus: it is part of what TikTok hashes."""
    digits = e164.digits(value, default_country_code)
    return None if digits is None else f"+{digits}"


def _without_spaces(value: str) -> str | None:
    text = match_keys.clean(value)
    return "".join(text.split()) if text else None


def _zip_code(value: str, *, dashes: bool) -> str | None:
    text = _without_spaces(value)
    return match_keys.clean(text if dashes else text.replace("-", "")) if text else None


def _plain(value: str | None, normalise: Callable[[str], str | None]) -> str | None:
    """Places go unhashed, so a digest is of no use there, and an e-mail address in the wrong field must not go."""
    if not value or hashing.digest_in(value) or page_url.holds_email(value):
        return None
    return normalise(value)


def _locale(language: str | None) -> str | None:
    return language if language and _LANGUAGE.fullmatch(language) else None


def _given(fields: Row) -> Row:
    return {key: value for key, value in fields.items() if value is not None}
