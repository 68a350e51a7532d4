"""docs/attribution.md promises nothing without a test, and names no test that is not there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MANUAL = (ROOT / "docs" / "attribution.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", MANUAL)))


@cache
def _functions_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value)
def test_a_named_test_is_there(path, name):
    assert name in _functions_in(path)


SURVIVES = [line for line in MANUAL.split("## What does not")[0].splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", [row for row in SURVIVES if not row.startswith("| **")], ids=lambda row: row[2:60])
def test_everything_that_survives_is_shown_by_a_test(row):
    assert re.search(r"\| `tests/[\w/]+\.py::test_\w+` \|$", row)
