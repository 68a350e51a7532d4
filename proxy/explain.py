"""What would happen to one event: where it would go and why not elsewhere, down to the exact request. Sends nothing.

The event takes the collector's way first (consent made effective, click ids found in its page's URL, what consent does
not cover taken out), then the relay's own plan. So this never says anything the running service would not do. What is
missing is what only a browser brings: cookies, and ids that would be minted for a newcomer.

The dictionary `explain` returns is a stable interface (docs/delivery.md); the command's other output is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from proxy.config.load import Config
from proxy.destinations.base import Destination, Request
from proxy.event import Event, replace
from proxy.identity.cookie_domain import CookieDomain, cookie_domain
from proxy.identity.identity import Identity, advance
from proxy.identity.keeping import Keeping, keeping
from proxy.log.base import Entry
from proxy.privacy import consent
from proxy.privacy.geoip import locator
from proxy.privacy.scrub import scrubber
from proxy.privacy.terms import TermsByRegion
from proxy.relay import guard, once
from proxy.relay.plan import Item
from proxy.relay.redact import MASK, redact, redact_url, redact_value

NOT_KEPT = "consent: nothing was granted, so the event is not kept"

_json = msgspec.json.Decoder(float_hook=Decimal)


def explain(event: Event, config: Config, now_ms: int, *, trace: bool = False) -> dict[str, Any]:
    """`{"event": …, "destinations": [{"name", "kind", "decision", "reason", "rules", "requests"}]}`, in config order.

    `decision`: send, skip (not meant for it) or refuse (the platform would not take it). Numbers that are no integers
    are `Decimal`: encode with `proxy.event.encode_json`. Every credential is `***`. `trace` adds what each rule said.
    `removed`, when there is any: fields out of which an e-mail address or telephone number was taken.
    """
    keep = keeping(config.settings)
    collected = _collected(event, config, keep, now_ms)
    stored = consent.minimise(collected, keep.aliases)
    kept, removed = scrubber(config.settings.privacy)(stored or collected)
    secrets = config.secrets()
    found: dict[str, Any] = {"event": _shown(kept, secrets)}
    if removed:
        found["removed"] = list(removed)
    if trace:
        steps = config.rules.decide(kept, trace=True).trace
        found["trace"] = [{"rule": step.rule, "matched": step.matched, "why": step.why} for step in steps]
    found["destinations"] = [
        {
            "name": one.name,
            "kind": one.kind,
            **_decision(one, kept, config, now_ms, secrets, kept=stored is not None),
        }
        for one in config.destinations.values()
    ]
    return found


def _collected(event: Event, config: Config, keep: Keeping, now_ms: int) -> Event:
    settings = config.settings
    client = event.client
    region = client.region or locator(settings.consent.geoip)(client.ip)
    terms = TermsByRegion(settings.consent).of(region)
    event = replace(
        event,
        client=replace(client, region=region),
        consent=consent.effective(event.consent, terms, gpc=False),
    )
    _, known = advance(
        Identity(),
        event,
        consent=event.consent,
        now_ms=now_ms,
        domain=_domain(event, config),
        mint=None,
        keep=keep,
    )
    return known


def _domain(event: Event, config: Config) -> CookieDomain:
    """Where the proxy's cookies would be for this page: it lives on the page's own site, or on the first origin's."""
    address = event.page.url or config.settings.site.origins[0].replace("*.", "")
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    return cookie_domain(host, config.settings.cookie.domain)


def _decision(
    destination: Destination, event: Event, config: Config, now_ms: int, secrets: tuple[str, ...], *, kept: bool
) -> dict[str, Any]:
    if not destination.settings.enabled:
        return _said("skip", "disabled")
    entry = Entry(seq=0, stored_at_ms=now_ms, event=event)
    plan = guard.plan(destination, [entry], config.rules.decide, now_ms, frozenset())
    if plan.skips:
        return _said("skip", plan.skips[0].detail)
    if not kept:
        return _said("skip", NOT_KEPT)
    items = [item for parcel in plan.parcels for item in parcel.items]
    refused = "; ".join(dict.fromkeys(redact_value(loss.detail or loss.why, secrets) for loss in plan.losses))
    rules = _rules(items or [loss.item for loss in plan.losses])
    if not items:
        return _said("refuse", refused, rules)
    names = ", ".join(f"'{rule}'" for rule in rules)
    reason = f"{'rule' if len(rules) == 1 else 'rules'} {names}{_unless(items)}"
    reason += f"; in part refused: {refused}" if refused else ""
    return _said("send", reason, rules, [_request(parcel.request, secrets) for parcel in plan.parcels])


def _unless(items: list[Item]) -> str:
    """What only the log can tell: whether a rule with `once` has sent this order, or this visitor's event, before."""
    conditions = ["" if item.once is None else once.unless(item.once) for item in items]
    if len({*conditions}) == 1:
        return f", {conditions[0]}" if conditions[0] else ""
    return "".join(f"; '{item.event.name}' {words}" for item, words in zip(items, conditions, strict=True) if words)


def _said(
    decision: str, reason: str, rules: Iterable[str] = (), requests: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    return {"decision": decision, "reason": reason, "rules": list(rules), "requests": list(requests)}


def _rules(items: Iterable[Item]) -> list[str]:
    return list(dict.fromkeys(rule for item in items for rule in item.rules))


def _request(request: Request, secrets: tuple[str, ...]) -> dict[str, Any]:
    token = {"Authorization": f"Bearer {MASK}"} if request.needs_token else {}  # bought when it is sent
    return {
        "method": request.method,
        "url": redact_url(request.url, secrets),
        "headers": {**token, **{name: redact(value, secrets) for name, value in request.headers.items()}},
        "body": None if request.body is None else _body(request.body, secrets),
    }


def _body(body: bytes, secrets: tuple[str, ...]) -> Any:
    """JSON as values, anything else as text."""
    try:
        return _redacted(_json.decode(body), secrets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return redact_value(body.decode("utf-8", "replace"), secrets)


def _shown(event: Event, secrets: tuple[str, ...]) -> Any:
    return _redacted(msgspec.to_builtins(event, builtin_types=(Decimal,)), secrets)


def _redacted(value: Any, secrets: tuple[str, ...]) -> Any:
    match value:
        case str():
            return redact_value(value, secrets)
        case dict():
            return {redact_value(key, secrets): _redacted(one, secrets) for key, one in value.items()}
        case list() | tuple():
            return [_redacted(one, secrets) for one in value]
    return value
