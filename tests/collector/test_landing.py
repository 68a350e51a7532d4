"""What the script tells about the beginning of a page load: one visitor for requests that race, no lost click."""

import json

NOW_MS = 1_790_000_000_000
LANDING = {"seed": "0199-seed-of-this-page", "at": NOW_MS - 5_000, "url": "https://www.shop.example/?fbclid=AbC"}
META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"


def body(number, landing=LANDING, **more):
    event = {
        "id": f"e-{number}",
        "name": "purchase",
        "time": NOW_MS - 10,
        "page": {"url": "https://www.shop.example/p"},
    }
    return {"consent": {"marketing": "granted"}, "landing": landing, "events": [event], **more}


async def test_two_first_requests_of_one_page_make_one_visitor(start, stored):
    at = await start(META)
    await at.post(body(1))
    await at.post(body(2))
    first, second = await stored()
    assert first.visitor == second.visitor
    assert first.browser_ids == second.browser_ids
    assert set(first.browser_ids) == {"fbp", "fbc"}


async def test_a_later_view_still_has_the_click_of_the_landing(start, stored):
    at = await start(META)
    await at.post(body(1))
    (event,) = await stored()
    assert event.browser_ids["fbc"] == f"fb.1.{LANDING['at']}.AbC"
    assert event.click_ids["fbclid"].clicked_at == LANDING["at"]


async def test_pages_with_different_seeds_are_different_visitors(start, stored):
    at = await start(META)
    await at.post(body(1))
    await at.post(body(2, {**LANDING, "seed": "another-seed-altogether"}))
    first, second = await stored()
    assert first.visitor.id != second.visitor.id
    assert first.browser_ids["fbp"] != second.browser_ids["fbp"]


async def test_a_page_cannot_choose_whom_it_becomes(start, stored):
    at = await start(META)
    await at.post(body(1, {**LANDING, "seed": "v_aaaaaaaaaaaaaaaaaaaaaaaaaa"}))
    (event,) = await stored()
    assert "aaaaaaaa" not in event.visitor.id


async def test_a_landing_means_nothing_without_consent(start, stored):
    at = await start(META)
    reply = await at.post(body(1, consent={"marketing": "denied", "analytics": "denied"}))
    assert reply.status == 204
    assert "Set-Cookie" not in reply.headers
    assert await stored() == []


async def test_with_analytics_only_the_visitor_is_one_and_the_click_stays_out(start, stored):
    at = await start(META)
    await at.post(body(1, consent={"analytics": "granted"}))
    await at.post(body(2, consent={"analytics": "granted"}))
    first, second = await stored()
    assert first.visitor == second.visitor
    assert not first.click_ids
    assert not first.browser_ids
    assert "AbC" not in json.dumps([str(first), str(second)])


async def test_an_unusable_landing_costs_no_event(start, stored):
    at = await start(META)
    for number, landing in enumerate([{"seed": "short"}, {"seed": 5, "at": "x"}, "text", [], {"at": [], "url": {}}]):
        reply = await at.post(body(number, landing))
        assert reply.status == 204, await reply.text()
    assert len(await stored()) == 5


async def test_a_landing_in_the_future_or_the_far_past_counts_as_now(start, stored):
    at = await start(META)
    await at.post(body(1, {**LANDING, "at": NOW_MS + 3_600_000}))
    await at.post(body(2, {**LANDING, "at": 1}))
    assert {event.browser_ids["fbc"] for event in await stored()} == {f"fb.1.{NOW_MS}.AbC"}
