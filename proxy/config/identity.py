"""Who a visitor is, beyond the cookies: the site's own names for click ids, and what is remembered of a person."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, field_validator

from proxy.config.section import Section
from proxy.identity.click_ids import NAMES, is_click_parameter

_ALIAS = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _usable_alias(name: str) -> str:
    if not _ALIAS.fullmatch(name):
        raise ValueError("the name of a URL parameter: letters, digits and _.- only, at most 64")
    if is_click_parameter(name):
        raise ValueError(f"{name} is a platform's own parameter, which is read anyway; choose a name of your own")
    if name.lower().startswith("utm_"):
        raise ValueError(f"{name} tells a campaign, and analytics tools show it around; choose another name")
    return name


class IdentitySettings(Section):
    aliases: dict[Annotated[str, AfterValidator(_usable_alias)], str] = {}  # noqa: RUF012 - pydantic copies it
    """URL parameters of your own that a platform's macro fills with its click id: `{g_id: gclid}`. Off by default."""
    remember: tuple[Literal["email", "phone", "external_id"], ...] = ()
    """Match keys that later events of the same visitor get, hashed: `[email, phone]`. Off by default."""

    @field_validator("aliases")
    @classmethod
    def _of_click_ids(cls, aliases: dict[str, str]) -> dict[str, str]:
        for alias, name in aliases.items():
            if name == "fbclid":
                raise ValueError(f"{alias}: Meta has no macro that gives its click id, so nothing could fill it")
            if name not in NAMES:
                raise ValueError(f"{alias}: no click id is called {name!r}; there are {', '.join(sorted(NAMES))}")
        return aliases
