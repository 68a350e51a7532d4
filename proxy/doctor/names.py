"""Would today's block lists hit our host and path names? The patterns that matter, restated; pure.

Source: measured with EasyPrivacy 202608130529, uBlock's privacy list, EasyList and AdGuard's tracking list (2026-08).
Lists move: `firsthand doctor --lists FOLDER` asks the operator's own copies (`lists.py`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from proxy.doctor.finding import Finding, ok, warning

CHECK = "names"

_SCRIPTS = re.compile(r"/(fbevents|gtag|gtm|matomo|umami|plausible|beacon)\.js$|/fingerprint[^/]*\.js$")
_SCRIPTS_BY_LABEL = (
    ({"analytics", "beacon"}, re.compile(r"/track")),
    ({"stats"}, re.compile(r"/tracker\.")),
    ({"sgtm"}, re.compile(r"\.js\?")),
)
_ENDPOINTS = re.compile(
    r"/g/collect|/collect\?(v|event|r|k|d|data)=|/api/(collect|events)$|/analytics/event"
    r"|/com\.snowplowanalytics\.snowplow/|/matomo\.php|/pixel_track"
)
_ENDPOINTS_BY_LABEL = (
    ({"tracking", "collector", "stats"}, re.compile(r"/event")),
    ({"analytics"}, re.compile(r"/(event|collect|track)")),
    ({"track"}, re.compile(r"/collect")),
    ({"tracker", "collect"}, re.compile(r"/pageview")),
)
_IMAGES = re.compile(r"/(e|i|p|t|px|img|pv|pixel)\.gif\?")
_IMAGES_ON_COM = re.compile(r"/[abcis]\.gif\?")
_LOOKS_RANDOM = re.compile(r"/[A-Za-z0-9]{12}/[A-Za-z0-9_-]{97,106}$|/static/[0-9a-f]{28,31}$")


def hit(url: str, kind: str) -> str | None:
    """Why lists would block `url` when a page asks for it as `kind` ("script", "events" or "image"); None if not."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    label = host.split(".")[0]
    if _LOOKS_RANDOM.search(parts.path):
        return "the path looks like a cloaked one"
    if kind == "script":
        return _named(_SCRIPTS, path) or _labelled(_SCRIPTS_BY_LABEL, label, path)
    if kind == "image":
        on_com = _named(_IMAGES_ON_COM, path) if host.endswith(".com") else None
        return _named(_IMAGES, path) or on_com
    if path == "/hit" and host.endswith(".com"):
        return "/hit on a .com host"
    return _named(_ENDPOINTS, path) or _labelled(_ENDPOINTS_BY_LABEL, label, path)


def finding(urls: dict[str, str]) -> Finding:
    """`urls`: kind -> the address a page uses. The image's carries a query, as pages ask for it."""
    hits = [
        f"{urlsplit(url).path} on {urlsplit(url).hostname}: {why}"
        for kind, url in urls.items()
        if (why := hit(url, kind))
    ]
    if not hits:
        return ok(CHECK, "host and path names are on no common block list")
    return warning(
        CHECK,
        "common block lists hit " + "; ".join(hits),
        "rename under `paths` in the configuration, or choose a host such as t., data. or events.",
    )


def _named(pattern: re.Pattern[str], path: str) -> str | None:
    found = pattern.search(path)
    return f"{found[0].rstrip('?')} is listed for every host" if found else None


def _labelled(table: tuple[tuple[set[str], re.Pattern[str]], ...], label: str, path: str) -> str | None:
    for labels, pattern in table:
        if label in labels and (found := pattern.search(path)):
            return f"{found[0]} is listed for hosts named {label}."
    return None
