"""The main job in a real browser: from an ad click to an accepted Meta event."""

import hashlib
import re
import time

import pytest

from tests.chromium import close_tab, open_tab, until_cookies

pytestmark = pytest.mark.e2e

CLICK = "IwAR2_Ad-Click_CaseKept"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


async def accept(page):
    await page.click("#accept")


async def buy(page):
    """From any page of the shop to a submitted order, as an SPA; returns the order id."""
    await page.click("text=Blue mug")
    await page.click("#add")
    await page.click("text=To the cart")
    await page.click("#checkout")
    await page.click("#form button")
    return await page.evaluate("JSON.parse(sessionStorage.getItem('order')).id")


async def test_a_click_becomes_a_purchase_at_meta_although_the_tab_closes_at_once(world, visitor):
    page = await open_tab(visitor)
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await accept(page)
    order = await buy(page)
    await close_tab(page, f"{world.shop}/assets/shop.css")

    # The beacon of a closing tab and the request before it may arrive in any order; the times tell what was first.
    steps = ("PageView", "ViewContent", "AddToCart", "InitiateCheckout", "Purchase")
    rows = await world.until_accepted(*steps)
    times = [min(row["event_time"] for row in rows if row["event_name"] == step) for step in steps]
    assert times == sorted(times)

    jar = await until_cookies(visitor, "_fh", "_fbp", "_fbc")
    purchase = next(row for row in rows if row["event_name"] == "Purchase")
    assert purchase["event_id"] == order
    assert purchase["action_source"] == "website"
    assert purchase["custom_data"]["value"] == 12.5
    assert purchase["custom_data"]["currency"] == "EUR"
    assert purchase["custom_data"]["order_id"] == order
    assert purchase["custom_data"]["contents"] == [
        {"id": "mug-blue", "quantity": 1, "item_price": 12.5, "title": "Blue mug"}
    ]
    user = purchase["user_data"]
    assert user["em"] == [sha256("ann@example.com")]
    assert user["ph"] == [sha256("4930123456")]
    assert user["fn"] == [sha256("ann")]
    assert user["ct"] == [sha256("berlin")]
    assert user["zp"] == [sha256("10115")]
    assert user["country"] == [sha256("de")]
    assert user["fbc"] == jar["_fbc"]["value"]
    assert user["fbp"] == jar["_fbp"]["value"]
    assert re.fullmatch(rf"fb\.1\.\d{{13}}\.{CLICK}", user["fbc"])
    assert {row["user_data"]["fbc"] for row in rows} == {user["fbc"]}
    assert {row["user_data"]["fbp"] for row in rows} == {user["fbp"]}
    assert len({row["event_id"] for row in rows}) == len(rows)


async def test_before_the_visitor_agrees_nothing_is_set_or_sent(world, visitor):
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await page.click("text=Blue mug")
    await page.click("#add")
    await page.wait_for_function("typeof firsthand.q === 'undefined' || typeof firsthand.track === 'function'")
    assert await visitor.cookies() == []
    assert await page.evaluate("Object.keys(localStorage)") == []
    assert world.posts == []

    await page.click("#refuse")
    await page.click("text=To the cart")
    await page.reload()
    await page.close()
    assert [post for post in world.posts if "/e" in post] == []
    assert await visitor.cookies() == []
    assert world.rows() == []


async def test_events_from_before_a_late_yes_arrive_with_the_landing_click(world, visitor):
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await page.click("text=Blue mug")
    await accept(page)
    rows = await world.until_accepted("ViewContent")
    assert rows[0]["event_source_url"].endswith(f"/?fbclid={CLICK}")
    assert all(row["user_data"]["fbc"].endswith(CLICK) for row in rows)


async def test_cookies_deleted_between_visits_come_back_and_a_stripped_click_is_still_attributed(world, visitor):
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await accept(page)
    first = (await world.until_accepted("PageView"))[0]["user_data"]
    before = await until_cookies(visitor, "_fh", "_fbp", "_fbc")
    await page.close()

    await visitor.clear_cookies(name="_fbc")
    await visitor.clear_cookies(name="_fbp")
    await until_cookies(visitor, "_fh")

    page = await visitor.new_page()
    await page.goto(f"{world.shop}/")  # the parameter was stripped on the way
    await world.until(lambda: len(world.rows()) >= 2)
    second = world.rows()[1]["user_data"]
    assert (second["fbc"], second["fbp"]) == (first["fbc"], first["fbp"])
    after = await until_cookies(visitor, "_fh", "_fbp", "_fbc")
    assert after["_fbc"]["value"] == before["_fbc"]["value"]
    assert after["_fbp"]["value"] == before["_fbp"]["value"]


async def test_the_cookies_are_what_they_should_be(world, visitor):
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await accept(page)
    jar = await until_cookies(visitor, "_fh", "_fbp", "_fbc")
    assert {cookie["domain"] for cookie in jar.values()} == {".shop.example"}
    assert {cookie["path"] for cookie in jar.values()} == {"/"}
    assert {cookie["sameSite"] for cookie in jar.values()} == {"Lax"}
    assert [jar[name]["httpOnly"] for name in ("_fh", "_fbp", "_fbc")] == [True, False, False]
    days = {name: (jar[name]["expires"] - time.time()) / 86400 for name in jar}
    assert 394 < days["_fh"] <= 395
    assert 89 < days["_fbp"] <= 90
    assert CLICK not in jar["_fh"]["value"]


async def test_withdrawing_stops_everything_at_once(world, visitor):
    page = await visitor.new_page()
    await page.goto(f"{world.shop}/?fbclid={CLICK}")
    await accept(page)
    await world.until_accepted("PageView")
    await page.click("#withdraw")
    await page.click("#refuse")
    await page.click("text=Blue mug")
    await page.click("#add")
    await page.reload()
    assert await page.evaluate("Object.keys(localStorage)") == ["shop-consent"]
    await until_cookies(visitor)
    assert [row["event_name"] for row in world.rows()] == ["PageView"]
