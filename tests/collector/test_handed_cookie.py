"""A server's event that brings the visitor's cookie: an order paid days later finds its click and its person."""

import json

import pytest

from proxy.clock import DAY_MS

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
GRANTED = {"marketing": "granted", "analytics": "granted"}
LANDING = "https://www.shop.example/?gclid=AbC&fbclid=XyZ"


async def visits(site, consent=GRANTED, **more):
    """A browser's visit from an ad; the cookies it has afterwards."""
    event = {"id": "view", "name": "page_view", "page": {"url": LANDING}, **more}
    reply = await site.post({"consent": consent, "events": [event]})
    pairs = [line.partition(";")[0] for line in reply.headers.getall("Set-Cookie", [])]
    return dict(pair.split("=", 1) for pair in pairs)


def order(cookie, **more):
    return {"id": "o-1", "name": "purchase", "visitor": {"cookie": cookie}, **more}


async def accepted(site, body):
    reply = await site.post_as_server(body)
    assert reply.status == 204, await reply.text()


async def test_an_order_paid_days_later_finds_its_click_ids_and_browser_ids(start, stored, clock):
    site = await start(META)
    cookies = await visits(site)
    clock.now_ms += 9 * DAY_MS
    await accepted(site, order(cookies["_fh"], consent=GRANTED))
    view, bought = await stored()
    assert bought.visitor == view.visitor
    assert bought.click_ids == view.click_ids
    assert bought.browser_ids == view.browser_ids
    assert set(bought.browser_ids) == {"fbp", "fbc"}
    assert bought.attribution.evidence == "store"


async def test_the_whole_cookie_header_will_do_and_brings_what_other_tags_wrote(start, stored):
    tiktok = "destinations: {t: {kind: tiktok, pixel_code: C, access_token: t}}"
    site = await start(tiktok)
    cookies = await visits(site)
    header = "; ".join(f"{name}={value}" for name, value in {**cookies, "_ttp": "01ABC", "session": "secret"}.items())
    await accepted(site, order(header, consent=GRANTED))
    _, bought = await stored()
    assert bought.browser_ids["ttp"] == "01ABC"
    assert "secret" not in repr(bought)


async def test_a_silent_server_acts_on_what_the_visitor_had_said(start, stored):
    site = await start(META)
    cookies = await visits(site)
    await accepted(site, order(cookies["_fh"]))
    _, bought = await stored()
    assert (bought.consent.marketing, bought.consent.source) == ("granted", "remembered")
    assert bought.click_ids["gclid"].value == "AbC"


@pytest.mark.parametrize("said", [{"marketing": "denied", "analytics": "granted"}, {**GRANTED, "sale": "denied"}])
async def test_what_the_visitor_or_the_server_refuses_stays_refused(start, stored, said):
    site = await start(META)
    refusing = await visits(site, consent=said)
    await accepted(site, order(refusing["_fh"]))
    granting = await visits(site, id="view-2")
    await accepted(site, order(granting["_fh"], id="o-2", consent=said))
    for event in await stored():
        if event.name == "purchase":
            assert event.click_ids == {}
            assert "fbc" not in event.browser_ids


async def test_an_opt_out_signal_on_the_page_binds_the_order_of_the_server(start, stored):
    site = await start(f"{META}\nconsent: {{default: granted}}")
    view = {"name": "page_view", "page": {"url": LANDING}}
    reply = await site.post({"events": [view]}, headers={"Sec-GPC": "1"})
    (cookie,) = [line for line in reply.headers.getall("Set-Cookie") if line.startswith("_fh=")]
    await accepted(site, order(cookie.partition(";")[0].removeprefix("_fh=")))
    bought = (await stored())[-1]
    assert (bought.consent.sale, bought.click_ids) == ("denied", {})


async def test_nobody_said_anything_so_the_default_counts(start, stored):
    site = await start(META)
    await accepted(site, order("not-a-cookie"))
    assert await stored() == []


@pytest.mark.parametrize("cookie", ["forged", "A" * 300, "_fh=forged; x=y", "=", "\u2603"])
async def test_a_cookie_that_is_not_ours_costs_the_event_nothing(start, stored, cookie):
    site = await start(META)
    await accepted(site, order(cookie, consent=GRANTED))
    (bought,) = await stored()
    assert (bought.visitor, bought.click_ids) == (None, {})


async def test_a_page_cannot_hand_over_somebody_elses_cookie(start, stored):
    site = await start(META)
    cookies = await visits(site)
    reply = await site.post(order(cookies["_fh"], consent=GRANTED))
    assert reply.status == 204
    view, bought = await stored()
    assert bought.visitor != view.visitor
    assert bought.click_ids == {}


async def test_the_events_of_one_request_of_a_server_are_about_different_people(start, stored):
    site = await start(f"{META}\nidentity: {{remember: [email]}}")
    cookies = await visits(site)
    url = "https://www.shop.example/?ttclid=T1"
    await accepted(
        site,
        [
            order(cookies["_fh"], id="o-1", consent=GRANTED, user={"email": "ann@shop.example"}),
            {"id": "o-2", "name": "purchase", "page": {"url": url}, "consent": GRANTED},
            {"id": "o-3", "name": "purchase", "consent": GRANTED},
        ],
    )
    _, first, second, third = await stored()
    assert set(first.click_ids) == {"gclid", "fbclid"}
    assert set(second.click_ids) == {"ttclid"}
    assert (third.visitor, third.click_ids, third.user.email, third.remembered) == (None, {}, (), ())


async def test_an_order_of_an_erased_visitor_is_dropped(start, stored, log):
    site = await start(META)
    cookies = await visits(site)
    (view,) = await stored()
    await log.revoke([view.visitor.id])
    await accepted(site, order(cookies["_fh"], consent=GRANTED))
    assert await stored() == [view]


async def test_the_cookie_itself_is_stored_nowhere(start, stored):
    site = await start(META)
    cookies = await visits(site)
    await accepted(site, order(cookies["_fh"], consent=GRANTED))
    assert cookies["_fh"] not in repr(await stored())


async def test_a_cookie_longer_than_headers_are_is_refused(start):
    site = await start(META)
    reply = await site.post_as_server(order("x" * 9_000))
    assert reply.status == 400
    assert json.loads(await reply.text())["refused"][0]["where"] == "visitor.cookie"


async def test_after_90_days_the_visitor_is_known_and_the_click_is_not(start, stored, clock):
    site = await start(META)
    cookies = await visits(site)
    clock.now_ms += 91 * DAY_MS
    await accepted(site, order(cookies["_fh"], consent=GRANTED))
    bought = (await stored())[-1]
    assert bought.click_ids == {}
    assert bought.visitor is not None
