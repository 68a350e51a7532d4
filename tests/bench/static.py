"""The script and the pixel beside a bare aiohttp handler that answers 204: requests per second and CPU per request.

    python tests/bench/static.py [--rounds 3] [--seconds 1.5]

The same servers, load and turns as `ingest.py`. The pixel stores an event: it goes aiohttp's ordinary way.
"""

from __future__ import annotations

import argparse
import statistics
import urllib.request

import uvloop
from clients import Round, without_pause
from servers import BARE, ORIGIN, OURS, Server, running

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


def get(path: str, *lines: str) -> bytes:
    head = [f"GET {path} HTTP/1.1", "Host: t.shop.example", f"User-Agent: {AGENT}", f"Referer: {ORIGIN}/", *lines]
    return "\r\n".join((*head, "", "")).encode()


def asked(ours: Server) -> dict[str, bytes]:
    address = f"http://127.0.0.1:{ours.port}/tracker.js"
    wanted = urllib.request.Request(address, headers={"Accept-Encoding": "br"})
    with urllib.request.urlopen(wanted) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Content-Encoding"] == "br"
    return {
        "script, 304": get("/tracker.js", "Accept-Encoding: gzip, br", f"If-None-Match: {etag}"),
        "script, 200 br": get("/tracker.js", "Accept-Encoding: gzip, br"),
        "pixel, 200": get("/n.gif?name=page_view"),
    }


async def compare(bare: Server, ours: Server, options) -> dict[str, Round]:
    wanted = {BARE: (bare, get("/"))} | {name: (ours, request) for name, request in asked(ours).items()}
    rounds: dict[str, list[Round]] = {name: [] for name in wanted}
    for number in range(options.rounds + 1):
        for name, (server, request) in wanted.items():
            found = await without_pause(server, lambda: request, 64, options.seconds)  # noqa: B023 - used up before the next
            if number:  # the first is to warm
                rounds[name].append(found)
    return {
        name: Round(*(statistics.median(getattr(one, field) for one in many) for field in Round.__dataclass_fields__))
        for name, many in rounds.items()
    }


def main() -> None:
    from proxy.privacy.keys import generate_key

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    with running([BARE, OURS], generate_key()) as (bare, ours):
        found = uvloop.run(compare(bare, ours, options))
    floor = found[BARE]
    print(f"{'':16} {'requests/s':>11} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}   against bare: requests/s, CPU")
    for name, one in found.items():
        ratios = f"{one.per_second / floor.per_second:14.2f} {one.cpu_us / floor.cpu_us:13.2f}"
        print(f"{name:16} {one.per_second:11,.0f} {one.cpu_us:8.1f} {one.p50_ms:8.2f} {one.p99_ms:8.2f} {ratios}")


if __name__ == "__main__":
    main()
