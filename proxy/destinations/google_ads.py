"""Google Ads: conversions through the Data Manager API (`events:ingest`), with enhanced-conversion data and click ids.

Owns the row Google gets for an event, the checks that keep one bad event from costing a request (Google takes all of a
request or nothing), and what a request says about accounts. Who it is about is in `_google_ads_person.py`; answers
are read in `_google_ads_errors.py`, access tokens bought in `_google_auth.py`. The older Google Ads API is closed to
newcomers since 2026-06-15. Facts checked 2026-11 against Google's Data Manager API reference, version 1.9, and the
schema of its client library 0.9.4.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, field_validator, model_validator

from proxy.clock import DAY_S
from proxy.destinations import (
    _amount,
    _google_ads_errors as errors,
    _google_ads_person as person,
    _google_ads_status as status,
    _google_auth as auth,
)
from proxy.destinations._row import given
from proxy.destinations.base import (
    CallingCode,
    Destination,
    DestinationSettings,
    Limits,
    Processed,
    Refusal,
    Reply,
    Request,
    Row,
    Secret,
    Token,
    json_request,
)
from proxy.destinations.verdict import AuthBroken, Delivered, RetryLater, Verdict
from proxy.event import ActionSource, ConsentState, Event, replace
from proxy.identity import google_keys, hashing, page_url
from proxy.identity.personal import harmless
from proxy.vocabulary import canonical

API = "https://datamanager.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/datamanager"

DESTINATIONS = 10  # of one request

SOURCES = {
    ActionSource.WEBSITE: "WEB",
    ActionSource.APP: "APP",
    ActionSource.PHYSICAL_STORE: "IN_STORE",
    ActionSource.PHONE_CALL: "PHONE",
    ActionSource.CHAT: "MESSAGE",
    ActionSource.EMAIL: "MESSAGE",
}
"""Where it happened, in Google's words; everything else is OTHER."""

REFUSED_IDS = frozenset("123 1234 null undefined none transactionid transaction_id".split())
"""Transaction ids Google, or its own tag templates, refuse; so are those of one character (docs, "Choices we made")."""

_GRANTED, _DENIED = "CONSENT_GRANTED", "CONSENT_DENIED"
_CONSENT = {ConsentState.GRANTED: _GRANTED, ConsentState.DENIED: _DENIED}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _account(text: str) -> str:
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9]{10}", digits):
        raise ValueError("expected the ten digits of a Google Ads account, such as 123-456-7890")
    return digits


