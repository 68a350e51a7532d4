"""A browser that a program drives says so; one that a person uses says nothing about it."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"


@pytest.mark.parametrize(("driven", "told"), [("true", True), ("false", None), ("undefined", None)])
async def test_it_is_told_with_every_request_and_only_when_it_is_so(site, page, driven, told):
    await page.add_init_script(f"Object.defineProperty(Navigator.prototype, 'webdriver', {{get: () => {driven}}})")
    site.pages["*"] = site.page(GRANT)
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate("firsthand('track', 'lead')")
    await site.until_names("page_view", "lead")
    assert [request.envelope.get("webdriver") for request in site.requests] == [told, told]
