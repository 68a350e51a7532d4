"""Which pages may post, and what a browser is told about it."""

import pytest

from proxy.collector.origin import Origins

ORIGINS = Origins(
    ["https://www.shop.example", "https://*.more.example", "http://localhost:8000", "https://*.odd.example:8443"]
)


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.shop.example",
        "https://a.more.example",
        "https://a.b.more.example",
        "http://localhost:8000",
        "https://a.odd.example:8443",
    ],
)
def test_a_configured_origin_may_post(origin):
    assert ORIGINS.permits(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://www.shop.example",
        "https://www.shop.example:444",
        "https://shop.example",
        "https://www.shop.example.evil.example",
        "https://evil.example/https://www.shop.example",
        "https://more.example",
        "https://evilmore.example",
        "https://.more.example",
        "http://a.more.example",
        "https://a.more.example:8443",
        "https://a.odd.example",
        "http://localhost:8001",
        "null",
        "",
        "*",
    ],
)
def test_any_other_may_not(origin):
    assert not ORIGINS.permits(origin)


async def test_a_page_of_ours_may_send_cookies_and_read_the_answer(site):
    answer = await site.post({"name": "lead", "consent": {"marketing": "granted"}})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_each_page_is_answered_with_its_own_origin(site):
    answer = await site.post({"name": "lead"}, headers={"Origin": "https://a.more.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.more.example"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://www.shop.example.evil.example", "\xe9"])
async def test_a_foreign_page_is_refused_with_the_way_out_and_without_cors(site, stored, count, origin):
    refused = count("requests_refused", reason="origin")
    answer = await site.post({"name": "lead", "consent": {"marketing": "granted"}}, headers={"Origin": origin})
    assert answer.status == 403
    assert "site.origins" in (await answer.json())["error"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Vary"] == "Origin"
    assert (await stored(), refused()) == ([], 1)


async def test_no_origin_at_all_is_refused(site, stored):
    answer = await site.post({"name": "lead"}, headers={"Origin": None})
    assert answer.status == 403
    assert "ingest key" in (await answer.json())["error"]


@pytest.mark.parametrize("origin", ["null", None])
@pytest.mark.parametrize(
    ("fetch_site", "status"), [("same-site", 204), ("same-origin", 204), ("cross-site", 403), ("none", 403)]
)
async def test_a_beacon_whose_referrer_policy_hides_the_origin_is_known_by_its_site(site, origin, fetch_site, status):
    answer = await site.post({"name": "lead"}, headers={"Origin": origin, "Sec-Fetch-Site": fetch_site})
    assert answer.status == status
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_preflight_is_answered_for_our_pages_only(site):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = await site.client.options("/e", headers={"Origin": "https://www.shop.example", **asked})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.shop.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    answer = await site.client.options("/e", headers={"Origin": "https://evil.example", **asked})
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
