"""Tokens and people in URLs and texts never reach the log; what attribution needs of them has been read before."""

from proxy.event import encode_json

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
CONSENT = {"marketing": "granted", "analytics": "granted"}
LANDING = (
    "https://www.shop.example/reset/ann@shop.example?fbclid=AbC_d-e&utm_source=fb&token=t0ken&mail=ann%40shop.example"
)


async def test_the_click_is_read_and_the_token_is_not_stored(start, stored):
    site = await start(META)
    answer = await site.post({"name": "lead", "consent": CONSENT, "page": {"url": LANDING}})
    (found,) = await stored()
    assert found.page.url == "https://www.shop.example/reset/redacted?fbclid=AbC_d-e&utm_source=fb"
    assert found.click_ids["fbclid"].value == "AbC_d-e"
    assert found.browser_ids["fbc"].endswith(".AbC_d-e")
    assert any(cookie.startswith("_fbc=") for cookie in answer.headers.getall("Set-Cookie"))


async def test_it_is_counted_by_field_and_nothing_of_it_is_logged(start, stored, count, caplog, capsys):
    counts = {field: count("personal_removed", field=field) for field in ("page.url", "page.title", "custom")}
    page = {"url": LANDING, "title": "Hello ann@shop.example"}
    custom = {"note": "call +49 151 12345678", "plan": "gold"}
    await (await start(META)).post({"name": "lead", "consent": CONSENT, "page": page, "custom": custom})
    assert {field: counted() for field, counted in counts.items()} == {"page.url": 1, "page.title": 1, "custom": 1}
    (found,) = await stored()
    text = encode_json(found).decode()
    assert "ann@" not in text
    assert "151 12345678" not in text
    assert found.custom["plan"] == "gold"
    assert "ann@" not in caplog.text + "".join(capsys.readouterr())


async def test_servers_are_looked_through_too(start, stored):
    site = await start(META)
    event = {"name": "lead", "consent": CONSENT, "page": {"url": LANDING}, "custom": {"mail": "ann@shop.example"}}
    await site.post_as_server(event)
    (found,) = await stored()
    assert "t0ken" not in found.page.url
    assert found.custom == {}


async def test_the_operator_can_keep_a_parameter_or_all_of_it(start, stored):
    named = await start(META + "\nprivacy: {url_parameters: [token]}")
    await named.post({"name": "lead", "consent": CONSENT, "page": {"url": LANDING}})
    all_of_it = await start(META + "\nprivacy: {url_parameters: all, detect: off}")
    await all_of_it.post({"name": "lead", "id": "second", "consent": CONSENT, "page": {"url": LANDING}})
    first, second = await stored()
    assert "token=t0ken" in first.page.url
    assert "ann" not in first.page.url
    assert second.page.url == LANDING
