"""The `tracker` section: what is baked into the script, its modules and what each of them is told."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from proxy.config.modules import Banner, Module
from proxy.config.section import Section, misplaced

_IDENTIFIER = r"^[A-Za-z_$][A-Za-z0-9_$]*$"
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
TcfPurposes = Annotated[tuple[Annotated[int, Field(ge=1, le=24)], ...], Field(min_length=1)]
Words = tuple[Annotated[str, Field(min_length=1, max_length=100)], ...]


class DataLayerSettings(Section):
    name: Identifier = "dataLayer"
    """The global the site pushes to; Google Tag Manager can be told another one."""
    events: Words = (
        "view_item",
        "view_item_list",
        "search",
        "view_search_results",
        "add_to_cart",
        "add_to_wishlist",
        "begin_checkout",
        "add_payment_info",
        "purchase",
        "generate_lead",
        "sign_up",
        "login",
        "share",
    )
    """Names of events taken over; all others are ignored."""
    custom: Words = ()
    """More parameters of an event to take along, as free keys; without being named here none is."""


class FbqSettings(Section):
    mirror: bool = True
    """Take the calls over as events of ours; false: only share their event ids."""


class IdsSettings(Section):
    mirror: bool = False
    """Take the calls over as events of ours as well, for a site that tells nobody else."""


class AutocaptureSettings(Section):
    outbound: bool = True
    """A click on a link to another host: outbound_click."""
    downloads: bool = True
    """A click on a link to a file of one of these `extensions`: download."""
    forms: bool = True
    """A form sent: form_submit, with the form's id and name and nothing that was typed."""
    scroll: bool = True
    """25, 50, 75 and 90 % of a page seen: scroll."""
    extensions: Words = tuple(
        "7z avi csv dmg doc docx exe gz mov mp3 mp4 msi pdf pkg ppt pptx rar rtf txt wav wmv xls xlsx zip".split()
    )
    """Endings of file names that make a link a download."""


class TcfSettings(Section):
    marketing: TcfPurposes = (1, 3, 4, 7)
    """TCF purposes that must all have consent for marketing."""
    analytics: TcfPurposes = (1, 8, 9, 10)
    """TCF purposes that must all have consent for analytics."""
    personalization: TcfPurposes = (1, 3, 4)
    """TCF purposes that must all have consent for personalization."""
    vendor: Annotated[int, Field(ge=1)] | None = None
    """An id of the Global Vendor List whose consent marketing needs as well."""


class ConsentModeSettings(Section):
    name: Identifier = "dataLayer"
    """The global that gtag() pushes to."""


class BannersSettings(Section):
    names: tuple[Banner, ...] = ()
    """The consent banner of the site; several where the site changes from one to another."""
    marketing: Words = (
        "marketing",
        "advertising",
        "advertisement",
        "ads",
        "targeting",
        "C0004",
        "C0005",
        "create_ads_profile",
        "select_personalized_ads",
        "measure_ad_performance",
    )
    """What the banner calls the categories that mean marketing here; of those it has, all must be granted."""
    analytics: Words = (
        "analytics",
        "statistics",
        "performance",
        "measurement",
        "C0002",
        "measure_content_performance",
        "market_research",
    )
    """What the banner calls the categories that mean analytics here; of those it has, all must be granted."""


class TrackerSettings(Section):
    global_name: Identifier = "firsthand"
    """The one global name the script takes on a page."""
    page_views: bool = True
    """Send page_view by itself, on load and on every SPA navigation."""
    retry_queue: bool = True
    """Keep events that could not be sent in localStorage (only after consent) and send them on the next page."""
    modules: tuple[Module, ...] = ()
    """Parts of the script that are not needed everywhere; docs/tracker.md says what each does."""
    tcf: TcfSettings = TcfSettings()
    """IAB TCF, when `modules` names tcf."""
    consent_mode: ConsentModeSettings = ConsentModeSettings()
    """Google's Consent Mode, when `modules` names consent_mode."""
    banners: BannersSettings = BannersSettings()
    """Consent banners, when `modules` names banners."""
    datalayer: DataLayerSettings = DataLayerSettings()
    """The dataLayer bridge, when `modules` names datalayer."""
    fbq: FbqSettings = FbqSettings()
    """The Meta pixel bridge, when `modules` names fbq."""
    ids: IdsSettings = IdsSettings()
    """Shared event ids for ttq, pintrk and snaptr, when `modules` names ids."""
    autocapture: AutocaptureSettings = AutocaptureSettings()
    """What is recorded without code, when `modules` names autocapture."""

    @model_validator(mode="after")
    def _banner_is_named(self) -> Self:
        if Module.BANNERS in self.modules and not self.banners.names:
            advice = f"name it: banners: {{names: [{Banner.COOKIEBOT}]}}; docs/consent.md lists them"
            raise misplaced("banners", "the module banners is on, but no banner is named", advice)
        if self.banners.names and Module.BANNERS not in self.modules:
            raise misplaced("banners", "a banner is named, but its module is off", "add banners to tracker.modules")
        return self
