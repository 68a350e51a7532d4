"""What can be said about the script without running it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from proxy.collector.compose import CORE, CORE_BUDGET, WHOLE_BUDGET, compose, file_of, minified, source, strip, told
from proxy.config.modules import Module
from proxy.config.tracker import TrackerSettings

ROOT = Path(__file__).parents[2]
SOURCE = source(CORE)
FILES = [CORE, *map(file_of, Module)]
MANUAL = (ROOT / "docs" / "tracker.md").read_text(encoding="utf-8")


def weight(text: str) -> int:
    return len(gzip.compress(text.encode(), 9, mtime=0))


def built(name: str) -> str:
    text = minified(name)
    if text is None:
        pytest.skip("no minified build here: `scripts/setup test` makes one where it can have Node")
    return text


def test_the_core_fits_into_4000_bytes_of_gzip_minified_or_not() -> None:
    assert CORE_BUDGET == 4_000
    assert weight(strip(SOURCE)) <= CORE_BUDGET
    assert weight(built(CORE)) <= CORE_BUDGET


@pytest.mark.parametrize("module", Module)
def test_every_module_fits_into_its_budget(module) -> None:
    assert weight(built(file_of(module))) <= module.budget


def test_everything_switched_on_fits_into_8000_bytes_of_gzip() -> None:
    built(CORE)
    core = {"events": "/e", "global": "firsthand", "consent": {"marketing": "denied", "analytics": "denied"}}
    whole = compose(core, {module: told(TrackerSettings(), module) for module in Module})
    assert WHOLE_BUDGET == 8_000
    assert weight(whole) <= WHOLE_BUDGET


def test_every_module_file_is_in_the_table_and_the_other_way_round() -> None:
    assert {path.name for path in (ROOT / "proxy" / "static" / "modules").glob("*.js")} == {f"{m}.js" for m in Module}


def test_the_stub_of_the_manual_fits_into_400_bytes() -> None:
    stub = re.search(r"<script>window\.firsthand=.*?</script>\n<script async src=.*?</script>", MANUAL)
    assert stub is not None
    assert len(stub[0].encode()) <= 400


@pytest.mark.parametrize("name", FILES)
def test_the_settings_have_exactly_one_place_and_it_is_the_end(name) -> None:
    end = "})(__SETTINGS__);" if name == CORE else "})(window.__GLOBAL__, __SETTINGS__);"
    assert source(name).count("__SETTINGS__") == 1
    assert source(name).rstrip().endswith(end)


@pytest.mark.parametrize("name", FILES)
def test_code_lines_carry_no_comment_a_line_based_strip_would_miss(name) -> None:
    code = re.sub(r"'(?:[^'\\\n]|\\.)*'|/\^[^\n]*?/", "", strip(source(name)))
    assert "//" not in code
    assert "/*" not in code
    assert "`" not in code


@pytest.mark.parametrize("name", FILES)
def test_the_language_is_no_newer_than_es2017(name) -> None:
    newer = r"\?\.[a-z\[(]|\?\?|catch \{|\{ ?\.\.\.|\bfor await\b|\d_\d|\.(?:at|flat|flatMap|fromEntries|replaceAll)\("
    assert re.findall(newer, strip(source(name))) == []


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_evaluated_injected_or_set_as_a_cookie(name) -> None:
    forbidden = r"\beval\b|\bFunction\(|innerHTML|document\.write|createElement|\.cookie\b|\bdefine\("
    assert re.findall(forbidden, source(name)) == []


def test_the_manual_names_every_command() -> None:
    body = SOURCE.split("const commands = {")[1].split("\n  };")[0]
    commands = re.findall(r"^    ([a-z]+)(?:\(.*\) \{|: \w+,)$", body, re.MULTILINE)
    assert set(commands) == {"track", "page", "identify", "consent", "reset", "ready", "id"}
    for command in commands:
        assert f"firsthand('{command}'" in MANUAL or f"firsthand.{command}(" in MANUAL
