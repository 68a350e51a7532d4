"""One event in GA4's words: its name, its parameters, its items. What GA4 would silently ignore is refused or cut here.

GA4 answers 204 to everything, so a rule broken is data lost without a trace: names and parameters are checked before
sending, texts cut to what GA4 keeps. Limits and reserved names: Google, Measurement Protocol reference (checked
2026-11).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from proxy.destinations import _amount
from proxy.destinations._row import given
from proxy.destinations.base import Refusal, Row
from proxy.event import Data, Event, Item, Page
from proxy.identity import page_url
from proxy.identity.personal import harmless, names_a_person

NAMES = {
    "view_content": "view_item",
    "view_category": "view_item_list",
    "initiate_checkout": "begin_checkout",
    "lead": "generate_lead",
    "complete_registration": "sign_up",
    "download": "file_download",
}
"""Canonical names GA4 calls otherwise; every other name is its own."""

RESERVED = frozenset(
    "ad_activeview ad_click ad_exposure ad_impression ad_query adunit_exposure app_clear_data app_install app_remove "
    "app_update error first_open first_visit in_app_purchase notification_dismiss notification_foreground "
    "notification_open notification_receive os_update screen_view session_start user_engagement".split()
)
RESERVED_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
RESERVED_PROPERTIES = frozenset(
    "first_open_time first_visit_time last_deep_link_referrer user_id first_open_after_install".split()
)

PARAMETERS = 25  # of one event
ITEMS = 200
PROPERTIES = 25
TEXT = 100  # characters of a parameter's value; 500 with Analytics 360
TEXT_360 = 500
LONGER = {"page_location": 1000, "page_referrer": 420, "page_title": 300}
PROPERTY_TEXT = 36
_OURS = frozenset(
    {"value", "currency", "session_id", "event_id"}
)  # from `data`, the cookie and the event itself, so that nothing spoils their type
_WITH_ORDER = frozenset({"purchase", "refund"})

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,23}")
_SEPARATORS = str.maketrans(" -./:", "_____")
_LARGEST_INT = 2**53 - 1
_SESSION = re.compile(r"[0-9]{1,20}")


def name_of(event: Event) -> str | Refusal:
    """GA4's name; spaces, dashes, dots, slashes and colons of a custom one become `_`."""
    name = NAMES.get(event.name) or event.name.translate(_SEPARATORS)
    if name in RESERVED or name.startswith(RESERVED_PREFIXES) or event.name.startswith(RESERVED_PREFIXES):
        return Refusal("reserved_name", "GA4 keeps this event name for itself; give another one with as:")
    if not _NAME.fullmatch(name):
        return Refusal("invalid_name", "GA4 wants names of up to 40 letters, digits and _, a letter first; use as:")
    return name


def params_of(event: Event, name: str, every_event: Row, default_currency: str | None, longest: int) -> Row:
    """At most 25 parameters, ours before the site's own. `every_event`: session and what settings add."""
    ours: Row = {
        **every_event,
        **_page(event.page),
        **_money(event.data, default_currency),
        **_about(event, name),
        "items": _items(event.data, longest),
    }
    found = given(ours)
    for key, value in _custom(event.custom):
        if len(found) >= PARAMETERS:
            break
        if key not in ours and key not in _OURS:
            found[key] = value
    return {key: _cut(value, LONGER.get(key, longest)) for key, value in found.items()}


def refusal(name: str, params: Row, *, without_items: bool) -> Refusal | None:
    """What GA4 would count wrongly or not at all. `without_items`: may a purchase have none?"""
    if name not in _WITH_ORDER:
        return None
    if "transaction_id" not in params:
        return Refusal("no_order_id", "GA4 finds the purchase to refund by its transaction_id (data.order_id)")
    if name == "purchase":
        if "value" not in params:
            return Refusal("no_value", "GA4 wants value and currency for a purchase, both or neither elsewhere")
        if "items" not in params and not without_items:
            return Refusal("no_items", "GA4 wants at least one item with an id or a name in a purchase")
    return None


def user_properties(custom: dict[str, Any]) -> Row:
    """`custom.user_properties` as GA4 wants them: `{"tier": {"value": "gold"}}`, at most 25."""
    given = custom.get("user_properties")
    if not isinstance(given, dict):
        return {}
    found: Row = {}
    for key, value in given.items():
        taken = isinstance(key, str) and _PROPERTY.fullmatch(key) and key not in RESERVED_PROPERTIES
        plain = _scalar(value)
        if taken and plain is not None and not names_a_person(key) and not key.startswith(RESERVED_PREFIXES):
            found[key] = {"value": _cut(plain, PROPERTY_TEXT)}
    return dict(list(found.items())[:PROPERTIES])


def session(event: Event, stream: str) -> Row:
    """The visitor's session in one stream (a measurement id without `G-`), or the one all streams agree on."""
    ids = event.browser_ids
    session = ids.get(f"ga_session_id_{stream}") or ids.get("ga_session_id", "")
    return {"session_id": session} if _SESSION.fullmatch(session) else {}


def _page(page: Page) -> Row:
    return {
        "page_location": page_url.shareable(page.url) if page.url else None,
        "page_referrer": page_url.shareable(page.referrer) if page.referrer else None,
        "page_title": harmless(page.title),
    }


def _money(data: Data, default_currency: str | None) -> Row:
    """Value and currency, both or neither."""
    value, currency = _amount.exact(data.value), _amount.currency(data.currency, default_currency, data.value)
    both = {"value": value, "currency": currency} if value is not None and currency else {}
    return {**both, "shipping": _amount.exact(data.shipping), "tax": _amount.exact(data.tax)}


def _about(event: Event, name: str) -> Row:
    data = event.data
    order_id = harmless(data.order_id)
    return {
        "transaction_id": (order_id or (event.id if name == "purchase" else None)) if name in _WITH_ORDER else None,
        "coupon": harmless(data.coupon),
        "search_term": harmless(data.search_term),
    }


def _items(data: Data, longest: int) -> list[Row]:
    """Items GA4 can recognise; where a site only names content ids, those."""
    given = [item for item in data.items if item.quantity is None or item.quantity > 0]
    found = [row for item in given if (row := _item(item, longest))]
    ids = () if data.items else tuple(dict.fromkeys(filter(None, data.content_ids)))
    return (found or [{"item_id": one[:longest]} for one in ids])[:ITEMS]


def _item(item: Item, longest: int) -> Row | None:
    texts = {
        "item_id": harmless(item.id),
        "item_name": harmless(item.name),
        "item_brand": harmless(item.brand),
        "item_category": harmless(item.category),
        "item_variant": harmless(item.variant),
    }
    row: Row = {key: text[:longest] for key, text in texts.items() if text}
    if not row.keys() & {"item_id", "item_name"}:
        return None
    numbers = {"price": _amount.exact(item.price), "quantity": item.quantity}
    return row | {key: number for key, number in numbers.items() if number is not None}


def _custom(custom: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Plain values of the site's own properties, under names GA4 accepts."""
    for key, value in custom.items():
        name = key.translate(_SEPARATORS)
        reserved = name.startswith(RESERVED_PREFIXES) or name == "firebase_conversion"
        if _NAME.fullmatch(name) and not reserved and not names_a_person(key):
            plain = _scalar(value)
            if plain is not None:
                yield name, plain


def _scalar(value: Any) -> Any:
    """A text or a number, which is all GA4 has; None for anything else."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return value if abs(value) <= _LARGEST_INT else None
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _amount.exact(value)
        case str():
            return harmless(value)
    return None


def _cut(value: Any, longest: int) -> Any:
    return value[:longest] if isinstance(value, str) else value
