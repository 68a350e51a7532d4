"""What can be said about the script without running it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

SOURCE = (Path(__file__).parents[2] / "proxy" / "static" / "tracker.js").read_text(encoding="utf-8")
MANUAL = (Path(__file__).parents[2] / "docs" / "tracker.md").read_text(encoding="utf-8")


def served() -> str:
    """Whole-line comments, blank lines and indentation gone: all that is done to the source before it is sent."""
    text = re.sub(r"^\s*/\*.*?\*/\s*$\n?", "", SOURCE, flags=re.MULTILINE | re.DOTALL)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def test_the_script_fits_into_4000_bytes_of_gzip() -> None:
    assert len(gzip.compress(served().encode(), 9, mtime=0)) <= 4000


def test_the_stub_of_the_manual_fits_into_400_bytes() -> None:
    stub = re.search(r"<script>window\.firsthand=.*?</script>\n<script async src=.*?</script>", MANUAL)
    assert stub is not None
    assert len(stub[0].encode()) <= 400


def test_the_settings_have_exactly_one_place_and_it_is_the_end() -> None:
    assert SOURCE.count("__FIRSTHAND__") == 1
    assert SOURCE.rstrip().endswith("})(__FIRSTHAND__);")


def test_code_lines_carry_no_comment_a_line_based_strip_would_miss() -> None:
    code = re.sub(r"'(?:[^'\\\n]|\\.)*'|/\^[^\n]*?/", "", served())
    assert "//" not in code
    assert "/*" not in code
    assert "`" not in code


def test_the_language_is_no_newer_than_es2017() -> None:
    newer = r"\?\.[a-z\[(]|\?\?|catch \{|\{ ?\.\.\.|\bfor await\b|\d_\d|\.(?:at|flat|flatMap|fromEntries|replaceAll)\("
    assert re.findall(newer, served()) == []


def test_nothing_is_evaluated_injected_or_set_as_a_cookie() -> None:
    forbidden = r"\beval\b|\bFunction\(|innerHTML|document\.write|createElement|\.cookie\b|define\("
    assert re.findall(forbidden, SOURCE) == []


def test_the_manual_names_every_command() -> None:
    body = SOURCE.split("const commands = {")[1].split("\n  };")[0]
    commands = re.findall(r"^    ([a-z]+)(?:\(.*\) \{|: \w+,)$", body, re.MULTILINE)
    assert set(commands) == {"track", "page", "identify", "consent", "reset", "ready", "id"}
    for command in commands:
        assert f"firsthand('{command}'" in MANUAL or f"firsthand.{command}(" in MANUAL
