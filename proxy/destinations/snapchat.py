"""Snapchat: the Conversions API, v3, for web and offline events.

Owns the row Snapchat gets for an event, the checks that keep one bad event from costing a batch, and the reading of its
answers. The access token is a parameter of the address: Snapchat documents no header for it. `Destination.secrets`
masks it wherever a request is shown. Where documents, SDK and integrators disagree, the choice made is a setting and
stands in docs/destinations/snapchat.md. Facts checked 2026-11: developers.snap.com, "Conversions API", and the request
model of Snap's v3 SDK (Snapchat/business-sdk-v3-java 1.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from proxy.clock import DAY_S, SECOND_MS
from proxy.destinations import _amount as amounts, _basket as basket
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
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, Verdict
from proxy.event import ActionSource, ConsentState, Event, Item
from proxy.identity import click_ids, e164, match_keys, page_url, verbatim
from proxy.identity.address import public_ip
from proxy.identity.personal import harmless

API = "https://tr.snapchat.com"

NAMES = {
    "page_view": "PAGE_VIEW",
    "view_content": "VIEW_CONTENT",
    "view_category": "LIST_VIEW",
    "search": "SEARCH",
    "add_to_cart": "ADD_CART",
    "add_to_wishlist": "ADD_TO_WISHLIST",
    "initiate_checkout": "START_CHECKOUT",
    "add_payment_info": "ADD_BILLING",
    "purchase": "PURCHASE",
    "lead": "SIGN_UP",  # Snapchat has no lead
    "complete_registration": "SIGN_UP",
    "subscribe": "SUBSCRIBE",
    "start_trial": "START_TRIAL",
    "login": "LOGIN",
    "share": "SHARE",
    "reservation": "RESERVE",
}

KNOWN = frozenset(NAMES.values()) | frozenset(
    "SAVE AD_CLICK AD_VIEW COMPLETE_TUTORIAL LEVEL_COMPLETE INVITE RESERVE ACHIEVEMENT_UNLOCKED SPENT_CREDITS RATE "
    "APP_INSTALL APP_OPEN CUSTOM_EVENT_1 CUSTOM_EVENT_2 CUSTOM_EVENT_3 CUSTOM_EVENT_4 CUSTOM_EVENT_5".split()
)
"""Every name Snapchat has; any other is an "Unrecognized event type"."""

CONTENT_TYPES = ("product", "product_group")
PROBE_ID = "firsthand-check"

_OWN_PROPERTIES = (
    "brands",
    "sign_up_method",
    "event_tag",
)  # Snapchat's, for which an event has no field: taken from `custom`
_DEVICE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID = r"^[A-Za-z0-9_-]{1,64}$"

_MEANT_BY_ANYBODY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # whoever says so

_TOKEN_ADVICE = "Make a new Conversions API token in Ads Manager (Business Details) and put it into access_token."  # noqa: S105 - advice, not a token
_PIXEL_ADVICE = "Check pixel_id (from Events Manager), and base_url if you set one."


class Snapchat(Destination, kind="snapchat"):
    class Settings(DestinationSettings):
        pixel_id: Annotated[str, Field(pattern=_ID, examples=["3f2504e0-4f89-41d3-9a0c-0305e82c3301"])]
        """Pixel id from Events Manager."""
        access_token: Secret
        """Conversions API token from Ads Manager, Business Details."""
        test_event_code: Annotated[str, Field(pattern=_ID)] | None = None
        """Shows events in the test view of Events Manager: remove it when done."""
        limited_data_use: Literal["auto", "always", "never"] = "auto"
        """Limited Data Use: auto marks events whose visitor refused sale or sharing."""
        opt_out: Literal["never", "limited"] = "never"
        """limited: events with Limited Data Use also get opt_out, which Snapchat does not explain."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        external_id_case: Literal["keep", "lower"] = "keep"
        """Case of external_id before hashing."""
        external_id_from_visitor: bool = False
        """Send the hashed visitor id as external_id when the site gives none."""
        name_spaces: Literal["keep", "remove"] = "keep"
        """Spaces inside first and last names before hashing: the documents only speak of punctuation."""
        birth_date: bool = False
        """Send the hashed birth date (db): documented once, unknown to Snapchat's own SDK."""
        device_id_key: Literal["madid", "mobile_ad_id"] = "madid"
        """Name of the field for browser_ids.madid: the documents say madid, Snapchat's SDK says mobile_ad_id."""
        integration: Annotated[str, Field(min_length=1, max_length=100)] | None = None
        """Name of the integration as Snapchat should see it."""

        @model_validator(mode="after")
        def _limited(self) -> Self:
            if self.sale_refused == "limit" and self.limited_data_use == "never":
                raise ValueError("sale_refused: limit needs limited_data_use: auto (it is what limits)")
            return self

    essential = ("page.url",)
    limits = Limits(batch=2000, batch_default=50, max_age_s=37 * DAY_S, max_age_default_s=7 * DAY_S)
    deletion = (
        "no call that deletes single events is known to us (Snapchat's documentation, unverified): write "
        "to its business support, and remove the person from your audiences"
    )
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self._url = f"{(settings.base_url or API).rstrip('/')}/v3/{settings.pixel_id}/events"
        self._query = f"access_token={quote(settings.access_token.get_secret_value(), safe='')}"
        code = settings.default_country_code
        self._phone = partial(e164.digits, default_country_code=int(code) if code else None)
        self._name = _name if settings.name_spaces == "keep" else match_keys.name
        self._external_id = verbatim.text if settings.external_id_case == "keep" else match_keys.clean

    # --- out

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        name = NAMES.get(event.name) or _own_name(event.name)
        on_web = event.action_source is ActionSource.WEBSITE
        keys = self._user_data(event, now_ms)
        facts = _custom_data(event, self.settings.default_currency)
        url = page_url.shareable(event.page.url) if on_web and event.page.url else None
        if refusal := _refusal(event, name, keys, facts, url):
            return refusal
        limited = self._is_limited(event)
        row: Row = {
            "event_name": name,
            "event_time": min(event.time, now_ms) // SECOND_MS,
            "action_source": "WEB" if on_web else "OFFLINE",
            "event_source_url": url,
            "event_id": event.id,
            "data_processing_options": ["LDU"] if limited else None,
            "opt_out": True if limited and self.settings.opt_out == "limited" else None,
            "integration": self.settings.integration,
            "user_data": keys,
            "custom_data": facts or None,
        }
        return _given(row)

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        body = _given({"test_event_code": self.settings.test_event_code, "data": list(rows)})
        return json_request(f"{self._url}?{self._query}", body, rows=positions)

    def probe(self, now_ms: int) -> Request:
        """A made-up page view for Snapchat's validation: proves token and pixel id, and is never recorded."""
        row = {
            "event_name": "PAGE_VIEW",
            "event_time": now_ms // SECOND_MS,
            "action_source": "WEB",
            "event_source_url": "https://example.com/",
            "event_id": PROBE_ID,
            "user_data": {"client_ip_address": "192.0.2.1", "client_user_agent": PROBE_ID},
        }
        return json_request(f"{self._url}/validate?{self._query}", {"data": [row]})

    # --- back

    def judge(self, reply: Reply) -> Verdict:
        """By HTTP status and the `status` in the body. A refusal is one of the whole request: `event` in it may be the
        row at fault, which nobody documents, so the culprit is found by halving. A probe holds no event of ours: what
        Snapchat thinks of it does not matter once the token was taken."""
        body = reply.json()
        said = body if isinstance(body, dict) else {}
        detail = one_line(_words(said) if body is not None else _plain(reply)) or f"HTTP {reply.status}"
        taken = HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES
        refused = said.get("status") == "INVALID"
        if taken and said.get("status") == "VALID":
            return Delivered()
        if taken and refused:
            return Delivered(warnings=(detail,)) if reply.sent == 0 else Rejected("invalid", detail)
        if _is_a_page(reply) and reply.status not in _MEANT_BY_ANYBODY:
            return RetryLater("no_json", retry_after_s(reply), detail)
        if reply.status == HTTPStatus.NOT_FOUND:
            return AuthBroken("pixel_unknown", detail, _PIXEL_ADVICE)
        verdict = by_status(reply, detail, _TOKEN_ADVICE)
        return Rejected("invalid", detail) if refused and isinstance(verdict, Rejected) else verdict

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing in it depends on the time
        if not self.settings.test_event_code:
            return ()
        return ("test_event_code is set: events show in Snapchat's test view; remove it for production.",)

    # --- parts of a row

    def _user_data(self, event: Event, now_ms: int) -> Row:
        user = event.user
        country = match_keys.country(user.country) if user.country else None
        click = event.click_ids.get("sccid")
        device = (event.browser_ids.get("madid") or "").lower()
        keys: Row = {
            "em": match_keys.keyed(user.email, match_keys.email),
            "ph": match_keys.keyed(user.phone, self._phone),
            "fn": _digests(user.first_name, self._name),
            "ln": _digests(user.last_name, self._name),
            "ge": _digests(user.gender, match_keys.gender),
            "ct": _digests(user.city, match_keys.city),
            "st": _digests(user.state, partial(match_keys.state, country=country)),
            "zp": _digests(user.zip, partial(match_keys.zip_code, country=country)),
            "country": _digests(user.country, match_keys.country),
            "db": self._birth_date(event, now_ms),
            "external_id": self._one_external_id(event),
            self.settings.device_id_key: device if _DEVICE_ID.fullmatch(device) else None,
            "client_ip_address": public_ip(event.client.ip) if event.client.ip else None,
            "client_user_agent": verbatim.text(event.client.user_agent or ""),
            "sc_click_id": click.value if click and click_ids.valid("sccid", click.value) else None,
            "sc_cookie1": verbatim.token(event.browser_ids.get("scid")),
        }
        return {key: value for key, value in keys.items() if value}

    def _one_external_id(self, event: Event) -> str | None:
        """Snapchat takes a single one, as text: the first the site gave."""
        own = (event.visitor.id,) if self.settings.external_id_from_visitor and event.visitor else ()
        return next(iter(match_keys.keyed((*event.user.external_id, *own), self._external_id)), None)

    def _birth_date(self, event: Event, now_ms: int) -> list[str] | None:
        if not self.settings.birth_date:
            return None
        today = datetime.fromtimestamp(max(now_ms, 0) / SECOND_MS, UTC).date()
        return _digests(event.user.birth_date, partial(match_keys.birth_date, latest=today))

    def _is_limited(self, event: Event) -> bool:
        wanted = self.settings.limited_data_use
        return wanted == "always" or (wanted == "auto" and event.consent.sale is ConsentState.DENIED)


