"""Bridges in front of the real collector and relay: the platform gets one purchase, under the id its pixel got."""

from __future__ import annotations

import pytest

from proxy.privacy.keys import generate_key
from proxy.sandbox.base import TOKEN
from tests.e2e.conftest import serving
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

CONFIG = """\
site: {{origins: ["http://*.shop.example:{pages}"]}}
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{port: null}}
data: data
keys: ${{KEYS}}
relay: {{wait_s: 0.05}}
tracker: {{modules: [fbq, datalayer, forms, attributes, autocapture, ids]}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, base_url: "{sandbox}"}}
rules:
  - {{name: conversions, when: {{event: [purchase, lead]}}, send_to: [meta]}}
"""
SHOP = """
<!doctype html><title>Shop</title>
<script>
window.firsthand = window.firsthand || function () { (firsthand.q = firsthand.q || []).push(arguments) };
firsthand('consent', {marketing: true});
window.fbq = function () { fbq.queue.push([].slice.call(arguments)) };
fbq.queue = [];
fbq('track', 'PageView');
window.dataLayer = [{event: 'purchase', ecommerce: {
  transaction_id: 'o-1001', value: 59.9, currency: 'EUR', items: [{item_id: 'sku-1', price: 29.95, quantity: 2}]
}}];
</script>
<script src="http://t.shop.example:%s/tracker.js"></script>
<script>fbq('track', 'Purchase', {value: 59.9, currency: 'EUR'}); addEventListener('submit', (event) => event.preventDefault())</script>
<form data-fh-track="lead" data-fh-value="5" data-fh-currency="EUR">
  <input data-fh-match="email" value=" Ann@Example.com "><button>send</button>
</form>
"""


async def test_one_purchase_and_one_matched_lead_reach_the_platform(world, site, page, tmp_path):
    port, key, config = free_port(), generate_key(), tmp_path / "config.yaml"
    sandbox = f"http://127.0.0.1:{world.sandbox_port}"
    config.write_text(CONFIG.format(pages=world.pages_port, port=port, token=TOKEN, sandbox=sandbox))
    site.pages["*"] = SHOP % port
    async with serving(config, port, key):
        for _ in range(2):  # the thank-you page, and a reload of it
            await page.goto(site.url("/thanks"))
            await page.wait_for_function("!!firsthand.track")
        await page.click("button")
        await site.until_relayed("Purchase", "Lead")
        calls = await page.evaluate("fbq.queue")
    assert [call[3]["eventID"] for call in calls if call[1] == "Purchase"] == ["o-1001"]
    purchase, lead = sorted(site.relayed, key=lambda row: row["event_name"], reverse=True)
    assert (purchase["event_name"], purchase["event_id"]) == ("Purchase", "o-1001")
    assert purchase["custom_data"]["contents"] == [{"id": "sku-1", "quantity": 2, "item_price": 29.95}]
    assert (lead["event_name"], lead["custom_data"]["value"]) == ("Lead", 5)
    # sha256 of ann@example.com
    assert lead["user_data"]["em"] == ["71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476"]
