"""The packages we lock: pinned, licensed for it, alive. (With the network, `make audit` also asks for known holes.)"""

import importlib.util
import sys
from datetime import date
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "scripts" / "audit.py"
_spec = importlib.util.spec_from_file_location("audit", PATH)
audit = importlib.util.module_from_spec(_spec)
sys.modules["audit"] = audit  # dataclasses look their module up
_spec.loader.exec_module(audit)

PINNED = audit.Locked("click", "8.5.1", 2, "runtime.txt")
ROW = audit.Row("click", "8.5.1", "2026-09", "BSD-3-Clause", "2026-11-20", "")
TODAY = date(2026, 11, 26)


def test_every_locked_package_is_pinned_licensed_and_alive():
    every = [one for lock in audit.LOCKS for one in audit.locked(lock.read_text(), lock.name)]
    assert len(every) > 50
    assert list(audit.faults(every, audit.rows(audit.TABLE.read_text()))) == []


def test_the_table_has_no_row_that_nobody_needs():
    every = {one.name for lock in audit.LOCKS for one in audit.locked(lock.read_text(), lock.name)}
    assert set(audit.rows(audit.TABLE.read_text())) == every


def test_nothing_is_said_of_a_good_one():
    assert list(audit.faults([PINNED], {"click": ROW}, TODAY)) == []


@pytest.mark.parametrize(
    ("locked", "row", "words"),
    [
        ({"hashes": 0}, {}, "not pinned"),
        ({"version": ""}, {"version": ""}, "not pinned"),
        ({"version": "8.*"}, {"version": "8.*"}, "not pinned"),
        ({"version": "8.5.2"}, {}, "not in audit.tsv"),
        ({"name": "new"}, {}, "not in audit.tsv"),
        ({}, {"licence": "GPL-3.0-or-later"}, "not on the list"),
        ({}, {"licence": ""}, "no licence"),
        ({}, {"released": "2025-04"}, "19 months ago"),
        ({}, {"checked": "2026-08-01"}, "for the last time"),
    ],
)
def test_each_fault_is_found(locked, row, words):
    one = audit.Locked(**(vars(PINNED) | locked))
    (fault,) = audit.faults([one], {"click": audit.Row(**(vars(ROW) | row))}, TODAY)
    assert words in fault
    assert "runtime.txt" in fault


def test_an_old_release_may_stay_when_somebody_said_why():
    old = audit.Row(**(vars(ROW) | {"released": "2021-05", "note": "finished"}))
    assert list(audit.faults([PINNED], {"click": old}, TODAY)) == []


def test_the_tests_do_not_begin_to_fail_one_morning():
    later = audit.Row(**(vars(ROW) | {"checked": "2026-11-20"}))
    assert list(audit.faults([PINNED], {"click": later})) == []
    assert list(audit.faults([PINNED], {"click": later}, date(2030, 1, 1)))


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("GPL-3.0-or-later AND MIT", False),
        ("(Apache-2.0 OR BSD-2-Clause)", True),
        ("AGPL-3.0-only", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_when_one_alternative_is(expression, allowed):
    assert audit.is_allowed(expression) is allowed


def test_a_lock_file_is_read_with_its_hashes():
    text = (
        "# note\nclick==8.5.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nPy_YAML==6.0 \\\n    --hash=md5:aa\n"
    )
    assert list(audit.locked(text, "x.txt")) == [
        audit.Locked("click", "8.5.1", 2, "x.txt"),
        audit.Locked("py-yaml", "6.0", 0, "x.txt"),
    ]


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ({"license_expression": "Apache-2.0 AND MIT"}, "Apache-2.0 AND MIT"),
        ({"license": "MIT"}, "MIT"),
        ({"license": "Apache 2.0"}, "Apache-2.0"),
        ({"classifier": ["License :: OSI Approved :: MIT License", "Topic :: x"]}, "MIT"),
        ({"license": "see LICENSE", "classifier": ["License :: OSI Approved :: Something"]}, ""),
        ({}, ""),
    ],
)
def test_a_licence_is_found_where_packages_state_it(metadata, licence):
    assert audit.licence_of(metadata) == licence
