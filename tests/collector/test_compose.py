"""The script is put together from its sources, or from what a build made of exactly these sources."""

import hashlib

import pytest

from proxy.collector import compose as composing
from proxy.collector.compose import compose, minified, strip
from proxy.config.modules import Module, Part

CORE = {"global": "fh", "events": "/e"}
SOURCE = "// says nothing\n(function (settings) {\n  go(settings);\n})(__SETTINGS__);\n"
BRIDGE = "guard((settings) => {\n  bridge(settings);\n})(__SETTINGS__);\n"


@pytest.fixture
def static(tmp_path, monkeypatch):
    """A folder of our own in place of `proxy/static`."""
    (tmp_path / "built" / "modules").mkdir(parents=True)
    (tmp_path / "modules").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "tracker.js").write_text(SOURCE)
    for module in Module:
        (tmp_path / "modules" / f"{module}.js").write_text(BRIDGE)
    for part in Part:
        (tmp_path / "parts" / f"{part}.js").write_text(f"part_{part}(__SETTINGS__);\n")
    monkeypatch.setattr(composing, "_STATIC", tmp_path)
    return tmp_path


def build(static, name, code):
    made_of = hashlib.sha256((static / name).read_bytes()).hexdigest()
    (static / "built" / name).write_text(f"// {made_of}\n{code}")


def test_only_whole_line_comments_and_indentation_go():
    source = (
        "/**\n * Doc.\n */\n(function (/** @type {C} */ c) {\n  // gone\n\n  const u = 'https://x'; // stays\n})(c);\n"
    )
    assert strip(source) == "(function (/** @type {C} */ c) {\nconst u = 'https://x'; // stays\n})(c);\n"


def test_without_a_build_the_stripped_source_is_served(static):
    assert compose(CORE, {}) == (
        "(function () {'use strict';try {if ((window.fh || {}).track) return;var hooks = [];"
        '(function (settings) {\ngo(settings);\n})({"global":"fh","events":"/e"});\n'
        "} catch (e) {try {console.warn(e)} catch (e) {}}})();\n"
    )


def test_a_build_of_this_source_is_served_instead(static):
    build(static, "tracker.js", "min(__SETTINGS__);\n")
    assert 'min({"global":"fh","events":"/e"});\n' in compose(CORE, {})
    assert "min(" not in compose(CORE, {}, build=False)


def test_a_build_of_another_source_is_not_used(static):
    build(static, "tracker.js", "min(__SETTINGS__);\n")
    (static / "tracker.js").write_text(SOURCE + "more();\n")
    assert minified("tracker.js") is None
    assert "more();" in compose(CORE, {})


def test_modules_follow_the_core_with_their_settings(static):
    text = compose(CORE, {Module.FORMS: {"a": 1}})
    assert text.index("go(settings)") < text.index("bridge(settings)")
    assert '})({"a":1});\n' in text


def test_parts_come_once_before_the_core_and_only_when_a_module_needs_them(static):
    text = compose(CORE, {Module.FBQ: {}, Module.IDS: {}})
    assert text.count("part_actions(") == text.count("part_calls(") == 1
    assert text.index("part_actions(") < text.index("go(settings)")
    assert "part_iab" not in text
    assert "part_" not in compose(CORE, {})


def test_bridges_know_the_names_that_tags_have_for_one_thing(static):
    assert '"completepayment":"purchase"' in compose(CORE, {Module.FBQ: {}})


@pytest.mark.parametrize("module", Module)
def test_the_order_in_the_configuration_does_not_matter(module):
    told = {other: {} for other in Module}
    assert compose(CORE, told) == compose(CORE, {module: {}} | dict(reversed(told.items())))


def test_of_the_banners_only_those_that_are_named_are_served_after_what_they_share():
    text = compose(CORE, {Module.BANNERS: {"names": ["klaro", "shopify"]}}, build=False)
    places = [text.index(part) for part in ("var banner = ", "banner('klaro'", "guard(banner)('shopify'")]
    assert places == sorted(places)
    assert "cookiebot" not in text
    assert '"names"' not in text, "the script itself has no use for them"
