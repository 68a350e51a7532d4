"""`privacy:` what is taken out of every event before it is stored, whoever it would go to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proxy.config.section import Section
from proxy.privacy import address

Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]{1,64}\*?$")]


class PrivacySettings(Section):
    url_parameters: Literal["all"] | tuple[Parameter, ...] = ()
    """URL parameters kept besides campaigns' and click ids; `filter_*`: all that begin so; all: keep every one."""
    client_ip: address.Part | dict[address.Place, address.Part] = "full"
    """How much of the visitor's IP address is stored: full, truncated or none; or by region: {EEA: truncated}."""
    detect: Literal["remove", "off"] = "remove"
    """E-mail addresses and phone numbers in URLs, titles, texts and custom fields: remove them, or off."""
