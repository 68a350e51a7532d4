"""Under the strictest policies a page can set, and without JavaScript."""

from __future__ import annotations

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_everything_works_under_a_nonce_policy_with_trusted_types_and_nothing_is_reported(site, page):
    collector = site.url("", "t.shop.example")
    site.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-n0nce'; connect-src {collector}; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    site.modules = {module: {} for module in Module}
    html = site.page(
        "window.reports = []; addEventListener('securitypolicyviolation', (event) => reports.push(event.violatedDirective));"
        "firsthand('consent', {marketing: true, analytics: true}); window.dataLayer = [];"
        "window.fbq = function () { fbq.queue.push(arguments) }; fbq.queue = []; fbq('track', 'PageView');",
        attributes='nonce="n0nce"',
    )
    html = html.replace("<script>", '<script nonce="n0nce">')
    html += '<a id=away href="https://pay.example/">x</a><form data-fh-track=lead><input data-fh-match=email value=a@example.com><button>go</button></form>'
    html += (
        '<script nonce="n0nce">addEventListener("click", (e) => e.target.matches("a") && e.preventDefault());'
        'addEventListener("submit", (e) => e.preventDefault())</script>'
    )
    site.pages["*"] = html
    await page.goto(site.url("/"))
    await page.click("#away")
    await page.click("button")
    await page.evaluate("dataLayer.push({event: 'login'}); fbq('track', 'Contact')")
    await site.until(lambda: {"outbound_click", "form_submit", "lead", "login", "Contact"} <= set(site.names))
    assert await page.evaluate("reports") == []


async def test_the_policy_is_in_force(site, page):
    """Without this the test above would prove nothing."""
    site.headers["Content-Security-Policy"] = "script-src 'nonce-n0nce'; require-trusted-types-for 'script'"
    site.pages["*"] = "<!doctype html><script>window.ran = true</script><div></div>"
    await page.goto(site.url("/"))
    assert await page.evaluate("window.ran") is None
    assert "TrustedHTML" in await page.evaluate(
        "(() => { try { document.querySelector('div').innerHTML = '<b>x</b>' } catch (error) { return '' + error } })()"
    )
