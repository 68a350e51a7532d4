"""Regions from a database: found, not guessed, and a file that cannot be used is named before anything starts."""

import builtins

import pytest

from proxy.config.load import read
from proxy.errors import ConfigError
from proxy.privacy.geoip import locator
from tests.privacy.mmdb import database

GERMANY = {"country": {"iso_code": "DE"}}
CALIFORNIA = {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "CA"}]}
BAVARIA = {"country": {"iso_code": "DE"}, "subdivisions": [{"iso_code": "BY"}]}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "country.mmdb"
    networks = {
        "203.0.113.0/24": GERMANY,
        "198.51.100.0/25": CALIFORNIA,
        "198.51.100.128/25": BAVARIA,
        "2001:db8:1::/48": {"country_code": "FR"},
        "2001:db8:2::/48": {"country": "IT"},
        "192.0.2.0/24": {"continent": {"code": "EU"}},
    }
    path.write_bytes(database(networks))
    return path


@pytest.mark.parametrize(
    ("ip", "region"),
    [
        ("203.0.113.9", "DE"),
        ("198.51.100.1", "US-CA"),
        ("198.51.100.129", "DE"),
        ("2001:db8:1::1", "FR"),
        ("2001:db8:2::1", "IT"),
        ("192.0.2.1", None),
        ("10.0.0.1", None),
        ("no address", None),
        (None, None),
    ],
)
def test_an_address_has_the_region_the_database_says_and_none_otherwise(file, ip, region):
    assert locator(file)(ip) == region


def test_without_a_database_nothing_is_known():
    assert locator(None)("203.0.113.9") is None


CONFIG = """\
site: {origins: [https://www.shop.example]}
consent:
  regions: auto
  geoip: country.mmdb
"""


def refusal(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(CONFIG, tmp_path / "config.yaml", {})
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == (4, 10)
    return fault


def test_the_path_starts_at_the_configuration(tmp_path, file):
    assert read(CONFIG, tmp_path / "config.yaml", {}).settings.consent.geoip == file


def test_a_missing_database_is_a_fault_of_its_line(tmp_path):
    assert "no such file" in refusal(tmp_path).message


def test_a_file_that_is_no_database_is_a_fault(tmp_path):
    (tmp_path / "country.mmdb").write_bytes(b"not a database at all")
    assert "not such a database" in refusal(tmp_path).message


def test_without_the_extra_the_way_out_is_named(tmp_path, file, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **more):
        if name == "maxminddb":
            raise ImportError(name)
        return original(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "firsthand[geoip]" in refusal(tmp_path).advice
