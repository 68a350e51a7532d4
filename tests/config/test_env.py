from pathlib import Path

from hypothesis import given, strategies as st

from proxy.config.env import expand

NOWHERE = Path("/nonexistent")


def expanded(data, folder=NOWHERE, **env):
    result = expand(data, env, folder)
    assert not result.faults, result.faults
    return result.data


def faults(data, folder=NOWHERE, **env):
    return [(fault.path, fault.message) for fault in expand(data, env, folder).faults]


def test_a_variable_is_put_in_alone_or_within_text():
    assert expanded({"a": ["${X}", "x-${X}-${Y:-y}"]}, X="1") == {"a": ["1", "x-1-y"]}


def test_what_comes_out_is_text_so_ids_stay_as_they_are():
    assert expanded(["${X}", "${Y}", "${Z}"], X="0123", Y="1e5", Z="null") == ["0123", "1e5", "null"]


def test_a_default_counts_when_the_variable_is_missing_or_empty():
    assert expanded(["${X:-d}", "${Y:-d}", "${Z:-d}", "${X:-a:-b c}"], Y="", Z="z") == ["d", "d", "z", "a:-b c"]


def test_an_empty_default_removes_the_key():
    assert expanded({"a": "${X:-}", "b": {"c": "${X:-}"}, "d": ["${X:-}"]}) == {"b": {}, "d": [None]}
    assert expanded({"a": "${X:-}"}, X="x") == {"a": "x"}
    assert expanded({"a": "b${X:-}"}) == {"a": "b"}


def test_a_doubled_dollar_is_a_plain_one():
    assert expanded(["$${X}", "a$${", "$$ $X {X} $"]) == ["${X}", "a${", "$$ $X {X} $"]


def test_what_a_variable_holds_is_not_expanded_again():
    assert expanded("${X}", X="${Y} $${Z}") == "${Y} $${Z}"


def test_every_fault_is_found_with_its_path():
    data = {"a": "${NO}", "b": [{"c": "${EMPTY}"}], "d": "${", "e": "${not a name}", "f": "${}", "g": "ok ${X}"}
    assert faults(data, EMPTY="", X="x") == [
        (("a",), "the environment variable NO is not set"),
        (("b", 0, "c"), "the environment variable EMPTY is empty"),
        (("d",), "`${` without its `}`"),
        (("e",), "`${...}` holds neither a name nor a file"),
        (("f",), "`${...}` holds neither a name nor a file"),
    ]


def test_a_secret_file_loses_only_the_line_break_at_its_end(tmp_path):
    (tmp_path / "a").write_text("s3cret \n")
    (tmp_path / "b").write_bytes(b"\xef\xbb\xbfwin\r\n")
    (tmp_path / "c").write_text("{\n  1\n}\n\n")
    assert expanded(["${file:a}", "${file:b}", "${file:c}"], tmp_path) == ["s3cret ", "win", "{\n  1\n}\n"]
    assert expanded(f"${{file:{tmp_path}/a}}") == "s3cret "


def test_a_secret_file_that_cannot_be_used_is_a_fault(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "big").write_bytes(b"x" * 70_000)
    (tmp_path / "half").write_bytes(("x" * 65_536 + "é" * 9).encode())
    names = ["none", "empty", "binary", "big", "half", ".", "", "a\0b"]
    found = faults([f"${{file:{name}}}" for name in names], tmp_path)
    assert [message for _, message in found] == [
        "reading the secret file none: no such file or directory",
        "the secret file empty is empty",
        "the secret file binary is not UTF-8 text",
        "the secret file big is larger than 64 KiB",
        "the secret file half is larger than 64 KiB",
        "reading the secret file .: is a directory",
        "${file:} names no file",
        "${file:} names no file",
    ]


def test_in_rules_set_and_default_belong_to_the_event():
    rule = {"when": {"custom.shop": "${SHOP}"}, "set": {"custom.a": "${page.host}"}, "default": {"custom.b": "$${x}"}}
    nested = {"send_to": [{"destination": "crm", "set": {"custom.a": "${value}"}}]}
    found = expanded({"rules": [rule, nested], "set": "${SHOP}"}, SHOP="s")
    assert found["rules"] == [rule | {"when": {"custom.shop": "s"}}, nested]
    assert found["set"] == "s"


def test_what_was_expanded_is_remembered_to_keep_it_out_of_messages():
    result = expand({"a": "x${X}", "b": "$${X}", "c": "${N}"}, {"X": "verysecret", "N": "7"}, NOWHERE)
    assert result.written == {("a",): "x${X}", ("c",): "${N}"}
    assert result.hide("got 'xverysecret' and 7", ("z",)) == "got 'x${X}' and 7"
    assert result.hide("got 7", ("c",)) == "got ${N}"


@given(st.text(alphabet="${}:-AXfile/ ") | st.text())
def test_any_text_is_expanded_or_a_fault(text):
    result = expand(text, {"A": "a", "X": "x"}, NOWHERE)
    assert result.data is None or isinstance(result.data, str)
    if "${" not in text:
        assert result.data == text
