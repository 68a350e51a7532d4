"""Every event arrives once: while the page lives, when it is left, when the network or the server fails."""

from __future__ import annotations

import pytest

from tests.chromium import COUNT_STORED, close_tab, open_tab, stop_clock, until_cookies

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
BLANK = "<!doctype html><title>elsewhere</title>"
STORED = "JSON.parse(localStorage.firsthand_queue || '[]').map(event => event.name).join()"
NOT_SOON = {"Retry-After": "3600"}


@pytest.fixture
def granted(site):
    site.pages["*"] = site.page(GRANT)
    site.pages["/blank"] = BLANK
    return site


async def test_the_request_needs_no_preflight_and_carries_cookies_both_ways(granted, site, page, context):
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until_names("page_view", "purchase")
    first, second = site.requests
    assert [first.method, second.method] == ["POST", "POST"]
    assert first.headers["Content-Type"].startswith("text/plain")
    assert "Cookie" not in first.headers
    assert second.headers["Cookie"] == "_fh=visitor"
    await until_cookies(context, "_fh")


async def test_an_envelope_says_once_what_its_events_share(granted, site, page):
    site.settings["pageViews"] = False
    await page.goto(site.url("/"))
    await page.evaluate(
        "firsthand('identify', {email: 'ann@example.com'}); firsthand('track', 'add_to_cart', {value: 1});"
        "history.pushState(null, '', '/pay'); firsthand('track', 'purchase', {value: 59.9, currency: 'EUR', order_id: 'o-1',"
        " items: [{id: 'sku-1', price: 29.95, quantity: 2}]}, {custom: {gift: true}})"
    )
    await site.until_names("add_to_cart", "purchase")
    [request] = site.requests
    assert set(request.envelope) == {"sent_at", "consent", "landing", "page", "user", "events"}
    assert request.envelope["page"]["url"] == site.url("/")
    assert request.envelope["user"] == {"email": "ann@example.com"}
    cart, purchase = request.envelope["events"]
    assert set(cart) == {"id", "name", "time", "data"}
    assert purchase["page"]["url"] == site.url("/pay")
    assert purchase["data"]["items"] == [{"id": "sku-1", "price": 29.95, "quantity": 2}]
    assert purchase["custom"] == {"gift": True}


async def test_the_second_request_waits_for_the_first_answer(granted, site, page):
    site.open.clear()
    async with page.expect_request("**/e"):
        await page.goto(site.url("/"))
    await page.evaluate("firsthand('track', 'purchase')")
    await page.evaluate("firsthand('track', 'lead')")
    site.open.set()
    await site.until_names("page_view", "purchase", "lead")
    assert [len(request.envelope["events"]) for request in site.requests] == [1, 2]


async def test_requests_without_an_answer_yet_tell_the_same_landing(granted, site, page):
    site.open.clear()
    async with page.expect_request("**/e"):
        await page.goto(site.url("/?fbclid=AbC"))
    await page.evaluate("history.replaceState(null, '', '/clean'); firsthand('track', 'purchase')")
    async with page.expect_request("**/e"):
        await page.evaluate("dispatchEvent(new Event('pagehide'))")
    site.open.set()
    await site.until(lambda: "purchase" in site.names)
    await page.evaluate("firsthand('track', 'lead')")
    await site.until(lambda: "lead" in site.names)
    first, second, last = [request.envelope for request in site.requests]
    assert first["landing"] == second["landing"]
    assert first["landing"]["url"] == site.url("/?fbclid=AbC")
    assert len(first["landing"]["seed"]) == 36
    assert "landing" not in last


async def test_small_events_wait_for_company_and_conversions_do_not(granted, site, page):
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_read("page_view")
    await page.evaluate("firsthand('track', 'scroll'); firsthand('track', 'zoom')")
    await page.clock.run_for(1500)
    await page.evaluate("fetch('/blank')")
    assert site.names == ["page_view"]
    await page.clock.run_for(600)
    await site.until_names("page_view", "scroll", "zoom")
    assert len(site.requests) == 2
    await page.evaluate("firsthand('track', 'scroll'); firsthand('track', 'Purchase')")
    await site.until(lambda: len(site.accepted) == 5)
    assert len(site.requests) == 3
    await page.evaluate("for (let n = 0; n < 10; n++) firsthand('track', 'scroll')")
    await site.until(lambda: len(site.accepted) == 15)


