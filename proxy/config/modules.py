"""The modules of the tracker script: their names, what each may weigh, and the parts they share.

One row here and one file `proxy/static/modules/<name>.js` make a module. What it can be told stands in a section of
its name in `proxy/config/tracker.py`, where it needs any; everybody else asks this table. One line in `Banner` and one
file `proxy/static/banners/<name>.js` make an adapter for a consent banner.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Part(StrEnum):
    """Code that several modules share, `proxy/static/parts/<name>.js`: comes along with the first who needs it."""

    ACTIONS = "actions", 660
    CALLS = "calls", 500
    IAB = "iab", 160
    LAYER = "layer", 240

    budget: int
    """Bytes of gzip the minified file may have; `tests/tracker/test_size.py` holds it."""

    def __new__(cls, name: str, budget: int) -> Self:
        part = str.__new__(cls, name)
        part._value_ = name
        part.budget = budget
        return part


class Module(StrEnum):
    """Name, budget, parts. In this order they run on the page, whatever the order in the configuration."""

    REGION = "region", 220
    TCF = "tcf", 340, Part.IAB
    GPP = "gpp", 360, Part.IAB
    CONSENT_MODE = "consent_mode", 270, Part.LAYER
    BANNERS = "banners", 360
    DATALAYER = "datalayer", 550, Part.ACTIONS, Part.LAYER
    FBQ = "fbq", 260, Part.ACTIONS, Part.CALLS
    IDS = "ids", 570, Part.ACTIONS, Part.CALLS
    # Before whoever makes an event of the same form: it should carry what is read there.
    FORMS = "forms", 240
    ATTRIBUTES = "attributes", 630
    AUTOCAPTURE = "autocapture", 610
    INAPP = "inapp", 480

    budget: int
    """As of a part."""
    parts: tuple[Part, ...]

    def __new__(cls, name: str, budget: int, *parts: Part) -> Self:
        module = str.__new__(cls, name)
        module._value_ = name
        module.budget = budget
        module.parts = parts
        return module


class Banner(StrEnum):
    """Consent banners that the module `banners` can listen to; only those that are named get into the script."""

    COOKIEBOT = "cookiebot"
    ONETRUST = "onetrust"
    USERCENTRICS = "usercentrics"
    COOKIEFIRST = "cookiefirst"
    DIDOMI = "didomi"
    KLARO = "klaro"
    COOKIECONSENT = "cookieconsent"
    COOKIEYES = "cookieyes"
    COMPLIANZ = "complianz"
    SHOPIFY = "shopify"
    WORDPRESS = "wordpress"

    @property
    def budget(self) -> int:
        """As of a part; the same for all."""
        return 475
