"""Defaults by region, over the wire: whose word about the region counts, and what a page is told about it."""

import asyncio

import pytest

from proxy.event import ConsentState
from tests.privacy.mmdb import database

BEHIND = "listen: {trusted_proxies: [127.0.0.0/8]}\nconsent: {regions: auto, region_header: CF-IPCountry}"
VIEW = {"name": "page_view", "page": {"url": "https://www.shop.example/?fbclid=AbC_d-e"}}


@pytest.fixture
def geoip(tmp_path):
    """A database in which the given networks are in the given countries."""
    path = tmp_path / "country.mmdb"

    async def written(networks):
        content = database({network: {"country": {"iso_code": country}} for network, country in networks.items()})
        await asyncio.to_thread(path.write_bytes, content)
        return path

    return written


async def told(site, **headers):
    """What `GET /consent` says to a page of ours, and the answer."""
    wanted = {
        "Origin": "https://www.shop.example",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    answer = await site.client.get("/consent", headers=wanted)
    return await answer.json(), answer


@pytest.mark.parametrize(("country", "is_stored"), [("US", True), ("DE", False), ("GB", False), ("XX", False)])
async def test_who_has_not_decided_is_treated_as_their_region_says(start, stored, country, is_stored):
    site = await start(BEHIND)
    answer = await site.post(VIEW, headers={"CF-IPCountry": country})
    found = await stored()
    assert (len(found) == 1) is is_stored
    assert ("Set-Cookie" in answer.headers) is is_stored
    if is_stored:
        assert found[0].consent.source == "default"
        assert found[0].click_ids["fbclid"].value == "AbC_d-e"


async def test_without_the_header_the_region_is_unknown_and_the_strictest_default_counts(start, stored):
    site = await start(BEHIND)
    await site.post(VIEW)
    assert await stored() == []


async def test_a_visitor_cannot_choose_a_region(start, stored):
    """No proxy in front: the header comes from the visitor."""
    site = await start("consent: {regions: auto, region_header: CF-IPCountry}")
    await site.post(VIEW, headers={"CF-IPCountry": "US"})
    await site.post({**VIEW, "client": {"region": "US"}})
    assert await stored() == []


async def test_country_and_state_may_come_in_two_headers(start, stored):
    listen = "listen: {trusted_proxies: [127.0.0.0/8]}\n"
    regions = "{US: {default: granted}, US-CA: {default: denied}}"
    site = await start(f"{listen}consent: {{regions: {regions}, region_header: [X-Country, X-State]}}")
    await site.post(VIEW, headers={"X-Country": "US", "X-State": "CA"})
    await site.post(VIEW, headers={"X-Country": "US"})
    assert await stored() == []
    await site.post(VIEW, headers={"X-Country": "US", "X-State": "TX"})
    assert len(await stored()) == 1


async def test_the_region_can_come_from_the_address(start, stored, geoip):
    path = await geoip({"127.0.0.0/8": "US"})
    site = await start(f"consent: {{regions: auto, geoip: {path}}}")
    await site.post(VIEW)
    assert len(await stored()) == 1


async def test_a_server_speaks_for_its_visitor(start, stored, geoip):
    path = await geoip({"203.0.113.0/24": "US"})
    site = await start(f"consent: {{regions: auto, geoip: {path}}}")
    for client in ({"region": "US-TX"}, {"ip": "203.0.113.9"}, {"ip": "203.0.113.9", "region": "DE"}, {}):
        assert (await site.post_as_server({**VIEW, "client": client})).status == 204
    assert len(await stored()) == 2


async def test_a_server_is_told_when_its_region_is_none(start):
    answer = await (await start()).post_as_server({**VIEW, "client": {"region": "Europe"}})
    assert answer.status == 400
    assert (await answer.json())["refused"][0]["where"] == "client.region"


async def test_words_beat_the_region_and_gpc_beats_words(start, stored):
    site = await start(BEHIND)
    refused = dict.fromkeys(("marketing", "analytics", "personalization"), "denied")
    await site.post({**VIEW, "consent": refused}, headers={"CF-IPCountry": "US"})
    assert await stored() == []
    granted = {"marketing": "granted", "source": "tcf"}
    await site.post({**VIEW, "consent": granted}, headers={"CF-IPCountry": "DE", "Sec-GPC": "1"})
    (found,) = await stored()
    assert (found.consent.marketing, found.consent.sale) == (ConsentState.GRANTED, ConsentState.DENIED)
    assert found.click_ids == {}


async def test_what_the_script_took_for_the_default_grants_nothing(start, stored):
    """An hour-old script in a browser's cache, or one that was told another visitor's region."""
    site = await start(BEHIND)
    stale = {"marketing": "granted", "analytics": "granted", "personalization": "granted", "source": "default"}
    await site.post({**VIEW, "consent": stale}, headers={"CF-IPCountry": "DE"})
    assert await stored() == []


async def test_dnt_counts_when_the_operator_says_so(start, stored):
    deaf = await start("consent: {default: granted}")
    await deaf.post(VIEW, headers={"DNT": "1"})
    assert len(await stored()) == 1
    hears = await start("consent: {default: granted, dnt: refuse_marketing}")
    await hears.post({**VIEW, "id": "second"}, headers={"DNT": "1"})
    found = (await stored())[1]
    assert (found.consent.marketing, found.consent.sale, found.consent.source) == ("denied", "denied", "dnt")
    assert found.browser_ids == {}


async def test_a_page_is_told_what_counts_here_before_a_decision(start):
    site = await start(BEHIND)
    granted = dict.fromkeys(("marketing", "analytics", "personalization"), "granted")
    denied = dict.fromkeys(granted, "denied")
    no_signal = {"detected": False, "honoured": False}
    told_us, answer = await told(site, CF_IPCountry="US-CA")
    assert told_us == {"default": granted, "region": "US-CA", "gpc": no_signal}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example"
    assert "Set-Cookie" not in answer.headers
    assert (await told(site, CF_IPCountry="DE"))[0] == {"default": denied, "region": "DE", "gpc": no_signal}
    assert (await told(site))[0] == {"default": denied, "region": None, "gpc": no_signal}


async def test_a_page_can_show_that_the_signal_is_honoured(start):
    site = await start(BEHIND)
    found, _ = await told(site, CF_IPCountry="US", Sec_GPC="1")
    assert found["gpc"] == {"detected": True, "honoured": True}
    assert found["default"]["sale"] == "denied"
    deaf = await start("consent: {gpc: ignore}")
    found, _ = await told(deaf, Sec_GPC="1")
    assert found["gpc"] == {"detected": True, "honoured": False}


async def test_other_sites_cannot_read_it(start):
    _, answer = await told(await start(BEHIND), Origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("consent", "asks"),
    [
        ("{default: granted}", False),
        ("{default: granted, dnt: refuse_marketing}", True),
        ("{default: granted, regions: auto, region_header: CF-IPCountry}", True),
    ],
)
async def test_the_script_asks_only_where_the_default_depends_on_the_visitor(start, consent, asks):
    site = await start(f"consent: {consent}")
    text = await (await site.client.get("/tracker.js")).text()
    assert ('{"path":"/consent"}' in text) is asks


async def test_where_it_asks_the_script_starts_from_the_strictest_default(start):
    site = await start("consent: {default: granted, regions: auto, region_header: CF-IPCountry}")
    text = await (await site.client.get("/tracker.js")).text()
    assert '"consent":{"marketing":"denied","analytics":"denied","personalization":"denied"}' in text


async def test_the_gpc_statement_has_the_operators_day(start):
    site = await start("consent: {gpc_last_update: 2026-11-23}")
    assert await (await site.client.get("/.well-known/gpc.json")).json() == {"gpc": True, "lastUpdate": "2026-11-23"}
