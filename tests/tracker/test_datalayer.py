"""GA4 e-commerce events in the dataLayer become ours: before and after the script, from Tag Manager and from gtag.js."""

from __future__ import annotations

import json

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
GTAG = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) }"
BASKET = {
    "transaction_id": "o-1001",
    "value": 59.9,
    "currency": "EUR",
    "affiliation": "Shop",
    "items": [{"item_id": "sku-1", "item_name": "Mug", "price": 29.95, "quantity": 2, "item_list_name": "Home"}],
}
PURCHASE = json.dumps({"event": "purchase", "ecommerce": BASKET})


@pytest.fixture
def bridged(site):
    site.modules[Module.DATALAYER] = {}
    site.pages["*"] = site.page(GRANT)
    return site


async def test_a_purchase_is_taken_over_with_its_fields_under_our_names(bridged, told):
    [purchase] = await told(f"dataLayer.push({PURCHASE})")
    assert purchase["name"] == "purchase"
    assert purchase["id"] == "o-1001"
    assert purchase["data"] == {
        "order_id": "o-1001",
        "value": 59.9,
        "currency": "EUR",
        "items": [{"id": "sku-1", "name": "Mug", "price": 29.95, "quantity": 2}],
    }


async def test_what_was_pushed_before_the_script_came_is_read_in_order_and_after_the_landing(site, page):
    site.modules[Module.DATALAYER] = {}
    site.pages["*"] = site.page(
        f"{GRANT}; {GTAG}; dataLayer.push({{event: 'gtm.js'}}); gtag('event', 'view_item', {{value: 5}});"
        f"dataLayer.push({PURCHASE})"
    )
    await page.goto(site.url("/"))
    await site.until(lambda: "purchase" in site.names)
    assert site.names == ["page_view", "view_item", "purchase"]


async def test_the_arguments_of_gtag_are_understood_and_its_other_commands_ignored(bridged, told):
    [lead] = await told(
        f"{GTAG}; gtag('js', new Date()); gtag('config', 'G-1'); gtag('set', {{currency: 'USD'}});"
        "gtag('event', 'generate_lead', {value: 20, currency: 'EUR', email: 'ann@example.com'})",
    )
    assert (lead["name"], lead["data"]) == ("generate_lead", {"value": 20, "currency": "EUR"})


async def test_ecommerce_lasts_from_push_to_push_until_it_is_reset(bridged, told):
    found = await told(
        "dataLayer.push({ecommerce: {currency: 'EUR', value: 1}}); dataLayer.push({event: 'view_item'});"
        "dataLayer.push({event: 'add_to_cart', ecommerce: {value: 2}});"
        "dataLayer.push({event: 'generate_lead', value: 9});"
        "dataLayer.push({ecommerce: null}); dataLayer.push({event: 'begin_checkout'})",
    )
    assert [(event["name"], event["data"]) for event in found] == [
        ("view_item", {"currency": "EUR", "value": 1}),
        ("add_to_cart", {"currency": "EUR", "value": 2}),
        ("generate_lead", {"value": 9}),
        ("begin_checkout", {}),
    ]


async def test_only_listed_events_and_named_parameters_are_taken(site, told):
    site.modules[Module.DATALAYER] = {"events": ["quiz_done", "purchase"], "custom": ["score"], "name": "layer"}
    site.pages["*"] = site.page(GRANT)
    found = await told(
        "layer.push({event: 'quiz_done', score: 7, name: 'Ann'}); layer.push({event: 'view_item'});"
        f"window.dataLayer = [{PURCHASE}]",
    )
    assert [(event["name"], event["data"], event["custom"]) for event in found] == [("quiz_done", {}, {"score": 7})]


async def test_an_id_of_the_site_is_kept(bridged, told):
    [event] = await told("dataLayer.push({event: 'add_to_cart', event_id: 'a-1', ecommerce: {value: 3}})")
    assert event["id"] == "a-1"


async def test_every_push_is_passed_on_with_its_result_and_a_push_within_a_push_is_read_once(bridged, told, page):
    bridged.pages["*"] = bridged.page(
        f"{GRANT}; window.dataLayer = []; const plain = dataLayer.push;"
        # As Tag Manager does: its own push calls the one before, and may push again while it works.
        "dataLayer.push = function (entry) { const n = plain.apply(dataLayer, arguments);"
        "  if (entry.event === 'purchase') dataLayer.push({event: 'add_to_cart'}); return n }"
    )
    found = await told(f"window.returned = dataLayer.push({PURCHASE}, {{event: 'login'}})")
    assert [event["name"] for event in found] == ["purchase", "login", "add_to_cart"]
    assert await page.evaluate("[returned, dataLayer.length]") == [2, 3]


async def test_a_push_that_our_own_event_causes_does_not_go_round_for_ever(bridged, told, page):
    bridged.pages["*"] = bridged.page(
        f"{GRANT}; window.dataLayer = []; window.firsthandConfig = {{before(event) {{"
        "  if (event.name === 'login') dataLayer.push({event: 'login', because: event.id})"
        "}}"
    )
    found = await told("dataLayer.push({event: 'login'})")
    assert [event["name"] for event in found] == ["login"]
    assert await page.evaluate("dataLayer.length") == 2, "it is passed on all the same"


async def test_nothing_in_the_datalayer_can_hurt_the_page_or_stop_the_bridge(bridged, told):
    found = await told(
        "const circle = {event: 'purchase', ecommerce: {}}; circle.ecommerce.value = circle;"
        "dataLayer.push(null, undefined, 7, 'event', () => 1, [], ['event'], circle, {event: {}}, {ecommerce: 5});"
        "dataLayer.push({ecommerce: null}, {event: 'view_item', ecommerce: {items: [null, 1, {item_id: 'x'}]}});"
        "dataLayer.push({get event() { throw Error('trap') }}, {event: 'login'})",
    )
    assert [event["name"] for event in found] == ["view_item", "login"]
    assert found[0]["data"]["items"][-1] == {"id": "x"}


async def test_a_layer_the_page_assigns_anew_before_it_has_loaded_is_found(bridged, told):
    bridged.pages["*"] = bridged.page(GRANT, attributes="") + f"<script>dataLayer = [{PURCHASE}]</script>"
    found = await told("dataLayer.push({event: 'login'})")
    assert [event["name"] for event in found] == ["purchase", "login"]


async def test_what_a_new_layer_has_taken_over_from_the_old_one_is_not_read_again(bridged, told):
    start = "window.dataLayer = [{event: 'login'}]"
    anew = "<script>dataLayer = dataLayer.slice(); dataLayer.push({event: 'sign_up'})</script>"
    bridged.pages["*"] = bridged.page(f"{GRANT}; {start}", attributes="") + anew
    found = await told("0")
    assert sorted(event["name"] for event in found) == ["login", "sign_up"]


async def test_events_wait_for_consent_like_any_other(bridged, page):
    bridged.pages["*"] = bridged.page()
    await page.goto(bridged.url("/"))
    await page.wait_for_function("!!firsthand.track")
    await page.evaluate(f"dataLayer.push({PURCHASE})")
    assert bridged.requests == []
    await page.evaluate(GRANT)
    await bridged.until_names("page_view", "purchase")


async def test_a_script_included_twice_reads_once(bridged, told):
    tag = f'<script src="{bridged.url("/tracker.js", "t.shop.example")}"></script>'
    bridged.pages["*"] = bridged.page(GRANT, attributes="") + tag
    found = await told(f"dataLayer.push({PURCHASE})")
    assert [event["name"] for event in found] == ["purchase"]
    assert bridged.names.count("page_view") == 1
