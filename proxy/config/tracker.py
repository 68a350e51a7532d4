"""The `tracker` section: what is baked into the script, its modules and what each of them is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.config.modules import Module
from proxy.config.section import Section

_IDENTIFIER = r"^[A-Za-z_$][A-Za-z0-9_$]*$"
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
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


class TrackerSettings(Section):
    global_name: Identifier = "firsthand"
    """The one global name the script takes on a page."""
    page_views: bool = True
    """Send page_view by itself, on load and on every SPA navigation."""
    retry_queue: bool = True
    """Keep events that could not be sent in localStorage (only after consent) and send them on the next page."""
    modules: tuple[Module, ...] = ()
    """Parts of the script that are not needed everywhere; docs/tracker.md says what each does."""
    datalayer: DataLayerSettings = DataLayerSettings()
    """The dataLayer bridge, when `modules` names datalayer."""
    fbq: FbqSettings = FbqSettings()
    """The Meta pixel bridge, when `modules` names fbq."""
    ids: IdsSettings = IdsSettings()
    """Shared event ids for ttq, pintrk and snaptr, when `modules` names ids."""
    autocapture: AutocaptureSettings = AutocaptureSettings()
    """What is recorded without code, when `modules` names autocapture."""
