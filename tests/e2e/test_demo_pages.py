"""What a newcomer looks at: the platforms' page and the shop."""

import re

import pytest

pytestmark = pytest.mark.e2e


async def buy(page, shop):
    """A purchase of one bowl; its order number."""
    await page.goto(f"{shop}/product/bowl-1")
    await page.click("#add")
    await page.click("text=To the cart")
    await page.click("#checkout")
    await page.click("#form button")
    return await page.text_content("main b")


async def test_an_order_is_found_once_at_every_platform_with_its_value_and_what_matches(world, visitor):
    shop, platforms = await visitor.new_page(), await visitor.new_page()
    await platforms.goto(world.platforms)
    assert "Nothing yet" in await platforms.inner_text("#records")
    await shop.goto(f"{world.shop}/?fbclid=AbC")
    await shop.click("#accept")
    order = await buy(shop, world.shop)
    await platforms.fill("#search", order)
    await platforms.wait_for_function("document.querySelectorAll('#records details').length === 7")
    lines = await platforms.locator("#records summary").all_inner_texts()
    lines = [re.sub(r"\s+", " ", line) for line in lines]
    assert {line.split(" accepted ")[1].split(" · ")[0] for line in lines} == {
        *("Meta", "Google Ads", "TikTok", "Snapchat", "Pinterest", "Google Analytics 4", "Webhook")
    }
    assert all("EUR 39.90" in line for line in lines)
    [meta] = [line for line in lines if "Meta" in line]
    assert all(re.search(rf"\b{key}\b", meta) for key in ("Purchase", "fbc", "fbp", "em", "ph"))


async def test_an_event_that_somebody_reads_stays_open_when_others_arrive(world, visitor):
    shop, platforms = await visitor.new_page(), await visitor.new_page()
    await shop.goto(world.shop)
    await shop.click("#accept")
    await platforms.goto(world.platforms)
    await platforms.click("#records summary")
    shown = await platforms.inner_text("#records details[open]")
    await shop.click("text=Blue mug")
    await platforms.wait_for_function("document.querySelectorAll('#records details').length >= 3")
    assert await platforms.inner_text("#records details[open]") == shown


async def test_the_shop_says_what_becomes_of_what_it_tells(world, visitor):
    page = await visitor.new_page()
    for path in ("/cart", "/checkout", "/thanks"):
        await page.goto(world.shop + path)
        assert "Nothing in it yet" in await page.inner_text("main")
    assert "events wait" in await page.inner_text("#state")
    await page.click("#refuse")
    assert "goes nowhere" in await page.inner_text("#state")
    await page.click("#withdraw")
    await page.click("#accept")
    assert "events are sent" in await page.inner_text("#state")
