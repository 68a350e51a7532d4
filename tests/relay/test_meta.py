"""The relay and the real Meta destination, against answers in Meta's own words."""

import json
from decimal import Decimal

import pytest

from proxy.destinations.meta import Meta
from proxy.event import Client, Data, Page, User, replace


def error(code, subcode=None, **more):
    return {
        "error": {
            "message": "Invalid parameter",
            "type": "OAuthException",
            "code": code,
            **({} if subcode is None else {"error_subcode": subcode}),
            "fbtrace_id": "Ax1",
            **more,
        }
    }


@pytest.fixture
def meta(platform):
    settings = Meta.Settings(kind="meta", pixel_id="1234567890", access_token="tok-EN", base_url=platform.url)
    return Meta("one", settings)


@pytest.fixture
def purchases(kit):
    def make(count, **changes):
        page = Page(url="https://www.shop.example/thanks")
        client = Client(ip="198.51.100.7", user_agent="Mozilla/5.0")
        user = User(email=("ann@example.com",))
        data = Data(value=Decimal(5), currency="EUR")
        return [replace(one, page=page, client=client, user=user, data=data, **changes) for one in kit.events(count)]

    return make


async def test_a_batch_arrives_as_meta_wants_it(kit, meta, purchases):
    sent = await kit.append(*purchases(60))
    await kit.start(meta)
    await kit.time.until_idle()
    assert kit.platform.accepted_ids == sent
    assert [len(rows) for rows in kit.platform.requests] == [50, 10]
    assert kit.platform.headers[0]["Authorization"] == "Bearer tok-EN"
    assert "ann@example.com" not in json.dumps(kit.platform.requests)


async def test_an_invalid_event_is_found_and_carries_metas_words(kit, meta, purchases, answer):
    events = purchases(8)
    sent = await kit.append(*events)
    culprit = sent[5]
    refused = answer(400, error(100, 2804009, error_user_title="Purchase needs a value"))
    own = kit.platform._own
    kit.platform._own = lambda rows: refused if culprit in [row["event_id"] for row in rows] else own(rows)
    await kit.start(meta)
    await kit.time.until_idle()
    assert kit.platform.accepted_ids == [one for one in sent if one != culprit]
    ((event_id, (why, detail)),) = (await kit.dead()).items()
    assert event_id == culprit
    assert why
    assert "Purchase needs a value" in detail
    assert "2804009" in detail


async def test_a_malformed_click_id_costs_the_click_id_and_not_the_sale(kit, meta, purchases, answer):
    clicked = purchases(1, browser_ids={"fbc": "fb.1.1789999999000.AbC"})
    sent = await kit.append(*purchases(3), *clicked)
    own = kit.platform._own

    def judged(rows):
        has_click = any("fbc" in row["user_data"] for row in rows)
        return answer(400, error(100, 2804001)) if has_click else own(rows)

    kit.platform._own = judged
    await kit.start(meta)
    await kit.time.until_idle()
    assert sorted(kit.platform.accepted_ids) == sorted(sent)
    assert await kit.dead() == {}


async def test_an_expired_token_pauses_whatever_the_status(kit, meta, purchases, answer):
    sent = await kit.append(*purchases(2))
    kit.platform.script = [answer(500, error(190, 463, message="Session has expired"))]
    await kit.start(meta)
    assert await kit.time.next_sleep() == 300
    assert (await kit.state()).paused
    kit.time.advance(300)
    await kit.time.until_idle()
    assert kit.platform.accepted_ids == sent


async def test_throttling_waits_and_a_wrong_count_is_noted(kit, meta, purchases, answer):
    await kit.append(*purchases(2))
    kit.platform.script = [
        answer(400, error(4, is_transient=True)),
        answer(200, {"events_received": 1, "messages": [], "fbtrace_id": "Bx2"}),
    ]
    await kit.start(meta)
    waits = await kit.time.until_idle()
    assert len(waits) == 1
    assert "1 events of 2" in (await kit.state()).last_error
    assert (await kit.stats()).waiting == 0
