"""How much browsers may send: who shares a bucket, what the answer says, and who is never told to wait."""

import json

import pytest
import structlog

from proxy.collector import limits as limits_file
from proxy.collector.limits import Limits, bucket_of
from proxy.config.limits import LimitsSettings
from proxy.config.load import read as load
from proxy.errors import ConfigError
from tests.collector.conftest import INGEST_KEY

EVENT = {"name": "lead", "consent": {"marketing": "granted"}}
BEHIND = "listen: {trusted_proxies: [127.0.0.0/8]}\n"
FEW = BEHIND + "limits: {address_per_s: 1, address_burst: 3}"
NOW = 1_790_000_000_000


def of(address):
    return {"X-Forwarded-For": address}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1"),
        ("2001:db8::1", "2001:db8:0:0:ffff::"),
        ("2a00:0:0:1::", "2a00::1:0:0:0:1"),
    ],
)
def test_a_household_shares_one_bucket(one, other):
    assert bucket_of(one) == bucket_of(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [("203.0.113.7", "203.0.113.8"), ("2001:db8:1:2::1", "2001:db8:1:3::1"), ("2001:db8::1", "203.0.113.7")],
)
def test_strangers_do_not(one, other):
    assert bucket_of(one) != bucket_of(other)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "127.0.0.1",
        "172.17.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.1.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
    ],
)
def test_a_private_address_is_a_proxy_nobody_named_and_has_no_bucket(address):
    assert bucket_of(address) is None


@pytest.mark.parametrize("address", ["172.15.0.1", "172.32.0.1", "192.167.1.1", "100.128.0.1", "198.51.100.1"])
def test_its_neighbours_have(address):
    assert bucket_of(address) == address


