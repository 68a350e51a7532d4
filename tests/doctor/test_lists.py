import pytest
from hypothesis import given, strategies as st

from proxy.doctor.lists import blocking, rules

SCRIPT = "https://t.shop.example/tracker.js"


def blocked(lines, url=SCRIPT, kind="script", page="www.shop.example"):
    return blocking(list(rules(lines)), url, kind, page)


@pytest.mark.parametrize(
    "line",
    [
        "/tracker.js",
        "/tracker.js|",
        "/TRACKER.js",
        "||t.shop.example^",
        "||shop.example/tracker",
        "|https://t.",
        "/track*.js",
        ".example/tracker.js^",
        "/tracker.js$script",
        "/tracker.js$script,~third-party",
        "/tracker.js$domain=shop.example|other.example",
        "/tracker.js$domain=~other.example",
        "/tracker.js$~image",
        r"/\/track[a-z]+\.js$/",
        r"/^https:\/\/t\.[a-z]+\.example\//$script",
    ],
)
def test_rules_that_hit(line):
    assert blocked([line]) == line


@pytest.mark.parametrize(
    "line",
    [
        "! /tracker.js",
        "[Adblock Plus 2.0]",
        "shop.example##.tracker",
        "shop.example#@#.tracker",
        "/tracker.js$third-party",
        "/tracker.js$3p",
        "/tracker.js$image",
        "/tracker.js$~script",
        "/tracker.js$stylesheet",
        "/tracker.js$domain=other.example",
        "/tracker.js$domain=~shop.example",
        "/tracker.js$removeparam=x",
        "/tracker.js$redirect=noop.js",
        "||acker.js",
        "||hop.example^",
        "|http://t.",
        "/tracker|",
        "",
        "*",
        r"/(?<=t)racker\.js/",  # look-behind is not RE2's
    ],
)
def test_rules_that_do_not(line):
    assert blocked([line]) is None


def test_an_exception_lets_pass_what_a_rule_blocks():
    assert blocked(["/tracker.js", "@@||shop.example^$script"]) is None
    assert blocked(["/tracker.js", "@@||other.example^"]) == "/tracker.js"


def test_kinds_are_told_apart():
    assert blocked(["/e|$ping"], "https://t.shop.example/e", "events") == "/e|$ping"
    assert blocked(["/e|$image"], "https://t.shop.example/e", "events") is None
    assert blocked(["/n.gif?$image"], "https://t.shop.example/n.gif?name=x", "image")


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_text_in_a_list_breaks_the_reading(lines):
    blocked(lines)
