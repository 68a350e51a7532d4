"""What a collector process holds in memory: idle, and with many open connections that have each sent one event.

    python tests/bench/memory.py [--connections 10000]

Beside it a bare aiohttp handler with as many. Fewer connections, with a word, where the system allows fewer files.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import time

import uvloop
from clients import connected, in_turn
from ingest import event, first_cookies, whole
from servers import BARE, OURS, Server, running


async def grown(server: Server, count: int, ask) -> tuple[float, float]:
    """MB before and with `count` connections, each answered once."""
    waiting = asyncio.Queue[None]()
    before = server.memory_mb()
    clients = []
    for start in range(0, count, 500):  # no more than the server's backlog at once
        clients += await connected(server, min(500, count - start), lambda *_: waiting.put_nowait(None))
        for client in clients[start:]:
            client.ask(ask())
        for _ in clients[start:]:
            await waiting.get()
    after = server.memory_mb()
    for client in clients:
        client.transport.close()
    await asyncio.gather(*(client.lost for client in clients))
    return before, after


async def compare(bare: Server, ours: Server, count: int) -> None:
    body = event(time.time_ns() // 1_000_000)
    cookies = await first_cookies(ours, body, 10)
    ask = in_turn(whole(body, cookies), itertools.count())
    for server in (bare, ours):
        before, after = await grown(server, count, ask)
        print(f"{server.name:10} idle {before:6.1f} MB, with {count:,} connections {after:6.1f} MB")


def main() -> None:
    from proxy.privacy.keys import generate_key

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    wanted = parser.parse_args().connections
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(wanted, most - 500)
    if count < wanted:
        print(f"this system allows {most} open files: {count} connections")
    with running([BARE, OURS], generate_key()) as (bare, ours):
        uvloop.run(compare(bare, ours, count))


if __name__ == "__main__":
    main()
