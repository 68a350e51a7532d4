"""The click id of Meta's in-app browsers: asked for where it can be had, and nowhere before the visitor agreed."""

from __future__ import annotations

import pytest
import pytest_asyncio

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/22A [FBAN/FBIOS;FBAV/480.0]"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 Instagram 350.0.0 Android"
)
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
APP = """
window.asked = [];
window.webkit = {messageHandlers: {browserProperties: {
  postMessage(what) { asked.push(what); return Promise.resolve(%s); }}}};
"""
# Chromium loads no `properties:` address, so the app's answer comes from a stand-in.
ANDROID_APP = """
window.asked = [];
window.XMLHttpRequest = class extends EventTarget {
  open(method, url) { asked.push(method + ' ' + url); }
  send() { this.responseText = 'AbC-1_2'; this.dispatchEvent(new Event('load')); }
};
"""


@pytest_asyncio.fixture(loop_scope="session")
async def inside(browser, site):
    """`page = await inside(user_agent, script of the app)`: a page within that app, with the module."""
    site.modules[Module.INAPP] = {}
    contexts = []

    async def opened(user_agent=IPHONE, app=APP % "'AbC-1_2'", before=GRANT, path="/"):
        site.pages["*"] = site.page(before)
        context = await browser.new_context(user_agent=user_agent)
        contexts.append(context)
        await context.add_init_script(app)
        page = await context.new_page()
        await page.goto(site.url(path))
        await page.wait_for_function("!!firsthand.track")
        return page

    yield opened
    for context in contexts:
        await context.close()


async def bought(site, page):
    """The click ids of a new purchase."""
    bought_before = site.names.count("purchase")
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until(lambda: site.names.count("purchase") > bought_before)
    return [event.get("click_ids") for event in site.accepted if event["name"] == "purchase"][-1]


@pytest.mark.parametrize(
    ("user_agent", "app", "asked"),
    [(IPHONE, APP % "'AbC-1_2'", "clickID"), (ANDROID, ANDROID_APP, "GET properties://browser/clickID")],
    ids=["ios", "android"],
)
async def test_the_app_is_asked_once_and_its_click_goes_along(inside, site, user_agent, app, asked):
    page = await inside(user_agent, app)
    assert await bought(site, page) == {"fbclid": "AbC-1_2"}
    await page.evaluate("firsthand('track', 'lead')")
    assert await page.evaluate("asked") == [asked]


async def test_nobody_is_asked_before_consent_and_with_the_next_event_after_it(inside, site):
    page = await inside(before="")
    await page.evaluate("firsthand('track', 'view_content')")
    assert await page.evaluate("asked") == []
    await page.evaluate(f"{GRANT}; firsthand('track', 'add_to_cart')")
    assert await page.evaluate("asked") == ["clickID"]
    assert await bought(site, page) == {"fbclid": "AbC-1_2"}


@pytest.mark.parametrize("consent", ["{marketing: false, analytics: true}", "{marketing: true, sale: false}"])
async def test_a_refusal_is_obeyed(inside, site, consent):
    page = await inside(before=f"firsthand('consent', {consent})")
    assert await bought(site, page) is None
    assert await page.evaluate("asked") == []


async def test_what_was_told_stays_behind_when_the_grant_is_taken_back(inside, site):
    page = await inside()
    assert await bought(site, page) == {"fbclid": "AbC-1_2"}
    await page.evaluate("firsthand('consent', {marketing: false})")
    assert await bought(site, page) is None


@pytest.mark.parametrize("path", ["/?fbclid=XyZ", "/#fbclid=XyZ"])
async def test_a_link_that_kept_its_click_id_is_not_second_guessed(inside, site, path):
    page = await inside(path=path)
    assert await bought(site, page) is None
    assert await page.evaluate("asked") == []


async def test_other_browsers_are_not_asked(inside, site):
    page = await inside(SAFARI)
    assert await bought(site, page) is None
    assert await page.evaluate("asked") == []


@pytest.mark.parametrize("answer", ["''", "null", "undefined", "{}", "'a b'", "'<x>'", "'x'.repeat(501)"])
async def test_an_answer_that_is_no_click_id_is_none(inside, site, answer):
    page = await inside(app=APP % answer)
    assert await bought(site, page) is None


@pytest.mark.parametrize("app", ["window.webkit = {}", APP.replace("return Promise.resolve(%s)", "throw Error('no')")])
async def test_an_app_that_does_not_know_costs_nothing(inside, site, app):
    page = await inside(app=app)
    assert await bought(site, page) is None
