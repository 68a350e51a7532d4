"""A browser with JavaScript switched off: the image in `<noscript>` is all that reports."""

from __future__ import annotations

import pytest
import pytest_asyncio

from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from tests.e2e.conftest import serving
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LANDING = "/mugs?fbclid=AbC"
CONFIG = """\
site: {{origins: ["http://*.shop.example:{pages}"]}}
bots: {{action: keep}}
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{port: null}}
data: data
keys: ${{KEYS}}
consent: {{default: {default}}}
destinations: {{}}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def visit(world, site, tmp_path):
    """Serves with this default of consent, opens a page without JavaScript; what was logged and the cookies set."""

    async def run(default):
        port, key = free_port(), generate_key()
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(pages=world.pages_port, port=port, default=default))
        image = f"http://t.shop.example:{port}/n.gif?name=page_view&amp;url={site.url(LANDING).replace(':', '%3A')}"
        site.pages["*"] = f'<noscript><img src="{image}" width="1" height="1"></noscript><script>lost</script>'
        async with serving(config, port, key):
            context = await world.browser.new_context(java_script_enabled=False)
            page = await context.new_page()
            async with page.expect_response(lambda response: "/n.gif" in response.url) as answer:
                await page.goto(site.url(LANDING))
            assert (await answer.value).status == 200
            cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}
            await context.close()
        log = await SqliteLog.open(tmp_path / "data", Keyring.parse(key), LogSettings(), system_clock)
        try:
            return [entry.event for entry in (await log.read("witness", 10)).entries], cookies
        finally:
            await log.close()

    return run


async def test_where_the_default_grants_the_view_arrives_with_its_click_id(visit, site):
    [event], cookies = await visit("granted")
    assert (event.name, event.page.url, event.source) == ("page_view", site.url(LANDING), "pixel")
    assert cookies["_fh"]
    assert event.click_ids["fbclid"].value == "AbC"


async def test_where_it_does_not_nothing_is_stored_anywhere(visit):
    assert await visit("denied") == ([], {})
