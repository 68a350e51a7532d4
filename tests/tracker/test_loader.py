"""The package's loader in a browser: the real script, loaded by what `npm/` builds, under a strict policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BUILT = Path(__file__).parents[2] / "npm" / "dist" / "index.js"


async def test_the_loader_brings_the_script_in_under_a_nonce_policy_and_trusted_types(site, page):
    if not BUILT.exists():
        pytest.skip("the package is not built here; `scripts/setup test` does it where it can have Node")
    collector = site.url("", "t.shop.example")
    site.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-n0nce'; connect-src {collector}; "
        "require-trusted-types-for 'script'; trusted-types firsthand"
    )
    loader = re.sub(r"^export (type )?\*.*$", "", BUILT.read_text(), flags=re.MULTILINE)
    site.pages["*"] = (
        f'<!doctype html><title>Shop</title><script type="module" nonce="n0nce">{loader}\n'
        f"const firsthand = load({{url: '{collector}', nonce: 'n0nce', config: {{pageViews: false}}}});"
        f"load({{url: '{collector}/tracker.js'}});"
        "firsthand('consent', {marketing: true}); firsthand('track', 'lead', {value: 1});"
        "firsthand('ready', (loaded) => { window.given = loaded.track('contact') });</script>"
    )
    await page.goto(site.url("/"))
    await site.until_names("lead", "contact")
    assert site.accepted[-1]["id"] == await page.evaluate("given")
    assert await page.evaluate("document.scripts.length") == 2
