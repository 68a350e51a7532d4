"""The Meta pixel and the collector hear of the same events under the same ids, in whatever order their scripts come."""

from __future__ import annotations

import pytest

from proxy.config.modules import Module
from tests.chromium import stop_clock

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true});"
# What the pixel's snippet makes: a function that queues until the pixel's file has put `callMethod` there.
SNIPPET = """
(function (w) {
  if (w.fbq) return;
  const f = w.fbq = function () { f.callMethod ? f.callMethod.apply(f, arguments) : f.queue.push(arguments) };
  if (!w._fbq) w._fbq = f;
  Object.assign(f, {push: f, loaded: true, version: '2.0', queue: []});
})(window);
"""
# What its file does when it comes; `sent` is what Meta would receive.
FILE = """
window.sent = [];
fbq.callMethod = function () { sent.push(JSON.parse(JSON.stringify([].slice.call(arguments)))) };
while (fbq.queue.length) fbq.callMethod.apply(fbq, fbq.queue.shift());
"""
PURCHASE = "fbq('track', 'Purchase', {value: 59.9, currency: 'EUR'});"
BOUGHT = """
dataLayer.push({event: 'purchase', ecommerce: {transaction_id: 'o-1', value: 59.9, currency: 'EUR', items: []}});
"""


@pytest.fixture
def bridged(site):
    site.modules[Module.FBQ] = {}
    site.pages["*"] = site.page(GRANT)
    return site


async def open_and_stop_the_clock(bridged, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET)
    await stop_clock(page)
    await page.goto(bridged.url("/"))
    await page.clock.run_for(100)
    await bridged.until_read("page_view")


def ids(sent):
    """Event name -> event id, as Meta received it."""
    return [(call[-3], call[-1]["eventID"]) for call in sent]


async def test_the_snippet_may_come_after_us_and_its_file_later_still(bridged, told, page):
    [purchase] = await told(SNIPPET + "fbq('init', '1');" + PURCHASE + FILE, until="Purchase")
    sent = await page.evaluate("sent")
    assert sent == [
        ["init", "1"],
        ["track", "Purchase", {"value": 59.9, "currency": "EUR"}, {"eventID": purchase["id"]}],
    ]
    assert (purchase["name"], purchase["data"]) == ("Purchase", {"value": 59.9, "currency": "EUR"})


async def test_calls_made_before_we_came_are_changed_while_they_wait(bridged, told, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET + PURCHASE)
    [purchase] = await told(FILE, until="Purchase")
    assert ids(await page.evaluate("sent")) == [("Purchase", purchase["id"])]


async def test_a_pixel_that_runs_already_is_bridged_from_now_on(bridged, told, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET + FILE)
    [lead] = await told("fbq('track', 'Lead')")
    assert await page.evaluate("sent") == [["track", "Lead", {}, {"eventID": lead["id"]}]]


async def test_a_pixel_that_is_a_variable_of_the_page_is_bridged(bridged, told, page):
    """Its property can neither be watched nor removed; it can be replaced."""
    own = "var fbq = function () { fbq.callMethod.apply(fbq, arguments) }; fbq.queue = [];"
    bridged.pages["*"] = bridged.page(GRANT + own + FILE)
    [lead] = await told("fbq('track', 'Lead')")
    assert not await page.evaluate("Object.getOwnPropertyDescriptor(window, 'fbq').configurable")
    assert ids(await page.evaluate("sent")) == [("Lead", lead["id"])]


async def test_an_id_of_the_page_is_used_by_both(bridged, told, page):
    [lead] = await told(SNIPPET + FILE + "fbq('track', 'Lead', {value: 1}, {eventID: 'mine', other: 1})")
    assert lead["id"] == "mine"
    assert (await page.evaluate("sent"))[0][3] == {"eventID": "mine", "other": 1}


async def test_two_pixels_that_hear_of_one_action_are_one_event(bridged, told, page):
    found = await told(
        SNIPPET
        + FILE
        + "fbq('trackSingle', '1', 'AddToCart', {value: 2}); fbq('trackSingle', '2', 'AddToCart', {value: 2});"
        "fbq('trackSingleCustom', '1', 'Quiz', {score: 3})"
    )
    assert [event["name"] for event in found] == ["AddToCart", "Quiz"]
    cart, quiz = (event["id"] for event in found)
    assert ids(await page.evaluate("sent")) == [("AddToCart", cart), ("AddToCart", cart), ("Quiz", quiz)]


