"""The sandbox server finds the platform by its path, keeps what arrived, counts repeats and can play trouble."""

import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from proxy.destinations import load_all as load_destinations
from proxy.event import encode_json
from proxy.sandbox import load_all
from proxy.sandbox.base import Call
from proxy.sandbox.server import Sandbox

NOW_MS = 1_790_000_000_000
NOW_S = NOW_MS // 1000
DIGEST = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"  # test@example.com
BROWSER = {"client_ip_address": "203.0.113.9", "client_user_agent": "UA"}
BEARER = {"Authorization": "Bearer sandbox-token"}
LEAD = {
    "event_name": "Lead",
    "event_time": NOW_S,
    "event_id": "l-1",
    "action_source": "website",
    "event_source_url": "https://shop.example/",
    "user_data": {"client_user_agent": "UA", "fbp": "fb.1.1790000000000.1"},
}
TOGETHER = {
    "tiktok": {"event_source": "web", "event_source_id": "C4PIXELCODE0EXAMPLE0"},
    "google_ads": {
        "destinations": [
            {
                "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "1234567890"},
                "productDestinationId": "987654321",
            }
        ],
        "encoding": "HEX",
    },
    "ga4": {"client_id": "1.2"},
}
PATHS = {
    "meta": "/v26.0/123/events",
    "tiktok": "/open_api/v1.3/event/track/",
    "snapchat": "/v3/7f1a0e52/events?access_token=sandbox-token",
    "pinterest": "/v5/ad_accounts/549755885175/events",
    "google_ads": "/v1/events:ingest",
    "ga4": "/mp/collect?measurement_id=G-1&api_secret=sandbox-token",
    "webhook": "/webhook",
}


def row(kind, number=1):
    """One good event of the platform."""
    name = f"id-{number}"
    match kind:
        case "meta":
            return LEAD | {"event_id": name}
        case "tiktok":
            page = {"url": "https://shop.example/"}
            return {"event": "Lead", "event_time": NOW_S, "event_id": name, "page": page, "user": {"email": DIGEST}}
        case "snapchat":
            source = {"action_source": "WEB", "event_source_url": "https://shop.example/"}
            return {"event_name": "SIGN_UP", "event_time": NOW_S, "event_id": name, "user_data": BROWSER, **source}
        case "pinterest":
            source = {"action_source": "web", "event_name": "lead"}
            return {"event_time": NOW_S, "event_id": name, "user_data": BROWSER, **source}
        case "google_ads":
            person = {"userIdentifiers": [{"emailAddress": DIGEST}]}
            return {"transactionId": name, "eventTimestamp": "2026-09-21T14:13:20Z", "userData": person}
        case "ga4":
            amount = {"transaction_id": name, "value": 1, "currency": "EUR", "items": [{"item_id": "mug"}]}
            return {"name": "purchase", "params": {"engagement_time_msec": 1, **amount}}
        case "webhook":
            return {"id": name, "name": "lead", "time": NOW_MS}


def body_of(kind, rows):
    if kind == "webhook":
        return rows
    return {"events" if kind in {"google_ads", "ga4"} else "data": rows, **TOGETHER.get(kind, {})}


KINDS = sorted(load_all())


@pytest.fixture
async def client(aiohttp_client):
    return await aiohttp_client(Sandbox(lambda: NOW_MS).make_app())


async def post(client, kind="meta", rows=None, path=None):
    body = json.dumps(body_of(kind, rows or [row(kind)])).encode()
    digest = hmac.new(b"sandbox-token", f"{NOW_S}.".encode() + body, hashlib.sha256).hexdigest()
    own = {"Access-Token": "sandbox-token", "X-Firsthand-Signature": f"t={NOW_S},v1={digest}"}
    headers = BEARER | own | {"Content-Type": "application/json"}
    return await client.post(path or PATHS[kind], data=body, headers=headers)


async def received(client):
    return await (await client.get("/received.json")).json()


async def play(client, kind, mode):
    return await client.post("/control", data=json.dumps({"kind": kind, "mode": mode}))


def test_every_platform_is_tested_here():
    assert sorted(PATHS) == KINDS


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((path.partition("?")[0], kind) for kind, path in PATHS.items()),
        ("/v26.0/123", "meta"),
        ("/v3/7f1a0e52/events/validate", "snapchat"),
        ("/open_api/v1.3/pixel/track/", "tiktok"),
        ("/token", "google_ads"),
        ("/v1/requestStatus:retrieve", "google_ads"),
        ("/debug/mp/collect", "ga4"),
        ("/webhook/crm", "webhook"),
    ],
)
def test_a_path_belongs_to_one_platform(path, kind):
    owners = [name for name, stand_in in load_all().items() if stand_in().owns(Call(method="POST", path=path))]
    assert owners == [kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_repeated_event_is_counted_as_repeated(client, kind):
    for _ in range(2):
        assert (await post(client, kind)).status in {200, 204}
    found = await received(client)
    assert found["platforms"][kind] == {"mode": "ok", "accepted": 1, "repeated": 1, "refused": 0, "turned_away": 0}
    assert [record["repeated"] for record in found["records"]] == [False, True]


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("meta", "/v26.0/456/events"),
        ("snapchat", "/v3/other/events?access_token=sandbox-token"),
        ("pinterest", "/v5/ad_accounts/1/events"),
        ("ga4", "/mp/collect?measurement_id=G-2&api_secret=sandbox-token"),
        ("webhook", "/webhook/crm"),
    ],
)
async def test_the_same_event_in_another_account_is_no_repetition(client, kind, other):
    await post(client, kind)
    await post(client, kind, path=other)
    found = await received(client)
    assert (found["platforms"][kind]["accepted"], found["platforms"][kind]["repeated"]) == (2, 0)
    assert len({record["account"] for record in found["records"]}) == 2


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttled", 429), ("bad_token", 401)])
async def test_a_platform_can_play_trouble_and_recover(client, mode, status):
    await play(client, "meta", mode)
    assert (await post(client)).status == status
    await play(client, "meta", "ok")
    assert (await post(client)).status == 200
    found = (await received(client))["platforms"]["meta"]
    assert (found["accepted"], found["refused"] + found["turned_away"]) == (1, 1)


