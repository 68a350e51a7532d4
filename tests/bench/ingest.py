"""Requests per second and CPU per request of `POST /e`, beside a bare aiohttp handler and nginx, which only answer 204.

    python tests/bench/ingest.py [--rounds 5] [--seconds 3] [--connections 64] [--visitors 500] [--parts]

The servers run as processes of their own on one core, aiohttp on uvloop; the load comes from this process on another
core, over keep-alive connections, each sending its next request when the last is answered. They take turns, so that what
else the machine does hits all; the ratios of the medians are what counts. Ours does everything it does in service: consent
granted, identity with sealed cookie, `_fbp` and `_fbc`, a new event id per request, a SQLite log with fsync before the
answer. Requests come from `--visitors` in turn, each with cookies of its own; with more than 2,048 none of them is still
remembered when it comes again. At last every server is offered half of what it took, evenly.
`--parts` tells where the time goes, by calling the parts of a request one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

import uvloop
from clients import Ask, Round, at_rate, in_turn, without_pause
from servers import BARE, CONFIG, NGINX, ORDINARY, ORIGIN, OURS, TWO, Server, running

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
ID = "00000000-0000-7000-8000-000000000000"


def event(now_ms: int) -> bytes:
    """About 1 kB: what the tracker sends for a purchase of three items."""
    item = {"name": "Mug with a handle", "brand": "Example", "category": "kitchen/mugs", "price": 19.95, "quantity": 1}
    return json.dumps(
        {
            "sent_at": now_ms,
            "consent": {"marketing": "granted", "analytics": "granted", "source": "api", "time": now_ms - 60_000},
            "page": {
                "url": f"{ORIGIN}/checkout/thanks?utm_source=news&utm_campaign=autumn&fbclid=IwAR0AbCdEfGhIjKlMnOpQrStUv",
                "referrer": f"{ORIGIN}/checkout/payment",
                "title": "Thank you for your order",
                "language": "en-GB",
                "screen": "1920x1080",
                "viewport": "1280x720",
            },
            "user": {"email": "ann@example.com", "phone": "+32470123456", "country": "be"},
            "events": [
                {
                    "id": ID,
                    "name": "purchase",
                    "time": now_ms - 100,
                    "data": {
                        "value": 59.85,
                        "currency": "EUR",
                        "order_id": "o-1001",
                        "items": [{"id": f"sku-{number}", **item} for number in range(3)],
                    },
                }
            ],
        },
        separators=(",", ":"),
    ).encode()


def request(body: bytes, cookie: str) -> bytes:
    lines = [
        "POST /e HTTP/1.1",
        "Host: t.shop.example",
        f"Origin: {ORIGIN}",
        f"User-Agent: {AGENT}",
        "Content-Type: text/plain;charset=UTF-8",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9",
        f"Referer: {ORIGIN}/",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: same-site",
        *([f"Cookie: {cookie}"] if cookie else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# The load


def whole(body: bytes, cookies: list[str]) -> list[tuple[bytes, bytes]]:
    """The requests of visitors with these cookies, without the event's id."""
    found = []
    for cookie in cookies:
        before, _, after = request(body, cookie).partition(ID.encode())
        found.append((before, after))
    return found


