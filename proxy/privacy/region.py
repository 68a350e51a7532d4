"""Where a visitor is, as far as the law asks: the country, in the US and Canada also the state. And rules by region.

A region is written `DE`, `US` or `US-CA`. Rules may also name a group: `EEA`, `UK`, `CH`. Pure; None is "not known",
and nothing here ever guesses: what may apply to an unknown region is for the caller to be strict about (`possible`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from proxy.identity.regions import country_code, has_state

GROUPS = {
    # The Union's outermost regions and Åland have codes of their own and its law; EU is what some databases say when
    # they know no more.
    "EEA": frozenset(
        "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO "
        "AX GF GP MQ YT RE MF EU".split()
    ),
    "UK": frozenset("GB GG GI IM JE".split()),  # with the territories that have the same law
    "CH": frozenset({"CH"}),
}
"""Where a visitor has to be asked first."""

_CODE = re.compile(r"([A-Za-z]{2})(?:[-_ ]([A-Za-z]{2}))?")
_RENAMED = {"UK": "GB", "EL": "GR"}

_T = TypeVar("_T")


def region_code(country: str | None, state: str | None = None) -> str | None:
    """`DE`, `US-CA` from what a header or a database says; None for what is no country (`XX`, `T1`, ``).

    `country` may hold both (`US-CA`). A state counts in the US and Canada only, where laws differ by it.
    """
    match = _CODE.fullmatch((country or "").strip())
    if match is None:
        return None
    found = _RENAMED.get(match[1].upper(), match[1].upper())
    if found != "EU" and country_code(found) != found.lower():
        return None
    within = (match[2] or (state or "").strip().removeprefix(f"{found}-")).upper()
    return f"{found}-{within}" if has_state(found, within) else found


def region_name(text: str) -> str:
    """The name of a region in the configuration, in upper case. `ValueError` in words for anything else."""
    name = text.strip().upper().replace("_", "-")
    if name in GROUPS or region_code(name) == name:
        return name
    raise ValueError(
        f"no region: {text!r}; write EEA, UK, CH, a country's two letters (US) or a state of the US or Canada (US-CA)"
    )


RegionName = Annotated[str, AfterValidator(region_name)]


def belongs(region: str | None, *names: str) -> bool:
    """Is the region one of these, or within one of them? Never of an unknown region."""
    return region is not None and not set(names).isdisjoint(_names(region))


def possible(rules: Mapping[str, _T], region: str | None, otherwise: _T) -> list[_T]:
    """The rules that may apply where the visitor is; more than one when too little is known about that.

    Of the rules that name the region, the narrowest: `US-CA` before `US`, `DE` before `EEA`. Where only the country is
    known and some of its states have rules, any of them may apply. Of an unknown region, any at all.
    """
    if region is None:
        return [*rules.values(), otherwise]
    named = [rules[name] for name in _names(region) if name in rules][:1] or [otherwise]
    return named + [rule for name, rule in rules.items() if name.startswith(f"{region}-")]


def _names(region: str) -> Iterator[str]:
    """What rules can call it, from the narrowest."""
    yield region
    country = region.partition("-")[0]
    if country != region:
        yield country
    yield from (name for name, countries in GROUPS.items() if country in countries and name != country)