async def test_the_same_event_twice_from_one_pixel_is_two_events(bridged, told, page):
    found = await told(
        SNIPPET + FILE + "fbq('track', 'AddToCart'); fbq('trackCustom', 'Quiz'); fbq('track', 'AddToCart')"
    )
    assert [event["name"] for event in found] == ["AddToCart", "Quiz", "AddToCart"]
    assert [given for _, given in ids(await page.evaluate("sent"))] == [event["id"] for event in found]


async def test_its_page_view_gets_the_id_of_ours_and_is_not_counted_again(bridged, told, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET + "fbq('track', 'PageView');")
    await told(FILE + "history.pushState(null, '', '/b'); fbq('track', 'PageView')")
    views = [event for event in bridged.accepted if event["name"] in ("page_view", "PageView")]
    assert [view["page"]["url"] for view in views] == [bridged.url("/"), bridged.url("/b")]
    assert [given for _, given in ids(await page.evaluate("sent"))] == [view["id"] for view in views]


async def test_its_page_view_ahead_of_the_navigation_is_the_next_one_of_ours(bridged, told, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET + "fbq('track', 'PageView');")
    await told(FILE + "fbq('track', 'PageView'); history.pushState(null, '', '/b')")
    views = [event["id"] for event in bridged.accepted if event["name"] == "page_view"]
    assert [given for _, given in ids(await page.evaluate("sent"))] == views


async def test_the_function_keeps_its_properties_and_push_is_still_itself(bridged, told, page):
    [lead] = await told(SNIPPET + FILE + "fbq.push('track', 'Lead'); fbq.disablePushState = true")
    assert ids(await page.evaluate("sent")) == [("Lead", lead["id"])]
    assert await page.evaluate("[fbq.loaded, fbq.version, fbq.push === fbq, fbq.queue, typeof fbq.callMethod]") == [
        True,
        "2.0",
        True,
        [],
        "function",
    ]
    assert await page.evaluate("_fbq.disablePushState")


@pytest.mark.parametrize("first", ["the snippet", "we"])
async def test_both_its_names_stay_one_function(bridged, told, page, first):
    bridged.pages["*"] = bridged.page(GRANT + (SNIPPET if first == "the snippet" else ""))
    found = await told(SNIPPET + FILE + "window.fbq = window.fbq; _fbq('track', 'Lead'); fbq('track', 'Lead')")
    assert [event["name"] for event in found] == ["Lead", "Lead"]
    assert await page.evaluate("fbq === _fbq")
    assert [given for _, given in ids(await page.evaluate("sent"))] == [event["id"] for event in found]


async def test_without_mirror_only_the_id_is_shared(bridged, told, page):
    bridged.modules[Module.FBQ] = {"mirror": False}
    [lead] = await told(SNIPPET + FILE + "fbq('track', 'Lead'); fbq('track', 'Contact'); firsthand.track('lead')")
    assert ids(await page.evaluate("sent"))[0] == ("Lead", lead["id"])


@pytest.mark.parametrize("calls", [BOUGHT + PURCHASE, PURCHASE + BOUGHT], ids=["datalayer first", "fbq first"])
async def test_a_purchase_in_the_datalayer_and_in_the_pixel_is_one(bridged, told, page, calls):
    bridged.modules[Module.DATALAYER] = {}
    found = await told(SNIPPET + FILE + calls)
    assert [event["name"].lower() for event in found] == ["purchase"]
    assert ids(await page.evaluate("sent")) == [("Purchase", found[0]["id"])]
    assert found[0]["data"]["order_id"] == "o-1"
    if calls.startswith(BOUGHT):
        assert found[0]["id"] == "o-1"


async def test_an_id_the_page_gave_the_pixel_stays_even_where_ours_is_another(bridged, told, page):
    bridged.modules[Module.DATALAYER] = {}
    found = await told(SNIPPET + FILE + BOUGHT + "fbq('track', 'Purchase', {value: 59.9}, {eventID: 'plugin-1'})")
    assert [event["id"] for event in found] == ["o-1"]
    assert ids(await page.evaluate("sent")) == [("Purchase", "plugin-1")]


async def test_what_the_page_tells_us_itself_is_not_told_again_by_the_pixel(bridged, told, page):
    bridged.pages["*"] = bridged.page(
        GRANT + "firsthand('track', 'purchase', {order_id: 'o-7', value: 1});" + SNIPPET + PURCHASE
    )
    [purchase] = await told(FILE)
    assert purchase["id"] == "o-7"
    assert ids(await page.evaluate("sent")) == [("Purchase", "o-7")]


