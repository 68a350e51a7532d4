"""Where a visitor is: said by the operator's CDN in a header, or looked up by address (`proxy/privacy/geoip.py`)."""

from __future__ import annotations

from proxy.collector.client_ip import TrustedProxies
from proxy.collector.visit import Headers
from proxy.config.consent import ConsentSettings
from proxy.privacy.geoip import locator
from proxy.privacy.region import region_code


class Whereabouts:
    def __init__(self, settings: ConsentSettings, proxies: TrustedProxies) -> None:
        """Raises `ConfigError` when a database is configured that cannot be used."""
        self._headers = settings.headers
        self._proxies = proxies
        self.locate = locator(settings.geoip)
        self.can_tell = bool(settings.headers) or settings.geoip is not None

    def of(self, headers: Headers, peer: str | None, ip: str | None) -> str | None:
        """`peer`: the connection's other end, whose word counts when it is a proxy of ours; `ip`: the visitor's."""
        if self._headers and (peer is None or peer in self._proxies):
            country, *state = (headers.get(name) for name in self._headers)
            if (said := region_code(country, *state)) is not None:
                return said
        return self.locate(ip)
