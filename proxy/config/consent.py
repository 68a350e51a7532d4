"""`consent:` what counts before and beside the visitor's own words, and where it does."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from proxy.config.section import Section, misplaced
from proxy.privacy.region import RegionName

State = Literal["granted", "denied"]
Signal = Literal["refuse_sale", "refuse_marketing", "ignore"]
CookieName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$")]
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class PurposeDefaults(Section):
    marketing: State = "denied"
    """Ad platforms."""
    analytics: State = "denied"
    """Measurement for the site itself."""
    personalization: State = "denied"
    """Personalised ads and content."""


class RegionSettings(Section):
    default: State | PurposeDefaults | None = None
    """What counts there while the visitor has not decided. Default: consent.default."""
    gpc: Signal | None = None
    """What `Sec-GPC: 1` refuses there. Default: consent.gpc."""


OPT_IN = RegionSettings(default="denied")
OPT_OUT = RegionSettings(default="granted", gpc="refuse_sale")
AUTO: dict[str, RegionSettings] = {"EEA": OPT_IN, "UK": OPT_IN, "CH": OPT_IN, "US": OPT_OUT}
"""`regions: auto`. All of the US, not only the states with a law: their list grows, and only some CDNs name states."""


class ConsentSettings(Section):
    default: State | PurposeDefaults = "denied"
    """What counts while the visitor has not decided: denied, granted, or one of them per purpose."""
    gpc: Signal = "refuse_sale"
    """What `Sec-GPC: 1` refuses, whatever else was said: refuse_sale, refuse_marketing or ignore."""
    log: bool = True
    """Write down what visitors decide, as proof: once per change, encrypted. Kept for `log.consent_days`."""
    receipts: Annotated[tuple[CookieName, ...], Field(max_length=4)] = ()
    """Cookies in which your banner keeps its own record, stored with the proof: `[euconsent-v2, OptanonConsent]`."""
    gpc_last_update: date | None = None
    """The day you began to honour it (2026-11-23): `lastUpdate` in /.well-known/gpc.json."""
    dnt: Signal = "ignore"
    """What the old signal `DNT: 1` refuses, whatever else was said: ignore, refuse_sale or refuse_marketing."""
    regions: Literal["auto"] | dict[RegionName, RegionSettings] = {}  # noqa: RUF012 - pydantic copies it
    """Other defaults by region (EEA, UK, CH, DE, US, US-CA); auto: opt-in in EEA, UK and CH, opt-out in the US."""
    region_header: Header | tuple[Header, ...] | None = None
    """Where your CDN says the region: CF-IPCountry; or country and state: two names. Needs listen.trusted_proxies."""
    geoip: Path | None = None
    """A database with countries (.mmdb) for when no header says the region; needs the extra firsthand[geoip]."""

    @property
    def by_region(self) -> dict[str, RegionSettings]:
        return AUTO if self.regions == "auto" else self.regions

    @property
    def headers(self) -> tuple[str, ...]:
        """`region_header` as a tuple."""
        header = self.region_header
        return (header,) if isinstance(header, str) else header or ()

    @model_validator(mode="after")
    def _can_tell(self) -> Self:
        if self.regions and not self.headers and self.geoip is None:
            advice = "set consent.region_header to what your CDN sends (CF-IPCountry), or consent.geoip to a database"
            raise misplaced("regions", "nothing says where a visitor is", advice)
        if len(self.headers) > len(("country", "state")):
            raise misplaced("region_header", "more than two headers", "one for the country, one for the state")
        return self
