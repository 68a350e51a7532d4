from __future__ import annotations

import hashlib
from decimal import Decimal

import pytest

from proxy.event import Data, Page, User, encode_json, replace
from proxy.rules.draft import without_parameter


@pytest.fixture
def changed(compiled, purchase):
    """`changed(set={…}, …)`: the purchase after a rule with these keys, also when they stand in `send_to`."""

    def run(event=purchase, **keys):
        before = encode_json(event)
        in_rule = compiled({"name": "r", **keys, "send_to": ["crm"]}).decide(event).routes[0].event
        in_target = compiled({"name": "r", "send_to": [{"destination": "crm", **keys}]}).decide(event).routes[0].event
        assert in_rule == in_target
        assert encode_json(event) == before
        return in_rule

    return run


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_set_types_its_values_by_field(changed):
    event = changed(
        set={
            "value": "12.50",
            "currency": "chf",
            "num_items": "3",
            "user.email": "b@shop.example",
            "content_ids": ["a", 7],
            "custom.n": 1.5,
            "custom.list": ["a", 1],
            "page.title": 5,
            "action_source": "app",
        }
    )
    assert (event.data.value, event.data.currency, event.data.num_items) == (Decimal("12.50"), "CHF", 3)
    assert (event.user.email, event.data.content_ids) == (("b@shop.example",), ("a", "7"))
    assert (event.custom["n"], event.custom["list"], event.page.title) == (1.5, ["a", 1], "5")
    assert event.action_source == "app"


def test_set_copies_what_other_fields_say(changed):
    event = changed(
        set={
            "custom.total": "${value}",
            "custom.host": "at ${page.host}, ${event}",
            "custom.ids": "${content_ids}",
            "custom.plain": "$${value}",
            "custom.gift2": "${custom.gift}",
            "data.predicted_ltv": "${custom.points}",
            "user.external_id": "${order_id}",
        }
    )
    assert event.custom["total"] == Decimal("59.90")
    assert event.custom["host"] == "at www.shop.example, purchase"
    assert event.custom["ids"] == ["sku-1", "sku-2"]
    assert event.custom["plain"] == "${value}"
    assert event.custom["gift2"] is True
    assert event.data.predicted_ltv == 42
    assert event.user.external_id == ("o-1",)


def test_set_leaves_a_field_alone_when_its_source_is_absent_or_does_not_fit(changed, purchase):
    event = changed(set={"custom.shop": "${user.city}", "currency": "x${tax}", "value": "${custom.shop}"})
    assert event == purchase


def test_default_fills_only_what_is_absent(changed, purchase):
    bare = replace(purchase, data=Data(value=Decimal(0)))
    event = changed(bare, default={"currency": "EUR", "value": 9, "coupon": "none"})
    assert (event.data.value, event.data.currency, event.data.coupon) == (0, "EUR", "none")


def test_default_may_refer_to_other_fields(changed):
    event = changed(default={"coupon": "${custom.shop}", "value": "${custom.points}", "tax": "${shipping}"})
    assert (event.data.coupon, event.data.value, event.data.tax) == ("de", Decimal("59.90"), None)


def test_remove_takes_out_fields_and_groups(changed):
    event = changed(remove=["user.email", "value", "custom.*", "click_ids.gclid", "visitor.*", "client.ip", "items"])
    assert (event.user.email, event.user.first_name) == ((), "Ann")
    assert (event.data.value, event.data.currency, event.data.items) == (None, "EUR", ())
    assert (event.custom, event.click_ids, event.visitor) == ({}, {}, None)
    assert (event.client.ip, event.client.user_agent) == (None, "Example/1.0")


def test_remove_takes_parameters_out_of_the_page_address(changed):
    assert changed(remove=["page.query.coupon"]).page.url == "https://www.Shop.example/thanks/de?utm_source=news#top"
    assert changed(remove=["page.query.*"]).page.url == "https://www.Shop.example/thanks/de#top"
    assert changed(remove=["page.*"]).page == Page()


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://s.example/?a=1&b=2&a=3", "https://s.example/?b=2"),
        ("https://s.example/?%61=1", "https://s.example/"),
        ("https://s.example/?b=%20&&c#x?a=1", "https://s.example/?b=%20&&c#x?a=1"),
        ("https://s.example/#?a=1", "https://s.example/#?a=1"),
        ("?a", ""),
    ],
)
def test_other_bytes_of_an_address_stay(url, result):
    assert without_parameter(url, "a") == result


