"""Click redirects: where they lead, what they bring along, and for whom they set cookies."""

import re

import pytest

from proxy.collector.redirects import onward
from proxy.errors import ConfigError
from tests.collector.conftest import BROWSER, configuration

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
GRANTED = "consent: {default: granted}"
LINKS = "redirects: {summer: 'https://www.shop.example/summer?utm_source=mail#top', Plain: 'https://a.more.example/'}"
NAVIGATION = {
    "User-Agent": BROWSER,
    "Host": "t.shop.example",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Accept": "text/html",
}
VISITOR_COOKIES = ["_fh", "_fbp", "_fbc"]


class Clicks:
    def __init__(self, site):
        self.site = site

    async def follow(self, path, method="GET", **headers):
        sent = {name: value for name, value in {**NAVIGATION, **headers}.items() if value is not None}
        return await self.site.client.request(method, path, headers=sent, allow_redirects=False)


@pytest.fixture
async def clicks(start):
    return Clicks(await start(f"{META}\n{GRANTED}\n{LINKS}"))


def set_by(reply):
    return [line.partition("=")[0] for line in reply.headers.getall("Set-Cookie", [])]


def cookie_of(reply, name="_fh"):
    (line,) = [line for line in reply.headers.getall("Set-Cookie") if line.startswith(f"{name}=")]
    return line.partition(";")[0].partition("=")[2]


async def test_a_click_leads_to_the_stored_page_with_what_its_link_brought(clicks):
    reply = await clicks.follow("/c/summer?fbclid=AbC-1&utm_source=other&utm_medium=cpc&next=https://evil.example")
    assert reply.status == 302
    assert (
        reply.headers["Location"] == "https://www.shop.example/summer?utm_source=mail&fbclid=AbC-1&utm_medium=cpc#top"
    )
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert reply.headers["X-Robots-Tag"] == "noindex"


async def test_the_click_is_in_the_cookies_of_the_redirect_itself(clicks, stored):
    reply = await clicks.follow("/c/summer?fbclid=AbC-1")
    assert set_by(reply) == VISITOR_COOKIES
    assert re.fullmatch(r"fb\.1\.\d+\.AbC-1", cookie_of(reply, "_fbc"))
    lost = {"id": "e-1", "name": "purchase", "page": {"url": "https://www.shop.example/"}}
    await clicks.site.post(lost, headers={"Cookie": f"_fh={cookie_of(reply)}"})
    (event,) = await stored()
    assert event.click_ids["fbclid"].value == "AbC-1"
    assert event.attribution.last.evidence == "redirect"


async def test_the_page_it_leads_to_sees_the_same_click_and_no_new_one(clicks, stored):
    reply = await clicks.follow("/c/summer?fbclid=AbC-1")
    view = {"id": "e-1", "name": "page_view", "page": {"url": reply.headers["Location"]}}
    await clicks.site.post(view, headers={"Cookie": f"_fh={cookie_of(reply)}"})
    (event,) = await stored()
    assert (event.attribution.last.evidence, event.attribution.evidence) == ("redirect", "url")


async def test_nothing_is_stored_but_counted(clicks, stored, count):
    followed = count("redirects_followed", code="summer")
    await clicks.follow("/c/summer?fbclid=AbC-1")
    assert followed() == 1
    assert await stored() == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"User-Agent": "facebookexternalhit/1.1"}),
        ("GET", {"User-Agent": None}),
        ("GET", {"Sec-Fetch-Dest": "image"}),
        ("GET", {"Sec-Fetch-Dest": "iframe"}),
        ("GET", {"Sec-Fetch-Dest": None, "Accept": "image/avif,image/*"}),
    ],
)
async def test_whoever_is_no_visitor_is_led_on_and_leaves_no_trace(clicks, count, method, headers):
    followed = count("redirects_followed", code="summer")
    reply = await clicks.follow("/c/summer?fbclid=AbC-1", method, **headers)
    assert (reply.status, set_by(reply), followed()) == (302, [], 0)
    assert reply.headers["Location"].startswith("https://www.shop.example/summer?")


async def test_an_old_browser_that_does_not_say_what_it_fetches_is_a_visitor(clicks):
    assert set_by(await clicks.follow("/c/summer", **{"Sec-Fetch-Dest": None})) == ["_fh", "_fbp"]


async def test_without_consent_nothing_is_set(start):
    clicks = Clicks(await start(f"{META}\n{LINKS}"))
    reply = await clicks.follow("/c/summer?fbclid=AbC-1")
    assert (reply.status, set_by(reply)) == (302, [])
    assert "fbclid=AbC-1" in reply.headers["Location"]


async def test_an_opt_out_signal_counts_on_a_redirect_too(clicks):
    reply = await clicks.follow("/c/summer?fbclid=AbC-1", **{"Sec-GPC": "1"})
    assert set_by(reply) == ["_fh"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"marketing": "granted", "analytics": "granted"}, VISITOR_COOKIES),
        ({"marketing": "denied", "analytics": "granted"}, ["_fh"]),
        ({"marketing": "granted", "sale": "denied"}, ["_fh"]),
    ],
)
async def test_what_the_visitor_said_on_a_page_counts_on_a_redirect(start, said, expected):
    clicks = Clicks(await start(f"{META}\n{LINKS}"))
    reply = await clicks.site.post({"consent": said, "events": [{"name": "page_view"}]})
    reply = await clicks.follow("/c/summer?fbclid=AbC-1", Cookie=f"_fh={cookie_of(reply)}")
    assert set_by(reply) == expected


