"""docs/cookies.md and the code list the same cookies with the same facts."""

import re
from pathlib import Path

import pytest

from proxy.clock import DAY_S
from proxy.identity import meta_cookies
from proxy.identity.keeping import FBC, FBP
from proxy.identity.platform_cookies import COOKIES, ClickCookie, session_cookie

MANUAL = (Path(__file__).parents[2] / "docs" / "cookies.md").read_text(encoding="utf-8")
MARKETING, EITHER = "marketing", "marketing or analytics"
REMOVED = {MARKETING: "when marketing or sale is refused", EITHER: "when both are refused"}


def listed():
    """Cookie -> the other cells of its row; a cell may name two cookies."""
    rows = {}
    for line in MANUAL.split("|---|", 1)[1].split("\n\n", 1)[0].splitlines()[1:]:
        names, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows |= dict.fromkeys(re.findall(r"`([^`]+)`", names), cells)
    return rows


def told(kind, event, lasts_s, consent):
    life, removed = (f"{lasts_s // DAY_S} days", REMOVED[consent]) if lasts_s else ("–", "–")
    return [f"`{kind}`", ", ".join(f"`{name}`" for name in event), life, consent, removed]


def expected():
    sample = {"_ga": "GA1.1.1.1"}
    for row in (*COOKIES, session_cookie("STREAM", "")):
        if isinstance(row, ClickCookie):
            yield row.name, told(row.kind, [f"click_ids.{row.click}"], row.lasts_s, MARKETING)
        else:
            ids = row.ids(sample.get(row.name, "GS1.1.1.1" if row.name.startswith("_ga_") else "x"))
            consent = EITHER if row.measures else MARKETING
            yield row.name, told(row.kind, [f"browser_ids.{name}" for name in ids], row.lasts_s, consent)
    for name in (FBP, FBC):
        yield name, told("meta", [f"browser_ids.{name[1:]}"], meta_cookies.COOKIE_MAX_AGE_S, MARKETING)


@pytest.mark.parametrize(("name", "facts"), list(expected()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_cookies_row_is_what_the_code_does(name, facts):
    kind, _, _, event, life, consent, removed = listed()[name]
    assert [kind, event, life, consent, removed] == facts


def test_no_row_is_about_a_cookie_that_is_gone():
    assert set(listed()) == {"_fh", *(name for name, _ in expected())}