async def test_an_address_over_its_limit_is_told_when_to_come_back_and_then_is_welcome(start, clock, count, stored):
    site = await start(FEW)
    refused = count("requests_refused", reason="rate_address")
    for _ in range(3):
        assert (await site.post(EVENT, headers=of("203.0.113.7"))).status == 204
    answer = await site.post(EVENT, headers=of("203.0.113.7"))
    assert (answer.status, refused()) == (429, 1)
    assert "later" in (await answer.json())["error"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example", "the script may read it"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Set-Cookie" not in answer.headers
    assert (await site.post(EVENT, headers=of("203.0.113.8"))).status == 204, "others are not held up"
    clock.now_ms += int(answer.headers["Retry-After"]) * 1_000
    assert (await site.post(EVENT, headers=of("203.0.113.7"))).status == 204
    assert len(await stored()) == 5


async def test_the_pixel_takes_from_the_same_bucket(start, count):
    site = await start(FEW)
    refused = count("requests_refused", reason="rate_address")
    for _ in range(3):
        assert (await site.post(EVENT, headers=of("203.0.113.7"))).status == 204
    answer = await site.client.get(
        "/n.gif",
        params={"url": "https://www.shop.example/"},
        headers={"User-Agent": "Mozilla/5.0", **of("203.0.113.7")},
    )
    assert (answer.status, refused()) == (429, 1)


async def test_no_route_is_beyond_the_limit_of_an_address(start, count, monkeypatch):
    monkeypatch.setattr(limits_file, "bucket_of", lambda ip: ip)  # ours is a private one, which has none
    site = await start(
        "limits: {address_per_s: 0.01, address_burst: 1}\nredirects: {sale: https://www.shop.example/sale}"
    )
    routes = [(route.method, route.resource.canonical) for route in site.client.app.router.routes()]
    routes = [(method, path) for method, path in routes if method != "*"]
    routes += [("GET", "/nothing"), ("PUT", "/e"), ("GET", "/n.gif?url=https://elsewhere.example/")]
    assert (await site.post(EVENT)).status == 204
    refused = count("requests_refused", reason="rate_address")
    for number, (method, path) in enumerate(routes, 1):
        answer = await site.client.request(method, path, headers={"User-Agent": "Mozilla/5.0"}, allow_redirects=False)
        assert (method, path, answer.status) == (method, path, 429)
        assert int(answer.headers["Retry-After"]) > 0
        assert refused() == number
    assert (await site.post(EVENT, headers={"Origin": "https://elsewhere.example"})).status == 429


async def test_a_visitor_over_the_limit_is_led_on_without_cookies(start):
    site = await start(FEW + "\nredirects: {sale: https://www.shop.example/sale}\nconsent: {default: granted}")
    headers = {"User-Agent": "Mozilla/5.0", "Sec-Fetch-Dest": "document", **of("203.0.113.7")}
    cookies = []
    for _ in range(5):
        answer = await site.client.get("/c/sale", headers=headers, allow_redirects=False)
        assert answer.status == 302
        cookies.append("Set-Cookie" in answer.headers)
    assert cookies == [True, True, True, False, False]


async def test_what_brings_no_event_takes_nothing_from_the_site(start):
    site = await start(BEHIND + "limits: {site_per_s: 0.01, site_burst: 2}")
    for _ in range(20):
        assert (await site.client.get("/tracker.js", headers=of("203.0.113.7"))).status == 200
        assert (await site.client.get("/healthz", headers=of("203.0.113.7"))).status == 200
    assert (await site.post(EVENT, headers=of("203.0.113.8"))).status == 204


async def test_every_event_of_a_batch_counts(start):
    site = await start(FEW)
    assert (await site.post([EVENT] * 20, headers=of("203.0.113.7"))).status == 204
    answer = await site.post(EVENT, headers=of("203.0.113.7"))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 17


async def test_a_household_is_one_sender(start):
    site = await start(FEW)
    for last in "123":
        assert (await site.post(EVENT, headers=of(f"2001:db8:1:2::{last}"))).status == 204
    assert (await site.post(EVENT, headers=of("2001:db8:1:2:ffff::4"))).status == 429
    assert (await site.post(EVENT, headers=of("2001:db8:1:3::4"))).status == 204


async def test_the_whole_site_has_a_limit_and_a_metric(start, count):
    site = await start(BEHIND + "limits: {site_per_s: 1, site_burst: 5}")
    refused = count("requests_refused", reason="rate_site")
    statuses = [(await site.post(EVENT, headers=of(f"203.0.113.{last}"))).status for last in range(6)]
    assert statuses == [204] * 5 + [429]
    assert refused() == 1


def test_a_flood_from_some_addresses_leaves_room_for_the_rest():
    limits = Limits(LimitsSettings(address_per_s=10, address_burst=100, site_per_s=10, site_burst=200))
    flood = [limits.take(f"198.51.100.{number % 3}", NOW) for number in range(300)]
    assert sum(one is None for one in flood) == 160
    assert sum(limits.take(f"203.0.113.{number}", NOW) is None for number in range(60)) == 40


async def test_servers_with_a_key_are_not_counted(start):
    site = await start("limits: {site_per_s: 1, site_burst: 1}")
    assert [(await site.post_as_server(EVENT)).status for _ in range(5)] == [204] * 5


async def test_nobody_tries_keys_without_end(start, count):
    site = await start(FEW)
    statuses = [
        (await site.post_as_server(EVENT, key=f"guess-{n}", headers=of("203.0.113.7"))).status for n in range(4)
    ]
    assert statuses == [401, 401, 401, 429]
    assert (await site.post_as_server(EVENT, key=INGEST_KEY, headers=of("203.0.113.7"))).status == 204


async def test_off_means_off(start):
    site = await start(BEHIND + "limits: {address_per_s: null, address_burst: 1, site_per_s: null, site_burst: 1}")
    assert {(await site.post(EVENT, headers=of("203.0.113.7"))).status for _ in range(20)} == {204}


async def test_a_proxy_that_is_not_named_does_not_stop_its_visitors(start):
    """Everybody seems to come from 127.0.0.1 then."""
    site = await start("limits: {address_per_s: 1, address_burst: 1}")
    assert {(await site.post(EVENT)).status for _ in range(20)} == {204}


def test_a_flood_is_one_line_a_minute_without_the_address():
    limits = Limits(LimitsSettings(address_per_s=1, address_burst=1))
    with structlog.testing.capture_logs() as lines:
        for number in range(1_000):
            limits.take("203.0.113.7", NOW + number)
        assert len(lines) == 1
        for number in range(100):
            limits.take("203.0.113.7", NOW + 60_000 + number)
    assert [line["reason"] for line in lines] == ["rate_address", "rate_address"]
    assert "203.0.113" not in json.dumps(lines)
    assert "trusted_proxies" in lines[0]["advice"]


@pytest.mark.parametrize(
    ("text", "word"),
    [("address_per_s: 0", "above 0"), ("site_burst: 0", "at least 1"), ("address_per_sec: 3", "did you mean")],
)
def test_a_limit_that_would_let_nobody_in_is_a_fault(text, word, tmp_path):
    with pytest.raises(ConfigError, match=word):
        load(f"site: {{origins: ['https://www.shop.example']}}\nlimits: {{{text}}}", tmp_path / "c.yaml", {})
