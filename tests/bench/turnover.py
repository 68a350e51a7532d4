"""Reloads and restarts in place under load: how many requests, how many failed, how long each took.

    python -m tests.bench.turnover [--reloads 20] [--restarts 5] [--workers 2] [--clients 6]

Every client posts on one kept connection without pause and notes whatever is not a 204. aiohttp repeats no POST by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import tempfile
import time
from pathlib import Path

from tests.supervise.serving import CONFIG, serving


async def run(reloads: int, restarts: int, workers: int, clients: int) -> int:
    orders = [(signal.SIGHUP, "reloaded")] * reloads
    step = max(1, reloads // max(1, restarts))
    for number in range(restarts):
        orders.insert(min(len(orders), (number + 1) * step + number), (signal.SIGUSR2, "restarted"))
    took: dict[str, list[float]] = {"reloaded": [], "restarted": []}
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), workers) as service, service.load(clients):
            await service.more()
            for number, (what, said) in enumerate(orders):
                service.config(CONFIG.format(workers) + f"tracker: {{global_name: shop{number}}}\n")
                began = time.monotonic()
                service.process.send_signal(what)
                await service.line(said)
                took[said].append(time.monotonic() - began)
                await service.more()
    for said, seconds in took.items():
        if seconds:
            print(
                f"{said:<10} {len(seconds):>4} times, median {statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s"
            )
    print(f"requests   {len(service.acknowledged) + len(service.failures):,}, failed {len(service.failures)}")
    for failure in service.failures[:5]:
        print(f"           {failure}")
    return len(service.failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("reloads", 20), ("restarts", 5), ("workers", 2), ("clients", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return min(1, asyncio.run(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    raise SystemExit(main())
