"""Reading Cookie, writing Set-Cookie."""

from http.cookies import SimpleCookie

import pytest
from hypothesis import given, strategies as st

from proxy.identity.cookie_header import MAX_VALUES, cookie_values, expire_cookie, read_cookies, set_cookie

COOKIE_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, blacklist_characters='",;\\'), max_size=80)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("_fh=a", ["a"]),
        ("x=1; _fh=a; y=2", ["a"]),
        ("x=1;_fh=a;y=2", ["a"]),
        ("_fh=a; _fh=b", ["a", "b"]),
        (" _fh = a ;", ["a"]),
        ("_fh=a=b==", ["a=b=="]),
        ("x_fh=a; _fhx=b; x=_fh=c", []),
        ("_FH=a", []),
        ("_fh=", []),
        ("_fh", []),
        ("", []),
        (";;;=;", []),
        ("_fh=" + "x" * 4096, ["x" * 4096]),
        ("_fh=" + "x" * 4097 + "; _fh=a", ["a"]),
        ("_fh=a\udcff\x00b", ["a\udcff\x00b"]),
    ],
)
def test_values_of_one_name_are_read_in_order(header, values):
    assert cookie_values(header, "_fh") == values


def test_a_flood_of_one_name_is_bounded():
    assert len(cookie_values("_fh=a; " * 10_000, "_fh")) == MAX_VALUES


@given(st.text(max_size=200))
def test_no_header_makes_reading_raise(header):
    found = read_cookies(header, ("_fh", "_fbp"))
    assert set(found) <= {"_fh", "_fbp"}
    assert cookie_values(header, "_fh") == found.get("_fh", [])


def test_several_names_are_read_in_one_pass():
    assert read_cookies("_fbc=1; _fh=a; _fbp=; _fbc=2; _ga=x", ("_fh", "_fbc", "_fbp")) == {
        "_fbc": ["1", "2"],
        "_fh": ["a"],
        "_fbp": [],
    }


def test_an_unusable_cookie_was_still_sent():
    assert read_cookies("_fbc=", ("_fbc",)) == {"_fbc": []}
    assert read_cookies("x=1; _fbc=" + "x" * 9000, ("_fbc",)) == {"_fbc": []}
    assert read_cookies("x_fbc=1", ("_fbc",)) == {}


def test_a_visitor_cookie_looks_exactly_like_this():
    assert set_cookie("_fh", "v", domain="example.com", max_age_s=60, secure=True, http_only=True) == (
        "_fh=v; Max-Age=60; Path=/; SameSite=Lax; Domain=example.com; Secure; HttpOnly"
    )
    assert set_cookie("_fbp", "v", domain=None, max_age_s=60, secure=False, http_only=False) == (
        "_fbp=v; Max-Age=60; Path=/; SameSite=Lax"
    )


def test_expiring_keeps_name_and_domain_and_ends_at_once():
    assert expire_cookie("_fbc", domain="example.com", secure=True, http_only=False) == (
        "_fbc=; Max-Age=0; Path=/; SameSite=Lax; Domain=example.com; Secure"
    )


@given(COOKIE_TEXT)
def test_any_allowed_value_reads_back(value):
    header = set_cookie("_fh", value, domain=None, max_age_s=1, secure=True, http_only=True)
    assert cookie_values(header, "_fh") == ([value] if value else [])
    assert header.count(";") == 5


@pytest.mark.parametrize(
    "bad", ["a;b", "a b", "a\r\nSet-Cookie: x=y", "a\n", 'a"b', "a,b", "a\\b", "é", "\x00", "\x7f", "x" * 4001]
)
def test_a_value_that_could_break_out_is_refused_and_not_repeated_in_the_message(bad):
    with pytest.raises(ValueError, match="cookie _fh") as caught:
        set_cookie("_fh", bad, domain=None, max_age_s=1, secure=True, http_only=True)
    assert bad not in str(caught.value)


@pytest.mark.parametrize("bad", ["", "a=b", "a;b", "a b", "a\n"])
def test_a_name_that_could_break_out_is_refused(bad):
    with pytest.raises(ValueError, match="name"):
        set_cookie(bad, "v", domain=None, max_age_s=1, secure=True, http_only=True)


@pytest.mark.parametrize("bad", ["", "com", "a.b; Secure", "a.b\n", ".example.com", "EXAMPLE.com"])
def test_a_domain_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="no domain name"):
        set_cookie("_fh", "v", domain=bad, max_age_s=1, secure=True, http_only=True)


def test_the_standard_library_reads_what_we_write():
    jar = SimpleCookie(set_cookie("_fh", "abc-_.", domain="example.com", max_age_s=60, secure=True, http_only=True))
    assert jar["_fh"].value == "abc-_."
    assert (jar["_fh"]["domain"], jar["_fh"]["max-age"], jar["_fh"]["samesite"]) == ("example.com", "60", "Lax")
