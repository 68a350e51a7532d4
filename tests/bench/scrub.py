"""What looking for tokens and people costs per event: `python tests/bench/scrub.py`.

Against the work that is done for every event anyway (reading one from JSON), in the same run.
"""

from __future__ import annotations

import json
import time

from proxy.config.privacy import PrivacySettings
from proxy.event import Data, Event, Item, Page
from proxy.privacy.scrub import scrubber
from proxy.wire import parse

ROUNDS = 5_000
PLAIN = Event(
    id="o-1001",
    name="purchase",
    time=1_790_000_000_000,
    page=Page(url="https://www.shop.example/checkout/thanks", referrer="https://www.shop.example/pay", title="Thanks"),
    data=Data(order_id="o-1001", items=(Item(id="sku-1", name="Blue mug, 300 ml", brand="Mugs"),)),
    custom={"plan": "gold", "first_order": True},
)
LANDED = Event(
    id="v-1",
    name="page_view",
    time=1_790_000_000_000,
    page=Page(
        url="https://www.shop.example/mugs/12345?utm_source=news&utm_campaign=nov&fbclid=IwAR0abcdefghijklmnop0123456789",
        referrer="https://www.facebook.example/",
        title="Blue mugs, 300 ml and more - Shop of mugs",
    ),
)
PERSONAL = Event(
    id="v-2",
    name="page_view",
    time=1_790_000_000_000,
    page=Page(url="https://www.shop.example/?utm_content=ann%40shop.example&token=1", title="Hi ann@shop.example"),
    custom={"note": "call +49 151 12345678"},
)


def microseconds(work) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(ROUNDS):
            work()
        best = min(best, time.process_time() - began)
    return best / ROUNDS * 1e6


def main() -> None:
    scrub = scrubber(PrivacySettings())
    body = json.dumps(
        {"id": "o-1001", "name": "purchase", "page": {"url": PLAIN.page.url}, "data": {"order_id": "o-1001"}}
    ).encode()
    reading = microseconds(lambda: parse(body, received_ms=1_790_000_000_000, trusted=False))
    print(f"reading an event           {reading:6.1f} us")
    for name, event in (("nothing in it", PLAIN), ("a landing page", LANDED), ("people in three places", PERSONAL)):
        print(f"scrubbing: {name:<24}{microseconds(lambda event=event: scrub(event)):6.1f} us")


if __name__ == "__main__":
    main()
