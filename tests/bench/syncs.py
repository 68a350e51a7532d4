"""How often the disk is asked to keep its word: to be counted from outside, by strace.

    strace -f -c -e trace=fdatasync,fsync python -m tests.bench.syncs [--events 640] [--at-once 1]

Prints how many transactions stored the events; each of them must be matched by one fdatasync. The process ends without
closing the log, which would sync some more.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from proxy.clock import system_clock
from proxy.config.settings import LogSettings
from proxy.event import Event
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key


async def run(folder: Path, count: int, at_once: int) -> int:
    """Transactions."""
    log = await SqliteLog.open(folder, Keyring.parse(generate_key()), LogSettings(), system_clock)
    for start in range(0, count, at_once):
        some = [Event(id=f"e-{number}", name="purchase", time=1) for number in range(start, start + at_once)]
        await asyncio.gather(*(log.append([event]) for event in some))
    return log.transactions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=640)
    parser.add_argument("--at-once", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        transactions = asyncio.run(run(Path(folder), chosen.events, chosen.at_once))
        print(f"{chosen.events} events acknowledged in {transactions} transactions", flush=True)
        os._exit(0)  # the folder stays: it is a temporary one


if __name__ == "__main__":
    main()