async def first_cookies(server: Server, body: bytes, visitors: int) -> list[str]:
    """What our server gives new visitors, as their browsers send it back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    found = []
    for number in range(visitors):
        writer.write(request(body, "").replace(ID.encode(), b"the-first-event-of-this-bench-%06d" % number))
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 204"), head
        found.append(
            "; ".join(line[12:].split(";")[0] for line in head.split("\r\n") if line.startswith("Set-Cookie: "))
        )
    writer.close()
    return found


async def compare(servers: list[Server], options) -> tuple[dict[str, list[Round]], dict[str, Round]]:
    body = event(time.time_ns() // 1_000_000)
    ours = next(server for server in servers if server.name == OURS)
    cookies = await first_cookies(ours, body, options.visitors)
    requests = whole(body, cookies)
    print(f"request: {len(request(body, cookies[0]))} bytes, of them {len(body)} body and {len(cookies[0])} cookies")
    ask: Ask = in_turn(requests, iter(range(10**12)))
    rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
    for server in servers:
        await without_pause(server, ask, options.connections, 1)  # warm
    for _ in range(options.rounds):
        for server in servers:
            rounds[server.name].append(await without_pause(server, ask, options.connections, options.seconds))
    calm = {}
    for server in servers:
        most = statistics.median(one.per_second for one in rounds[server.name])
        calm[server.name] = await at_rate(server, ask, options.connections, options.seconds, most / 2)
    return rounds, calm


def measure(options) -> tuple[dict[str, Round], dict[str, Round]]:
    from proxy.privacy.keys import generate_key

    # One key for all, so that all can open the cookies that are sent.
    with running([BARE, NGINX, ORDINARY, OURS, TWO], generate_key()) as servers:
        rounds, calm = uvloop.run(compare(servers, options))
    return {
        name: Round(*(statistics.median(getattr(one, field) for one in many) for field in Round.__dataclass_fields__))
        for name, many in rounds.items()
    }, calm


def show(medians: dict[str, Round], calm: dict[str, Round]) -> None:
    print(f"{'':14} {'requests/s':>11} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}   against bare: requests/s, CPU")
    bare = medians[BARE]
    for name, one in medians.items():
        ratios = f"{one.per_second / bare.per_second:14.2f} {one.cpu_us / bare.cpu_us:13.2f}"
        print(f"{name:14} {one.per_second:11,.0f} {one.cpu_us:8.1f} {one.p50_ms:8.2f} {one.p99_ms:8.2f} {ratios}")
    for name, one in calm.items():
        print(
            f"{name + ', half':22} {one.per_second:9,.0f}/s offered: CPU {one.cpu_us:.1f} us, "
            f"p50 {one.p50_ms:.2f} ms, p99 {one.p99_ms:.2f} ms"
        )


# Where the time goes


def parts() -> None:
    """Microseconds of each part of one request, alone and warm; the best of many short runs."""
    from proxy.collector.answers import NO_STORE, Answer
    from proxy.collector.events import MAX_BODY
    from proxy.collector.heads import Heads
    from proxy.collector.limits import Limits
    from proxy.collector.origin import cors_lines
    from proxy.collector.pipeline import STEPS, Rulebook, collect
    from proxy.collector.visit import Visit, manner_of
    from proxy.config.load import read
    from proxy.event import Client
    from proxy.identity.cookie_domain import cookie_domain
    from proxy.identity.identity import read as read_identity, set_cookies
    from proxy.identity.keeping import keeping
    from proxy.identity.visitor import VisitorCookie
    from proxy.log.sealing import Sealing
    from proxy.privacy.keys import Keyring, generate_key
    from proxy.privacy.scrub import scrubber
    from proxy.privacy.terms import TermsByRegion
    from proxy.wire import parse

    now_ms = time.time_ns() // 1_000_000
    settings = read(CONFIG, Path("config.yaml"), {}).settings
    keyring = Keyring.parse(generate_key())
    codec, sealing, body = VisitorCookie(keyring), Sealing(keyring), event(now_ms)
    keep = keeping(settings)
    limits = Limits(settings.limits)
    terms = TermsByRegion(settings.consent)
    book = Rulebook(settings=settings, keep=keep, terms=terms, locate=lambda _: None, scrub=scrubber(settings.privacy))
    domain = cookie_domain("t.shop.example")
    how = {
        "codec": codec,
        "settings": settings.cookie,
        "domain": domain,
        "now_ms": now_ms,
        "keep": keep,
        "secure": True,
    }
    events = parse(body, received_ms=now_ms, trusted=False).events

    def visit(identity) -> Visit:
        client = Client(ip="198.51.100.7", user_agent=AGENT)
        return Visit(
            received_ms=now_ms,
            source="browser",
            client=client,
            domain=domain,
            is_secure=True,
            identity=identity,
            mint=lambda: 2**100,
        )

    first = visit(read_identity("", codec, keep, now_ms))
    collect(first, events, book)
    cookie = "; ".join(value.split(";")[0] for value in set_cookies(first.identity, **how))
    identity = read_identity(cookie, codec, keep, now_ms)
    known = visit(identity)
    kept, _ = collect(known, events, book)
    answer = Answer(204, NO_STORE)
    lines = [value.encode() for value in set_cookies(known.identity, **how)]
    whole = request(body, cookie)
    heads = Heads(b"POST /e HTTP/1.1\r\n", lambda headers: manner_of(headers, "auto"))
    for name, call in {
        "read the head": lambda: heads.read(whole, MAX_BODY),
        "count the sender": lambda: limits.take("198.51.100.7", now_ms),
        "parse the body": lambda: parse(body, received_ms=now_ms, trusted=False),
        "read the cookies": lambda: read_identity(cookie, codec, keep, now_ms),
        f"the {len(STEPS)} steps": lambda: collect(visit(identity), events, book),
        "write the cookies": lambda: set_cookies(known.identity, **how),
        "seal for the log": lambda: sealing.row(kept[0]),
        "render the answer": lambda: answer.reply(now_ms, cors_lines(ORIGIN), *lines).wire(),
    }.items():
        print(f"{name:20} {best_us(call):6.1f} us")


def best_us(call) -> float:
    best = float("inf")
    for _ in range(60):
        began = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, (time.perf_counter() - began) / 100)
    return best * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--visitors", type=int, default=500)
    parser.add_argument("--parts", action="store_true", help="tell where the time goes instead")
    chosen = parser.parse_args()
    if chosen.parts:
        parts()
    else:
        show(*measure(chosen))
