"""A shape finds what is wrong with a JSON value, and where."""

import pytest

from proxy.sandbox.schema import (
    Anything,
    Flag,
    Many,
    Number,
    OneOrMany,
    Table,
    Text,
    Whole,
    check,
    is_numeric_text,
)

SHAPE = Table(
    fields={
        "name": Text(longest=3),
        "rows": Many(of=Table(fields={"count": Whole(low=1)}, required=("count",)), least=1, most=2),
        "own": Table(fields={}, is_open=True),
    },
    required=("name",),
)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"name": "abc", "rows": [{"count": 1}], "own": {"x": 1}}, []),
        ({}, [((), "required", "name")]),
        ({"name": "abcd"}, [(("name",), "range", "at most 3 characters")]),
        ({"name": None}, [(("name",), "type", "string")]),
        ({"name": "a", "x": 1}, [((), "unknown", "x")]),
        ({"name": "a", "rows": []}, [(("rows",), "range", "at least 1 entries")]),
        ({"name": "a", "rows": [{"count": 1}] * 3}, [(("rows",), "range", "at most 2 entries")]),
        (
            {"name": "a", "rows": [{"count": 0}, {}]},
            [(("rows", 0, "count"), "range", "at least 1"), (("rows", 1), "required", "count")],
        ),
        ([], [((), "type", "object")]),
    ],
)
def test_every_fault_is_found_in_its_place(value, found):
    assert [(one.path, one.rule, one.what) for one in check(SHAPE, value)] == found


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (Text(), ["", "x"], [None, 1]),
        (Text(nullable=True), [None], [1]),
        (Text(shortest=1), ["x"], [""]),
        (Text(choices=frozenset({"a"})), ["a"], ["A", ""]),
        (Whole(), [1, -1], [True, 1.0, "1", None]),
        (Whole(nullable=True), [None, 1], ["1"]),
        (Whole(from_text=True), ["12", "-1", 3], ["1.5", "", "-", "--1", "²"]),
        (Number(), [1, 1.5], ["1", True, None]),
        (Number(from_text=True), ["49.90", "-1", 2], ["49,90", "nan", "inf", " 1", "1_0", "", True]),
        (Flag(), [True, False], [0, "true", None]),
        (Anything(), [None, {}, "x"], []),
        (OneOrMany(Text()), ["x", ["x", "y"]], [[], 1, [1]]),
        (Table(fields={"a": Text()}, null_is_absent=True), [{"a": None}, {}], [{"a": 1}]),
    ],
)
def test_a_shape_takes_the_good_and_refuses_the_bad(shape, good, bad):
    assert [value for value in good if any(check(shape, value))] == []
    assert [value for value in bad if not any(check(shape, value))] == []


@pytest.mark.parametrize("text", ["1e400", "0x10", "١", None, 1])
def test_what_is_no_decimal_text_is_not_numeric(text):
    assert not is_numeric_text(text)
