"""Who may post from a browser: the configured origins, and the CORS lines that let their pages send cookies.

A page's origin is compared, never reflected unseen. Some browsers send `Origin: null` or none at all with a beacon
from a page with a strict referrer policy; then `Sec-Fetch-Site`, which no script can forge, must say that the page is
on our own site.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_OWN_SITE = frozenset({"same-origin", "same-site"})


class Origins:
    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed` in the form of `proxy.config.origins`: exact, or with `*.` for every subdomain."""
        wanted = tuple(allowed)
        self._exact = frozenset(origin for origin in wanted if "://*." not in origin)
        self._above = tuple(_split(origin.replace("://*.", "://", 1)) for origin in wanted if "://*." in origin)
        self.permits = lru_cache(maxsize=1024)(self._permits)

    def _permits(self, origin: str) -> bool:
        if origin in self._exact:
            return True
        scheme, host, port = _split(origin)
        return any(
            scheme == wanted and port == its_port and host.endswith(f".{domain}") and host[0] != "."
            for wanted, domain, its_port in self._above
        )

    def permits_page(self, origin: str | None, fetch_site: str | None) -> bool:
        """May a request with these headers (`Origin`, `Sec-Fetch-Site`) have come from one of our pages?"""
        if origin is None or origin == "null":
            return fetch_site in _OWN_SITE
        return self.permits(origin)


def _split(origin: str) -> tuple[str, str, str]:
    """Scheme, host and port (with its colon). Only for comparing: nonsense in, nonsense out, nothing raised."""
    scheme, _, rest = origin.partition("://")
    host, colon, port = rest.partition(":")
    return scheme, host, colon + port


@lru_cache(maxsize=1024)
def cors_lines(origin: str | None) -> bytes:
    """Header lines for an answer that pages of `origin` (already permitted; None: no CORS request) may read."""
    if origin is None or origin == "null":
        return b"Vary: Origin\r\n"
    return (
        f"Access-Control-Allow-Origin: {origin}\r\n"
        "Access-Control-Allow-Credentials: true\r\n"
        "Access-Control-Expose-Headers: Retry-After\r\n"
        "Vary: Origin\r\n"
    ).encode("latin-1")


PREFLIGHT_LINES = (
    b"Access-Control-Allow-Methods: POST\r\n"
    b"Access-Control-Allow-Headers: Content-Type\r\n"
    b"Access-Control-Max-Age: 86400\r\n"
)
