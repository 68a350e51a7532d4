"""Nothing is set or stored without the purpose it needs; asserted on the answer's cookies and on the log."""

import pytest

from proxy.event import ConsentState

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
CLICK = {"page": {"url": "https://www.shop.example/?fbclid=AbC_d-e"}}
USER = {"user": {"email": "ann@example.com"}}


def event(consent, **more):
    return {"name": "lead", "consent": consent, **CLICK, **USER, **more}


def cookies(answer):
    """Name to value and attributes."""
    found = {}
    for header in answer.headers.getall("Set-Cookie", ()):
        name, _, rest = header.partition("=")
        found[name] = rest
    return found


@pytest.fixture
async def shop(start):
    return await start(META)


@pytest.mark.parametrize(
    "consent",
    [
        None,
        {},
        {"marketing": "denied"},
        {"marketing": "unknown", "analytics": "unknown"},
        {"marketing": "denied", "analytics": "denied", "personalization": "denied"},
        {"sale": "granted"},
    ],
)
async def test_without_consent_nothing_is_set_and_nothing_stored(shop, stored, count, consent):
    dropped = count("events_dropped", reason="no_consent")
    answer = await shop.post(event(consent))
    assert answer.status == 204
    assert cookies(answer) == {}
    assert (await stored(), dropped()) == ([], 1)


async def test_a_withdrawal_without_events_deletes_the_cookies_and_stores_nothing(shop, stored):
    granted = await shop.post(event({"marketing": "granted", "analytics": "granted"}))
    jar = "; ".join(f"{name}={value.split(';')[0]}" for name, value in cookies(granted).items())
    word = {"consent": {"marketing": "denied", "analytics": "denied", "source": "api"}, "events": []}
    answer = await shop.post(word, headers={"Cookie": jar})
    assert answer.status == 204
    assert set(cookies(answer)) == {"_fh", "_fbp", "_fbc"}
    assert all("Max-Age=0" in rest for rest in cookies(answer).values())
    assert len(await stored()) == 1


async def test_taking_back_marketing_alone_keeps_the_visitor_and_forgets_the_click(shop, stored):
    granted = await shop.post(event({"marketing": "granted", "analytics": "granted"}))
    jar = "; ".join(f"{name}={value.split(';')[0]}" for name, value in cookies(granted).items())
    word = {"consent": {"marketing": "denied", "analytics": "granted", "source": "api"}, "events": []}
    answer = cookies(await shop.post(word, headers={"Cookie": jar}))
    assert "Max-Age=0" in answer["_fbp"]
    assert "Max-Age=0" in answer["_fbc"]
    again = f"_fh={answer['_fh'].split(';')[0]}"
    await shop.post(
        {"name": "lead", "consent": {"analytics": "granted", "marketing": "granted"}}, headers={"Cookie": again}
    )
    first, second = await stored()
    assert second.visitor == first.visitor
    assert "fbc" not in second.browser_ids


@pytest.mark.parametrize("body", [{"events": []}, [], {"consent": {"marketing": 5}, "events": []}])
async def test_no_events_and_no_readable_decision_is_refused(shop, body):
    assert (await shop.post(body)).status == 400


async def test_with_consent_the_first_event_carries_what_the_cookies_will(shop, stored):
    answer = await shop.post(event({"marketing": "granted"}))
    set_now = cookies(answer)
    assert set(set_now) == {"_fh", "_fbp", "_fbc"}
    (found,) = await stored()
    assert found.visitor is not None
    assert set_now["_fbc"].split(";")[0] == found.browser_ids["fbc"]
    assert set_now["_fbp"].split(";")[0] == found.browser_ids["fbp"]
    assert found.browser_ids["fbc"].endswith(".AbC_d-e")
    assert found.click_ids["fbclid"].value == "AbC_d-e"
    assert found.user.email == ("ann@example.com",)


async def test_analytics_alone_gives_a_visitor_and_no_advertising(shop, stored):
    answer = await shop.post(event({"analytics": "granted"}, browser_ids={"fbp": "fb.1.1790000000000.1"}))
    assert set(cookies(answer)) == {"_fh"}
    (found,) = await stored()
    assert found.visitor is not None
    assert (found.click_ids, found.browser_ids, found.user.email) == ({}, {}, ())
    assert "fbclid" not in found.page.url


async def test_gpc_counts_as_a_refusal_of_sale(shop, stored):
    answer = await shop.post(event({"marketing": "granted"}), headers={"Sec-GPC": "1"})
    assert not {"_fbp", "_fbc"} & set(cookies(answer))
    (found,) = await stored()
    assert found.consent.sale is ConsentState.DENIED
    assert (found.click_ids, found.browser_ids) == ({}, {})


async def test_any_other_value_of_gpc_is_no_signal(shop, stored):
    await shop.post(event({"marketing": "granted"}), headers={"Sec-GPC": "0"})
    (found,) = await stored()
    assert found.consent.sale is not ConsentState.DENIED