async def test_small_events_wait_for_company_also_while_the_first_answer_is_outstanding(granted, site, page):
    # As on https, where tabs take turns.
    locks = "{request: (name, work) => Promise.resolve().then(work)}"
    await page.add_init_script(f"Object.defineProperty(Navigator.prototype, 'locks', {{value: {locks}}})")
    site.open.clear()
    await stop_clock(page)
    async with page.expect_request("**/e"):
        await page.goto(site.url("/"))
        await page.clock.run_for(100)
    await page.evaluate("firsthand('track', 'scroll')")
    site.open.set()
    await site.until_read("page_view")
    await page.evaluate("fetch('/blank')")
    assert site.names == ["page_view"]
    await page.clock.run_for(2000)
    await site.until_names("page_view", "scroll")


async def test_two_hundred_quick_events_arrive_exactly_once_each_and_in_order(granted, site, page):
    await page.goto(site.url("/"))
    ids = await page.evaluate("Array.from({length: 200}, (_, n) => firsthand('track', 'step' + n, {value: n}))")
    await site.until(lambda: len(site.accepted) >= 201)
    arrived = [event["id"] for event in site.accepted if event["name"] != "page_view"]
    assert arrived == ids == sorted(set(ids))
    assert max(len(request.body) for request in site.requests) <= 16_384


async def test_two_hundred_events_and_a_closed_tab_still_arrive_once_each(granted, site, context):
    page = await open_tab(context)
    await page.goto(site.url("/"))
    await page.evaluate("for (let n = 0; n < 200; n++) firsthand('track', 'step' + n, {description: 'x'.repeat(50)})")
    await close_tab(page, site.url("/blank"))
    await site.until(lambda: len(site.accepted) >= 201)
    assert len({event["id"] for event in site.accepted}) == len(site.accepted) == 201


@pytest.mark.parametrize("leaving", ["close", "navigate"])
async def test_an_event_recorded_right_before_the_page_is_left_arrives_once(granted, site, context, leaving):
    page = await open_tab(context)
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_read("page_view")
    await page.evaluate("firsthand('track', 'scroll')")
    if leaving == "close":
        await close_tab(page, site.url("/blank"))
    else:
        await page.goto(site.url("/blank"))
        await page.evaluate("fetch('/blank')")
    await site.until_names("page_view", "scroll")
    beacon = site.requests[-1]
    assert beacon.by_beacon
    assert beacon.headers["Cookie"] == "_fh=visitor"


async def test_hidden_and_pagehide_together_send_once(granted, site, page):
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_names("page_view")
    await page.evaluate(
        "firsthand('track', 'scroll'); Object.defineProperty(document, 'hidden', {get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange')); dispatchEvent(new Event('pagehide'));"
        "firsthand('track', 'after')"
    )
    await site.until(lambda: len(site.accepted) >= 3)
    await page.clock.run_for(60_000)
    await page.evaluate("fetch('/blank')")
    assert sorted(site.names) == ["after", "page_view", "scroll"]


async def test_a_page_that_is_hidden_sends_by_beacon_and_keeps_what_has_no_answer(granted, site, page):
    """On a phone nothing may come after it: no pagehide, no answer."""
    await stop_clock(page)
    site.open.clear()
    await page.goto(site.url("/"))
    async with page.expect_request("**/e"):
        await page.clock.run_for(100)
    async with page.expect_request("**/e"):
        await page.evaluate(
            "firsthand('track', 'scroll'); Object.defineProperty(document, 'hidden', {get: () => true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
    assert await page.evaluate(STORED) == "page_view"
    site.open.set()
    await site.until_names("page_view", "scroll")
    [beacon] = [request for request in site.requests if request.events[0]["name"] == "scroll"]
    assert beacon.by_beacon
    await page.wait_for_function("!localStorage.firsthand_queue")


async def test_beacons_are_cut_to_48_kib_and_what_they_refuse_goes_by_fetch(granted, site, page):
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_read("page_view")
    await page.evaluate(
        "for (let n = 0; n < 9; n++) firsthand('track', 'big' + n, {description: 'é'.repeat(6000)});"
        "dispatchEvent(new Event('pagehide'))"
    )
    await site.until(lambda: len(site.accepted) == 5)
    assert 16 * 1024 < len(site.requests[-1].body.encode()) <= 48 * 1024
    assert len((await page.evaluate(STORED)).split(",")) == 5, "over the browser's budget: kept for the next page"
    await site.until_in_time(page, lambda: len(site.accepted) >= 10)
    assert sorted(site.names) == sorted(["page_view", *(f"big{n}" for n in range(9))])
    await page.wait_for_function("!localStorage.firsthand_queue")


async def test_without_a_working_beacon_fetch_takes_over(granted, site, page):
    await page.add_init_script("delete Navigator.prototype.sendBeacon")
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'scroll')")
    await page.goto(site.url("/blank"))
    await site.until_names("page_view", "scroll")


