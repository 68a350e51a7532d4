"""Coverage-guided fuzzing of every target in turn: `make fuzz [SECONDS=60] [TARGETS="wire head"]` (scripts/fuzz).

Each target runs in a process of its own for so many seconds, starting from its seeds; libFuzzer changes inputs towards
code that was not reached yet. A fault does not stop the run: its input is kept in build/fuzz/finds, once per place in the
code, and the exit code is 1. Prints a table of inputs tried, code reached and faults found.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import traceback
from pathlib import Path

FOLDER = Path("build/fuzz")
FINDS = FOLDER / "finds"


def fuzz(target: str, seconds: int) -> None:
    """In a process of its own: never returns."""
    import atheris

    with atheris.instrument_imports(include=["proxy"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    corpus = FOLDER / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[target]:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    function, seen = TARGETS[target], set()

    def tried(data: bytes) -> None:
        try:
            function(data)
        except Exception as fault:  # noqa: BLE001 - that is what is looked for
            place = traceback.extract_tb(fault.__traceback__)[-1]
            what = f"{type(fault).__name__} at {Path(place.filename).name}:{place.lineno}"
            if what not in seen:
                seen.add(what)
                find = FINDS / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
                find.write_bytes(data)
                print(f"FAULT {what} {find}", flush=True)

    options = [
        "-print_final_stats=1",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-max_len=8192",
        f"-artifact_prefix={FINDS}/{target}-",
    ]
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *options, str(corpus)], tried)
    atheris.Fuzz()


def run(target: str, seconds: int) -> tuple[int, int, list[str]]:
    """Inputs tried, code reached (libFuzzer's `cov`), and what was found."""
    command = [sys.executable, "-m", "tests.fuzz", "--one", target, "--seconds", str(seconds)]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    faults = [line.removeprefix("FAULT ") for line in ran.stdout.splitlines() if line.startswith("FAULT ")]
    tried = re.search(r"number_of_executed_units: (\d+)", ran.stderr)
    reached = re.findall(r"cov: (\d+)", ran.stderr)
    if ran.returncode or tried is None:
        faults.append(f"stopped with {ran.returncode}: {ran.stderr[-600:]}")
    return int(tried[1]) if tried else 0, int(reached[-1]) if reached else 0, faults


def main() -> int:
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("targets", nargs="*")
    reading.add_argument("--seconds", type=int, default=60)
    reading.add_argument("--one", help=argparse.SUPPRESS)
    given = reading.parse_args()
    FINDS.mkdir(parents=True, exist_ok=True)
    if given.one:
        fuzz(given.one, given.seconds)
    from tests.fuzz.targets import TARGETS

    found = 0
    print(f"{'target':10} {'inputs':>12} {'reached':>8} {'faults':>7}   in {given.seconds} s each")
    for target in given.targets or TARGETS:
        tried, reached, faults = run(target, given.seconds)
        found += len(faults)
        print(f"{target:10} {tried:12,} {reached:8,} {len(faults):7}", flush=True)
        print(*(f"    {fault}" for fault in faults), sep="\n", end="\n" if faults else "", flush=True)
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