async def test_gpc_can_refuse_marketing_or_be_ignored(start, stored):
    strict = await start("consent: {gpc: refuse_marketing}")
    await strict.post(event({"marketing": "granted"}), headers={"Sec-GPC": "1"})
    assert await stored() == []
    deaf = await start("consent: {gpc: ignore}")
    await deaf.post(event({"marketing": "granted"}), headers={"Sec-GPC": "1"})
    assert len(await stored()) == 1


async def test_a_default_of_granted_covers_who_has_not_decided_and_nobody_who_refused(start, stored):
    site = await start("consent: {default: granted}")
    answer = await site.post(event(None))
    assert "_fh" in cookies(answer)
    answer = await site.post(event({"marketing": "denied", "analytics": "denied", "personalization": "denied"}))
    assert cookies(answer) == {}
    assert len(await stored()) == 1


async def test_taking_consent_back_removes_the_cookies_even_though_the_event_is_dropped(shop, stored):
    first = cookies(await shop.post(event({"marketing": "granted"})))
    sent = "; ".join(f"{name}={rest.split(';')[0]}" for name, rest in first.items())
    refused = dict.fromkeys(("marketing", "analytics", "personalization"), "denied")
    answer = await shop.post(event({**refused, "source": "api"}), headers={"Cookie": sent})
    gone = cookies(answer)
    assert set(gone) == {"_fh", "_fbp", "_fbc"}
    assert all("Max-Age=0" in rest for rest in gone.values())
    assert len(await stored()) == 1


async def test_a_returning_visitor_is_recognised_and_what_the_browser_lost_comes_back(shop, stored):
    first = cookies(await shop.post(event({"marketing": "granted"})))
    answer = await shop.post(
        {"name": "purchase", "consent": {"marketing": "granted"}, "page": {"url": "https://www.shop.example/thanks"}},
        headers={"Cookie": f"_fh={first['_fh'].split(';')[0]}"},
    )
    again = cookies(answer)
    before, after = await stored()
    assert after.visitor == before.visitor
    assert after.browser_ids == before.browser_ids
    assert {name: again[name].split(";")[0] for name in ("_fbp", "_fbc")} == {
        name: first[name].split(";")[0] for name in ("_fbp", "_fbc")
    }


@pytest.mark.parametrize(
    "cookie", ["_fh=forged", "_fh=" + "A" * 8_000, "_fh=\xe9\xff", "_fh", "_fh==;;=;_fh=", "_fbc=fb.1.x; _fbp=\u2603"]
)
async def test_forged_and_oversized_cookies_count_as_none(shop, stored, cookie):
    answer = await shop.post(event({"marketing": "granted"}), headers={"Cookie": cookie})
    assert answer.status in (204, 400)
    if answer.status == 204:
        assert "_fh" in cookies(answer)
        (found,) = await stored()
        assert found.visitor.first_seen == 1_790_000_000_000


async def test_unusable_cookies_of_our_names_are_counted(shop, count):
    visitor, fbc = count("cookies_rejected", cookie="_fh"), count("cookies_rejected", cookie="_fbc")
    await shop.post(event({"marketing": "granted"}), headers={"Cookie": "_fh=forged; _fbc=broken; other=x"})
    assert (visitor(), fbc()) == (1, 1)


@pytest.mark.parametrize(
    ("headers", "listen", "is_secure"),
    [
        ({"X-Forwarded-Proto": "https"}, "listen: {trusted_proxies: [127.0.0.0/8]}", True),
        ({"X-Forwarded-Proto": "http"}, "listen: {trusted_proxies: [127.0.0.0/8]}", False),
        ({}, "listen: {trusted_proxies: [127.0.0.0/8]}", False),
        ({"X-Forwarded-Proto": "https"}, "", False),
    ],
)
async def test_cookies_are_secure_when_the_browser_spoke_https(start, headers, listen, is_secure):
    site = await start(listen)
    answer = await site.post(event({"marketing": "granted"}), headers=headers)
    assert ("Secure" in cookies(answer)["_fh"]) is is_secure


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("t.shop.example", "shop.example"),
        ("t.shop.example:8443", "shop.example"),
        ("t.shop.co.uk", "shop.co.uk"),
        ("localhost:8080", None),
        ("192.0.2.1", None),
        ("[2001:db8::1]:80", None),
        ("evil\xe9;x", None),
    ],
)
async def test_the_host_asked_decides_the_cookie_domain(shop, host, domain):
    answer = await shop.post(event({"marketing": "granted"}), headers={"Host": host})
    if answer.status == 204:
        attributes = cookies(answer)["_fh"]
        assert (f"Domain={domain}" in attributes) if domain else ("Domain=" not in attributes)
        assert "HttpOnly" in attributes
        assert "SameSite=Lax" in attributes


async def test_meta_cookies_are_only_set_where_meta_is_used(start):
    plain = await start()
    assert set(cookies(await plain.post(event({"marketing": "granted"})))) == {"_fh"}
    asked = await start("cookie: {meta: true}")
    assert set(cookies(await asked.post(event({"marketing": "granted"})))) == {"_fh", "_fbp", "_fbc"}