async def test_what_was_said_outlives_several_redirects(start):
    clicks = Clicks(await start(f"{META}\n{LINKS}"))
    reply = await clicks.site.post({"consent": {"marketing": "granted"}, "events": [{"name": "page_view"}]})
    for number in range(3):
        reply = await clicks.follow(f"/c/summer?fbclid=A{number}", Cookie=f"_fh={cookie_of(reply)}")
    assert cookie_of(reply, "_fbc").endswith(".A2")


async def test_an_erased_visitor_is_led_on_and_their_cookies_are_taken_back(clicks, stored, log):
    reply = await clicks.site.post({"consent": {"marketing": "granted"}, "events": [{"name": "page_view"}]})
    (event,) = await stored()
    await log.revoke([event.visitor.id])
    reply = await clicks.follow(
        "/c/summer?fbclid=AbC-1", Cookie=f"_fh={cookie_of(reply)}; _fbp={event.browser_ids['fbp']}"
    )
    assert reply.status == 302
    assert {cookie_of(reply), cookie_of(reply, "_fbp")} == {""}


async def test_codes_that_are_not_there_lead_nowhere(clicks):
    for path in ("/c/autumn", "/c/SUMMER", "/c/", "/c/summer/", "/c/https://evil.example"):
        assert (await clicks.follow(path)).status == 404
    assert (await clicks.follow("/c/summer", "POST")).status == 405


async def test_without_redirects_there_is_no_such_path(site):
    assert (await site.client.get("/c/summer")).status == 404


async def test_a_visitor_over_the_limit_is_led_on_without_cookies(start):
    limits = "limits: {address_per_s: 0.001, address_burst: 1}"
    proxied = "listen: {trusted_proxies: [127.0.0.1/32]}"
    clicks = Clicks(await start(f"{META}\n{GRANTED}\n{LINKS}\n{limits}\n{proxied}"))
    replies = [await clicks.follow("/c/summer", **{"X-Forwarded-For": "8.8.4.4"}) for _ in range(200)]
    assert {reply.status for reply in replies} == {302}
    assert set_by(replies[0])
    assert not set_by(replies[-1])


@pytest.mark.parametrize(
    ("target", "query", "location"),
    [
        ("https://a.example/", "gclid=A", "https://a.example/?gclid=A"),
        ("https://a.example/#x", "gclid=A", "https://a.example/?gclid=A#x"),
        ("https://a.example/?gclid=mine", "gclid=theirs&GCLID=x", "https://a.example/?gclid=mine"),
        ("https://a.example/?a=1", "g_id=A&q=1&ScCid=B", "https://a.example/?a=1&g_id=A&ScCid=B"),
        ("https://a.example/", "gad_source=1&gad_campaignid=2", "https://a.example/?gad_source=1&gad_campaignid=2"),
        ("https://a.example/", "gclid=&utm_source", "https://a.example/"),
        (
            "https://a.example/",
            "gclid=A%0d%0aSet-Cookie:x&utm_x=%20y",
            "https://a.example/?gclid=A%0d%0aSet-Cookie:x&utm_x=%20y",
        ),
        ("https://a.example/", "gclid=A\r\nSet-Cookie: x", "https://a.example/"),
        ("https://a.example/", 'gclid="A"&utm_x=<script>', "https://a.example/"),
        ("https://a.example/", "gclid=A#fragment", "https://a.example/?gclid=A"),
        ("https://a.example/", "gclid=" + "x" * 601, "https://a.example/"),
    ],
)
def test_what_is_passed_on_is_what_was_there_and_nothing_else(target, query, location):
    assert onward(target, query, frozenset({"g_id"})) == location


def test_a_link_cannot_grow_without_end():
    query = "&".join(f"utm_{number}=x" for number in range(1_000))
    assert onward("https://a.example/", query, frozenset()).count("&") == 19


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("redirects: {x: 'https://evil.example/'}", "evil.example is none of the site's hosts"),
        ("redirects: {x: 'https://shop.example/'}", "shop.example is none of the site's hosts"),
        ("redirects: {x: 'https://www.shop.example.evil.example/'}", "none of the site's hosts"),
        ("redirects: {x: 'https://www.shop.example@evil.example/'}", "not an address to lead to"),
        ("redirects: {x: 'javascript:alert(1)'}", "not an address to lead to"),
        ("redirects: {x: /summer}", "not an address to lead to"),
        ("redirects: {x: 'https://www.shop.example/a b'}", "percent-encoded"),
        ("redirects: {'x/y': 'https://www.shop.example/'}", "not usable in a link"),
    ],
)
def test_a_redirect_that_could_lead_astray_is_refused(text, says):
    with pytest.raises(ConfigError, match=says):
        configuration(text)


def test_a_host_that_was_named_may_be_led_to():
    site = "site: {origins: ['https://www.shop.example'], redirect_hosts: [partner.example]}"
    config = configuration(f"{site}\nredirects: {{x: 'https://partner.example/offer'}}")
    assert config.settings.redirects == {"x": "https://partner.example/offer"}
