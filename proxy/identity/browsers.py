"""The family of a browser, from its user agent: as coarse as people speak of it, no versions, no systems."""

from __future__ import annotations

_FAMILIES = (  # the first word that is there decides: nearly all of them also claim to be Chrome or Safari
    ("Instagram", "Instagram"),
    ("FBAN/", "Facebook"),
    ("FBAV/", "Facebook"),
    ("musical_ly", "TikTok"),
    ("BytedanceWebview", "TikTok"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)


def browser_family(user_agent: str | None) -> str | None:
    """`Firefox`, `Chrome`…; `other` for a browser we have no name for, None when it names itself not at all."""
    if not user_agent:
        return None
    return next((name for word, name in _FAMILIES if word in user_agent), "other")
