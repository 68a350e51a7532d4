"""What no field can know alone: two listeners on one port, a path used twice, a setting that has no effect.

`faults` stop the start, `warnings` are for the log and for `firsthand check`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from proxy.config.origins import is_local
from proxy.config.redirects import leading_away
from proxy.config.settings import Settings
from proxy.config.words import is_secret
from proxy.destinations.base import Destination, DestinationSettings
from proxy.errors import Fault, dotted
from proxy.event import encode_json
from proxy.privacy.keys import Keyring
from proxy.privacy.urls import parameters_kept

_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
_PARAMETER = re.compile(r"page\.query\.([^\"*$}{\s]+)")
SHORTEST_SECRET = 16
_SHORT = f"shorter than {SHORTEST_SECRET} characters, which can be guessed; make one with `firsthand keygen`"


def faults(settings: Settings) -> list[Fault]:
    """Contradictions between sections."""
    listen, admin = settings.listen, settings.admin
    found = []
    same_host = listen.host == admin.host or _ANYWHERE & {listen.host, admin.host}
    if admin.port is not None and admin.port == listen.port != 0 and same_host:
        advice = "give admin.port another number, or null to switch it off"
        found.append(Fault(("admin", "port"), f"port {admin.port} is listen.port already", advice))
    if settings.keys is not None:
        try:
            Keyring.parse(settings.keys.get_secret_value())
        except ValueError as error:
            found.append(Fault(("keys",), str(error)))
    if settings.cookie.name in settings.consent.receipts:
        where = ("consent", "receipts", settings.consent.receipts.index(settings.cookie.name))
        found.append(Fault(where, "is our own visitor cookie", "name the cookie of your consent banner"))
    for code, host in leading_away(settings.redirects, settings.site.origins, settings.site.redirect_hosts):
        advice = "add it to site.redirect_hosts if you mean to send visitors there"
        found.append(Fault(("redirects", code), f"{host} is none of the site's hosts", advice))
    return found


def warnings(settings: Settings, destinations: Mapping[str, Destination], now_ms: int) -> tuple[str, ...]:
    """What works and still deserves a look; full sentences that name the key."""
    return (
        *_about_site(settings),
        *_about_listeners(settings),
        *_about_destinations(destinations, now_ms),
        *_about_parameters(settings),
        *_about_addresses(settings),
    )


def _about_site(settings: Settings) -> Iterator[str]:
    for position, origin in enumerate(settings.site.origins):
        if origin.startswith("http://") and not is_local(urlsplit(origin).hostname or ""):
            where = dotted(("site", "origins", position))
            yield f"{where}: {origin} is not encrypted; browsers treat its cookies as second-class. Use https."
    domain = settings.cookie.domain
    if domain not in ("auto", "host"):
        hosts = [(urlsplit(origin).hostname or "").removeprefix("*.") for origin in settings.site.origins]
        if not any(host == domain or host.endswith(f".{domain}") for host in hosts):
            yield f"cookie.domain: no origin of site.origins belongs to {domain}, so no page sees the cookies."


def _about_listeners(settings: Settings) -> Iterator[str]:
    listen = settings.listen
    if listen.client_ip_header and not listen.trusted_proxies:
        yield "listen.client_ip_header: has no effect until listen.trusted_proxies names your proxy or CDN."
    if settings.consent.headers and not listen.trusted_proxies:
        yield "consent.region_header: has no effect until listen.trusted_proxies names your proxy or CDN."
    for network in listen.trusted_proxies:
        if network.prefixlen == 0:
            yield f"listen.trusted_proxies: {network} is everybody, so any visitor can claim any address."
    for position, key in enumerate(settings.ingest_keys):
        if len(key.get_secret_value()) < SHORTEST_SECRET:
            yield f"ingest_keys[{position}]: is {_SHORT}."
    token = settings.admin.token
    if token is not None and len(token.get_secret_value()) < SHORTEST_SECRET and not is_local(settings.admin.host):
        yield f"admin.token: is {_SHORT}."


def _about_destinations(destinations: Mapping[str, Destination], now_ms: int) -> Iterator[str]:
    if not destinations:
        yield "destinations: there are none, so events are collected and sent nowhere."
    elif not any(destination.settings.enabled for destination in destinations.values()):
        yield "destinations: all are switched off (enabled: false), so nothing is sent."
    accounts: dict[tuple[str, ...], str] = {}
    for name, destination in destinations.items():
        yield from (f"destinations.{name}: {text}" for text in destination.warnings(now_ms))
        yield from _about_fields(name, destination)
        account = (destination.kind, *_account(destination.settings))
        if len(account) > 1 and (first := accounts.setdefault(account, name)) != name:
            yield f"destinations.{name}: the same {destination.kind} account as {first}, where events may count twice."


def _about_fields(name: str, destination: Destination) -> Iterator[str]:
    """`fields` that leave a platform without what it cannot do without."""
    fields = destination.settings.fields or {}
    removed, only = _listed(fields.get("remove")), _listed(fields.get("only"))
    for path in destination.essential:
        group = f"{path.partition('.')[0]}.*"
        if {path, group} & removed or ("only" in fields and not {path, group} & only):
            yield f"destinations.{name}.fields: {destination.kind} refuses website events without {path}; keep it."


def _listed(names: Any) -> set[str]:
    return {names} if isinstance(names, str) else set(names or ())


def _about_parameters(settings: Settings) -> Iterator[str]:
    """Rules that read a URL parameter which is not kept, so never see it."""
    kept = settings.privacy.url_parameters
    if kept == "all" or not settings.rules:
        return
    is_kept = parameters_kept(kept)
    named = dict.fromkeys(_PARAMETER.findall(encode_json([_read_parts(rule) for rule in settings.rules]).decode()))
    for name in named:
        if not is_kept(name):
            yield f"rules: page.query.{name} is never there: add {name} to privacy.url_parameters to keep it."


def _about_addresses(settings: Settings) -> Iterator[str]:
    """Rules that compare an address which is not stored as it came."""
    if settings.privacy.client_ip == "full" or not settings.rules:
        return
    if '"client.ip"' in encode_json([_read_parts(rule) for rule in settings.rules]).decode():
        yield "rules: client.ip is never a full address: privacy.client_ip cuts it before rules see it."


def _read_parts(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part for key, part in rule.items() if key not in ("remove", "only", "examples")}


def _account(settings: DestinationSettings) -> tuple[str, ...]:
    """What tells one account of a platform from another: the keys it cannot do without, minus credentials."""
    fields = type(settings).model_fields
    return tuple(
        str(getattr(settings, name))
        for name, entry in fields.items()
        if entry.is_required() and name not in DestinationSettings.model_fields and not is_secret(entry.annotation)
    )
