"""The domain cookies are set on."""

import pytest
from hypothesis import given, strategies as st

from proxy.identity.cookie_domain import CookieDomain, cookie_domain, refuse_public_suffix, registrable, same_site


@pytest.mark.parametrize(
    ("host", "domain", "index"),
    [
        ("example.com", "example.com", 1),
        ("www.example.com", "example.com", 1),
        ("a.b.c.example.com", "example.com", 1),
        ("example.co.uk", "example.co.uk", 2),
        ("shop.example.co.uk", "example.co.uk", 2),
        ("t.shop.test:8443", "shop.test", 1),
        ("WWW.Example.COM.", "example.com", 1),
        ("www.example.com:443", "example.com", 1),
        ("me.github.io", "me.github.io", 2),
        ("a.me.github.io", "me.github.io", 2),
        ("www.müller.example", "xn--mller-kva.example", 1),
        ("www.xn--mller-kva.example", "xn--mller-kva.example", 1),
        ("shop.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", 1),
        ("my_shop.example.com", "example.com", 1),
    ],
)
def test_auto_means_the_registrable_domain(host, domain, index):
    assert cookie_domain(host, "auto") == CookieDomain(domain, index)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "192.0.2.7",
        "192.0.2.7:8080",
        "[2001:db8::1]",
        "[2001:db8::1]:8080",
        "2001:db8::1",
        "0x7f.1",
        "",
        ".",
        "a..b",
        "exa mple.com",
        "example.com\r\nx: y",
        "example.com;x",
        "x" * 300,
        "a." * 200 + "com",
        "\udcff.example.com",
    ],
)
@pytest.mark.parametrize("setting", ["auto", "host", "example.com"])
def test_addresses_single_labels_and_nonsense_get_host_only_cookies_with_index_0(host, setting):
    assert cookie_domain(host, setting) == CookieDomain(None, 0)


def test_a_public_suffix_itself_gets_a_host_only_cookie():
    assert cookie_domain("github.io", "auto") == CookieDomain(None, 1)
    assert cookie_domain("co.uk", "auto") == CookieDomain(None, 1)


def test_host_means_that_host_only_and_the_index_counts_its_dots():
    assert cookie_domain("www.example.com", "host") == CookieDomain(None, 2)


@pytest.mark.parametrize(
    ("host", "setting", "expected"),
    [
        ("www.example.com", "example.com", CookieDomain("example.com", 1)),
        ("www.example.com", ".Example.com", CookieDomain("example.com", 1)),
        ("a.shop.example.com", "shop.example.com", CookieDomain("shop.example.com", 2)),
        ("shop.example.com", "shop.example.com", CookieDomain("shop.example.com", 2)),
        ("www.example.com", "shop.example.com", CookieDomain(None, 2)),
        ("notexample.com", "example.com", CookieDomain(None, 1)),
        ("www.example.org", "example.com", CookieDomain(None, 2)),
        ("www.example.co.uk", "co.uk", CookieDomain(None, 3)),
        ("www.müller.example", "müller.example", CookieDomain("xn--mller-kva.example", 1)),
    ],
)
def test_a_configured_domain_counts_when_the_host_is_in_it(host, setting, expected):
    assert cookie_domain(host, setting) == expected


@given(st.text(max_size=60), st.sampled_from(["auto", "host", "example.com"]))
def test_any_host_gets_a_domain_it_is_part_of_or_none(host, setting):
    found = cookie_domain(host, setting)
    if found.domain is not None:
        assert found.domain.isascii()
        assert found.subdomain_index == found.domain.count(".") >= 1


@pytest.mark.parametrize("name", ["com", "co.uk", "github.io", ".co.uk", "localhost"])
def test_a_public_suffix_is_refused_in_the_configuration(name):
    with pytest.raises(ValueError, match="public suffix"):
        refuse_public_suffix(name)


@pytest.mark.parametrize("name", ["192.0.2.1", "[2001:db8::1]", "https://example.com", "", "a b.example"])
def test_what_is_no_domain_is_refused_in_the_configuration(name):
    with pytest.raises(ValueError, match="no domain name"):
        refuse_public_suffix(name)


def test_a_registrable_domain_is_accepted_in_the_configuration():
    refuse_public_suffix("example.co.uk")
    refuse_public_suffix(".shop.example")


@pytest.mark.parametrize(
    ("url", "other", "same"),
    [
        ("https://www.example.com/a", "https://shop.EXAMPLE.com:8443/b?c", True),
        ("https://a.github.io/", "https://b.github.io/", False),
        ("https://www.example.co.uk/", "https://other.co.uk/", False),
        ("http://localhost:3000/", "http://localhost:8080/", True),
        ("http://192.0.2.1/", "http://198.51.2.1/", False),
        ("http://192.0.2.1/", "http://192.0.2.1/x", True),
        ("https://[2001:db8::1/", "https://[2001:db8::1/", False),
        ("", "", False),
        ("about:blank", "about:blank", False),
    ],
)
def test_urls_are_of_one_site_when_their_registrable_domains_are_equal(url, other, same):
    assert same_site(url, other) is same


def test_registrable_is_none_where_nobody_registered_anything():
    assert registrable("192.0.2.1") is None
    assert registrable("github.io") is None
    assert registrable("x.example.co.uk") == "example.co.uk"
