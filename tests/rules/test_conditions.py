from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.event import Client, Consent, Data, Item, Page, User, Visitor, replace
from proxy.rules.fields import EVENT, ITEM

HOLD = [
    {"event": "purchase"},
    {"event": "Purchase"},
    {"event": "Order Completed"},
    {"event": ["page_view", "purchase"]},
    {"event": {"one_of": ["lead", "PURCHASE"]}},
    {"event": {"starts_with": "PUR"}},
    {"event": {"matches": "^PURCH"}},
    {"value": 59.9},
    {"value": "59.90"},
    {"data.value": {"at_least": 59.9, "at_most": "59.90"}},
    {"value": {"above": 59.89, "below": 60}},
    {"currency": "eur"},
    {"order_id": ["x", "o-1"]},
    {"page.host": "WWW.shop.example"},
    {"page.host": {"ends_with": [".org", ".Example"]}},
    {"page.path": {"starts_with": "/thanks"}},
    {"page.path": "/thanks/de"},
    {"page.path": {"contains": ["xx", "nks/"]}},
    {"page.path": {"matches": r"^/thanks/(de|fr)$"}},
    {"page.query.coupon": "A B"},
    {"page.query.utm_source": {"present": True}},
    {"page.query.nothing": {"absent": True}},
    {"user.email": "a@shop.example"},
    {"user.email": {"ends_with": "@shop.example"}},
    {"user.last_name": {"present": False}},
    {"client.ip": {"in_network": ["198.51.100.0/24", "203.0.113.0/24"]}},
    {"client.ip": {"in_network": "203.0.113.9"}},
    {"client.ip": "203.0.113.9"},
    {"client.mobile": True},
    {"consent.marketing": "unknown"},
    {"custom.shop": "de"},
    {"custom.points": 42},
    {"custom.points": "42"},
    {"custom.points": {"at_least": 42}},
    {"custom.tags": "vip"},
    {"custom.tags": 7},
    {"custom.tags": {"above": 6}},
    {"custom.gift": True},
    {"custom.box": {"present": True}},
    {"click_ids.gclid": {"present": True}},
    {"browser_ids.fbp": {"starts_with": "fb.1."}},
    {"browser_ids._fbp": {"present": True}},
    {"source": "browser"},
    {"action_source": "website"},
    {"visitor.id": "v-1"},
    {"id": "o-1"},
    {"items": {"present": True}},
    {"content_ids": "sku-2"},
    {"any_item": {"category": "mug", "price": {"at_least": 30}}},
    {"any_item": {"any": [{"id": "nope"}, {"quantity": 4}], "not": {"brand": {"present": True}}}},
    {"any": [{"event": "lead"}, {"value": {"above": 50}}]},
    {"all": [{"event": "purchase"}, {"currency": "EUR"}]},
    {"not": {"event": "lead"}},
    {"not": {"not": {"event": "purchase"}}},
    {"not": {"user.city": "Paris"}},
]

FAIL = [
    {"event": "lead"},
    {"event": ["lead", "page_view"]},
    {"event": "purchase", "value": {"at_least": 60}},
    {"value": {"above": "59.90"}},
    {"value": {"absent": True}},
    {"tax": {"below": 100}},
    {"order_id": "O-1"},
    {"page.path": "/Thanks/de"},
    {"page.path": {"matches": "^thanks"}},
    {"page.query.coupon": "a b"},
    {"user.email": "ANN@shop.example"},
    {"user.city": "Paris"},
    {"client.ip": {"in_network": "198.51.100.0/24"}},
    {"client.ip": {"in_network": "2001:db8::/32"}},
    {"client.mobile": False},
    {"consent.marketing": ["granted", "denied"]},
    {"custom.shop": {"at_least": 0}},
    {"custom.gift": {"at_least": 0}},
    {"custom.box": "1"},
    {"custom.nothing": {"present": True}},
    {"any_item": {"category": "mug", "quantity": 4}},
    {"any": [{"event": "lead"}, {"value": {"above": 60}}]},
    {"not": {"event": "purchase"}},
]


@pytest.mark.parametrize("when", HOLD, ids=str)
def test_the_condition_holds_for_the_purchase(compiled, purchase, when):
    rules = compiled({"name": "r", "when": when, "send_to": ["crm"]})
    assert [route.destination for route in rules.decide(purchase).routes] == ["crm"]
    assert rules.decide(purchase, trace=True).trace[0].matched


