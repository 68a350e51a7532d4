"""Are the packages we ship and test with pinned, licensed for it, alive, and without known holes?

    python scripts/audit.py            every check; exit code 1 when one fails
    python scripts/audit.py --record   look up releases and licences anew (network) and write requirements/audit.tsv

Offline, and part of the tests: every locked requirement has an exact version and hashes, and a row in the table with a
licence of the allow-list and a release not older than 18 months when it was recorded (or a note that says why it may
be). With the network: the same as of today, and pip-audit, in an environment of its own, asks a vulnerability database.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TABLE = ROOT / "requirements" / "audit.tsv"
VENV = ROOT / ".venv-audit"
ALLOWED = frozenset("0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause ISC MIT MIT-0 MPL-2.0 PSF-2.0 Unlicense Zlib".split())
"""Licences that ask no more of a user of Firsthand than to keep a notice (MPL: and to publish changes to its files)."""
OLDEST_MONTHS = 18
STALE_DAYS = 90
"""How long the table may go unchecked before `make audit` asks for a new look."""
_OF_CLASSIFIER = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
}
_OF_TEXT = {"MIT License": "MIT", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0", "BSD": "BSD-3-Clause"}


@dataclass(frozen=True)
class Locked:
    name: str
    version: str
    hashes: int
    file: str


@dataclass(frozen=True)
class Row:
    """What is known of one release; `released` and `checked` to the month and to the day."""

    name: str
    version: str
    released: str
    licence: str
    checked: str
    note: str


def locked(text: str, file: str) -> Iterator[Locked]:
    """The requirements of a lock file, each with how many hashes pin it."""
    for entry in text.replace("\\\n", " ").splitlines():
        if entry.strip() and not entry.lstrip().startswith(("#", "-")):
            requirement, *rest = entry.split()
            name, _, version = requirement.partition("==")
            yield Locked(_canonical(name), version, sum(word.startswith("--hash=sha256:") for word in rest), file)


def rows(text: str) -> dict[str, Row]:
    lines = [line.split("\t") for line in text.splitlines()[1:]]
    return {fields[0]: Row(*fields) for fields in lines}


def faults(locks: Iterable[Locked], table: dict[str, Row], today: date | None = None) -> Iterator[str]:
    """What is wrong, a sentence each. `today` None: every release is judged as of the day its row was checked."""
    for one in locks:
        what, row = f"{one.file}: {one.name} {one.version}", table.get(one.name)
        if not re.fullmatch(r"[0-9][0-9A-Za-z.+!-]*", one.version) or not one.hashes:
            yield f"{what}: not pinned to one version with hashes"
        if row is None or row.version != one.version:
            yield f"{what}: not in {TABLE.name}; run scripts/audit.py --record"
            continue
        if not is_allowed(row.licence):
            yield f"{what}: {row.licence or 'no licence'} is not on the list of licences"
        age = _months(row.released, today or date.fromisoformat(row.checked))
        if age > OLDEST_MONTHS and not row.note:
            yield f"{what}: released {row.released}, {age} months ago; is anybody still looking after it?"
        if today is not None and (today - date.fromisoformat(row.checked)).days > STALE_DAYS:
            yield f"{what}: looked at on {row.checked} for the last time; run scripts/audit.py --record"


def is_allowed(expression: str) -> bool:
    """An SPDX expression of which one alternative asks for nothing that is not allowed."""
    alternatives = re.split(r"\s+OR\s+", expression.strip("() "))
    return any(
        bool(part.strip()) and all(name.strip("() ") in ALLOWED for name in re.split(r"\s+AND\s+", part))
        for part in alternatives
    )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def _months(released: str, today: date) -> int:
    year, month = map(int, released.split("-"))
    return (today.year - year) * 12 + today.month - month


# With the network


def vulnerabilities() -> tuple[list[str], str]:
    """Known holes, a sentence each, and what was asked."""
    found, asked = [], 0
    for lock in LOCKS:
        for service in ("pypi", "osv"):
            command = [_in_venv("pip-audit"), "--format=json", "--progress-spinner=off", "--disable-pip"]
            command += [f"--vulnerability-service={service}", "--require-hashes", f"--requirement={lock}"]
            ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            try:
                packages = json.loads(ran.stdout)["dependencies"]
            except (ValueError, KeyError):
                continue
            answered = [package for package in packages if "vulns" in package]
            if answered:
                asked += len(answered)
                found += [
                    f"{lock.name}: {package['name']} {package['version']}: {hole['id']}"
                    f" (fixed in {', '.join(hole['fix_versions']) or 'no release yet'})"
                    for package in answered
                    for hole in package["vulns"]
                ]
                break
    return found, f"{asked} packages asked about" if asked else "no vulnerability database was reachable"


def record(today: date) -> None:
    """Write the table anew; notes stay."""
    before = rows(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    every = {one.name: one for lock in LOCKS for one in locked(lock.read_text(encoding="utf-8"), lock.name)}
    with ThreadPoolExecutor(4) as pool:
        looked_up = list(pool.map(partial(_look_up, today, before), every.values()))
    lines = [
        "\t".join(Row.__annotations__),
        *("\t".join(vars(row).values()) for row in sorted(looked_up, key=lambda row: row.name)),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _look_up(today: date, before: dict[str, Row], one: Locked) -> Row:
    known = before.get(one.name)
    note = known.note if known else ""
    if known is not None and known.version == one.version:
        return Row(one.name, one.version, known.released, known.licence, today.isoformat(), note)
    report = _pip(
        "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report=-", f"{one.name}=={one.version}"
    )
    metadata = json.loads(report.stdout)["install"][0]["metadata"] if report.returncode == 0 else {}
    licence = licence_of(metadata) or (known.licence if known else "")
    print(f"{one.name} {one.version} …", file=sys.stderr)
    return Row(one.name, one.version, _released(one, today), licence, today.isoformat(), note)


def licence_of(metadata: dict[str, object]) -> str:
    """As SPDX, from the metadata of a package; "" when it says nothing that we know."""
    if expression := metadata.get("license_expression"):
        return str(expression)
    text = str(metadata.get("license", "")).strip()
    if text in ALLOWED or text in _OF_TEXT:
        return _OF_TEXT.get(text, text)
    classifiers = metadata.get("classifier", [])
    names = [str(one).rpartition(" :: ")[2] for one in classifiers if str(one).startswith("License ::")]  # type: ignore[attr-defined]
    return " OR ".join(sorted(_OF_CLASSIFIER[name] for name in names if name in _OF_CLASSIFIER))


def _released(one: Locked, today: date) -> str:
    """The month of a release, by asking for it as of earlier and earlier days."""
    now = today.year * 12 + today.month  # months count from 0, so this is the first day of the next one
    if _was_there(one, now - OLDEST_MONTHS):
        low, high = 2015 * 12, now - OLDEST_MONTHS
    else:
        low, high = now - OLDEST_MONTHS + 1, now
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _was_there(one, middle) else (middle + 1, high)
    year, month = divmod(low - 1, 12)
    return f"{year}-{month + 1:02}"


def _was_there(one: Locked, months: int) -> bool:
    """Before the first day of that month?"""
    year, month = divmod(months, 12)
    options = (
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--quiet",
        f"--uploaded-prior-to={year}-{month + 1:02}-01",
    )
    return _pip("install", *options, f"{one.name}=={one.version}").returncode == 0


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Only the index tells when something was released, so no local files.
    environment = {**os.environ, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
    command = [_in_venv("python"), "-m", "pip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def _in_venv(name: str) -> str:
    """A programme of the audit's own environment, which is made when there is none."""
    if not (VENV / "bin" / "pip-audit").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        install = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--upgrade", "pip", "pip-audit"]
        subprocess.run(install, check=True)
    return str(VENV / "bin" / name)


def main() -> int:
    today = datetime.now(UTC).date()
    if "--record" in sys.argv:
        record(today)
    every = [one for lock in LOCKS for one in locked(lock.read_text(encoding="utf-8"), lock.name)]
    found = list(faults(every, rows(TABLE.read_text(encoding="utf-8")), today))
    print(f"{len(every)} locked requirements: pins, hashes, licences, ages: {len(found)} fault(s)")
    if "--offline" not in sys.argv:
        holes, asked = vulnerabilities()
        print(f"known vulnerabilities: {len(holes)} ({asked})")
        found += holes
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
