"""Kill `firsthand serve` under load, again and again, and reckon up what was lost.

    python -m tests.crash --kills 200 [--seed 7] [--clients 8] [--workers 2] [--share 0.2]

The seed decides victims, pauses, events and each platform's faults; given again, it repeats them (the machine still
decides which request meets which fault). Exits with 1 when anything acknowledged was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from tests.crash.harness import Plan, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=Plan.clients)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--share", type=float, default=Plan.share, help="of requests to platforms that meet a fault")
    plan = Plan(**vars(parser.parse_args()))
    print(f"{plan}", flush=True)
    began = time.monotonic()
    reckoning = asyncio.run(run(plan))
    print(*reckoning.lines(), sep="\n")
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if reckoning.lost or reckoning.strays or reckoning.stored_twice or reckoning.out_of_order else 0


if __name__ == "__main__":
    raise SystemExit(main())