async def test_an_event_larger_than_every_budget_still_arrives_while_the_page_lives(granted, site, page):
    await page.goto(site.url("/"))
    await page.evaluate("firsthand('track', 'purchase', {description: 'x'.repeat(100000)})")
    await site.until_names("page_view", "purchase")


async def test_a_503_is_retried_after_the_time_the_server_asks_for(granted, site, page):
    site.replies.append((503, {"Retry-After": "120"}))
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until(lambda: len(site.requests) == 1)
    await page.wait_for_function("localStorage.firsthand_queue")
    await page.evaluate("firsthand('track', 'purchase')")
    await page.clock.run_for(119_000)
    await page.evaluate("fetch('/blank')")
    assert len(site.requests) == 1
    await page.clock.run_for(122_000)
    await site.until_names("page_view", "purchase")
    await page.wait_for_function("!localStorage.firsthand_queue")
    assert site.requests[0].events[0]["id"] == site.accepted[0]["id"]


async def test_what_a_failing_server_did_not_take_survives_the_reload_and_arrives_once(granted, site, page):
    site.replies.append((503, NOT_SOON))
    await page.goto(site.url("/one"))
    await page.evaluate("firsthand('identify', {email: 'ann@example.com'})")
    await page.evaluate("firsthand('track', 'purchase', {value: 5, currency: 'EUR'}, {id: 'o-1'})")
    await page.wait_for_function("localStorage.firsthand_queue")
    assert "ann@example.com" not in await page.evaluate("JSON.stringify(localStorage)")
    await page.goto(site.url("/blank"))
    await page.wait_for_function(f"{STORED}.split(',').length === 2")
    assert sorted((await page.evaluate(STORED)).split(",")) == ["page_view", "purchase"]
    await page.goto(site.url("/two"))
    await page.evaluate("firsthand('identify', {email: 'bob@example.com'})")
    await site.until_names("page_view", "page_view", "purchase")
    purchase = next(event for event in site.accepted if event["name"] == "purchase")
    assert purchase["id"] == "o-1"
    assert purchase["page"]["url"] == site.url("/one")
    assert purchase["user"] == {}, "the visitor of the next page is not the buyer of this one"
    await page.wait_for_function("!localStorage.firsthand_queue")


@pytest.mark.parametrize("status", [400, 403, 413])
async def test_a_refusal_by_the_server_is_final(granted, site, page, status):
    site.replies.append((status, {}))
    await page.goto(site.url("/"))
    await site.until(lambda: len(site.requests) == 1)
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until_read("purchase")
    assert await page.evaluate(STORED) == ""


async def test_a_throttled_request_is_kept(granted, site, page):
    site.replies.append((429, NOT_SOON))
    await page.goto(site.url("/"))
    await page.wait_for_function("localStorage.firsthand_queue")
    await page.goto(site.url("/blank"))
    await page.goto(site.url("/"))
    await site.until_names("page_view", "page_view")


async def test_a_request_without_an_answer_when_the_page_is_left_is_kept_for_the_next_page(granted, site, page):
    site.open.clear()
    async with page.expect_request("**/e"):
        await page.goto(site.url("/one"))
    await page.goto(site.url("/blank"))
    await page.wait_for_function(f"{STORED} === 'page_view'")
    site.open.set()
    await site.until_names("page_view")
    await page.goto(site.url("/two"))
    await site.until_names(*["page_view"] * 3)
    assert len({event["id"] for event in site.accepted}) == 2, "said twice under one id: the collector counts it once"


async def test_a_beacon_that_took_a_kept_event_ends_its_keeping(granted, site, page):
    site.replies.append((503, NOT_SOON))
    await page.goto(site.url("/one"))
    await page.wait_for_function("localStorage.firsthand_queue")
    site.pages["*"] = site.page()
    await page.goto(site.url("/two"))
    await page.wait_for_function(f"{STORED} === 'page_view'")
    await page.evaluate(GRANT + "; dispatchEvent(new Event('pagehide'))")
    assert await page.evaluate(STORED) == ""
    await site.until_names("page_view", "page_view")