def _conversion_action(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise ValueError(
            "expected the conversion action's number (ctId in its page's address), not its name or the tag's AW- label"
        )
    return text


AccountId = Annotated[str, AfterValidator(_account)]
ConversionAction = Annotated[str, AfterValidator(_conversion_action)]


class GoogleAds(Destination, kind="google_ads"):
    class Settings(DestinationSettings):
        customer_id: Annotated[AccountId, Field(examples=["1234567890"])]
        """Google Ads account that owns the conversion actions: ten digits, with or without hyphens."""
        conversion_actions: Annotated[
            Mapping[str, ConversionAction], Field(min_length=1, examples=[{"purchase": "987654321"}])
        ]
        """Event name -> number of the conversion action it counts for. Other events are not sent."""
        service_account: Annotated[Secret | None, Field(examples=["${file:/run/secrets/google.json}"])] = None
        """JSON key of a service account that is a user of the Google Ads account."""
        client_id: str | None = None
        """Instead of a service account: the OAuth client's id."""
        client_secret: Secret | None = None
        """Instead of a service account: the OAuth client's secret."""
        refresh_token: Secret | None = None
        """Instead of a service account: a user's refresh token for that client."""
        login_customer_id: AccountId | None = None
        """Manager account through which the credentials have access, when they are no user of customer_id itself."""
        quota_project: Annotated[str, Field(pattern=r"^[a-z0-9:.-]{1,100}$")] | None = None
        """Google Cloud project whose quota is used. Default: the credentials' own."""
        transaction_id: Literal["order_id", "event_id"] = "order_id"
        """What Google counts once: the order's number where there is one, or always the event's id."""
        transaction_id_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{0,40}$")] = ""
        """Put before every transaction id, for shops with short order numbers. The browser tag must do the same."""
        event_source: Literal["WEB", "APP", "IN_STORE", "PHONE", "MESSAGE", "OTHER"] | None = None
        """Where events happened, in Google's words. Default: from each event's action_source."""
        default_country_code: CallingCode | None = None
        """Calling code (44) for phone numbers written without one."""
        default_currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
        """Currency of values that come without one."""
        send_ip: person.SendIp = "auto"
        """IP addresses: auto sends those of visitors known to be outside the EEA, the UK and Switzerland."""
        merchant_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None
        """Merchant Center account; with it, items and coupons are sent (conversions with cart data)."""
        merchant_feed_label: str | None = None
        """Label of the Merchant Center feed, often a country such as FR."""
        merchant_feed_language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = None
        """Language of the Merchant Center feed: ISO 639-1, such as fr."""
        custom_variables: Mapping[str, str] = {}
        """Custom variable in Google Ads -> name of the property in `custom`. No personal data."""
        validate_only: bool = False
        """Google checks what is sent and stores nothing."""
        token_url: str | None = None
        """Where access tokens are bought. Default: Google, or `<base_url>/token` when base_url is set."""

        @field_validator("service_account")
        @classmethod
        def _is_a_key(cls, value: Secret | None) -> Secret | None:
            if value is not None:
                auth.ServiceAccount(value.get_secret_value())
            return value

        @model_validator(mode="after")
        def _one_way_in(self) -> Self:
            consented = (self.client_id, self.client_secret, self.refresh_token)
            if self.service_account is not None and any(consented):
                raise ValueError("service_account excludes client_id, client_secret and refresh_token")
            if self.service_account is None and not all(consented):
                raise ValueError("service_account is missing; or client_id, client_secret and refresh_token together")
            return self

    limits = Limits(batch=2000, batch_default=100, max_age_s=90 * DAY_S, requests_per_minute=300)
    deletion = (
        "retract the conversion by its order id in Google Ads (conversion adjustments), and remove the "
        "person from customer match lists"
    )
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        api = (settings.base_url or API).rstrip("/")
        self._ingest = f"{api}/v1/events:ingest"
        self._status = f"{api}/v1/requestStatus:retrieve"
        self._tokens = settings.token_url or (f"{api}/token" if settings.base_url else auth.TOKEN_URL)
        self._credentials = _credentials(settings)
        self._headers = {"x-goog-user-project": settings.quota_project} if settings.quota_project else {}
        named = settings.conversion_actions
        self._actions = {canonical(event): action for event, action in named.items()} | dict(named)
        self._places = {action: place for place, action in enumerate(dict.fromkeys(named.values()))}
        code = settings.default_country_code
        self._phone = partial(google_keys.e164, default_country_code=int(code) if code else None)

    # --- out

    def payload(self, event: Event, now_ms: int) -> Row | Refusal:
        action = self._actions.get(event.name)
        if action is None:
            return Refusal(
                "no_conversion_action",
                "Google wants a conversion action; name the event in conversion_actions, or send it here by no rule",
                routine=True,
            )
        if event.consent.marketing is ConsentState.DENIED:
            return Refusal("consent_denied", "Google drops events whose visitor refused the use of their data for ads")
        transaction_id = self._transaction_id(event)
        money = self._money(event)
        if isinstance(transaction_id, Refusal):
            return transaction_id
        if isinstance(money, Refusal):
            return money
        click, people = person.ad_identifiers(event), person.user_identifiers(event, self._phone)
        if not click and not people:
            return Refusal("no_identifier", "Google wants an e-mail, a phone, a full name and address, or a click id")
        row: Row = {
            "destinationReferences": [action],
            "transactionId": transaction_id,
            "eventTimestamp": timestamp(min(event.time, now_ms)),
            "eventSource": self.settings.event_source or SOURCES.get(event.action_source, "OTHER"),
            **money,
            "adIdentifiers": click,
            "userData": {"userIdentifiers": people} if people else None,
            "consent": _consent(event),
            "eventDeviceInfo": person.device(event, self.settings.send_ip),
        }
        if "gbraid" not in click and "wbraid" not in click:  # Google takes neither of them with such clicks
            row |= {"cartData": self._cart(event), "customVariables": self._custom_variables(event)}
        return given(row)

    def group(self, event: Event) -> Hashable:
        """Ten conversion actions fit into one request; who has more gets a request for each ten."""
        action = self._actions.get(event.name)
        return None if action is None else self._places[action] // DESTINATIONS

    def request(self, rows: Sequence[Row], positions: tuple[int, ...]) -> Request:
        actions = dict.fromkeys(action for row in rows for action in row["destinationReferences"])
        return self._request(list(actions), rows, positions, validate_only=self.settings.validate_only)

    def probe(self, now_ms: int) -> Request:
        """One made-up event that Google checks and does not store: proves token, accounts and conversion actions."""
        actions = list(self._places)[:DESTINATIONS]
        event: Row = {
            "transactionId": "firsthand-check",
            "eventTimestamp": timestamp(now_ms),
            "eventSource": self.settings.event_source or "WEB",
            "userData": {"userIdentifiers": [{"emailAddress": hashing.sha256_hex("check@shop.example")}]},
        }
        return self._request(actions, [event], (), validate_only=True)

    def token_request(self, now_ms: int) -> Request:
        return auth.request(self._credentials, self._tokens, now_ms, SCOPE)

    def secrets(self) -> tuple[str, ...]:
        found = {*super().secrets(), *self._credentials.secrets()}
        return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))

    # --- back

    def read_token(self, reply: Reply, now_ms: int) -> Token | RetryLater | AuthBroken:
        return auth.read(reply, now_ms)

    def judge(self, reply: Reply) -> Verdict:
        verdict = errors.judge(reply)
        if self.settings.validate_only and isinstance(verdict, Delivered):
            return replace(verdict, receipt="")  # Google keeps no status of what it does not store
        return verdict

    def receipt_request(self, receipt: str) -> Request:
        url = f"{self._status}?{urlencode({'requestId': receipt})}"
        return Request(method="GET", url=url, headers=self._headers, needs_token=True)

    def read_receipt(self, reply: Reply) -> Processed | RetryLater:
        return status.read(reply)

    def repair(self, event: Event, why: str) -> Event | None:
        """A click of another account: the event is worth more than its click id."""
        if why != errors.CLICK_REFUSED.lower() or not event.click_ids.keys() & set(person.CLICKS):
            return None
        return replace(
            event, click_ids={name: one for name, one in event.click_ids.items() if name not in person.CLICKS}
        )

    def warnings(self, now_ms: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing here ends on a date
        if not self.settings.validate_only:
            return ()
        return ("validate_only is set: Google checks events and stores none; remove it for production.",)

    # --- parts of a request

    def _request(
        self, actions: list[str], rows: Sequence[Row], positions: tuple[int, ...], *, validate_only: bool
    ) -> Request:
        has_digests = any("userData" in row for row in rows)
        body = {
            "destinations": [self._destination(action) for action in actions],
            **({"encoding": "HEX"} if has_digests else {}),
            **({"validateOnly": True} if validate_only else {}),
            "events": list(rows),
        }
        return json_request(self._ingest, body, headers=self._headers, rows=positions, needs_token=True)

    def _destination(self, action: str) -> Row:
        manager = self.settings.login_customer_id
        return {
            "reference": action,
            "operatingAccount": _google_ads_account(self.settings.customer_id),
            **({"loginAccount": _google_ads_account(manager)} if manager else {}),
            "productDestinationId": action,
        }

    # --- parts of a row

    def _transaction_id(self, event: Event) -> str | Refusal:
        """What the browser tag sends as `transaction_id`: Google counts a pair of conversion action and id once."""
        order_id = event.data.order_id if self.settings.transaction_id == "order_id" else None
        own = event.id if order_id is None or hashing.is_junk(order_id) else order_id.strip()
        text = f"{self.settings.transaction_id_prefix}{own}"
        if len(text) < 2 or text.lower() in REFUSED_IDS:  # noqa: PLR2004 - one character
            return Refusal(
                "transaction_id",
                f"Google refuses transaction ids such as {text!r}; set transaction_id_prefix, and the same in the tag",
            )
        if page_url.holds_email(text):
            return Refusal("transaction_id", "Google forbids personal data in a transaction id: it holds an e-mail")
        return text

    def _money(self, event: Event) -> Row | Refusal:
        value = _amount.exact(event.data.value)
        if value is None:
            return {}
        currency = _amount.currency(event.data.currency, self.settings.default_currency, value)
        if currency is None:
            return Refusal(
                "no_currency", "Google wants an ISO 4217 currency with a value; default_currency can give one"
            )
        return {"currency": currency, "conversionValue": value}

    def _cart(self, event: Event) -> Row:
        if self.settings.merchant_id is None:
            return {}
        items = [
            given(
                {"merchantProductId": item.id, "quantity": item.quantity or 1, "unitPrice": _amount.exact(item.price)}
            )
            for item in event.data.items
            if harmless(item.id) and (item.quantity is None or item.quantity > 0)
        ]
        if not items:
            return {}
        coupon = harmless(event.data.coupon)
        cart = {
            "merchantId": self.settings.merchant_id,
            "merchantFeedLabel": self.settings.merchant_feed_label,
            "merchantFeedLanguageCode": self.settings.merchant_feed_language,
            "couponCodes": [coupon] if coupon and not hashing.is_junk(coupon) else None,
            "items": items,
        }
        return given(cart)

    def _custom_variables(self, event: Event) -> list[Row]:
        found = {name: _text(event.custom.get(key)) for name, key in self.settings.custom_variables.items()}
        return [{"variable": name, "value": text} for name, text in found.items() if text]


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds when there are any: `2026-11-20T10:15:30.250Z`."""
    moment = _EPOCH + timedelta(milliseconds=max(ms, 0))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds").removesuffix(".000") + "Z"


def _credentials(settings: GoogleAds.Settings) -> auth.Credentials:
    if settings.service_account is not None:
        return auth.ServiceAccount(settings.service_account.get_secret_value())
    client_id, secret, token = settings.client_id, settings.client_secret, settings.refresh_token
    if client_id is None or secret is None or token is None:
        raise ValueError("Settings see to it that one kind of credentials is complete")
    return auth.RefreshToken(client_id, secret, token)


def _google_ads_account(customer_id: str) -> Row:
    return {"accountType": "GOOGLE_ADS", "accountId": customer_id}


def _consent(event: Event) -> Row:
    """What the visitor decided, unknown left out: then the account's own default counts at Google."""
    sold = event.consent.sale is not ConsentState.DENIED
    personalization = _CONSENT.get(event.consent.personalization) if sold else _DENIED
    return given({"adUserData": _CONSENT.get(event.consent.marketing), "adPersonalization": personalization})


def _text(value: Any) -> str | None:
    """A property as a custom variable's text; None for what is no plain value or could be personal."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            amount = _amount.exact(Decimal(str(value)))
            return None if amount is None else f"{amount:f}"
        case str():
            return None if hashing.is_junk(value) else harmless(value)
    return None
