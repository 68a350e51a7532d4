"""Our table of countries against pycountry, which Meta's SDK brings along. `make oracles` runs this."""

import pytest

from proxy.identity import regions
from proxy.identity.country_table import TABLE

pycountry = pytest.importorskip("pycountry", reason="make oracles")


def test_the_table_holds_every_country_and_no_other():
    ours = {tuple(line.split(" ", 2)[:2]) for line in TABLE.strip().splitlines()}
    assert ours == {(country.alpha_2, country.alpha_3) for country in pycountry.countries}


def test_every_code_and_usual_name_is_understood():
    for country in pycountry.countries:
        forms = {country.alpha_2, country.alpha_3, getattr(country, "common_name", country.name)}
        assert {regions.country_code(form) for form in forms} == {country.alpha_2.lower()}, country


def test_every_state_of_the_us_and_canada_is_understood():
    for country in ("US", "CA"):
        for state in pycountry.subdivisions.get(country_code=country):
            code = state.code.partition("-")[2].lower()
            if state.name != "United States Minor Outlying Islands":
                name = state.name.partition(",")[0]
                assert regions.state_code(name, country.lower()) == code, state