@pytest.mark.parametrize("when", FAIL, ids=str)
def test_the_condition_does_not_hold_and_says_why(compiled, purchase, when):
    rules = compiled({"name": "r", "when": when, "send_to": ["crm"]})
    assert rules.decide(purchase).routes == ()
    step = rules.decide(purchase, trace=True).trace[0]
    assert (step.matched, bool(step.why)) == (False, True)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ({"event": ["lead", "contact"]}, "event is purchase, not lead or contact"),
        ({"value": {"at_least": 100}}, "data.value is 59.9, not at least 100"),
        ({"tax": {"below": 5}}, "data.tax is absent, not below 5"),
        ({"coupon": {"present": True}}, "data.coupon is absent"),
        ({"items": {"absent": True}}, "data.items holds 2 item(s), not absent"),
        ({"currency": "EUR", "value": 1, "tax": 1}, "data.value is 59.9, not 1"),
        ({"any": [{"event": "lead"}, {"value": 1}]}, "event is purchase, not lead; data.value is 59.9, not 1"),
        ({"not": {"event": "purchase"}}, "event purchase: excluded by not"),
        ({"any_item": {"price": {"above": 99}}}, "none of 2 item(s) has price above 99"),
    ],
    ids=str,
)
def test_the_trace_tells_in_words_what_was_missing(compiled, purchase, when, why):
    rules = compiled({"name": "r", "when": when, "send_to": ["crm"]})
    assert rules.decide(purchase, trace=True).trace[0].why == why


@pytest.mark.parametrize("field", ["user.email", "client.ip", "visitor.id", "click_ids.gclid", "page.url"])
def test_the_trace_does_not_show_personal_values(compiled, purchase, field):
    rules = compiled({"name": "r", "when": {field: "192.0.2.1"}, "send_to": ["crm"]})
    assert rules.decide(purchase, trace=True).trace[0].why == f"{field} is not 192.0.2.1"


@pytest.mark.parametrize(
    ("ip", "network", "inside"),
    [
        ("203.0.113.9", "203.0.113.8/30", True),
        ("203.0.113.12", "203.0.113.8/30", False),
        ("::ffff:203.0.113.9", "203.0.113.0/24", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "0.0.0.0/0", False),
        ("2001:db9::1", "2001:db8::/32", False),
        ("not an address", "0.0.0.0/0", False),
        ("203.0.113.9\x00", "0.0.0.0/0", False),
        ("", "0.0.0.0/0", False),
        (None, "::/0", False),
    ],
)
def test_networks_hold_addresses_of_their_own_family(compiled, purchase, ip, network, inside):
    rules = compiled({"when": {"client.ip": {"in_network": network}}, "send_to": ["crm"]})
    assert bool(rules.decide(replace(purchase, client=Client(ip=ip))).routes) == inside


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://www.shop.example", "www.shop.example", "/"),
        ("https://user:pw@Shop.example:8443/a/B?x=/y#/z", "shop.example", "/a/B"),
        ("https://[2001:db8::1]:80/a", "2001:db8::1", "/a"),
        ("https://shop.example?x=1", "shop.example", "/"),
        ("https://shop.example#/route", "shop.example", "/"),
        ("/only/a/path?x=1", None, "/only/a/path"),
        ("https://[broken", "broken", "/"),
        ("app://cart/1", "cart", "/1"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_parts_of_the_page_address_are_read_without_raising(purchase, url, host, path):
    event = replace(purchase, page=Page(url=url))
    assert (EVENT.find("page.host").get(event), EVENT.find("page.path").get(event)) == (host, path)


def test_a_bad_pattern_of_a_good_attacker_stays_linear(compiled, purchase):
    rules = compiled({"when": {"page.title": {"matches": "(a+)+(a+)+$"}}, "send_to": ["crm"]})
    event = replace(purchase, page=Page(title="a" * 50_000 + "!"))
    assert rules.decide(event).routes == ()  # a backtracking engine would need longer than the sun has


def test_half_a_surrogate_pair_matches_no_pattern(compiled, purchase):
    rules = compiled({"when": {"page.title": {"matches": "."}}, "send_to": ["crm"]})
    assert rules.decide(replace(purchase, page=Page(title="\ud83d"))).routes == ()


@pytest.mark.parametrize(
    "value", [10**400, float("nan"), float("inf"), Decimal("NaN"), {"a": [1]}, [[1]], None, [None], "9" * 400]
)
def test_strange_custom_values_are_compared_without_raising(compiled, purchase, value):
    event = replace(purchase, custom={"x": value})
    for wanted in ({"at_least": 1}, {"contains": "9"}, "x", 1, {"present": True}):
        compiled({"when": {"custom.x": wanted}, "send_to": ["crm"]}).decide(event, trace=True)


def test_every_field_of_an_event_can_be_named():
    hidden = {"consent.time", "visitor.first_seen"}  # nothing a rule should depend on
    sections = {"page": Page, "visitor": Visitor, "user": User, "data": Data, "client": Client, "consent": Consent}
    for section, struct in sections.items():
        for key in struct.__struct_fields__:
            assert (EVENT.find(f"{section}.{key}") is not None) != (f"{section}.{key}" in hidden)
    assert set(ITEM.fields) == set(Item.__struct_fields__)


def test_defined_conditions_can_be_used_below(compiled, purchase):
    rules = compiled(
        {"define": {"big": {"value": {"at_least": 50}}, "shop": {"page.host": "www.shop.example"}}},
        {"define": {"big here": {"all": [{"is": "big"}, {"is": "shop"}]}}},
        {"name": "r", "when": {"event": "purchase", "is": "big here"}, "send_to": ["crm"]},
    )
    assert len(rules.decide(purchase).routes) == 1
    assert rules.decide(replace(purchase, data=Data(value=Decimal(1)))).routes == ()
