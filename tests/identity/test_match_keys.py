"""Match keys: the official libraries' vectors where we follow them, our own rules where we do not."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from proxy.identity import hashing, match_keys, phone

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "meta-vectors.json").read_text())
NORMALISERS = {
    "em": match_keys.email,
    "ph": phone.digits,
    "fn": match_keys.name,
    "ln": match_keys.name,
    "db": match_keys.birth_date,
    "ge": match_keys.gender,
    "ct": match_keys.city,
    "st": match_keys.state,
    "zp": match_keys.zip_code,
    "country": match_keys.country,
    "external_id": match_keys.external_id,
}
LIBRARY_SUFFIX = re.compile(r"[0-9a-fA-F]{64}\..+")  # only Meta's file keeps these: tests/destinations/test_meta.py
ADOPTED = [
    vector
    for vector in VECTORS["normalisation"]
    if vector["adopt"] and vector["field"] in NORMALISERS and not LIBRARY_SUFFIX.fullmatch(vector["input"])
]
OURS = VECTORS["ours_only"]["vectors"]


def test_the_vectors_are_all_there():
    assert len(ADOPTED) == 93
    assert len(OURS) == 6


@pytest.mark.parametrize("vector", ADOPTED, ids=lambda vector: vector["id"])
def test_an_adopted_vector_of_the_official_libraries_holds(vector):
    expected = [] if vector["normalised"] is None else [vector["sha256"]]
    assert match_keys.keyed([vector["input"]], NORMALISERS[vector["field"]]) == expected
    if hashing.digest_in(vector["input"]) is None:
        assert NORMALISERS[vector["field"]](vector["input"]) == vector["normalised"]


@pytest.mark.parametrize("vector", OURS, ids=lambda vector: f"{vector['field']}-{vector['input']}")
def test_our_own_rule_holds_where_no_library_follows_the_documents(vector):
    assert NORMALISERS[vector["field"]](vector["input"]) == vector["normalised"]
    expected = [] if vector["sha256"] is None else [vector["sha256"]]
    assert match_keys.keyed([vector["input"]], NORMALISERS[vector["field"]]) == expected


@pytest.mark.parametrize(
    "bad",
    ["a@b", "@b.co", "a@", "a@b.", "a b@c.co", "a@b@c.co", "<a@b.co>", "a@b.co,c@d.co", "a@b..", "mailto:a@b.co", "\n"],
)
def test_what_is_not_one_email_address_is_dropped(bad):
    assert match_keys.email(bad) is None


def test_an_accent_counts_the_same_however_it_was_typed():
    assert match_keys.name("Jose\u0301") == match_keys.name("Jos\u00e9") == "jos\u00e9"


@pytest.mark.parametrize(
    ("written", "country", "expected"),
    [
        ("Montana", None, "mt"),
        ("Montana", "us", "mt"),
        ("Montana", "bg", "montana"),
        ("Québec", "ca", "qc"),
        ("US-CA", None, "ca"),
        ("ca-on", "ca", "on"),
        ("Washington, D.C.", "us", "dc"),
        ("Île-de-France", "fr", "îledefrance"),
    ],
)
def test_states_are_codes_in_the_us_and_canada_and_names_elsewhere(written, country, expected):
    assert match_keys.state(written, country) == expected


@pytest.mark.parametrize(
    ("written", "country", "expected"),
    [
        ("94035-1234", None, "94035"),
        ("940351234", None, "940351234"),
        ("940351234", "us", "94035"),
        ("12345-6789", "sa", "123456789"),
        ("01310-100", "br", "01310100"),
        ("SW1A 1AA", "gb", "sw1a1aa"),
        ("１００−０００１", "jp", "1000001"),
    ],
)
def test_postcodes_lose_spaces_and_dashes_and_us_ones_their_last_four(written, country, expected):
    assert match_keys.zip_code(written, country) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1985-12-31", "19851231"),
        ("1985-12-31T00:00:00Z", "19851231"),
        ("31/12/1985", "19851231"),
        ("1985/2/3", "19850203"),
        ("2/30/1985", None),
        ("18991231", None),
        ("20300101", None),
        ("1997216", None),
        ("0000-01-01", None),
        ("12-31/1985", None),
    ],
)
def test_a_birth_date_is_a_real_past_day(written, expected):
    assert match_keys.birth_date(written, latest=date(2026, 11, 23)) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("us", "us"),
        ("USA", "us"),
        ("DEU", "de"),
        ("uk", "gb"),
        ("Côte d’Ivoire", "ci"),
        ("Türkiye", "tr"),
        ("Korea, Republic of", "kr"),
        ("South Korea", "kr"),
        ("Viet Nam", "vn"),
        ("vietnam", "vn"),
        ("xx", None),
        ("Polska", None),
        ("123", None),
    ],
)
def test_a_country_is_its_code_or_nothing(written, expected):
    assert match_keys.country(written) == expected


@pytest.mark.parametrize(
    "junk",
    [
        "",
        " ",
        "null",
        "NULL",
        "undefined",
        "None",
        "none",
        "nan",
        "NaN",
        "[object Object]",
        "+",
        " undefined ",
    ],
)
@pytest.mark.parametrize("normalise", NORMALISERS.values())
def test_junk_is_never_hashed(junk, normalise):
    digest = hashlib.sha256(junk.strip().encode()).hexdigest()
    assert match_keys.keyed([junk, digest, digest.upper()], normalise) == []


def test_lists_keep_their_order_and_lose_doubles():
    digests = match_keys.keyed(["b@x.co", "a@x.co", "B@x.co "], match_keys.email)
    assert digests == [hashing.sha256_hex("b@x.co"), hashing.sha256_hex("a@x.co")]


def test_what_is_hashed_already_is_only_folded():
    digest = hashing.sha256_hex("ann@example.com")
    assert match_keys.keyed([f" {digest.upper()} ", "Ann@Example.com"], match_keys.email) == [digest]


@pytest.mark.parametrize("normalise", NORMALISERS.values())
@given(text=st.text(st.characters()))
def test_nothing_raises_and_normalising_twice_changes_nothing(normalise, text):
    once = normalise(text)
    if once is not None:
        assert once
        assert not hashing.is_junk(once)
        assert once == once.strip()
        assert normalise(once) == once
    for digest in match_keys.keyed([text], normalise):
        assert re.fullmatch("[0-9a-f]{64}", digest)


@given(st.text(st.characters()))
def test_a_number_given_its_country_code_is_an_international_one(text):
    """Without the plus it would count as a national one again: `4401000` may be somebody's in Britain."""
    once = phone.digits(text, default_country_code=44)
    if once is not None:
        assert phone.digits(f"+{once}", default_country_code=44) == once
