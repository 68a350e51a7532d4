"""The tracker script put together: the core and the modules that were asked for, each with its settings baked in.

The readable files in `proxy/static/` are what we write and ship. A build may leave minified copies of them in
`proxy/static/built/` (`npm/minify.mjs`); such a copy names the source it was made of in its first line and is used
only while that is the source next to it. Without one the source is served, without comments and indentation. Both
behave the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from proxy.config.consent import Signal
from proxy.config.modules import Banner, Module, Part
from proxy.config.settings import Settings
from proxy.config.tracker import TrackerSettings
from proxy.event import Consent, Purpose, encode_json
from proxy.privacy.consent import effective
from proxy.privacy.terms import TermsByRegion
from proxy.vocabulary import TAG_NAMES

CORE = "tracker.js"
# Bytes of gzip: the core, and the core with all modules, minified; the core where no build has done that.
CORE_BUDGET = 4_000
WHOLE_BUDGET = 8_000
UNBUILT_CORE_BUDGET = 4_200

_STATIC = files("proxy") / "static"
_PURPOSES = (Purpose.MARKETING, Purpose.ANALYTICS, Purpose.PERSONALIZATION)
_BLOCK_COMMENT = re.compile(r"^\s*/\*.*?\*/\s*$\n?", re.MULTILINE | re.DOTALL)

# Stands in the last line of a file that wants them: `})(__SETTINGS__);`.
_SETTINGS = "__SETTINGS__"

# Once: a page that has the script twice has one core, and every module once. What runs later the core guards; where
# even that cannot start (a browser too old, natives the page broke before) it is a warning, and no error of the page's.
_WHOLE = (
    "(function () {'use strict';try {if ((window.%s || {}).track) return;var hooks = [];%s"
    "} catch (e) {try {console.warn(e)} catch (e) {}}})();\n"
)


def source(name: str) -> str:
    """A file as we wrote it: `tracker.js`, `modules/datalayer.js`."""
    return _STATIC.joinpath(name).read_text(encoding="utf-8")


def strip(script: str) -> str:
    """Without comments that stand on lines of their own, indentation and empty lines; other bytes stay as they are."""
    lines = (line.strip() for line in _BLOCK_COMMENT.sub("", script).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def minified(name: str) -> str | None:
    """What the build made of exactly this source; None without a build, or when the source has changed since."""
    built = _STATIC.joinpath("built", name)
    if not built.is_file():
        return None
    first, _, text = built.read_text(encoding="utf-8").partition("\n")
    return text if first == f"// {hashlib.sha256(source(name).encode()).hexdigest()}" else None


def file_of(piece: Module | Part | Banner) -> str:
    return f"{_FOLDERS[type(piece)]}/{piece}.js"


_FOLDERS = {Part: "parts", Module: "modules", Banner: "banners"}


def compose(core: Mapping[str, Any], modules: Mapping[Module, Mapping[str, Any]], *, build: bool = True) -> str:
    """The whole script. `core` and the values of `modules` become JSON; without `build` it is made from the sources."""

    def piece(name: str, settings: Mapping[str, Any]) -> str:
        text = (minified(name) if build else None) or strip(source(name))
        return text.replace(_SETTINGS, encode_json(settings).decode())

    parts = {part for module in modules for part in module.parts}
    pieces = [piece(file_of(part), _PARTS_ARE_TOLD.get(part, {})) for part in Part if part in parts]
    pieces.append(piece(CORE, core))
    for module in (module for module in Module if module in modules):
        settings = dict(modules[module])
        banners = settings.pop("names", ()) if module is Module.BANNERS else ()
        pieces.append(piece(file_of(module), settings))
        pieces += [piece(file_of(Banner(name)), {}) for name in banners]
    return _WHOLE % (core["global"], "".join(pieces))


_PARTS_ARE_TOLD = {Part.ACTIONS: {"names": TAG_NAMES}}


def baked(settings: Settings) -> bytes:
    """The script for this configuration."""
    paths, tracker = settings.paths, settings.tracker
    terms = TermsByRegion(settings.consent).strictest
    starting = effective(Consent(), terms, gpc=False, dnt=True)  # of DNT the script knows nothing: it asks
    core = {
        "events": paths.prefix + paths.events,
        "global": tracker.global_name,
        "pageViews": tracker.page_views,
        "retryQueue": tracker.retry_queue,
        "gpc": _refuses(terms.gpc),
        "consent": {name: starting.state(name) for name in _PURPOSES},
    }
    if settings.identity.remember:
        core["remember"] = True
    modules = {module: told(tracker, module) for module in tracker.modules}
    if settings.consent.regions or settings.consent.dnt != "ignore" or Module.REGION in modules:
        modules[Module.REGION] = {"path": paths.prefix + paths.consent}
    return compose(core, modules).encode()


def _refuses(signal: Signal) -> dict[str, str] | None:
    """What the script takes for refused when the browser gives this signal."""
    refused = {"ignore": (), "refuse_sale": ("sale",), "refuse_marketing": ("sale", "marketing")}[signal]
    return dict.fromkeys(refused, "denied") or None


def told(tracker: TrackerSettings, module: Module) -> dict[str, Any]:
    """A module's own section, if it has one."""
    section = getattr(tracker, module, None)
    return section.model_dump(mode="json") if section is not None else {}
