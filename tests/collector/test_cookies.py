"""The platforms' cookies over HTTP: which come back, on which answers, and what is counted."""

import pytest

PLATFORMS = (
    "destinations: {tt: {kind: tiktok, pixel_code: C123, access_token: t},"
    " pin: {kind: pinterest, ad_account_id: '123', access_token: t},"
    " ga: {kind: ga4, measurement_id: G-ABC1234567, api_secret: t}}"
)
CAME = {
    "_ttp": "01ARZ3NDEKTSV4RRFFQ69G5FAV_.tt.1",
    "_epik": "dj0yJnU9QUFB",
    "_ga": "GA1.1.1234567890.1690000000",
    "_ga_ABC1234567": "GS2.1.s1747132561$o3$g0",
    "_scid": "AbCdEfGh0123456789",
    "_gcl_aw": "GCL.1789999999.Cj0",
}
RENEWED = {"_ttp", "_epik", "_ga"}
GRANTED = {"marketing": "granted", "analytics": "granted"}


def lead(consent):
    return {"name": "lead", "consent": consent, "page": {"url": "https://www.shop.example/"}}


def header(cookies):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def set_by(answer):
    """Name -> value and attributes."""
    return dict(line.split("=", 1) for line in answer.headers.getall("Set-Cookie", ()))


@pytest.fixture
async def shop(start):
    return await start(PLATFORMS)


async def test_cookies_of_configured_platforms_reach_the_event_and_are_renewed(shop, stored):
    answer = await shop.post(lead(GRANTED), headers=header(CAME))
    (found,) = await stored()
    assert found.browser_ids == {
        "ttp": CAME["_ttp"],
        "ga_client_id": "1234567890.1690000000",
        "ga_session_id": "1747132561",
        "ga_session_number": "3",
    }
    assert {name: click.value for name, click in found.click_ids.items()} == {"epik": CAME["_epik"]}
    cookies = set_by(answer)
    assert set(cookies) == {"_fh", *RENEWED}
    for name in RENEWED:
        assert cookies[name].split("; ")[0] == CAME[name]
        assert "HttpOnly" not in cookies[name]
        assert "Domain=shop.example" in cookies[name]


async def test_a_browser_that_kept_only_ours_gets_the_others_back(shop, stored):
    first = set_by(await shop.post(lead(GRANTED), headers=header(CAME)))
    second = set_by(await shop.post(lead(GRANTED), headers=header({"_fh": first["_fh"].split(";")[0]})))
    assert {name: second[name] for name in RENEWED} == {name: first[name] for name in RENEWED}
    before, after = await stored()
    assert after.browser_ids == {name: before.browser_ids[name] for name in ("ttp", "ga_client_id")}
    assert after.click_ids == before.click_ids


async def test_without_consent_nothing_of_them_is_stored_or_set(shop, stored):
    assert set_by(await shop.post(lead(None), headers=header(CAME))) == {}
    assert await stored() == []


async def test_analytics_alone_lets_only_the_measuring_cookie_through(shop, stored):
    cookies = set_by(await shop.post(lead({"analytics": "granted", "marketing": "denied"}), headers=header(CAME)))
    (found,) = await stored()
    assert set(found.browser_ids) == {"ga_client_id", "ga_session_id", "ga_session_number"}
    assert {name for name, rest in cookies.items() if "Max-Age=0" not in rest} == {"_fh", "_ga"}
    assert {name for name, rest in cookies.items() if "Max-Age=0" in rest} == {"_ttp", "_epik"}


async def test_gpc_keeps_advertising_cookies_out_and_removes_them(shop, stored):
    cookies = set_by(await shop.post(lead(GRANTED), headers={**header(CAME), "Sec-GPC": "1"}))
    (found,) = await stored()
    assert set(found.browser_ids) == {"ga_client_id", "ga_session_id", "ga_session_number"}
    assert {name for name, rest in cookies.items() if "Max-Age=0" in rest} == {"_ttp", "_epik"}


async def test_withdrawing_removes_them_though_the_event_is_dropped(shop):
    refused = dict.fromkeys(("marketing", "analytics", "personalization"), "denied")
    cookies = set_by(await shop.post(lead({**refused, "source": "api"}), headers=header(CAME)))
    assert set(cookies) == RENEWED
    assert all("Max-Age=0" in rest for rest in cookies.values())


async def test_where_no_platform_is_used_none_is_looked_at(site, stored):
    cookies = set_by(await site.post(lead(GRANTED), headers=header({**CAME, "_fbp": "fb.1.1789999999000.1"})))
    (found,) = await stored()
    assert (found.browser_ids, found.click_ids, set(cookies)) == ({}, {}, {"_fh"})


async def test_the_operator_chooses_what_is_renewed(start, stored):
    shop = await start(f"{PLATFORMS}\ncookie: {{keep: [pinterest]}}")
    assert set(set_by(await shop.post(lead(GRANTED), headers=header(CAME)))) == {"_fh", "_epik"}
    assert (await stored())[0].browser_ids["ttp"] == CAME["_ttp"]


async def test_unusable_cookies_are_counted_by_name(shop, count):
    ttp, foreign = count("cookies_rejected", cookie="_ttp"), count("cookies_rejected", cookie="_scid")
    await shop.post(lead(GRANTED), headers=header({"_ttp": "undefined", "_scid": "undefined", "_epik": "ok"}))
    assert (ttp(), foreign()) == (1, 0)


async def test_the_visitor_cookie_is_renewed_on_every_answer_and_sealed_anew_once_a_day(shop, clock):
    came = set_by(await shop.post(lead(GRANTED), headers=header(CAME)))["_fh"]
    browser = header({**CAME, "_fh": came.split(";")[0]})
    assert "Max-Age=34128000" in came
    clock.now_ms += 86_400_000 - 1
    assert set_by(await shop.post(lead(GRANTED), headers=browser))["_fh"] == came
    clock.now_ms += 1
    later = set_by(await shop.post(lead(GRANTED), headers=browser))["_fh"]
    assert later.split("; ")[1:] == came.split("; ")[1:]
    assert later != came