async def test_events_recorded_offline_arrive_when_the_network_is_back(granted, site, page, context):
    await page.add_init_script(COUNT_STORED)
    await stop_clock(page)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_read("page_view")
    await context.set_offline(True)
    await page.evaluate("firsthand('track', 'purchase')")
    for failures in range(1, 4):
        # Each failure has been dealt with before time goes on: the last one leaves no timer, only the network can wake it.
        await page.wait_for_function(f"stored >= {failures}")
        await page.clock.run_for(60_000)
    await context.set_offline(False)
    # The browser tells the page while its requests may still fail: then it tries again a little later.
    await site.until_in_time(page, lambda: "purchase" in site.names)
    assert site.names == ["page_view", "purchase"]


async def test_after_three_network_errors_the_page_is_left_in_peace(granted, site, page, context):
    attempts = []

    async def refuse(route):
        attempts.append(route.request.url)
        await route.abort()

    await context.route("**/e", refuse)
    await page.add_init_script(COUNT_STORED)
    await stop_clock(page)
    await page.goto(site.url("/"))
    for failures in range(1, 4):
        await page.clock.run_for(60_000)
        await page.wait_for_function(f"stored >= {failures}")
    for _ in range(20):
        await page.evaluate("firsthand('track', 'purchase')")
        await page.clock.run_for(60_000)
    assert len(attempts) == 3
    await context.unroute("**/e")
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await page.clock.run_for(1000)
    await site.until_names("page_view", "page_view", *["purchase"] * 20)


async def test_a_server_that_stays_away_is_asked_ten_times_and_then_no_more(granted, site, page):
    site.replies.extend([(503, {})] * 30)
    await page.add_init_script(COUNT_STORED)
    await stop_clock(page)
    await page.goto(site.url("/"))
    for count in range(1, 11):
        await page.clock.run_for(180_000)
        await page.wait_for_function(f"stored >= {count}")
    assert len(site.requests) == 10
    await page.clock.run_for(3_600_000)
    await page.evaluate("fetch('/blank')")
    assert len(site.requests) == 10


async def test_the_retry_queue_keeps_a_hundred_events_in_32_kib_and_forgets_them_after_a_day(granted, site, page):
    site.replies.append((503, {}))
    many = "for (let n = 0; n < 150; n++) firsthand('track', 'step' + n, {description: 'x'.repeat(n)})"
    site.pages["/many"] = site.page(f"{GRANT};{many}")
    await stop_clock(page)
    await page.goto(site.url("/many"))
    await page.clock.run_for(100)
    await page.wait_for_function("localStorage.firsthand_queue")
    names = (await page.evaluate(STORED)).split(",")
    assert len(names) <= 100
    assert names[-1] == "step149"
    assert await page.evaluate("localStorage.firsthand_queue.length") <= 32_768
    await page.goto(site.url("/blank"))
    await page.clock.run_for(25 * 3_600_000)
    await page.goto(site.url("/"))
    await page.clock.run_for(100)
    await site.until_names("page_view")


async def test_switched_off_the_retry_queue_stores_nothing(granted, site, page):
    site.settings["retryQueue"] = False
    site.replies.append((503, {}))
    await stop_clock(page)
    async with page.expect_response("**/e"):
        await page.goto(site.url("/"))
        await page.clock.run_for(100)
    assert await page.evaluate("localStorage.length") == 0
    await site.until_in_time(page, lambda: site.names == ["page_view"])
    assert await page.evaluate("localStorage.length") == 0


async def test_a_damaged_retry_queue_is_replaced(granted, site, page):
    await page.goto(site.url("/blank"))
    for damage in ["null", "{", "[null, 5, {}]", '"text"']:
        await page.evaluate("damage => { localStorage.firsthand_queue = damage }", damage)
        await page.goto(site.url("/"))
        await site.until(lambda: len(site.accepted) == 1)
        await page.wait_for_function("!localStorage.firsthand_queue")
        site.requests.clear()


async def test_two_tabs_lose_nothing_between_them(granted, site, context):
    site.replies.extend([(503, {"Retry-After": "60"})] * 2)
    first, second = await context.new_page(), await context.new_page()
    await first.goto(site.url("/first"))
    await first.wait_for_function("localStorage.firsthand_queue")
    await second.goto(site.url("/second"))
    await second.wait_for_function("localStorage.firsthand_queue?.includes('/second')")
    await first.close(run_before_unload=True)
    await second.close(run_before_unload=True)
    third = await context.new_page()
    await third.goto(site.url("/third"))
    await site.until(lambda: len(site.accepted) >= 3)
    assert {event["page"]["url"] for event in site.accepted} == set(map(site.url, ["/first", "/second", "/third"]))
