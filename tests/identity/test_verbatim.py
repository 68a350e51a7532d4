import pytest

from proxy.identity import verbatim


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" User 42 ", "User 42"),
        ("ÄB", "ÄB"),
        ("  ", None),
        ("Null", None),
        ("[object Object]", None),
        ("a\ud800", None),
    ],
)
def test_a_sites_own_id_is_only_trimmed(written, kept):
    assert verbatim.text(written) == kept


@pytest.mark.parametrize(
    "value", ["01ARZ3NDEKTSV4RRFFQ69G5FAV_.tt.1", "7f1a0e52-9a0c-4c0b-8e8e-0d6a4b1c2d3e", "a" * 128]
)
def test_a_cookies_value_passes_whatever_its_form(value):
    assert verbatim.token(value) == value


@pytest.mark.parametrize("value", [None, "", " ", "a b", "a\r\nb", "ü", "a" * 129, "undefined", "a,b", '"a"'])
def test_what_no_pixel_writes_is_left_out(value):
    assert verbatim.token(value) is None
