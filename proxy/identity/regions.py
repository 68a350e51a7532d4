"""Countries and the states of the US and Canada: from what people write to the code platforms match on.

Lookups only; text that is not in the tables is the caller's to keep or drop. Names are compared without accents, case,
spaces and punctuation.
"""

from __future__ import annotations

import unicodedata

from proxy.identity.country_table import TABLE

_US = (
    "AL Alabama;AK Alaska;AZ Arizona;AR Arkansas;CA California;CO Colorado;CT Connecticut;DE Delaware;"
    "DC District of Columbia;DC Washington DC;FL Florida;GA Georgia;HI Hawaii;ID Idaho;IL Illinois;IN Indiana;IA Iowa;"
    "KS Kansas;KY Kentucky;LA Louisiana;ME Maine;MD Maryland;MA Massachusetts;MI Michigan;MN Minnesota;MS Mississippi;"
    "MO Missouri;MT Montana;NE Nebraska;NV Nevada;NH New Hampshire;NJ New Jersey;NM New Mexico;NY New York;"
    "NC North Carolina;ND North Dakota;OH Ohio;OK Oklahoma;OR Oregon;PA Pennsylvania;RI Rhode Island;SC South Carolina;"
    "SD South Dakota;TN Tennessee;TX Texas;UT Utah;VT Vermont;VA Virginia;WA Washington;WA Washington State;"
    "WV West Virginia;WI Wisconsin;WY Wyoming;AS American Samoa;GU Guam;MP Northern Mariana Islands;PR Puerto Rico;"
    "VI Virgin Islands;VI US Virgin Islands"
)
_CANADA = (
    "AB Alberta;BC British Columbia;MB Manitoba;NB New Brunswick;NL Newfoundland and Labrador;NL Newfoundland;"
    "NS Nova Scotia;NT Northwest Territories;NU Nunavut;ON Ontario;PE Prince Edward Island;QC Quebec;SK Saskatchewan;"
    "YT Yukon;YT Yukon Territory"
)


def fold(text: str) -> str:
    """Only the letters a-z: `Côte d'Ivoire` -> `cotedivoire`, `Åland Islands` -> `alandislands`."""
    text = text.lower()
    if text.isascii() and text.isalpha():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if "a" <= char <= "z")


def _countries() -> dict[str, str]:
    codes = {"uk": "gb"}
    for line in TABLE.strip().splitlines():
        alpha2, alpha3, names = line.split(" ", 2)
        code = alpha2.lower()
        for form in (alpha2, alpha3, *names.split("; ")):
            codes[fold(form)] = code
    return codes


def _states(table: str) -> dict[str, str]:
    pairs = (entry.split(" ", 1) for entry in table.split(";"))
    return {fold(name): code.lower() for code, name in pairs}


_COUNTRY_CODES = _countries()
_STATE_CODES = {"us": _states(_US), "ca": _states(_CANADA)}


def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 in lower case for a code, an alpha-3 code or an English name; None when unknown."""
    return _COUNTRY_CODES.get(fold(text))


def state_code(name: str, country: str | None) -> str | None:
    """The two letters of a US or Canadian state named in full, in lower case; None when it is neither.

    `country` (alpha-2) decides when it is known: Montana is in Bulgaria too.
    """
    tables = _STATE_CODES.values() if country is None else [_STATE_CODES.get(country, {})]
    folded = fold(name)
    return next((table[folded] for table in tables if folded in table), None)


def has_state(country: str, state: str) -> bool:
    """Is `state` the two letters of a state of the US or Canada? Both in upper case."""
    return state.lower() in _STATES_OF.get(country, ())


_STATES_OF = {country.upper(): frozenset(table.values()) for country, table in _STATE_CODES.items()}
