"""Minified and not, the script does the same; the other tests here run on the minified form where there is one."""

from __future__ import annotations

import pytest

from proxy.collector.compose import CORE, minified
from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("form", ["minified", "source"])
async def test_both_forms_bring_everything_with_every_module_on(site, page, form):
    site.build = form == "minified"
    if site.build and minified(CORE) is None:
        pytest.skip("no minified build here: `scripts/setup test` makes one where it can have Node")
    site.modules = {module: {} for module in Module}
    site.pages["*"] = site.page(
        "firsthand('consent', {marketing: true, analytics: true});"
        "dataLayer = [{event: 'purchase', ecommerce: {transaction_id: 'o-1', value: 1}}]"
    )
    await page.goto(site.url("/"))
    await site.until(lambda: "purchase" in site.names)
    await page.evaluate("history.pushState(null, '', '/next'); firsthand.track('lead', {value: 2}, {id: 'l-1'})")
    await site.until(lambda: "lead" in site.names)
    assert site.names == ["page_view", "purchase", "page_view", "lead"]
    assert [event["id"] for event in site.accepted if event["name"] in ("purchase", "lead")] == ["o-1", "l-1"]
    served = await page.request.get(site.url("/tracker.js", "127.0.0.1"))
    assert ("strikes" in await served.text()) == (form == "source")
