"""`make bench`: every bench one after the other, in modest sizes, each as a process of its own; one table at the end.

The figures of a run are only comparable with others of the same run; docs/performance.md says what they mean.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LOG_LINE = re.compile(r"\[(info|warning) +\]")


class Bench(NamedTuple):
    title: str
    command: str  # script in this folder, and options
    lines: tuple[str, ...]  # what of its output goes into the table: lines that begin so


BENCHES = (
    Bench(
        "POST /e, durable", "ingest.py --rounds 4 --seconds 2", ("     ", "bare", "nginx", "ordinary", "POST", "two")
    ),
    Bench("where its time goes", "ingest.py --parts", ("",)),
    Bench("script and pixel", "static.py", ("     ", "bare", "script", "pixel")),
    Bench("memory", "memory.py", ("",)),
    Bench(
        "the log alone, from 10^3 to 10^6 events",
        "log_append.py --growth 1000000 --ids uuid7",
        ("raw", "append", "read + commit", "1 process", "2 process", "uuid7"),
    ),
    Bench("rules", "rules.py --seconds 1", ("",)),
    Bench("reading the log out to Meta", "relay.py --events 10000", ("",)),
    Bench("building requests", "destinations.py", ("",)),
)


def run(bench: Bench) -> list[str]:
    """Its output, shown while it comes."""
    script, *options = bench.command.split()
    command = [sys.executable, "-u", str(Path(__file__).parent / script), *options]
    searched = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": searched}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if process.returncode:
        raise SystemExit(f"{bench.command} failed")
    return lines


def main() -> None:
    table = []
    for bench in BENCHES:
        heading = f"{bench.title}: python tests/bench/{bench.command}"
        print(f"\n== {heading}", flush=True)
        table.append(f"\n{heading}")
        table += (
            f"    {line}" for line in run(bench) if line and line.startswith(bench.lines) and not LOG_LINE.search(line)
        )
    print("\n\n== All figures of this run", *table, sep="\n")


if __name__ == "__main__":
    main()
