"""The site: it reports events until they are acknowledged, as the tracker does, and knows where each must arrive.

Its configuration has six destinations of different kinds that differ in what they should get, so that "arrived
everywhere" is not the same as "arrived".
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path
from typing import Any

import aiohttp

from proxy.clock import system_clock
from proxy.sandbox import load_all
from proxy.sandbox.base import TOKEN
from tests.crash.faults import Script
from tests.crash.platforms import PUT_OFF, TIMEOUT_S, Picky, Platform
from tests.crash.reckoning import Reckoning

CONFIG = """\
site: {{origins: ["https://www.shop.example"]}}
listen: {{host: 127.0.0.1, port: {port}}}
admin: {{port: null}}
workers: {workers}
data: data
keys: ${{KEYS}}
relay: {{wait_s: 0.05, backoff_max_s: 1, probe_s: 1}}
destinations:
  meta: {{kind: meta, pixel_id: "123", access_token: {token}, {common}}}
  tiktok: {{kind: tiktok, pixel_code: C4PIXEL, access_token: {token}, {common}}}
  snapchat: {{kind: snapchat, pixel_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, access_token: {token}, {common}}}
  pinterest: {{kind: pinterest, ad_account_id: "549755885175", access_token: {token}, {common}}}
  crm:
    {{kind: webhook, url: "{platforms}/webhook/crm", secret: {token}, allow_private_addresses: true,
     consent: [analytics], batch_size: 100, timeout_s: {timeout_s}}}
  picky:
    {{kind: webhook, url: "{platforms}/webhook/picky", secret: {token}, allow_private_addresses: true,
     batch_size: 100, timeout_s: 30}}
rules:
  - {{name: purchases, when: {{event: purchase}}, send_to: [meta, tiktok, snapchat, pinterest, crm, picky]}}
  - {{name: views, when: {{event: page_view}}, send_to: [meta, crm]}}
"""
KINDS = {
    "meta": "meta",
    "tiktok": "tiktok",
    "snapchat": "snapchat",
    "pinterest": "pinterest",
    "crm": "webhook",
    "picky": "webhook",
}
PATHS = {"crm": "/webhook/crm", "picky": "/webhook/picky"}
HEADERS = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0"}


def write_config(folder: Path, port: int, platforms_port: int, *, workers: int, timeout_s: float = TIMEOUT_S) -> None:
    platforms = f"http://127.0.0.1:{platforms_port}"
    common = f'batch_size: 100, timeout_s: {timeout_s}, base_url: "{platforms}"'
    text = CONFIG.format(
        port=port, workers=workers, token=TOKEN, platforms=platforms, common=common, timeout_s=timeout_s
    )
    (folder / "config.yaml").write_text(text)


def make_platforms(seed: int, share: float) -> dict[str, Platform]:
    """The far end of each destination, spoiling `share` of the answers by a script of its own, but for the last."""
    stand_ins = load_all()
    found = {
        name: Platform(stand_ins[kind](), Script(f"{seed} {name}", share, kind), PATHS.get(name, ""))
        for name, kind in KINDS.items()
    }
    found["picky"] = Picky(stand_ins["webhook"](), Script("", 0), PATHS["picky"])
    return found


def make_event(event_id: str, dice: random.Random, put_off: float = 0) -> tuple[dict[str, Any], frozenset[str]]:
    """An event in the wire form, and the destinations that should get it.

    One in fifty is a purchase without a currency, which some platforms do not take: it must become a dead letter there.
    So must the share `put_off` at the destination that answers "later" to them for ever.
    """
    is_view, refuses_ads, is_odd = dice.random() < 0.3, dice.random() < 0.1, dice.random() < 0.02
    event: dict[str, Any] = {
        "id": event_id,
        "name": "page_view" if is_view else "purchase",
        "time": system_clock(),
        "page": {"url": "https://www.shop.example/thanks"},
        "consent": {"marketing": "denied" if refuses_ads else "granted", "analytics": "granted"},
        "user": {"email": f"visitor-{event_id}@example.com"},
    }
    if put_off and dice.random() < put_off:
        event["page"]["title"] = PUT_OFF
    if not is_view:
        event["data"] = {"value": 5, "order_id": event_id} | ({} if is_odd else {"currency": "EUR"})
    due = {"meta", "crm"} if is_view else set(KINDS)
    return event, frozenset({"crm"} if refuses_ads else due)


def is_odd(event: dict[str, Any]) -> bool:
    return "currency" not in event.get("data", {"currency": None})


def is_put_off(event: dict[str, Any]) -> bool:
    return "title" in event["page"]


async def report_events(
    url: str, seed: str, reckoning: Reckoning, stop: asyncio.Event, pause_s: float, *, put_off: float = 0
) -> None:
    """One client: posts one to three events at a time, the same again until they are acknowledged."""
    dice = random.Random(seed)
    number = 0
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(headers=HEADERS, timeout=timeout) as http:
        while not stop.is_set():
            made = [make_event(f"o-{seed}-{number + part}", dice, put_off) for part in range(dice.randint(1, 3))]
            number += len(made)
            body = json.dumps({"events": [event for event, _ in made]})
            while not await _posted(http, f"{url}/e", body, reckoning):
                if stop.is_set():
                    return
                await asyncio.sleep(0.05)
            reckoning.due.update({event["id"]: due for event, due in made})
            reckoning.odd += sum(is_odd(event) and len(due) > 1 for event, due in made)
            reckoning.put_off += sum(is_put_off(event) and "picky" in due for event, due in made)
            await asyncio.sleep(dice.random() * 2 * pause_s)


async def report_last(url: str, reckoning: Reckoning) -> None:
    """A plain purchase after everything: an event that is always put off is known by what is taken after it."""
    event, due = next(
        made for seed in itertools.count() if "picky" in (made := make_event("o-last", random.Random(seed)))[1]
    )
    async with aiohttp.ClientSession(headers=HEADERS) as http:
        while not await _posted(http, f"{url}/e", json.dumps(event), reckoning):
            await asyncio.sleep(0.05)
    reckoning.due[event["id"]] = due


async def _posted(http: aiohttp.ClientSession, url: str, body: str, reckoning: Reckoning) -> bool:
    """Acknowledged means that the 204 was read."""
    try:
        async with http.post(url, data=body) as reply:
            reckoning.answers[reply.status] += 1
            return reply.status == 204
    except (aiohttp.ClientError, TimeoutError):
        reckoning.answers[0] += 1
        return False