def test_only_keeps_the_named_fields_and_what_an_event_cannot_do_without(changed, purchase):
    event = changed(only=["data.value", "order_id", "custom.shop", "user.phone", "click_ids.*", "event"])
    assert event == replace(
        purchase,
        page=Page(),
        visitor=None,
        browser_ids={},
        user=User(phone=purchase.user.phone),
        data=Data(value=purchase.data.value, order_id="o-1"),
        custom={"shop": "de"},
        client=type(purchase.client)(),
    )


def test_only_keeps_the_visitor_when_told(changed, purchase):
    assert changed(only=["visitor.id"]).visitor == purchase.visitor


def test_rename_moves_values_and_converts_them(changed):
    event = changed(
        rename={"custom.points": "data.num_items", "custom.shop": "custom.country", "user.phone": "custom.tel"}
    )
    assert (event.data.num_items, event.custom["country"], event.custom["tel"]) == (42, "de", "+1 650 555 0100")
    assert {"points", "shop"}.isdisjoint(event.custom)
    assert event.user.phone == ()


def test_rename_can_swap_fields(changed):
    event = changed(rename={"custom.shop": "custom.points", "custom.points": "custom.shop"})
    assert (event.custom["shop"], event.custom["points"]) == (42, "de")


def test_what_rename_cannot_convert_stays_where_it_was(changed, purchase):
    assert changed(rename={"custom.shop": "data.value", "custom.nothing": "custom.x"}) == purchase


def test_a_rule_may_use_in_set_what_it_removes(changed):
    event = changed(set={"custom.who": "${user.first_name}"}, remove=["user.*", "custom.*"])
    assert (event.custom, event.user) == ({"who": "Ann"}, User())


def test_what_is_set_survives_only(changed):
    assert changed(set={"custom.new": 1}, only=["value"]).custom == {"new": 1}


def test_hash_only_leaves_nothing_raw(changed, purchase):
    raw = replace(
        purchase,
        user=User(
            email=(" Ann@Shop.Example ", "not an address", sha("x").upper()),
            phone=("+1 (650) 555-0100", "1"),
            external_id=("ID 7",),
            first_name="Ánn-Marie",
            last_name="null",
            street=" Main St. 1 ",
            city="San Francisco",
            state="California",
            zip="94107-1234",
            country="USA",
            gender="female",
            birth_date="1990-02-03",
        ),
    )
    user = changed(raw, hash_only=["user.*"]).user
    assert user.email == (sha("ann@shop.example"), sha("x"))
    assert user.phone == (sha("16505550100"),)
    assert user.external_id == (sha("id7"),)
    assert user.last_name is None
    assert (user.city, user.state, user.zip) == (sha("sanfrancisco"), sha("ca"), sha("94107"))
    assert (user.country, user.gender, user.birth_date) == (sha("us"), sha("f"), sha("19900203"))
    assert (user.first_name, user.street) == (sha("ánnmarie"), sha("main st. 1"))


def test_hash_only_takes_one_field_and_is_stable_when_repeated(changed):
    once = changed(hash_only=["user.email"])
    assert once.user.first_name == "Ann"
    assert changed(once, hash_only="user.email") == once


def test_hash_only_hashes_what_the_same_rule_sets(changed):
    assert changed(set={"user.city": "Paris"}, hash_only=["user.city"]).user.city == sha("paris")


def test_hash_only_knows_every_field_of_user(changed, purchase):
    every = {field: ("x",) if field in ("email", "phone", "external_id") else "x" for field in User.__struct_fields__}
    user = changed(replace(purchase, user=User(**every)), hash_only=["user.*"]).user
    for field in User.__struct_fields__:
        assert getattr(user, field) in (None, (), sha("x"), (sha("x"),))
