"""No vector lies idle: each is a case of some test, named in one, or stands below with the reason why not.

What counts as used: its id in the name of a collected test (`test_…[T-N01]`), or its id written out in a test file.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.identity.hashing import is_junk_digest

TESTS = Path(__file__).parent
FILES = ("google-vectors.json", "tiktok-snap-pinterest-vectors.json")
LOOKED_AT = ("destinations", "identity", "sandbox", "test_explain_golden.py")
OLD_API = "of the Google Ads API, closed to newcomers since 2026-06-15: we build on the Data Manager API alone"
NOT_OURS = {
    **{f"P{number:03}": OLD_API for number in range(48, 69)},
    **{f"R{number:03}": OLD_API for number in range(15, 21)},
}


def vectors(file):
    """id -> vector, of every list of vectors in the file."""
    content = json.loads((TESTS / "vectors" / file).read_text())
    listed = [vector for part in content.values() if isinstance(part, list) for vector in part]
    return {vector["id"]: vector for vector in listed if isinstance(vector, dict) and "id" in vector}


@pytest.fixture(scope="module")
def used():
    """Every word of the names of the collected tests, and of the test files but this one."""
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *LOOKED_AT]
    ended = subprocess.run(collect, cwd=TESTS, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    files = [path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)]
    return frozenset(re.findall(r"[A-Za-z0-9_-]+", "\n".join([ended.stdout, *files])))


@pytest.mark.parametrize("file", FILES)
def test_every_vector_is_used_or_has_a_reason(used, file):
    found = vectors(file)
    assert len(found) > 150
    assert sorted(found.keys() - used) == sorted(found.keys() & NOT_OURS.keys())


def test_what_is_not_ours_is_of_the_other_api():
    google = vectors(FILES[0])
    of_old_api = {name for name, one in google.items() if one.get("message", "").startswith("ads.")}
    assert of_old_api == NOT_OURS.keys() & google.keys()


def test_every_forbidden_digest_is_one_we_never_send():
    digests = json.loads((TESTS / "vectors" / FILES[1]).read_text())["forbidden_digests"]
    assert [one for one in digests if not is_junk_digest(one["sha256"])] == []