def _refusal(event: Event, name: str, keys: Row, facts: Row, url: str | None) -> Refusal | None:
    """Snapchat's hard rules, checked before a bad event can cost a batch."""
    if event.action_source is ActionSource.APP:
        return Refusal("app_event", "Snapchat wants app_data with device details for app events; a web proxy has none")
    if name not in KNOWN:
        return Refusal(
            "unknown_name",
            "Snapchat has no event of this name; give one in the rule (`as: CUSTOM_EVENT_1`)",
            routine=True,
        )
    if event.action_source is ActionSource.WEBSITE and url is None:
        return Refusal("no_page_url", "Snapchat wants event_source_url (page.url, http or https) for web events")
    device = {"madid", "mobile_ad_id"} & keys.keys()
    pair = {"client_ip_address", "client_user_agent"} <= keys.keys()
    if not ("em" in keys or "ph" in keys or device or pair):
        return Refusal(
            "no_identifier", "Snapchat wants an e-mail, a phone, a device id, or IP address and user agent both"
        )
    if name == "PURCHASE":
        if "value" not in facts:
            return Refusal("no_value", "Snapchat wants a value for PURCHASE")
        if "currency" not in facts:
            return Refusal("no_currency", "Snapchat wants an ISO 4217 currency for PURCHASE")
    return None


