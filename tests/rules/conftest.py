from __future__ import annotations

import importlib.util
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proxy.errors import ConfigError
from proxy.event import ClickId, Client, Data, Event, Item, Page, User, Visitor
from proxy.rules.compile import compile_rules
from proxy.rules.rules import Rules

DESTINATIONS = ("meta-main", "google", "crm")


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The slow evaluator of reference.py."""
    spec = importlib.util.spec_from_file_location("rules_reference", Path(__file__).with_name("reference.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def purchase() -> Event:
    """An ordinary purchase with something in every section."""
    return Event(
        id="o-1",
        name="purchase",
        time=1_767_268_800_000,
        page=Page(url="https://www.Shop.example/thanks/de?coupon=A%20B&utm_source=news#top", title="Thanks"),
        visitor=Visitor(id="v-1", first_seen=1_767_000_000_000),
        click_ids={"gclid": ClickId(value="g-1", clicked_at=1_767_000_000_000)},
        browser_ids={"fbp": "fb.1.1767000000000.1"},
        user=User(
            email=("ann@shop.example", "a@shop.example"), phone=("+1 650 555 0100",), first_name="Ann", country="US"
        ),
        data=Data(
            value=Decimal("59.90"),
            currency="EUR",
            order_id="o-1",
            items=(
                Item(id="sku-1", category="mug", price=Decimal(30), quantity=1),
                Item(id="sku-2", category="hat", price=Decimal(5), quantity=4),
            ),
            content_ids=("sku-1", "sku-2"),
        ),
        custom={"shop": "de", "points": 42, "tags": ["vip", 7], "gift": True, "box": {"a": 1}},
        client=Client(ip="203.0.113.9", user_agent="Example/1.0", mobile=True),
    )


@pytest.fixture
def compiled():
    """`compiled(rule, …)`: the rules, with the destinations meta-main, google and crm."""

    def make(*rules: Any) -> Rules:
        return compile_rules(rules, DESTINATIONS)

    return make


@pytest.fixture
def faults():
    """`faults(rule, …)`: {path: (message, advice)} of what the compiler finds."""

    def find(*rules: Any) -> dict[tuple, tuple[str, str]]:
        with pytest.raises(ConfigError) as caught:
            compile_rules(rules, DESTINATIONS)
        return {fault.path: (fault.message, fault.advice) for fault in caught.value.faults}

    return find


@pytest.fixture(scope="session")
def faults_in():
    """`faults_in(rule)`: how many faults the compiler finds; 0 when it accepts the rule."""

    def count(rule: Any) -> int:
        try:
            compile_rules([rule], DESTINATIONS)
        except ConfigError as error:
            return len(error.faults)
        return 0

    return count
