"""Of a URL only campaign parameters, click ids and what the operator named is stored; never a token or a person."""

import pytest
from hypothesis import given, strategies as st

from proxy.identity.click_ids import harvest
from proxy.privacy.urls import parameters_kept, without_other_parameters, without_personal

PLAIN = parameters_kept(())


def kept(url, *named):
    return without_other_parameters(url, parameters_kept(named) if named else PLAIN)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://x.example/p", "https://x.example/p"),
        ("https://x.example/p?token=abc", "https://x.example/p"),
        ("https://x.example/p?utm_source=a&token=abc&utm_id=7", "https://x.example/p?utm_source=a&utm_id=7"),
        (
            "https://x.example/?fbclid=AbC&gclid=x&ScCid=y&epik=z&s=1",
            "https://x.example/?fbclid=AbC&gclid=x&ScCid=y&epik=z",
        ),
        ("https://x.example/?UTM_Source=a&amp;utm_medium=b", "https://x.example/?UTM_Source=a&utm_medium=b"),
        (
            "https://x.example/?gad_source=1&gad_campaignid=2&gclsrc=aw",
            "https://x.example/?gad_source=1&gad_campaignid=2&gclsrc=aw",
        ),
        ("https://x.example/?eyJhbGciOiJIUzI1NiJ9", "https://x.example/"),
        ("https://x.example/?%75tm_source=a", "https://x.example/?%75tm_source=a"),
        ("https://x.example/a;jsessionid=12AB/b?x=1", "https://x.example/a/b"),
        ("https://x.example/#access_token=zzz&state=1", "https://x.example/"),
        ("https://x.example/#reviews", "https://x.example/"),
        ("https://x.example/#/cart", "https://x.example/#/cart"),
        ("https://x.example/#!/cart?token=1&utm_medium=x", "https://x.example/#!/cart?utm_medium=x"),
        ("https://x.example/#fbclid=AbC", "https://x.example/#fbclid=AbC"),
        ("android-app://com.google.example", "android-app://com.google.example"),
        ("no address?at=all", "no address"),
        ("", ""),
    ],
)
def test_what_is_stored_of_a_url(url, stored):
    assert kept(url) == stored


def test_the_operator_names_more():
    url = "https://x.example/?page=2&filter_colour=blue&filter=1&Sort=price&token=t"
    assert kept(url, "page", "sort", "filter_*") == "https://x.example/?page=2&filter_colour=blue&Sort=price"


@given(st.text(alphabet="ab=&;?#/!%20", max_size=40), st.text(alphabet="ab=&;?#/!%20", max_size=40))
def test_a_token_never_survives_wherever_it_stands(before, after):
    url = f"https://x.example/{before}?{after}&secret=TOKEN#secret=TOKEN"
    assert "TOKEN" not in kept(url)


@given(st.text(alphabet="ab=&?#/.:%", max_size=60))
def test_cutting_is_done_once_and_only_takes_away(url):
    once = kept(f"https://{url}")
    assert kept(once) == once
    assert len(once) <= len(f"https://{url}")


@pytest.mark.parametrize(
    "name", ["fbclid", "gclid", "gbraid", "wbraid", "ttclid", "ScCid", "epik", "msclkid", "twclid"]
)
def test_a_click_id_is_read_from_the_stored_url_as_from_the_first(name):
    url = f"https://x.example/p?a=1&{name}=IwAR0_Abc-123&b=2"
    assert harvest(kept(url), 5) == harvest(url, 5) != {}


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://x.example/u/ann@b.example/x", "https://x.example/u/redacted/x"),
        ("https://x.example/?utm_content=ann%40b.example", "https://x.example/?utm_content=redacted"),
        ("https://x.example/?utm_content=ann%2540b.example&a=1", "https://x.example/?utm_content=redacted&a=1"),
        ("https://x.example/?q=%2B4915112345678", "https://x.example/?q=redacted"),
        ("https://x.example/?phone=0151-23456789", "https://x.example/?phone=redacted"),
        ("https://x.example/?order=015123456789", "https://x.example/?order=015123456789"),
        ("https://ann:pass@x.example/a", "https://x.example/a"),
        ("https://x.example/#/reset/ann@b.example", "https://x.example/#redacted"),
        ("https://x.example/?gclid=415-555-2671", "https://x.example/?gclid=415-555-2671"),
        ("https://x.example/p/12345?a=b", "https://x.example/p/12345?a=b"),
    ],
)
def test_people_in_urls_are_blanked_where_they_stand(url, clean):
    assert without_personal(url) == clean


@given(st.text(max_size=60))
def test_any_text_is_survived(text):
    without_personal(kept(text))
    without_personal(f"https://x.example/{text}")
