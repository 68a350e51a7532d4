"""What one event costs one platform: µs of CPU to normalise, hash, build and encode, a batch of 100 at a time.

    python tests/bench/destinations.py [--rounds 50]

`build` is `Destination.build`: from frozen events to the bytes of requests. `encode` is msgspec alone writing the very
same rows, already built, to the very same bytes: the floor. Their ratio in one run is what counts; times depend on the
machine. `hashing` is what part of `build` the digests take (SHA-256 and spelling of match keys), the rest being rows.
Two shoppers: one known by e-mail, phone, name and place, one only by browser and click.
"""

from __future__ import annotations

import argparse
import json
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from proxy.destinations import load_all
from proxy.event import (
    ClickId,
    Client,
    Consent,
    ConsentState,
    Data,
    Event,
    Item,
    Page,
    User,
    Visitor,
    encode_json,
    replace,
)
from proxy.identity import match_keys

BATCH = 100
NOW_MS = 1_790_000_060_000
SETTINGS = Path(__file__).parents[1] / "golden"
CLICKS = ("fbclid", "gclid", "ttclid", "sccid", "epik")
GRANTED = ConsentState.GRANTED


def known(number: int) -> Event:
    """A shopper the shop knows, who buys two things."""
    at = NOW_MS - 60_000
    return Event(
        id=f"o-{number:08d}",
        name="purchase",
        time=at,
        page=Page(
            url=f"https://www.shop.example/thanks?o={number}", referrer="https://www.shop.example/pay", language="de-DE"
        ),
        visitor=Visitor(id=f"v{number:022d}", first_seen=at - 86_400_000),
        click_ids={name: ClickId(value=f"AbC{number}", clicked_at=at - 3_600_000) for name in CLICKS},
        browser_ids={
            "fbp": f"fb.1.{at}.{number}",
            "fbc": f"fb.1.{at - 3_600_000}.AbC{number}",
            "ttp": f"01ARZ3NDEKTSV4RRFFQ69G5{number}",
            "scid": f"7f1a0e52-9a0c-4c0b-8e8e-{number:012d}",
            "ga_client_id": f"{1_000_000 + number}.1790000000",
            "ga_session_id": "1790000000",
        },
        user=User(
            email=(f"Ann{number}@example.com",),
            phone=(f"+49 171 {number:07d}",),
            first_name="Ann",
            last_name="Example",
            city="Berlin",
            state="Berlin",
            zip="10115",
            country="de",
            external_id=(f"c-{number}",),
        ),
        data=Data(
            value=Decimal("59.90"),
            currency="EUR",
            order_id=f"o-{number}",
            items=tuple(
                Item(id=f"sku-{n}", name="Mug", brand="Acme", category="Kitchen", price=Decimal("29.95"), quantity=1)
                for n in range(2)
            ),
        ),
        client=Client(ip="198.51.100.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        consent=Consent(marketing=GRANTED, analytics=GRANTED, personalization=GRANTED),
    )


def anonymous(number: int) -> Event:
    return replace(known(number), user=User())


def micros(work, rounds: int) -> float:
    """CPU of one event: the best of three runs."""
    work()  # tables, caches, lazily imported libraries
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(rounds):
            work()
        best = min(best, time.process_time() - start)
    return best / rounds / BATCH * 1e6


def hashing_micros(destination, events, rounds: int) -> float:
    """What `build` costs less when every match key is passed through unread."""
    real = match_keys.keyed
    with_digests = micros(lambda: destination.build(events, NOW_MS), rounds)
    match_keys.keyed = lambda values, _: [value for value in values if value]
    try:
        return max(0.0, with_digests - micros(lambda: destination.build(events, NOW_MS), rounds))
    finally:
        match_keys.keyed = real


def measure(kind: str, events: list[Event], rounds: int) -> tuple[float, float, float, int]:
    platform = load_all()[kind]
    given = json.loads((SETTINGS / kind / "settings.json").read_text())
    settings = platform.Settings.model_validate({"kind": kind, "batch_size": BATCH, **given})
    destination = platform(kind, settings)
    built = destination.build(events, NOW_MS)
    assert not built.refused, (kind, built.refused[0])
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    rows = [decoder.decode(request.body) for request in built.requests]
    assert [encode_json(row) for row in rows] == [request.body for request in built.requests]
    size = sum(len(request.body) for request in built.requests) // BATCH
    build = micros(lambda: destination.build(events, NOW_MS), rounds)
    encode = micros(lambda: [encode_json(row) for row in rows], rounds)
    return build, encode, hashing_micros(destination, events, rounds), size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="batches per run")
    rounds = parser.parse_args().rounds
    for title, shopper in (("known shopper", known), ("anonymous shopper", anonymous)):
        print(f"\n{title}, batch of {BATCH}, CPU per event")
        print(f"{'destination':<12}{'build µs':>10}{'hashing µs':>12}{'encode µs':>11}{'ratio':>8}{'bytes':>8}")
        for kind in load_all():
            build, encode, hashing, size = measure(kind, [shopper(number) for number in range(BATCH)], rounds)
            print(f"{kind:<12}{build:>10.1f}{hashing:>12.1f}{encode:>11.1f}{build / encode:>8.1f}{size:>8}")


if __name__ == "__main__":
    main()
