"""The sandbox server keeps what arrived, counts repeats and can play trouble."""

import json

import pytest

from proxy.sandbox.server import Sandbox

NOW_MS = 1_790_000_000_000
ROW = {
    "event_name": "Lead",
    "event_time": NOW_MS // 1000,
    "event_id": "l-1",
    "action_source": "website",
    "event_source_url": "https://shop.example/",
    "user_data": {"client_user_agent": "UA", "fbp": "fb.1.1790000000000.1"},
}
HEADERS = {"Authorization": "Bearer sandbox-token"}


@pytest.fixture
async def client(aiohttp_client):
    return await aiohttp_client(Sandbox(lambda: NOW_MS).make_app())


async def post(client):
    return await client.post("/v26.0/123/events", data=json.dumps({"data": [ROW]}), headers=HEADERS)


async def test_a_repeated_event_is_counted_as_repeated(client):
    await post(client)
    await post(client)
    received = await (await client.get("/received.json")).json()
    assert received["platforms"]["meta"] == {"mode": "ok", "accepted": 1, "repeated": 1, "refused": 0}
    assert [record["repeated"] for record in received["records"]] == [False, True]


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttled", 429), ("bad_token", 401)])
async def test_a_platform_can_play_trouble_and_recover(client, mode, status):
    await client.post("/control", data=json.dumps({"kind": "meta", "mode": mode}))
    assert (await post(client)).status == status
    await client.post("/control", data=json.dumps({"kind": "meta", "mode": "ok"}))
    assert (await post(client)).status == 200


async def test_an_unknown_mode_is_refused_with_the_choices(client):
    reply = await client.post("/control", data=json.dumps({"kind": "meta", "mode": "sulks"}))
    assert reply.status == 400
    assert "throttled" in (await reply.json())["error"]


async def test_a_path_no_platform_owns_is_404(client):
    assert (await client.get("/nothing/here")).status == 404


async def test_the_page_is_served(client):
    assert "What the platforms received" in await (await client.get("/")).text()