def _custom_data(event: Event, default_currency: str | None) -> Row:
    data = event.data
    items = basket.bought(data)
    fields: Row = {
        "currency": amounts.currency(data.currency, default_currency, data.value),
        "value": amounts.exact(data.value),
        "order_id": harmless(data.order_id),
        "num_items": basket.count(data, items),
        "content_ids": basket.ids(data, items),
        "content_type": data.content_type if data.content_type in CONTENT_TYPES else None,
        "content_name": harmless(data.content_name or _shared(item.name for item in items)),
        "content_category": harmless(data.content_category or _shared(item.category for item in items)),
        "contents": [_content(item) for item in items] or None,
        "search_string": harmless(data.search_term),
        "status": harmless(data.status),
        "delivery_category": harmless(data.delivery_category),
        "predicted_ltv": amounts.exact(data.predicted_ltv),
        **basket.own_texts(event.custom, _OWN_PROPERTIES),
    }
    return _given(fields)


def _own_name(name: str) -> str:
    """Snapchat's names are in capitals; a rule or a site may write them in any case."""
    return name.upper() if name.upper() in KNOWN else name


def _name(value: str) -> str | None:
    """Lower case without punctuation; letters of every script and single spaces stay: `Mary  Ann` -> `mary ann`."""
    words = (match_keys.name(word) for word in (match_keys.clean(value) or "").split())
    return " ".join(word for word in words if word) or None


def _content(item: Item) -> Row:
    """Counts and prices are text here, in Snapchat's model."""
    return _given(
        {
            "id": item.id,
            "quantity": str(item.quantity or 1),
            "item_price": amounts.text(item.price),
            "brand": harmless(item.brand),
        }
    )


def _shared(values: Any) -> str | None:
    """What all items have in common: Snapchat takes one name and one category, never a list."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _digests(value: str | None, normalise: Callable[[str], str | None]) -> list[str]:
    return match_keys.keyed((value,), normalise) if value else []


def _is_a_page(reply: Reply) -> bool:
    """HTML for people where an API speaks: a gateway's answer, not Snapchat's."""
    return reply.body.lstrip()[:1] == b"<"


def _words(said: dict[str, Any]) -> str:
    """The reason, and what the two lists of errors say: `Invalid event: Unrecognized event type (code)`."""
    errors = said.get("errors")
    lists = [errors.get(key) for key in ("error_msgs", "codes")] if isinstance(errors, dict) else []
    return one_line(said.get("reason"), *(", ".join(map(str, one)) for one in lists if isinstance(one, list)))


def _plain(reply: Reply) -> str:
    """What an answer says that is neither JSON nor a page: `Invalid access token`."""
    return "" if _is_a_page(reply) else reply.body.decode("utf-8", "replace")


def _given(fields: Row) -> Row:
    return {key: value for key, value in fields.items() if value is not None}
