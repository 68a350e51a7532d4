"""`custom_data` for Meta: what was bought, searched or asked for, and the site's own properties.

Items without an id are left out (Meta refuses the event since 2026-04); so are values no platform should see: numbers
JSON cannot carry, nested properties, and anything that looks personal. What Meta has no field for (coupon, shipping,
tax, description) is not sent unless a rule copies it into `custom`.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from proxy.destinations._amount import exact
from proxy.destinations._row import given
from proxy.destinations.base import Row
from proxy.event import Data, Event, Item
from proxy.identity.personal import harmless, names_a_person

DELIVERY_CATEGORIES = ("in_store", "curbside", "home_delivery")
CONTENT_TYPES = ("product", "product_group")
CUSTOMERS = ("business", "business_line", "product_area", "medium")
CUSTOMER_SEGMENTS = frozenset(
    {"customer_in_loyalty_program"} | {f"{age}_customer_to_{part}" for age in ("new", "existing") for part in CUSTOMERS}
)

_OURS = frozenset(
    "value currency predicted_ltv net_revenue content_ids content_type contents num_items delivery_category".split()
)
"""Filled from `data` alone, so that a stray property of the same name cannot spoil their type."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST_INT = 2**63 - 1


def custom_data(event: Event, default_currency: str | None, content_type: str | None) -> Row:
    """`default_currency` is used for a value that comes without one, `content_type` for ids that come without one."""
    data = event.data
    told = {**_money(data, default_currency), **_words(data), **_contents(data, content_type)}
    return {**_custom(event.custom), **given(told)}


def _money(data: Data, default_currency: str | None) -> Row:
    currency = (data.currency or "").strip().upper()
    if not _CURRENCY.fullmatch(currency):
        currency = (default_currency or "").upper() if data.value is not None and not currency else ""
    return {
        "value": exact(data.value),
        "currency": currency or None,
        "predicted_ltv": exact(data.predicted_ltv),
        "net_revenue": exact(data.net_revenue),
    }


def _words(data: Data) -> Row:
    truth = {"true": True, "false": False}
    return {
        "order_id": harmless(data.order_id),
        "search_string": harmless(data.search_term),
        "status": truth.get((data.status or "").lower(), data.status),
        "content_name": harmless(data.content_name),
        "content_category": harmless(data.content_category),
        "delivery_category": data.delivery_category if data.delivery_category in DELIVERY_CATEGORIES else None,
    }


def _contents(data: Data, content_type: str | None) -> Row:
    items = [item for item in data.items if item.id and (item.quantity is None or item.quantity > 0)]
    ids = list(dict.fromkeys(data.content_ids or tuple(item.id for item in items if item.id)))
    given_type = data.content_type if data.content_type in CONTENT_TYPES else content_type
    counted = sum(item.quantity or 1 for item in items)
    return {
        "content_ids": ids,
        "content_type": given_type if ids else None,
        "contents": [_content(item) for item in items],
        "num_items": data.num_items if data.num_items is not None else counted or None,
    }


def _content(item: Item) -> Row:
    return {
        "id": item.id,
        "quantity": item.quantity or 1,
        **given(
            {
                "item_price": exact(item.price),
                "title": harmless(item.name),
                "brand": harmless(item.brand),
                "category": harmless(item.category),
            }
        ),
    }


def _custom(custom: dict[str, Any]) -> Row:
    """Scalars of the site's own properties; Meta's travel, vehicle and property fields come this way too."""
    found = {}
    for key, value in custom.items():
        if not key or key in _OURS or names_a_person(key):
            continue
        if key == "customer_segmentation" and value not in CUSTOMER_SEGMENTS:
            continue
        scalar = _scalar(value)
        if scalar is not None:
            found[key] = scalar
    return found


def _scalar(value: Any) -> Any:
    """The value when JSON and Meta can carry it and it is no e-mail address; None otherwise."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) <= _LARGEST_INT else None
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return exact(value)
        case str():
            return harmless(value)
    return None
