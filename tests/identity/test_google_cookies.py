"""Google's cookies: every vector, and whatever else may stand in a cookie."""

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from proxy.identity.google_cookies import Session, click, client_id, session

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())["cookies"]
KINDS = {"_gcl_aw": "gclid", "_gcl_gb": "wbraid", "_gcl_ag": "gbraid"}
KINDS |= {"FPGCLAW": "gclid", "FPGCLGB": "wbraid", "FPGCLAG": "gbraid"}


def expected(vector):
    told = vector["expect"]
    if told is None:
        return None
    if vector["cookie"] == "_ga":
        return told["client_id"]
    if vector["cookie"].startswith("_ga_"):
        return Session(told["session_id"], told["session_number"])
    assert told["kind"] == KINDS[vector["cookie"]]
    return told["value"], told["time"] * 1000


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_cookie_says_what_the_vectors_say(vector):
    name = vector["cookie"]
    read = client_id if name == "_ga" else session if name.startswith("_ga_") else click
    assert read(vector["value"]) == expected(vector)


def test_there_are_vectors_for_every_form():
    assert len(VECTORS) == 24


def test_a_session_may_come_without_its_number():
    assert session("GS2.1.s1747132561$g1") == Session("1747132561", None)


def test_of_a_letter_that_stands_twice_the_first_counts():
    assert session("GS2.1.s1$o2$s3$o4") == Session("1", "2")


@pytest.mark.parametrize("value", ["GS2.1.sabc$o1", "GS2.1.", "GS2.1.s" + "1" * 40, "GS1.1.x.2.1"])
def test_a_session_without_a_number_for_an_id_is_none(value):
    assert session(value) is None


@pytest.mark.parametrize("value", ["GCL.1747132561.", "2.1.k$i1747132561", "2.1.kAbc", "2.1.kAbc$ix", "GCL.1e9.x"])
def test_half_a_click_is_none(value):
    assert click(value) is None


@given(st.sampled_from(["", "GA1.1.", "GS1.1.", "GS2.1.s", "GCL.", "2.1.k"]), st.text())
def test_nothing_raises(start, text):
    for read in (client_id, session, click):
        assert read(start + text) is None or isinstance(read(start + text), (str, Session, tuple))
