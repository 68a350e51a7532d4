"""What can be said about the script without running it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from proxy.collector.compose import (
    CORE,
    CORE_BUDGET,
    UNBUILT_CORE_BUDGET,
    WHOLE_BUDGET,
    compose,
    file_of,
    minified,
    source,
    strip,
    told,
)
from proxy.config.modules import Banner, Module, Part
from proxy.config.tracker import TrackerSettings

ROOT = Path(__file__).parents[2]
SOURCE = source(CORE)
FILES = [CORE, *map(file_of, (*Part, *Module))]
BANNERS = [*map(file_of, Banner)]
MANUAL = (ROOT / "docs" / "tracker.md").read_text(encoding="utf-8")


def weight(text: str) -> int:
    return len(gzip.compress(text.encode(), 9, mtime=0))


def built(name: str) -> str:
    text = minified(name)
    if text is None:
        pytest.skip("no minified build here: `scripts/setup test` makes one where it can have Node")
    return text


def test_the_core_fits_into_4000_bytes_of_gzip() -> None:
    assert CORE_BUDGET == 4_000
    assert weight(built(CORE)) <= CORE_BUDGET


def test_without_a_build_the_core_is_a_little_more() -> None:
    assert weight(strip(SOURCE)) <= UNBUILT_CORE_BUDGET


@pytest.mark.parametrize("piece", [*Part, *Module, *Banner])
def test_every_module_and_every_part_fits_into_its_budget(piece) -> None:
    assert weight(built(file_of(piece))) <= piece.budget


@pytest.mark.parametrize("banner", Banner)
def test_everything_switched_on_fits_into_8000_bytes_of_gzip_with_whichever_banner_the_site_has(banner) -> None:
    built(CORE)
    core = {"events": "/e", "global": "firsthand", "consent": {"marketing": "denied", "analytics": "denied"}}
    modules = {module: told(TrackerSettings(), module) for module in Module}
    modules[Module.BANNERS] |= {"names": [banner]}
    whole = compose(core, modules)
    assert WHOLE_BUDGET == 8_000
    assert weight(whole) <= WHOLE_BUDGET


def test_every_module_file_is_in_the_table_and_the_other_way_round() -> None:
    static = ROOT / "proxy" / "static"
    found = {
        f"{path.parent.name}/{path.name}"
        for folder in ("parts", "modules", "banners")
        for path in (static / folder).iterdir()
    }
    assert found == {*FILES, *BANNERS} - {CORE}


@pytest.mark.parametrize("part", Part)
def test_every_part_is_needed_by_somebody(part) -> None:
    assert any(part in module.parts for module in Module)


def test_the_stub_of_the_manual_fits_into_400_bytes() -> None:
    stub = re.search(r"<script>window\.firsthand=.*?</script>\n<script async src=.*?</script>", MANUAL)
    assert stub is not None
    assert len(stub[0].encode()) <= 400


@pytest.mark.parametrize("name", FILES)
def test_the_settings_have_exactly_one_place_and_it_is_the_end(name) -> None:
    assert re.fullmatch(r"\}\)\((__SETTINGS__)?\);|\};", source(name).splitlines()[-1])
    assert source(name).count("__SETTINGS__") <= 1


@pytest.mark.parametrize("name", [*map(file_of, Module), *BANNERS])
def test_all_that_a_module_does_is_guarded(name) -> None:
    first, *others = re.findall(r"^[^\s/].*", source(name).replace("\n *", "\n  *"), re.MULTILINE)
    assert re.match(r"(var banner = )?guard\(", first)
    assert [line for line in others if not re.fullmatch(r"\}\);|\}\)\((__SETTINGS__)?\);", line)] == []


@pytest.mark.parametrize("name", FILES + BANNERS)
def test_code_lines_carry_no_comment_a_line_based_strip_would_miss(name) -> None:
    code = re.sub(r"'(?:[^'\\\n]|\\.)*'|/\^[^\n]*?/", "", strip(source(name)))
    assert "//" not in code
    assert "/*" not in code
    assert "`" not in code


@pytest.mark.parametrize("name", FILES + BANNERS)
def test_the_language_is_no_newer_than_es2017(name) -> None:
    newer = r"\?\.[a-z\[(]|\?\?|catch \{|\{ ?\.\.\.|\bfor await\b|\d_\d|\.(?:at|flat|flatMap|fromEntries|replaceAll)\("
    assert re.findall(newer, strip(source(name))) == []


@pytest.mark.parametrize("name", FILES + BANNERS)
def test_nothing_is_evaluated_injected_or_set_as_a_cookie(name) -> None:
    forbidden = r"\beval\b|\bFunction\(|innerHTML|document\.write|createElement|\.cookie\b|\bdefine\("
    assert re.findall(forbidden, source(name)) == []


def test_the_manual_names_every_command() -> None:
    body = SOURCE.split("const commands = {")[1].split("\n  };")[0]
    commands = re.findall(r"^    ([a-z]+)(?:\(.*\) \{|: \w+,)$", body, re.MULTILINE)
    assert set(commands) == {"track", "page", "identify", "consent", "reset", "ready", "id"}
    for command in commands:
        assert f"firsthand('{command}'" in MANUAL or f"firsthand.{command}(" in MANUAL


def test_the_manual_tells_what_every_module_may_weigh() -> None:
    told = dict(re.findall(r"^\| \[`([a-z_]+)`\]\(#\1\) \|.*\| ([0-9,]+) bytes \|$", MANUAL, re.MULTILINE))
    assert told == {module: f"{module.budget:,}" for module in Module}
    for module in Module:
        assert f"### `{module}`" in MANUAL


def test_the_manual_tells_which_lines_each_banner_needs() -> None:
    manual = (ROOT / "docs" / "consent.md").read_text(encoding="utf-8")
    for banner in Banner:
        assert f"`modules: [banners]`, `banners: {{names: [{banner}]}}`" in manual
    for module in (Module.TCF, Module.GPP, Module.CONSENT_MODE):
        assert f"| `modules: [{module}]`" in manual
