import pytest
from hypothesis import example, given, settings, strategies as st

from proxy.config.yaml import MAX_BYTES, MAX_DEPTH, Place, parse
from proxy.errors import ConfigError


def fatal(source):
    with pytest.raises(ConfigError) as caught:
        parse(source)
    return [(fault.line, fault.column, fault.message) for fault in caught.value.faults]


def soft(source):
    return [(fault.line, fault.column, fault.message) for fault in parse(source).faults]


def test_every_key_and_value_has_its_place():
    document = parse("site:\n  origins: [a, 'ü', {x: 1}]\nport: 8080\n")
    assert document.data == {"site": {"origins": ["a", "ü", {"x": 1}]}, "port": 8080}
    assert document.keys[("site", "origins")] == Place(2, 3)
    assert document.values[("site", "origins", 1)] == Place(2, 16)
    assert document.values[("site", "origins", 2, "x")] == Place(2, 25)
    assert document.values[("port",)] == Place(3, 7)


def test_columns_count_characters_not_bytes():
    assert parse("{'😀é': x}").values[("😀é",)] == Place(1, 8)


def test_quoted_words_are_text_whatever_they_look_like():
    data = parse("""a: "1"\nb: 'true'\nc: !!str 5\nd: ! 7\ne: |\n  8\nf: ""\n""").data
    assert data == {"a": "1", "b": "true", "c": "5", "d": "7", "e": "8\n", "f": ""}


def test_yaml_1_1_surprises_are_text():
    assert parse("country: NO\nzip: 0123\nat: 12:30\nday: 2026-11-23\non: off\n").data == {
        "country": "NO", "zip": "0123", "at": "12:30", "day": "2026-11-23", "on": "off",
    }  # fmt: skip


def test_a_duplicate_key_is_a_fault_at_the_second_place_and_the_first_counts():
    document = parse("a: 1\nb: {x: 1, x: [2, {y: 3}]}\na: 2\n")
    assert [(f.line, f.column, f.message, f.advice) for f in document.faults] == [
        (2, 11, "the key 'x' stands here a second time", "the first is in line 2"),
        (3, 1, "the key 'a' stands here a second time", "the first is in line 1"),
    ]
    assert document.data == {"a": 1, "b": {"x": 1}}
    assert ("b", "x", 1) not in document.values


def test_aliases_are_refused_so_nothing_expands():
    bomb = "a: &a [x,x]\n" + "".join(
        f"{c}: &{c} [*{p},*{p},*{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    document = parse(bomb)
    assert len(document.faults) == 24
    assert document.faults[0].line == 2
    assert ("b", 0) in document.broken
    assert soft("{a: &x 1, *x : 2}")[0][2] == "aliases (*name) are not supported"


@pytest.mark.parametrize(
    ("source", "place"),
    [("12: x", (1, 1)), ("a: {true: x}", (1, 5)), ("~: x", (1, 1)), ("? [a, {b: c}]\n: {d: e}\n", (1, 3)),
     ("? {a: b}\n: c", (1, 3)), ("1.5: x", (1, 1))],
)  # fmt: skip
def test_keys_must_be_text(source, place):
    (fault,) = parse(source).faults
    assert (fault.line, fault.column) == place
    assert "key" in fault.message


def test_a_quoted_number_may_be_a_key():
    assert parse('"12": x').data == {"12": "x"}


@pytest.mark.parametrize("tag", ["!python/object:os.system", "!!binary", "!!int", "!env", "!!set", "!<x>"])
def test_tags_are_refused(tag):
    assert [message for *_, message in soft(f"a: {tag} x\n")] == ["tags (!name) are not supported"]


def test_a_second_document_is_refused():
    assert fatal("---\na: 1\n---\nb: 2\n") == [(3, 1, "a second document begins here")]
    assert parse("---\na: 1\n...\n").data == {"a": 1}


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("a:\n\tb: 1\n", 2, 1, "a tab is used for indentation"),
        ("a: b: c\n", 1, 5, "a `:` where no key can be"),
        ("a: [1, 2\nb: 3\n", 2, 2, "the list [...] is not closed, or a comma is missing"),
        ("a: {b: 1\nc: 3\n", 2, 2, "the mapping {...} is not closed, or a comma is missing"),
        ("x: 1\na: 'open\nb: 1\n", 2, 4, "the quote that begins here is never closed"),
        ("a: @b\n", 1, 4, "text cannot begin with @"),
        ("a: `b`\n", 1, 4, "text cannot begin with `"),
        ("a: %b\n", 1, 4, "text cannot begin with %"),
        ("o: [*.shop.example]\n", 1, 6, "text cannot begin with * or & here"),
        ("a: {t: ${TOKEN}}\n", 1, 8, "`${...}` within [...] or {...} needs quotes"),
        ("- a\nb: 1\n", 2, 1, "this line does not fit the list above it"),
        ("a: 1\n}\n", 2, 1, "this line does not fit the block above it"),
        ('a: "\\q"\n', 1, 5, 'an unknown \\ escape within "..."'),
        ("%YAML 3.0\n---\na: 1\n", 1, 1, "an unknown %YAML version"),
        ("a: - b\n", 1, 4, "a list cannot begin here"),
    ],
)
def test_broken_yaml_is_told_in_words_and_place(source, line, column, words):
    assert fatal(source) == [(line, column, words)]


@pytest.mark.parametrize(
    ("source", "place"),
    [("a: \x00", (1, 4)), ("a: 1\nb: \x85", (2, 4)), ("a: \u2028", (1, 4)), ("a\r\nb\r\n\x7f", (3, 1)), ("a: \ud800", (1, 4)),
     ("a: x\ufeff", (1, 5))],
)  # fmt: skip
def test_characters_that_yaml_forbids_are_named(source, place):
    ((line, column, message),) = fatal(source)
    assert (line, column) == place
    assert message.startswith("the character U+")


def test_bytes_that_are_not_utf_8_are_located():
    assert fatal("é: 1\nb: \xfc".encode("latin-1").replace(b"\xe9", "é".encode())) == [
        (2, 4, "the file is not UTF-8 text")
    ]
    assert fatal("a: 1".encode("utf-16"))[0][2] == "the file is not UTF-8 text"


def test_a_byte_order_mark_does_not_matter():
    assert parse(b"\xef\xbb\xbfa: 1").data == parse("\ufeffa: 1").data == {"a": 1}


@pytest.mark.parametrize("source", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_text_is_none(source):
    assert parse(source).data is None


def test_depth_and_size_are_bounded():
    assert fatal("[" * 100_000)[0][2] == f"nested more than {MAX_DEPTH} levels deep"
    assert fatal("a: {" * 100_000)[0][2] == f"nested more than {MAX_DEPTH} levels deep"
    assert fatal("{? " * 100_000)[0][2]
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH).data
    assert "larger than" in fatal(b"#" * (MAX_BYTES + 1))[0][2]


@given(st.text() | st.binary() | st.text(alphabet="ab:-{}[]*&!|>'\"#?,% \n\t~0$"))
@example("{a: *x, ? *y : b}")
@example("? - a\n  - {b: c}\n: d")
@example("&a : b")
@settings(max_examples=400)
def test_any_input_is_data_or_a_config_error(source):
    try:
        faults = parse(source).faults
    except ConfigError as error:
        faults = error.faults
        assert faults
    assert all(fault.line >= 1 and fault.column >= 1 for fault in faults)