async def test_two_orders_are_two_purchases(bridged, told, page):
    bridged.modules[Module.DATALAYER] = {}
    found = await told(
        SNIPPET + FILE + BOUGHT + "fbq('track', 'Purchase', {value: 5, currency: 'EUR', order_id: 'o-2'})"
    )
    assert [event["id"] for event in found] == ["o-1", "o-2"]


async def test_events_named_differently_by_ga4_and_meta_are_one(bridged, told, page):
    bridged.modules[Module.DATALAYER] = {}
    found = await told(
        SNIPPET + FILE + "dataLayer.push({event: 'begin_checkout'}, {event: 'view_item'}, {event: 'sign_up'});"
        "for (const name of ['ViewContent', 'CompleteRegistration', 'InitiateCheckout']) fbq('track', name)"
    )
    assert [event["name"] for event in found] == ["begin_checkout", "view_item", "sign_up"]
    begun, seen, signed = (event["id"] for event in found)
    assert [given for _, given in ids(await page.evaluate("sent"))] == [seen, signed, begun]


async def test_ten_seconds_later_it_is_another_action(bridged, page):
    bridged.modules[Module.DATALAYER] = {}
    await open_and_stop_the_clock(bridged, page)
    await page.evaluate("dataLayer.push({event: 'add_to_cart'}, {event: 'begin_checkout'})")
    await page.clock.run_for(9_000)
    await page.evaluate("fbq('track', 'InitiateCheckout')")
    await page.clock.run_for(2_000)
    await page.evaluate("fbq('track', 'AddToCart'); firsthand('track', 'contact')")
    await bridged.until(lambda: "contact" in bridged.names)
    told = [event for event in bridged.accepted if event["name"] not in ("page_view", "contact")]
    assert [event["name"] for event in told] == ["add_to_cart", "begin_checkout", "AddToCart"]
    queued = await page.evaluate("fbq.queue.map(call => call[3].eventID)")
    assert queued == [told[1]["id"], told[2]["id"]]


@pytest.mark.parametrize("end", ["pagehide", "visibilitychange"])
async def test_a_purchase_nobody_knows_the_order_of_does_not_wait_longer_than_the_page(bridged, page, end):
    await open_and_stop_the_clock(bridged, page)
    hidden = "Object.defineProperty(document, 'hidden', {get: () => true});"
    target = "window" if end == "pagehide" else "document"
    await page.evaluate(f"{PURCHASE} {hidden} {target}.dispatchEvent(new Event('{end}', {{bubbles: true}}))")
    await bridged.until_names("page_view", "Purchase")


async def test_a_purchase_nobody_knows_the_order_of_leaves_with_the_page_that_is_left_at_once(bridged, page):
    bridged.pages["*"] = bridged.page(GRANT + SNIPPET)
    await page.goto(bridged.url("/"))
    await page.wait_for_function("!!firsthand.track")
    await page.evaluate(PURCHASE + "location = '/next'")
    await bridged.until(lambda: "Purchase" in bridged.names)
    assert {event["page"]["url"] for event in bridged.accepted if event["name"] == "Purchase"} == {bridged.url("/")}


async def test_without_consent_the_pixel_gets_its_call_and_we_send_nothing(bridged, page):
    bridged.pages["*"] = bridged.page("firsthand('consent', {marketing: false, analytics: false});" + SNIPPET + FILE)
    await page.goto(bridged.url("/"))
    await page.wait_for_function("!!firsthand.track")
    await page.evaluate(PURCHASE)
    assert (await page.evaluate("sent"))[0][:2] == ["track", "Purchase"]
    assert bridged.requests == []


async def test_a_fault_in_the_pixel_is_the_pixels_and_strange_calls_pass_unchanged(bridged, told, page):
    assert await told(SNIPPET + FILE + "fbq('track'); fbq(); fbq(null, 1); fbq('consent', 'revoke')") == []
    assert await page.evaluate("sent") == [["track"], [], [None, 1], ["consent", "revoke"]]
    await page.evaluate("fbq.callMethod = () => { throw Error('the pixel') }; 0")
    assert "the pixel" in await page.evaluate(
        "(() => { try { fbq('track', 'Lead') } catch (error) { return '' + error } })()"
    )
