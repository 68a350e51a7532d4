"""A bad Friday: five platforms in trouble of five kinds at the same time, over real sockets, on the real log."""

import asyncio
import json
import time

import aiohttp
import pytest

from proxy.clock import system_clock
from proxy.config.load import read
from proxy.config.settings import LogSettings
from proxy.event import (
    ClickId,
    Client,
    Consent,
    ConsentState,
    Data,
    Event,
    Item,
    Page,
    User,
    Visitor,
)
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from proxy.relay import search
from proxy.relay.relay import Relay
from proxy.sandbox.base import TOKEN
from proxy.sandbox.server import Sandbox

CONFIG = """
site: {{origins: [https://www.shop.example]}}
relay: {{wait_s: 0.05, backoff_max_s: 1, probe_s: 1}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, base_url: "{url}"}}
  google:
    kind: google_ads
    customer_id: "1234567890"
    conversion_actions: {{purchase: "987654321"}}
    client_id: tests.apps.googleusercontent.com
    client_secret: {token}
    refresh_token: {token}
    base_url: "{url}"
  tiktok: {{kind: tiktok, pixel_code: C4PIXELCODE0EXAMPLE0, access_token: {token}, base_url: "{url}"}}
  snapchat: {{kind: snapchat, pixel_id: 3d1f8d6e-3b1c-4a53-9a3e-7a2f1f0c9d11, access_token: {token}, base_url: "{url}"}}
  pinterest: {{kind: pinterest, ad_account_id: "549755885175", access_token: {token}, base_url: "{url}"}}
  ga4: {{kind: ga4, measurement_id: G-TEST12345, api_secret: {token}, event_id: true, base_url: "{url}"}}
  crm: {{kind: webhook, url: "{url}/webhook/crm", secret: {token}, allow_private_addresses: true}}
"""
GRANTED = ConsentState.GRANTED
KIND = {"google": "google_ads", "crm": "webhook"}
TRYING = ("tiktok", "snapchat")  # again and again, while their platforms are in trouble
ID_OF = {"google_ads": "transactionId", "webhook": "id"}


def purchase(number):
    return Event(
        id=f"o-{number}",
        name="purchase",
        time=time.time_ns() // 1_000_000,
        page=Page(url="https://www.shop.example/thanks", language="en"),
        visitor=Visitor(id=f"v_{number}", first_seen=1_790_000_000_000),
        click_ids={"gclid": ClickId(value="Cj0KC", clicked_at=1_790_000_000_000)},
        browser_ids={"fbp": "fb.1.1790000000000.1", "ga_client_id": f"{number}.1790000000"},
        user=User(email=(f"visitor{number}@example.com",)),
        data=Data(value=number + 1, currency="EUR", order_id=f"o-{number}", items=(Item(id="mug", quantity=1),)),
        client=Client(ip="203.0.113.9", user_agent="Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0"),
        consent=Consent(marketing=GRANTED, analytics=GRANTED, personalization=GRANTED),
    )


def ids_at(sandbox, name):
    """Event ids a destination's platform accepted, in order of arrival, repeats included."""
    kind = KIND.get(name, name)
    rows = [record["row"] for record in sandbox.received()["records"] if record["kind"] == kind and "row" in record]
    if kind == "ga4":
        return [event["params"]["event_id"] for row in rows for event in row["events"]]
    return [row[ID_OF.get(kind, "event_id")] for row in rows]


@pytest.fixture
async def friday(tmp_path, aiohttp_server):
    """The running relay with all seven destinations, its log, and the platforms."""
    sandbox = Sandbox()
    server = await aiohttp_server(sandbox.make_app())
    url = str(server.make_url("")).rstrip("/")
    config = await asyncio.to_thread(read, CONFIG.format(token=TOKEN, url=url), tmp_path / "config.yaml", {})
    log = await SqliteLog.open(tmp_path, Keyring.parse(generate_key()), LogSettings(), system_clock)
    relay = Relay(log, config.destinations, config.rules, config.settings.relay)
    try:
        yield log, relay, sandbox, url
    finally:
        await relay.stop(5)
        await log.close()


async def until(condition):
    """Returns without it when it takes too long: what is asserted then shows more."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)


async def play(url, kind, mode):
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/control", data=json.dumps({"kind": kind, "mode": mode})) as reply,
    ):
        assert reply.status == 200, await reply.text()


@pytest.mark.timeout(600)
async def test_five_troubles_at_once_cost_only_the_bad_events(friday, monkeypatch):
    monkeypatch.setattr(search, "PATIENCE", 1_000)  # however long this takes, nobody looks for a single culprit
    log, relay, sandbox, url = friday
    troubles = {
        "tiktok": "throttled",
        "pinterest": "bad_row",
        "google_ads": "bad_row",
        "snapchat": "down",
        "meta": "bad_token",
    }
    for kind, mode in troubles.items():
        await play(url, kind, mode)
    sent = [f"o-{number}" for number in range(10)]
    await log.append([purchase(number) for number in range(10)])
    await relay.start()

    # Those without trouble have everything, those with one bad row everything but that row.
    await until(lambda: len(ids_at(sandbox, "ga4")) == len(ids_at(sandbox, "crm")) == 10)
    assert sorted(ids_at(sandbox, "ga4")) == sorted(ids_at(sandbox, "crm")) == sent
    await until(lambda: len(ids_at(sandbox, "pinterest")) == len(ids_at(sandbox, "google")) == 9)
    letters = {}
    while len(letters) < 2:
        letters = {(stored.reader, stored.event.id): stored.letter for stored in await log.dead()}
        await asyncio.sleep(0.02)
    assert {reader for reader, _ in letters} == {"pinterest", "google"}
    for (reader, event_id), letter in letters.items():
        assert event_id not in ids_at(sandbox, reader)
        assert sorted([*ids_at(sandbox, reader), event_id]) == sent
        assert letter.detail, "the platform's own words"

    # Those that cannot take events now have none, keep their queue, and say what to do.
    for name in ("tiktok", "snapchat", "meta"):
        assert ids_at(sandbox, name) == []
    states = {}
    async with asyncio.timeout(60):
        while not (states and states["meta"].state.paused and all(states[name].state.attempts for name in TRYING)):
            states = {stats.reader: stats for stats in (await log.stats()).readers}
            await asyncio.sleep(0.02)
    assert "token" in states["meta"].state.paused.lower()
    assert not any(states[name].state.paused for name in TRYING)
    assert {states[name].waiting for name in ("tiktok", "snapchat", "meta")} == {10}

    # Repaired: everything queued arrives, once, in order.
    for kind in troubles:
        await play(url, kind, "ok")
    for name in ("tiktok", "snapchat", "meta"):
        await until(lambda name=name: len(ids_at(sandbox, name)) >= 10)
        assert ids_at(sandbox, name) == sent
    assert all(counts["repeated"] == 0 for counts in sandbox.received()["platforms"].values())
    assert {(stored.reader, stored.event.id) for stored in await log.dead()} == letters.keys()