async def test_trouble_of_one_platform_is_not_trouble_of_another(client):
    await play(client, "meta", "down")
    assert (await post(client, "pinterest")).status == 200


async def test_some_rows_may_be_taken_and_others_not(client):
    rows = [row("pinterest", number) for number in range(10)]
    rows[3]["event_name"] = "purchase"
    assert (await post(client, "pinterest", rows)).status == 200
    found = await received(client)
    assert found["platforms"]["pinterest"] == {
        "mode": "ok",
        "accepted": 9,
        "repeated": 0,
        "refused": 1,
        "turned_away": 0,
    }
    (refused,) = (record for record in found["records"] if "faults" in record)
    assert refused["body"] == rows[3]
    assert "event_name" in refused["faults"][0]


BAD_ROW = {
    "meta": ("2804003", 0),
    "tiktok": ("Batch.0.event_time", 0),
    "snapchat": ("Unrecognized event type", 0),
    "pinterest": ("in the future", 2),
    "google_ads": ("events[0].currency", 0),
    "ga4": ("", 2),
    "webhook": ("event 0", 0),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_one_bad_row_stays_bad_until_the_mode_ends(client, kind):
    words, others_taken = BAD_ROW[kind]
    await play(client, kind, "bad_row")
    rows = [row(kind, number) for number in range(3)]
    assert words in await (await post(client, kind, rows)).text()
    assert (await received(client))["platforms"][kind]["accepted"] == others_taken
    await post(client, kind, rows[:1])
    found = (await received(client))["platforms"][kind]
    assert (found["accepted"], found["refused"]) == (others_taken, 2)
    await post(client, kind, rows[1:])
    assert (await received(client))["platforms"][kind]["accepted"] == 2
    await play(client, kind, "ok")
    await post(client, kind, rows[:1])
    assert (await received(client))["platforms"][kind]["accepted"] == 3


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2),
    max_leaves=4,
)


def spoiled(data, value):
    """The value with junk somewhere in it, or without some part."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 5)):
            return value | {key: spoiled(data, value[key])}
        return {name: part for name, part in value.items() if name != key}
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        return [spoiled(data, value[0]), *value[1:]]
    return data.draw(junk)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(data=st.data())
def test_a_stand_in_never_raises_and_never_loses_a_word(kind, data):
    """Whatever comes, each row is accepted or there is a reason why it was not; and all of it can be shown."""
    rows = data.draw(st.just([row(kind)]) | st.just([row(kind, 1), row(kind, 2)]))
    path, _, query = PATHS[kind].partition("?")
    body = json.dumps(spoiled(data, body_of(kind, rows))).encode()
    digest = hmac.new(b"sandbox-token", f"{NOW_S}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"authorization": BEARER["Authorization"], "access-token": "sandbox-token"}
    headers |= {"content-type": "application/json", "x-firsthand-signature": f"t={NOW_S},v1={digest}"}
    call = Call(method="POST", path=path, query=dict(parse_qsl(query)), headers=headers, body=body)
    stand_in = load_all()[kind]()
    answer = stand_in.answer(call, NOW_MS)
    assert answer.accepted or answer.faults or answer.refused or json.loads(body) in ([], {"ping": None})
    assert len(answer.accounts) == len(answer.accepted)
    sandbox = Sandbox(lambda: NOW_MS)
    sandbox._record(stand_in, call, answer)
    assert encode_json(sandbox.received())


async def test_an_unknown_mode_is_refused_with_the_choices(client):
    reply = await client.post("/control", data=json.dumps({"kind": "meta", "mode": "sulks"}))
    assert reply.status == 400
    assert "throttled" in (await reply.json())["error"]


async def test_a_path_no_platform_owns_is_404(client):
    assert (await client.get("/nothing/here")).status == 404


async def test_the_page_is_served_and_knows_every_mode(client):
    page = await (await client.get("/")).text()
    assert "What the platforms received" in page
    advice = (await (await play(client, "meta", "sulks")).json())["error"]
    modes = advice.rpartition("mode of ")[2].split(", ")
    assert all(f"{mode}:" in page for mode in modes)


def test_the_guide_names_every_stand_in_and_its_example_is_a_configuration():
    guide = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    assert all(f"`{kind}`" in guide for kind in KINDS)
    example = yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0])["destinations"]
    for name, given_settings in example.items():
        platform = load_destinations()[given_settings["kind"]]
        platform(name, platform.Settings.model_validate(given_settings))
    assert sorted(settings["kind"] for settings in example.values()) == KINDS
