"""The image for pages without JavaScript: an event only where the default consents, and always an image."""

import pytest

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", "Host": "t.shop.example"}
PAGE = "https://www.shop.example/landing?fbclid=AbC"


@pytest.fixture
async def open_site(start):
    return await start("consent: {default: granted}")


async def get(site, query, **headers):
    answer = await site.client.get("/n.gif", params=query, headers={**BROWSER, **headers})
    assert answer.headers["Content-Type"] in ("image/gif", "application/json")
    return answer, await answer.read()


async def test_without_a_granting_default_it_is_an_image_and_nothing_else(site, stored):
    answer, body = await get(site, {"url": PAGE})
    assert (answer.status, len(body)) == (200, 43)
    assert body.startswith(b"GIF89a")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert await stored() == []


async def test_with_one_it_is_a_page_view(open_site, stored):
    answer, body = await get(open_site, {"url": PAGE})
    assert len(body) == 43
    assert "_fh=" in answer.headers["Set-Cookie"]
    (event,) = await stored()
    assert (event.name, event.source, event.page.url) == ("page_view", "pixel", PAGE)
    assert event.client.user_agent == BROWSER["User-Agent"]


async def test_the_name_may_be_given_and_the_page_come_from_the_referrer(open_site, stored):
    await get(open_site, {"name": "ViewContent"}, Referer="https://www.shop.example/p/1")
    (event,) = await stored()
    assert (event.name, event.page.url) == ("view_content", "https://www.shop.example/p/1")


@pytest.mark.parametrize("url", ["https://evil.example/", "javascript:alert(1)", "https://[", "nonsense", "//x"])
async def test_a_page_that_is_not_ours_gets_its_image_and_no_event(open_site, stored, count, url):
    refused = count("requests_refused", reason="origin")
    answer, body = await get(open_site, {"url": url})
    assert (answer.status, len(body)) == (200, 43)
    assert "Set-Cookie" not in answer.headers
    assert (await stored(), refused()) == ([], 1)


async def test_without_any_address_the_browser_must_say_that_the_page_is_ours(open_site, stored):
    await get(open_site, {})
    assert await stored() == []
    await get(open_site, {}, **{"Sec-Fetch-Site": "same-site"})
    assert len(await stored()) == 1


async def test_gpc_and_crawlers_count_here_too(open_site, stored):
    await get(open_site, {"url": PAGE}, **{"User-Agent": "Googlebot/2.1"})
    assert await stored() == []
    await get(open_site, {"url": PAGE}, **{"Sec-GPC": "1"})
    (event,) = await stored()
    assert event.click_ids == {}


async def test_a_log_that_takes_nothing_shows(open_site, log):
    log.broken = "full"
    answer, _ = await get(open_site, {"url": PAGE})
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"


async def test_bytes_that_are_no_text_are_no_accident(open_site, stored):
    answer = await open_site.raw(
        b"GET /n.gif?name=%FF%00a&url=https://www.shop.example/%E9 HTTP/1.1\r\nHost: t.shop.example\r\n"
        b"User-Agent: Mozilla/5.0 \xff Firefox/150.0\r\nReferer: \xe9\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    (event,) = await stored()
    assert "Firefox" in event.client.user_agent
