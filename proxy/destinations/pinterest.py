"""Pinterest: the Conversions API, v5. https://developers.pinterest.com/docs/api/v5/events-create

Pinterest refuses a whole request for one unknown key or one number where it wants text, so rows are written from a
fixed list of fields, and tests hold every request against the published schema (5.23.0, 2025-12). Its answers name the
fate of every row: what it processed is never sent again. Facts and choices: docs/destinations/pinterest.md (checked
2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field

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
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault, Verdict
from proxy.event import ActionSource, ConsentState, Event, Item, replace
from proxy.identity import click_ids, e164, hashing, match_keys, page_url
from proxy.identity.address import public_ip
from proxy.identity.personal import harmless

API = "https://api.pinterest.com"

NAMES = {
    "page_view": "page_visit",
    "purchase": "checkout",
    "complete_registration": "signup",
    "video": "watch_video",
    **{
        same: same
        for same in (
            *("view_content", "view_category", "search", "add_to_cart", "add_to_wishlist", "initiate_checkout"),
            *("add_payment_info", "lead", "subscribe", "start_trial", "contact", "schedule", "customize_product"),
            *("find_location", "submit_application"),
        )
    },
}
KNOWN = frozenset(NAMES.values()) | {"custom", "watch_video", "app_install", "app_open"}
"""Every name Pinterest has; what is none of these counts as `custom`."""

_APPS = {"ios": "app_ios", "android": "app_android"}
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_].*)?")
_STATE = re.compile(r"[a-z]{2}")
_NON_BINARY = frozenset({"n", "nonbinary", "non-binary", "non binary"})

_TOKEN_ADVICE = (
    "Make a new conversion token in Ads Manager (Conversions, Conversions API) and put it into access_token."  # noqa: S105 - advice, not a token
)
_ROLE_ADVICE = "The token's user must own the ad account or be Admin, Analyst, Audience or Campaign there."
_ACCOUNT_ADVICE = "Check ad_account_id: the digits shown in Ads Manager, and base_url if you set one."
THROTTLED_S = 60.0  # calls are counted by the minute
RAMPED_DOWN_S = 600.0
_RAMPED_DOWN = 4197  # Pinterest's code: the endpoint takes no traffic for now
_GATEWAYS = (200, 204, 400, 403, 404, 422)  # Pinterest says these in JSON; a page of HTML is of something in between


class Pinterest(Destination, kind="pinterest"):
    class Settings(DestinationSettings):
        ad_account_id: Annotated[str, Field(pattern=r"^[0-9]{1,18}$", examples=["549755885175"])]
        """Ad account id from Ads Manager: digits."""
        access_token: Secret
        """Conversion token from Ads Manager, or an OAuth token with the scope ads:write."""
        test: bool = False
        """Pinterest checks events and throws them away. Nothing is recorded: remove it for production."""
        unknown_names: Literal["custom", "refuse"] = "custom"
        """Names Pinterest does not have: send as its event `custom`, or not at all."""
        checkout_without_value: Literal["refuse", "send"] = "refuse"
        """Purchases without value or currency: Pinterest takes them, and its reports then lack money."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        opt_out: Literal["never", "personalization_denied", "always"] = "never"
        """Mark events as opted out of tracking."""
        limited_data_processing: Literal["auto", "always", "never"] = "auto"
        """Limited Data Processing (opt_out_type LDP): auto marks events whose visitor refused sale or sharing."""
        limited_without_residence: Literal["refuse", "send"] = "refuse"
        """Pinterest applies LDP by country and state. Events to be limited that lack them: send nothing, or send."""
        places_in_both_cases: bool = False
        """Send country and state hashed in lower and in upper case: Pinterest's text and its examples disagree."""
        zip_plus_four: Literal["keep", "cut"] = "keep"
        """US postcodes of nine digits: hash all nine, as Pinterest's text has it, or cut to five."""
        external_id_from_visitor: bool = False
        """Send the hashed visitor id as external_id too."""
        partner_name: Annotated[str, Field(pattern=r"^ss-[a-z0-9_-]{1,60}$")] | None = None
        """Name of the integration as Pinterest should see it: ss- and lower case."""

    limits = Limits(batch=1000, batch_default=50, max_age_s=7 * DAY_S)
    deletion = (
        "no call that deletes single events is known to us (Pinterest's documentation, unverified): write "
        "to its business support, and remove the person from your audiences"
    )
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        base = (settings.base_url or API).rstrip("/")
        self._url = f"{base}/v5/ad_accounts/{settings.ad_account_id}/events"
        self._headers = {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
        code = settings.default_country_code
        self._phone = partial(e164.digits, default_country_code=int(code) if code else None)

    # --- out

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        name = NAMES.get(event.name) or (event.name if event.name in KNOWN else "custom")
        if name != event.name and name == "custom" and self.settings.unknown_names == "refuse":
            return Refusal(
                "unknown_name", "Pinterest has no event of this name; give it one of its own with as:", routine=True
            )
        source = _action_source(event)
        if source is None:
            return Refusal("app_event", "Pinterest wants to know whether an app event is of iOS or Android")
        limited = self._is_limited(event)
        keys = self._user_data(_with_residence(event) if limited else event, now_ms)
        facts = _custom_data(event, self.settings.default_currency)
        if refusal := self._refusal(name, keys, facts, limited=limited):
            return refusal
        row: Row = {
            "event_name": name,
            "action_source": source,
            "event_time": min(event.time, now_ms) // SECOND_MS,
            "event_id": event.id,
            "event_source_url": page_url.shareable(event.page.url) if event.page.url else None,
            "partner_name": self.settings.partner_name,
            "opt_out": self._opted_out(event) or None,
            "language": _language(event.page.language),
            "user_data": keys,
            "custom_data": facts | ({"opt_out_type": "LDP"} if limited else {}),
        }
        return {key: value for key, value in row.items() if value not in (None, {})}

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        url = f"{self._url}?test=true" if self.settings.test else self._url
        return json_request(url, {"data": list(rows)}, headers=self._headers, rows=positions)

    def probe(self, now_ms: int) -> Request:
        """A made-up event with `?test=true`: proves token, role and ad account; Pinterest records nothing."""
        event = {
            "event_name": "custom",
            "action_source": "web",
            "event_time": now_ms // SECOND_MS,
            "event_id": "firsthand-check",
            "user_data": {"client_ip_address": "192.0.2.1", "client_user_agent": "firsthand check"},
        }
        return json_request(f"{self._url}?test=true", {"data": [event]}, headers=self._headers)

    # --- back

    def judge(self, reply: Reply) -> Verdict:
        """By status; the codes in the body say the same. A row that failed is lost, the others of it are done."""
        body = reply.json()
        said = body if isinstance(body, dict) else {}
        detail = one_line(said.get("code"), said.get("message")) or f"HTTP {reply.status}"
        match reply.status:
            case HTTPStatus.OK if said:
                return _per_row(reply, said)
            case HTTPStatus.UNPROCESSABLE_ENTITY if rows := _rows(said) or _rows(said.get("details")):
                return _per_row(reply, {"events": rows})
            case HTTPStatus.TOO_MANY_REQUESTS:
                return RetryLater("throttled", retry_after_s(reply) or THROTTLED_S, detail)
            case HTTPStatus.SERVICE_UNAVAILABLE if said.get("code") == _RAMPED_DOWN:
                return RetryLater("ramped_down", retry_after_s(reply) or RAMPED_DOWN_S, detail)
            case HTTPStatus.UNAUTHORIZED:
                return AuthBroken("token_refused", detail, _TOKEN_ADVICE)
            case HTTPStatus.FORBIDDEN if said:
                return AuthBroken("permission_missing", detail, _ROLE_ADVICE)
            case HTTPStatus.NOT_FOUND if said:
                return AuthBroken("account_unknown", detail, _ACCOUNT_ADVICE)
            case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY if said:
                return Rejected(_label(said.get("code")), detail)
            case status if not said and status in _GATEWAYS:
                return RetryLater("no_json", retry_after_s(reply), detail)
        return by_status(reply, detail)

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing in it depends on the time
        if not self.settings.test:
            return ()
        return ("test is on: Pinterest checks events and records none; remove it for production.",)

    # --- parts of a row

    def _user_data(self, event: Event, now_ms: int) -> Row:
        user = event.user
        country = match_keys.country(user.country) if user.country else None
        today = datetime.fromtimestamp(max(now_ms, 0) / SECOND_MS, UTC).date()
        ids = user.external_id
        if self.settings.external_id_from_visitor and event.visitor is not None:
            ids = (*ids, event.visitor.id)
        keys: Row = {
            "em": match_keys.keyed(user.email, match_keys.email),
            "ph": match_keys.keyed(user.phone, self._phone),
            "fn": match_keys.keyed(_one(user.first_name), match_keys.clean),
            "ln": match_keys.keyed(_one(user.last_name), match_keys.clean),
            "ge": match_keys.keyed(_one(user.gender), _gender),
            "db": match_keys.keyed(_one(user.birth_date), partial(match_keys.birth_date, latest=today)),
            "ct": match_keys.keyed(_one(user.city), match_keys.city),
            "st": self._place(user.state, partial(_state, country=country)),
            "zp": match_keys.keyed(_one(user.zip), partial(self._zip, country=country)),
            "country": self._place(user.country, match_keys.country),
            "external_id": match_keys.keyed(ids, _trimmed),
            "hashed_maids": match_keys.keyed(_one(event.browser_ids.get("madid")), match_keys.clean),
            "client_ip_address": public_ip(event.client.ip) if event.client.ip else None,
            "client_user_agent": None if hashing.is_junk(event.client.user_agent or "") else event.client.user_agent,
            "click_id": _click_id(event),
        }
        return {key: value for key, value in keys.items() if value}

    def _place(self, text: str | None, normalise: Callable[[str], str | None]) -> list[str]:
        found = match_keys.keyed(_one(text), normalise)
        if self.settings.places_in_both_cases and text and hashing.digest_in(text) is None:
            found += match_keys.keyed(_one(text), lambda value: (normalise(value) or "").upper() or None)
        return found

    def _zip(self, value: str, country: str | None) -> str | None:
        kept = self.settings.zip_plus_four == "keep"
        return match_keys.zip_code(value, "" if kept else country)

    def _opted_out(self, event: Event) -> bool:
        wanted = self.settings.opt_out
        denied = event.consent.personalization is ConsentState.DENIED
        return wanted == "always" or (wanted == "personalization_denied" and denied)

    def _is_limited(self, event: Event) -> bool:
        wanted = self.settings.limited_data_processing
        return wanted == "always" or (wanted == "auto" and event.consent.sale is ConsentState.DENIED)

    def _refusal(self, name: str, keys: Row, facts: Row, *, limited: bool) -> Refusal | None:
        """Pinterest's hard rules, and two of ours that keep its reports right."""
        known = "em" in keys or "hashed_maids" in keys or {"client_ip_address", "client_user_agent"} <= keys.keys()
        if not known:
            return Refusal("no_identifier", "Pinterest wants an e-mail, a device id, or IP address and user agent both")
        if limited and not {"st", "country"} <= keys.keys() and self.settings.limited_without_residence == "refuse":
            return Refusal("no_residence", "Pinterest limits data by country and state (user.country, user.state)")
        if name == "checkout" and self.settings.checkout_without_value == "refuse":
            if "value" not in facts:
                return Refusal("no_value", "a checkout without value and currency spoils Pinterest's reports")
            if "currency" not in facts:
                return Refusal("no_currency", "Pinterest would take the ad account's currency for a value without one")
        return None


def _with_residence(event: Event) -> Event:
    """Pinterest limits data by country and state: where the site knows neither, those of the visitor's connection."""
    country, _, state = (event.client.region or "").partition("-")
    if not state or event.user.country or event.user.state:
        return event
    return replace(event, user=replace(event.user, country=country, state=state))


# --- what an event is about


def _custom_data(event: Event, default_currency: str | None) -> Row:
    """Money as text, counts as whole numbers, and no other key. A value without currency is kept back."""
    data = event.data
    items = [content for item in data.items if (content := _content(item))]
    ids = list(dict.fromkeys(data.content_ids or tuple(item["id"] for item in items if "id" in item)))
    counted = sum(item.get("quantity", 1) for item in items)
    currency = amounts.currency(data.currency, default_currency, data.value)
    facts: Row = {
        "currency": currency,
        "value": amounts.text(data.value) if currency else None,
        "predicted_ltv": amounts.text(data.predicted_ltv) if currency else None,
        "content_ids": [one for one in ids if one],
        "num_items": data.num_items if data.num_items is not None else counted or None,
        "order_id": harmless(data.order_id),
        "search_string": harmless(data.search_term),
        "contents": items,
        "content_name": harmless(data.content_name),
        "content_category": harmless(data.content_category),
        **basket.own_texts(event.custom, ("content_brand",)),
    }
    return {key: value for key, value in facts.items() if value is not None and value != []}


def _content(item: Item) -> Row | None:
    """None for an item nobody could recognise, or of which none was bought."""
    if not (item.id or item.name) or (item.quantity is not None and item.quantity < 1):
        return None
    fields = {
        "id": item.id,
        "item_name": harmless(item.name),
        "item_category": harmless(item.category),
        "item_brand": harmless(item.brand),
        "item_price": amounts.text(item.price),
        "quantity": item.quantity,
    }
    return {key: value for key, value in fields.items() if value not in (None, "")}


def _action_source(event: Event) -> str | None:
    """Pinterest knows web, two kinds of app, and offline for all the rest; None for an app of a system it lacks."""
    if event.action_source is ActionSource.WEBSITE:
        return "web"
    if event.action_source is ActionSource.APP:
        return _APPS.get((event.client.platform or "").lower())
    return "offline"


def _language(tag: str | None) -> str | None:
    match = _LANGUAGE.fullmatch(tag or "")
    return match[1].lower() if match else None


def _click_id(event: Event) -> str | None:
    """The click of the landing page before the `_epik` cookie's; raw."""
    click = event.click_ids.get("epik")
    for value in (click.value if click else "", event.browser_ids.get("epik", "")):
        if click_ids.valid("epik", value):
            return value
    return None


def _state(value: str, country: str | None) -> str | None:
    """Two letters or nothing: Pinterest has no other form."""
    code = match_keys.state(value, country)
    return code if code and _STATE.fullmatch(code) else None


def _gender(value: str) -> str | None:
    return "n" if match_keys.clean(value) in _NON_BINARY else match_keys.gender(value)


def _trimmed(value: str) -> str | None:
    """An external id: case matters to whoever issued it, and Pinterest states no folding."""
    return value.strip() if match_keys.clean(value) else None


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


# --- reading answers


def _rows(said: Any) -> list[Any]:
    rows = said.get("events") if isinstance(said, dict) else None
    return rows if isinstance(rows, list) else []


def _per_row(reply: Reply, said: dict[str, Any]) -> Delivered:
    """`events` holds one row per event, in our order; more rows than we sent mean nothing to us."""
    rows = [row if isinstance(row, dict) else {} for row in _rows(said)[: reply.sent]]
    failed = tuple(
        RowFault(number, "failed", one_line(row.get("error_message")))
        for number, row in enumerate(rows)
        if row.get("status") == "failed"
    )
    warnings = [one_line(row.get("warning_message")) for row in rows]
    if reply.sent is not None and len(rows) != reply.sent:
        warnings.append(f"Pinterest answered for {len(rows)} events of {reply.sent} sent")
    return Delivered(rejected=failed, warnings=tuple(dict.fromkeys(filter(None, warnings))))


def _label(code: Any) -> str:
    return str(code) if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 10**6 else "http_4xx"
