"""`fbc` and `fbp` as text."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from proxy.identity import meta_cookies as mc

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "meta-vectors.json").read_text())["cookies"]
MARKS = [v for v in VECTORS if v["case"] == "appendix" and v["adopt"]]

alphabet = st.characters(whitelist_categories=(), whitelist_characters="abcXYZ019_-")
fbclids = st.text(alphabet, min_size=1, max_size=500)
times = st.integers(10**12, 10**13 - 1)


@pytest.mark.parametrize(
    "value",
    [
        "fb.1.1700000000123.AbC-dEf_123",
        "fb.2.1700000000123.AbC.AQYCAQMB",
        "fb.1.1700000000123.AbC.Bg",
        "fb.1.1700000000123.AbC.abcdefgh",
        "fb.0.1700000000.x",
        "fb.1.1700000000123." + "x" * 500,
    ],
)
def test_real_fbc_values_are_accepted(value):
    assert mc.valid_fbc(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b.c.d",
        "fb.1.1600000000000",
        "fb.1.1600000000000.",
        "fb.1.1600000000000.a.b.c",
        "fb.1.1600000000000.AbC.ZZ",
        "fb.1.1600000000000.AbC\n",
        "fb.1.1600000000000.AbC\r\nSet-Cookie: x=y",
        "fb.1.1600000000000.A b",
        "fb.1.1600000000000.fb.1.1600000000000.AbC",
        "fb.1.1600000000000." + "x" * 501,
        "fb.-1.1600000000000.AbC",
        "fb.1.١٦٠٠٠٠٠٠٠٠٠٠٠.AbC",
        "FB.1.1600000000000.AbC",
    ],
)
def test_malformed_fbc_values_are_refused(value):
    assert not mc.valid_fbc(value)
    assert mc.fbclid_of(value) is None
    assert mc.created_at_ms(value) is None


@pytest.mark.parametrize("value", ["fb.1.1600000000000.987654321", "fb.1.1600000000000.123456788123456788.AQYCAQMB"])
def test_real_fbp_values_are_accepted(value):
    assert mc.valid_fbp(value)


@pytest.mark.parametrize(
    "value",
    ["fb.1.1.2.3.4", "x.y.z.w", "fb.1.1600000000000.12a", "fb.1.1600000000000." + "1" * 21, "fb.1.1600000000000.1\n"],
)
def test_malformed_fbp_values_are_refused(value):
    assert not mc.valid_fbp(value)


@given(fbclids, times, st.integers(0, 5))
def test_what_we_build_is_valid_and_gives_its_click_and_time_back(fbclid, time, index):
    value = mc.fbc(fbclid, time, index)
    assert mc.valid_fbc(value)
    assert mc.fbclid_of(value) == fbclid
    assert mc.created_at_ms(value) == time
    assert value.count(".") == 3


@given(st.integers(0, 2**128), times, st.integers(0, 5))
def test_a_minted_fbp_is_valid_whatever_the_random_number(number, time, index):
    value = mc.fbp(number, time, index)
    assert mc.valid_fbp(value)
    assert mc.created_at_ms(value) == time


@given(fbclids, times, st.sampled_from([v["token"] for v in MARKS]))
def test_the_click_is_the_fourth_part_even_when_a_library_added_a_fifth(fbclid, time, mark):
    assert mc.fbclid_of(f"{mc.fbc(fbclid, time)}.{mark}") == fbclid


def test_a_time_written_in_seconds_is_read_as_milliseconds():
    assert mc.created_at_ms("fb.1.1700000000.AbC") == 1_700_000_000_000


def test_the_newest_valid_fbc_is_chosen():
    values = ["fb.1.1700000000000.OLD", "garbage", "fb.1.1700000000005.NEW.AQYCAQMB", "fb.1.1900000000005."]
    assert mc.newest_fbc(values) == "fb.1.1700000000005.NEW.AQYCAQMB"
    assert mc.newest_fbc(["nope"]) is None


def test_the_first_valid_fbp_is_chosen():
    assert mc.first_fbp(["bad", "fb.1.1700000000000.1", "fb.1.1800000000000.2"]) == "fb.1.1700000000000.1"
    assert mc.first_fbp([]) is None


@pytest.mark.parametrize("vector", MARKS, ids=lambda v: v["id"])
def test_every_known_library_mark_is_stripped_from_urls(vector):
    assert list(base64.urlsafe_b64decode(vector["token"])) == vector["bytes"]
    assert mc.clean_url(f"https://www.example.com/p?fbclid=A.{vector['token']}") == "https://www.example.com/p?fbclid=A"


@pytest.mark.parametrize(
    "url", ["https://x.example/fish.AQUARIUM", "https://x.example/a.AQYCAQMB/b", "https://x.example/", "", "x.AQYEAQMB"]
)
def test_urls_that_only_look_marked_are_left_alone(url):
    assert mc.clean_url(url) == url


@pytest.mark.parametrize(
    ("value", "bare"),
    [
        ("2001:db8::1.AQYCAQMB.AQYCAQMB", "2001:db8::1"),
        ("203.0.113.7.AQYCAQMB.AQYCAQMB.AQYCAQMB", "203.0.113.7"),
        ("203.0.113.7.Bg", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
    ],
)
def test_addresses_lose_every_mark(value, bare):
    assert mc.bare_address(value) == bare
