"""`make bench`: every bench one after the other, in modest sizes, each as a process of its own.

The figures of a run are only comparable with others of the same run; docs/performance.md says what they mean.
"""

import subprocess
import sys
from pathlib import Path

BENCHES = {
    "POST /e beside a bare aiohttp handler": ("ingest.py", "--rounds", "4", "--seconds", "2"),
    "where a request's time goes": ("ingest.py", "--parts"),
    "the event log alone": ("log_append.py", "--growth", "0"),
    "rules": ("rules.py", "--seconds", "1"),
    "reading the log out to Meta": ("relay.py", "--events", "10000"),
    "building requests, by platform": ("destinations.py",),
}
FOLDER = Path(__file__).parent

failed = []
for title, (script, *options) in BENCHES.items():
    print(f"\n== {title}: python tests/bench/{script} {' '.join(options)}", flush=True)
    done = subprocess.run([sys.executable, FOLDER / script, *options], cwd=FOLDER.parents[1], check=False)
    if done.returncode:
        failed.append(script)
if failed:
    raise SystemExit(f"failed: {', '.join(failed)}")
