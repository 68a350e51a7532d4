"""The configuration as types: every key, its default and one line of help. YAML becomes this in `load.py`.

The docstring under a field is its help text: `firsthand schema`, editors, `config.example.yaml` and the manual all
show or check it. Rules stay plain data here; `proxy/rules/compile.py` gives them meaning.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from proxy.config.consent import ConsentSettings
from proxy.config.identity import IdentitySettings
from proxy.config.limits import LimitsSettings
from proxy.config.origins import ascii_host, is_local, normalise_origin
from proxy.config.privacy import PrivacySettings
from proxy.config.redirects import RedirectMap
from proxy.config.section import Section, misplaced
from proxy.config.tracker import TrackerSettings
from proxy.destinations.base import DestinationSettings
from proxy.identity import platform_cookies
from proxy.identity.cookie_domain import refuse_public_suffix

Network = IPv4Network | IPv6Network
Credential = Annotated[SecretStr, Field(min_length=1)]
Host = Annotated[str, AfterValidator(ascii_host)]


class SiteSettings(Section):
    origins: Annotated[
        tuple[Annotated[str, AfterValidator(normalise_origin)], ...],
        Field(min_length=1, examples=[["https://www.shop.example"]]),
    ]
    """Origins (https://www.shop.example) whose pages may post events; `https://*.shop.example`: every subdomain."""
    redirect_hosts: tuple[Host, ...] = ()
    """Hosts besides those of the origins that `redirects` may lead to."""


Kept = Literal["meta", "tiktok", "snapchat", "pinterest", "ga4", "microsoft", "linkedin", "reddit", "x"]

_NO_COOKIE_NAME = frozenset('()<>@,;:\\"/[]?={}')


class CookieSettings(Section):
    domain: str = "auto"
    """`auto`: the registrable domain of the host asked; `host`: that host only; or a domain such as shop.example."""
    name: str = "_fh"
    """The visitor cookie."""
    max_age_days: Annotated[int, Field(ge=1, le=400)] = 395
    """How long the visitor cookie lives. Browsers clamp to 400 days."""
    rolling: bool = True
    """true: every consented answer renews it; false: it ends max_age_days after it was first set."""
    meta: bool | None = None
    """Set `_fbp` and `_fbc`, whatever `keep` says. Default: `keep` decides."""
    keep: Literal["auto"] | tuple[Kept, ...] = "auto"
    """Platforms whose own cookies our answers renew. `auto`: those with a destination; or a list, `[]` for none."""

    @field_validator("domain")
    @classmethod
    def _own_domain(cls, domain: str) -> str:
        if domain in ("auto", "host"):
            return domain
        refuse_public_suffix(domain)
        return domain.removeprefix(".").lower()

    @field_validator("name")
    @classmethod
    def _free_name(cls, name: str) -> str:
        if not name or any(letter in _NO_COOKIE_NAME or not "!" <= letter <= "~" for letter in name):
            raise ValueError("not a cookie name: use letters, digits, - and _")
        if name in ("_fbp", "_fbc"):
            raise ValueError(f"{name} belongs to the Meta pixel; choose another name")
        if name.startswith("_ga_") or name in platform_cookies.NAMES:
            raise ValueError(f"{name} belongs to a platform's own tag; choose another name")
        return name

    @model_validator(mode="after")
    def _prefix_fits_domain(self) -> Self:
        if self.name.startswith("__Host-") and self.domain != "host":
            raise misplaced("name", "a __Host- cookie cannot have a domain", "set cookie.domain to host, or rename it")
        return self


class ListenSettings(Section):
    host: Host = "0.0.0.0"  # noqa: S104 - inside a container that is the point
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of your own reverse proxies: only from them X-Forwarded-For and X-Forwarded-Proto are believed."""
    client_ip_header: str | None = None
    """A header your CDN sets (CF-Connecting-IP, True-Client-IP), believed only from trusted_proxies."""


class AdminSettings(Section):
    host: Host = "127.0.0.1"
    """Address of the operator's listener (metrics, status)."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = 8081
    """Its port; null switches it off."""
    token: Credential | None = None
    """Bearer token it asks for; required beyond loopback. Default: that of the file `data`/admin-token, made once."""
    open: bool = False
    """Ask for no token, on a loopback address only: everybody on this machine may look."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.port is not None and self.token is None and not is_local(self.host):
            advice = "`firsthand keygen` makes a good one; or set admin.host to 127.0.0.1"
            raise misplaced("token", "required, because admin.host is not a loopback address", advice)
        if self.open and (self.token is not None or not is_local(self.host)):
            raise misplaced("open", "only on a loopback address and without admin.token", "take one of them away")
        return self


_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_OWN_PATHS = ("/healthz", "/readyz")


class PathSettings(Section):
    prefix: str = ""
    """Put before every path, e.g. /fh when the proxy lives on a path of the site itself."""
    script: str = "/tracker.js"
    """The tracker script."""
    events: str = "/e"
    """Where events are posted."""
    pixel: str = "/n.gif"
    """The image for pages without JavaScript."""
    consent: str = "/consent"
    """Tells a page what counts for this visitor before a decision, and whether GPC is honoured."""
    redirect: str = "/c"
    """Click redirects, one per code of `redirects`: /c/summer."""
    landing: str = "/l"
    """Where your own reverse proxy asks for the cookies of a document (docs/landing.md)."""

    @field_validator("prefix", "script", "events", "pixel", "consent", "redirect", "landing")
    @classmethod
    def _is_path(cls, path: str, info: ValidationInfo) -> str:
        if info.field_name == "prefix" and path.strip("/") == "":
            return ""
        if not _PATH.fullmatch(path):
            raise ValueError("a path is / and then letters, digits and -._~/ without a slash at its end")
        return path

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        taken = dict.fromkeys(_OWN_PATHS, "a health check")
        for name in ("script", "events", "pixel", "consent", "redirect", "landing"):
            path: str = getattr(self, name)
            if path in taken:
                raise misplaced(name, f"{path} is {taken[path]} already", "choose another path")
            taken[path] = f"paths.{name}"
        return self


class BotSettings(Section):
    action: Literal["drop", "mark", "keep"] = "drop"
    """Events of crawlers and automated browsers: drop; mark (stored, sent only by rules that ask for bots); or keep."""


class LogSettings(Section):
    retention_days: Annotated[float, Field(gt=0)] = 30
    """Events are deleted after this long, delivered or not."""
    dead_days: Annotated[float, Field(gt=0)] = 7
    """Dead letters are deleted after this long."""
    consent_days: Annotated[float, Field(gt=0)] = 1490
    """Proofs of consent are deleted after this long: 13 months, as long as a consent may last, and three years."""
    erased_days: Annotated[float, Field(gt=0)] = 400
    """Erased visitors are remembered this long, so that nothing brings them back: as long as a cookie may live."""
    find_orders: bool = False
    """Remember which visitor named which order, so that a server's event about it finds clicks and consent."""
    max_bytes: Annotated[int, Field(ge=10_000_000)] | None = None
    """How much the log may hold. Default: no limit but the disk."""
    when_full: Literal["refuse", "drop_delivered", "drop_oldest"] = "refuse"
    """At max_bytes: refuse new events (503), delete the oldest that are delivered everywhere, or the oldest at all."""


class RelaySettings(Section):
    wait_s: Annotated[float, Field(ge=0, le=300)] = 2.0
    """How long a reader waits to fill a batch before it sends what is there."""
    backoff_max_s: Annotated[float, Field(ge=1)] = 300.0
    """The longest pause between two attempts while a platform is down."""
    probe_s: Annotated[float, Field(ge=1)] = 300.0
    """How often a destination paused for broken credentials is tried again."""
    process: Literal["inline", "own"] = "inline"
    """inline: within the one process that collects; own: a process of its own, as always with several workers."""


class Settings(Section):
    """A whole configuration file."""

    site: SiteSettings
    """The site whose events these are."""
    listen: ListenSettings = ListenSettings()
    """The public listener."""
    admin: AdminSettings = AdminSettings()
    """The operator's listener."""
    paths: PathSettings = PathSettings()
    """Where things are; rename freely."""
    cookie: CookieSettings = CookieSettings()
    """First-party cookies."""
    identity: IdentitySettings = IdentitySettings()
    """Who a visitor is."""
    redirects: RedirectMap = {}  # noqa: RUF012 - pydantic copies it
    """Click redirects: a code, and the page of yours that /c/<code> leads to."""
    tracker: TrackerSettings = TrackerSettings()
    """What is baked into the script."""
    consent: ConsentSettings = ConsentSettings()
    """What counts before and beside the visitor's own words."""
    privacy: PrivacySettings = PrivacySettings()
    """What is taken out of every event before it is stored."""
    bots: BotSettings = BotSettings()
    """Crawlers."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that collect, on one port. With several, the relay is a process too and all are supervised."""
    data: Path = Path("data")
    """Folder of the event log and, unless `keys` is given, of the key file. Relative to the configuration file."""
    keys: Credential | None = None
    """Comma-separated keys from `firsthand keygen`: the first encrypts, all decrypt. Default: a key file in `data`."""
    ingest_keys: tuple[Credential, ...] = ()
    """Bearer keys of your own servers; they may state visitor, client and past times."""
    limits: LimitsSettings = LimitsSettings()
    """How much may be sent, and how long it may take. Each process counts for itself."""
    log: LogSettings = LogSettings()
    """The event log."""
    relay: RelaySettings = RelaySettings()
    """How the log is read out to the platforms."""
    destinations: dict[str, SerializeAsAny[DestinationSettings]] = {}  # noqa: RUF012 - pydantic copies it
    """Accounts on platforms, by a name of your choice."""
    rules: tuple[dict[str, Any], ...] | None = None
    """What goes where, top to bottom. Without this key every event goes to every destination."""
