"""The site's own reverse proxy asks for a document's cookies: what it gets, and when it gets none."""

import pytest

from tests.collector.conftest import BROWSER

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
GRANTED = "consent: {default: granted}"
PROXIED = "listen: {trusted_proxies: [127.0.0.1/32]}"
ASKED = {
    "Host": "www.shop.example",
    "User-Agent": BROWSER,
    "Accept": "text/html",
    "Sec-Fetch-Dest": "document",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Uri": "/p?gclid=G-1&fbclid=AbC-1",
}


class Documents:
    def __init__(self, site):
        self.site = site

    async def ask(self, **headers):
        sent = {name: value for name, value in {**ASKED, **headers}.items() if value is not None}
        reply = await self.site.client.get("/l", headers=sent)
        assert reply.status == 204
        assert reply.headers["Cache-Control"] == "no-store"
        return reply


@pytest.fixture
async def documents(start):
    return Documents(await start(f"{META}\n{GRANTED}\n{PROXIED}"))


def cookies(reply):
    return dict(line.partition(";")[0].split("=", 1) for line in reply.headers.getall("Set-Cookie", []))


async def test_a_landing_documents_cookies_have_the_visitor_and_the_click(documents, stored, count):
    outcome = count("landings", outcome="cookies")
    reply = await documents.ask()
    assert list(cookies(reply)) == ["_fh", "_fbp", "_fbc"]
    assert all("Secure" in line and "Domain=shop.example" in line for line in reply.headers.getall("Set-Cookie"))
    await documents.site.post(
        {"id": "e", "name": "purchase", "page": {"url": "https://www.shop.example/"}},
        headers={"Cookie": f"_fh={cookies(reply)['_fh']}"},
    )
    (event,) = await stored()
    assert {name: click.value for name, click in event.click_ids.items()} == {"gclid": "G-1", "fbclid": "AbC-1"}
    assert event.attribution.last.evidence == "url"
    assert outcome() == 1


async def test_each_cookie_stands_under_a_name_of_its_own_for_proxies_to_copy(documents):
    reply = await documents.ask()
    lines = reply.headers.getall("Set-Cookie")
    assert [reply.headers[f"X-Firsthand-Cookie-{number}"] for number in (1, 2, 3)] == lines
    assert "X-Firsthand-Cookie-4" not in reply.headers


async def test_a_visitor_who_comes_back_stays_the_same(documents):
    first = cookies(await documents.ask())
    second = cookies(await documents.ask(**{"X-Forwarded-Uri": "/", "Cookie": f"_fh={first['_fh']}"}))
    assert {name: second[name] for name in ("_fbp", "_fbc")} == {name: first[name] for name in ("_fbp", "_fbc")}


async def test_nothing_is_stored(documents, stored):
    await documents.ask()
    assert await stored() == []


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"X-Forwarded-Method": "POST"}, "no_page"),
        ({"X-Forwarded-Method": "HEAD"}, "no_page"),
        ({"Sec-Fetch-Dest": "image"}, "no_page"),
        ({"Sec-Fetch-Dest": "empty"}, "no_page"),
        ({"Sec-Fetch-Dest": None, "Accept": "image/*"}, "no_page"),
        ({"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, "bot"),
        ({"Sec-Purpose": "prefetch;prerender"}, "prefetch"),
        ({"Host": "www.other.example"}, "foreign"),
        ({"X-Forwarded-Proto": "http"}, "foreign"),
        ({"X-Forwarded-Uri": None}, "foreign"),
        ({"X-Forwarded-Uri": "https://www.shop.example/"}, "foreign"),
        ({"X-Forwarded-Uri": "/" + "x" * 5_000}, "foreign"),
    ],
)
async def test_what_is_no_visitors_page_gets_none(documents, count, headers, outcome):
    grown = count("landings", outcome=outcome)
    reply = await documents.ask(**headers)
    assert (cookies(reply), grown()) == ({}, 1)


async def test_a_browser_cannot_ask_for_itself(start, count):
    untrusted = count("landings", outcome="untrusted")
    documents = Documents(await start(f"{META}\n{GRANTED}"))
    assert cookies(await documents.ask()) == {}
    assert untrusted() == 1


async def test_without_consent_none_are_set(start, count):
    nothing = count("landings", outcome="nothing")
    documents = Documents(await start(f"{META}\n{PROXIED}"))
    assert cookies(await documents.ask()) == {}
    assert nothing() == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"marketing": "granted", "analytics": "granted"}, {"_fh", "_fbp", "_fbc"}),
        ({"marketing": "denied", "analytics": "granted"}, {"_fh"}),
    ],
)
async def test_what_the_visitor_said_on_an_earlier_page_counts(start, said, expected):
    documents = Documents(await start(f"{META}\n{PROXIED}"))
    before = cookies(await documents.site.post({"consent": said, "events": [{"name": "page_view"}]}))
    assert set(cookies(await documents.ask(Cookie=f"_fh={before['_fh']}"))) == expected


async def test_a_withdrawal_on_a_page_counts_for_the_next_document(start):
    documents = Documents(await start(f"{META}\n{PROXIED}"))
    given = {"marketing": "granted", "analytics": "granted"}
    before = cookies(await documents.site.post({"consent": given, "events": [{"name": "page_view"}]}))
    taken_back = {"consent": {"marketing": "denied", "analytics": "granted"}, "events": []}
    after = cookies(await documents.site.post(taken_back, headers={"Cookie": f"_fh={before['_fh']}"}))
    assert set(cookies(await documents.ask(Cookie=f"_fh={after['_fh']}"))) == {"_fh"}


async def test_a_forged_cookie_brings_no_consent(start):
    documents = Documents(await start(f"{META}\n{PROXIED}"))
    assert cookies(await documents.ask(Cookie="_fh=AeU_bFbbwDHDRCZNaXljGi")) == {}
