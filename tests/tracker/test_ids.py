"""TikTok's, Pinterest's and Snapchat's tags get the event id of the event they are about, each in its own form."""

from __future__ import annotations

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true});"
# Snippets that queue until the tag's own file comes, and such files; `sent` is what the platform would receive.
TTQ = """
(function (w) {
  const ttq = w.ttq = w.ttq || [];
  const defer = (on, name) => { on[name] = function () { on.push([name].concat([].slice.call(arguments))) } };
  for (const name of ['page', 'track', 'identify']) defer(ttq, name);
  const pixels = {};
  ttq.instance = (code) => {
    const pixel = pixels[code] = pixels[code] || [];
    if (!pixel.track) defer(pixel, 'track');
    return pixel;
  };
})(window);
"""
TTQ_FILE = """
window.sent = window.sent || [];
ttq.splice(0).forEach((call) => sent.push(call));
ttq.track = (...args) => sent.push(['track', ...args]);
0;
"""
PINTRK = "window.pintrk = function () { pintrk.queue.push([].slice.call(arguments)) }; pintrk.queue = [];"
PINTRK_FILE = "window.sent = pintrk.queue.splice(0); pintrk.queue.push = (call) => sent.push(call);"
SNAPTR = """
const s = window.snaptr = function () { s.handleRequest ? s.handleRequest(...arguments) : s.queue.push(arguments) };
s.queue = [];
"""
SNAPTR_FILE = """
window.sent = [];
snaptr.handleRequest = (...args) => sent.push(args);
while (snaptr.queue.length) snaptr.handleRequest(...snaptr.queue.shift());
"""


@pytest.fixture
def sharing(site):
    site.modules[Module.IDS] = {}
    site.pages["*"] = site.page(GRANT)
    return site


async def test_tiktok_gets_it_as_event_id_in_the_third_argument(sharing, told, page):
    [purchase] = await told(
        TTQ + "firsthand.track('purchase', {order_id: 'o-1'}); ttq.track('CompletePayment', {value: 1}); ttq.page();"
        "ttq.track('Download');" + TTQ_FILE + "ttq.track('PlaceAnOrder', {value: 2}, {event_id: 'mine'})"
    )
    assert purchase["id"] == "o-1"
    bought, viewed, fetched, ordered = await page.evaluate("sent")
    assert bought == ["track", "CompletePayment", {"value": 1}, {"event_id": "o-1"}]
    assert viewed == ["page"]
    assert fetched[:3] == ["track", "Download", {}]
    assert len(fetched[3]["event_id"]) == 36
    assert ordered == ["track", "PlaceAnOrder", {"value": 2}, {"event_id": "mine"}]


async def test_tiktok_calls_that_waited_before_we_came_and_those_of_one_pixel_get_it_too(sharing, told, page):
    early = "ttq.track('AddToCart', {value: 3}); ttq.identify({}); ttq.instance('C1').track('AddToCart', {value: 3});"
    sharing.pages["*"] = sharing.page(GRANT + TTQ + early)
    [cart] = await told("firsthand.track('add_to_cart'); ttq.instance('C1').track('Lead');" + TTQ_FILE)
    waited, identified = await page.evaluate("sent")
    assert waited == ["track", "AddToCart", {"value": 3}, {"event_id": cart["id"]}]
    assert identified == ["identify", {}]
    [_, lead] = await page.evaluate("[...ttq.instance('C1')]")
    assert lead[0:2] == ["track", "Lead"]
    assert len(lead[3]["event_id"]) == 36


async def test_pinterest_gets_it_in_the_data_and_its_checkout_is_a_purchase(sharing, told, page):
    [purchase] = await told(
        PINTRK + "pintrk('load', '1'); pintrk('page'); firsthand.track('purchase', {order_id: 'o-2'});"
        "pintrk('track', 'checkout', {value: 1});" + PINTRK_FILE + "pintrk('track', 'lead', {eid: 'mine'})"
    )
    assert await page.evaluate("sent") == [
        ["load", "1"],
        ["page"],
        ["track", "checkout", {"value": 1, "event_id": "o-2"}],
        ["track", "lead", {"eid": "mine"}],
    ]
    assert purchase["id"] == "o-2"


async def test_snapchat_gets_it_as_client_dedup_id_in_the_data(sharing, told, page):
    sharing.pages["*"] = sharing.page(GRANT + SNAPTR + "snaptr('init', '1', {}); snaptr('track', 'PAGE_VIEW');")
    [cart] = await told(SNAPTR_FILE + "snaptr('track', 'ADD_CART', {price: 1}); firsthand.track('add_to_cart')")
    [view] = [event for event in sharing.accepted if event["name"] == "page_view"]
    assert await page.evaluate("sent") == [
        ["init", "1", {}],
        ["track", "PAGE_VIEW", {"client_dedup_id": view["id"]}],
        ["track", "ADD_CART", {"price": 1, "client_dedup_id": cart["id"]}],
    ]


async def test_mirrored_calls_of_all_tags_about_one_purchase_are_one_event_with_fields_we_know(sharing, told, page):
    sharing.modules[Module.IDS] = {"mirror": True}
    [purchase] = await told(
        TTQ
        + PINTRK
        + SNAPTR
        + "snaptr('track', 'PURCHASE', {price: 5, currency: 'EUR', transaction_id: 'o-3', item_ids: ['a'],"
        " number_items: 1}); pintrk('track', 'checkout', {order_id: 'o-3'});"
        "ttq.track('CompletePayment', {contents: [{content_id: 'a'}]});" + TTQ_FILE
    )
    assert purchase["id"] == "o-3"
    assert purchase["data"] == {
        "value": 5,
        "currency": "EUR",
        "transaction_id": "o-3",
        "content_ids": ["a"],
        "num_items": 1,
    }
    assert await page.evaluate("[sent[0][3].event_id, pintrk.queue[0][2].event_id]") == ["o-3", "o-3"]


async def test_items_of_tiktok_and_pinterest_are_read(sharing, told):
    sharing.modules[Module.IDS] = {"mirror": True}
    found = await told(
        TTQ + PINTRK + "ttq.track('AddToCart', {contents: [{content_id: 'a', price: 2, quantity: 1}]});"
        "pintrk('track', 'custom', {line_items: [{product_name: 'Mug', product_price: 3}], order_quantity: 4})"
    )
    assert [event["data"] for event in found] == [
        {"items": [{"id": "a", "price": 2, "quantity": 1}]},
        {"items": [{"name": "Mug", "price": 3}], "num_items": 4},
    ]
