"""How much browsers may send, per address and all together; beyond it they are told when to come back.

Counted in events: a request costs one before anything of it is read, the further events of its batch afterwards. What
brings no event (the script, a health check, a path that does not exist) costs its address one, and the site nothing: a
flood of it must not keep events out. Every process counts for itself. An address of a private network has no bucket of
its own: it is a reverse proxy that `listen.trusted_proxies` does not name, with all visitors behind it, or somebody of
the house. Servers with an ingest key are not counted at all.
"""

from __future__ import annotations

import math
from functools import lru_cache
from socket import AF_INET6, inet_pton

import msgspec

from proxy.clock import SECOND_MS
from proxy.collector.answers import Answer, Reply, RequestRefusal, failure
from proxy.collector.buckets import Buckets, Name
from proxy.config.limits import LimitsSettings
from proxy.observe.logs import Reminder, get_logger
from proxy.observe.metrics import requests_refused
from proxy.reach import is_public
from proxy.wire import MAX_EVENTS

_SITE = ""
_RESERVE = 0.2
"""Part of the site's bucket kept for addresses that sent little: a flood from some leaves room for the rest."""
_LITTLE = 0.1
"""Of their own bucket."""
_ROOM = 0.1
"""Who comes back finds at least this part of the bucket, or all who wait would come for one place."""
_SPECIAL = frozenset({"10", "100", "127", "169", "172", "192"})
"""First numbers of IPv4 networks that may be private."""

_log = get_logger("collector")


class TooMany(msgspec.Struct, frozen=True):
    """The request is not taken now."""

    reason: RequestRefusal
    after_s: int

    def reply(self, now_ms: int, *lines: bytes) -> Reply:
        """The answer, counted. `lines`: more of its head."""
        requests_refused.labels(self.reason).inc()
        return _later(self.reason, self.after_s).reply(now_ms, *lines)


class Limits:
    def __init__(self, settings: LimitsSettings) -> None:
        self._address = self._site = None
        if settings.address_per_s is not None:
            self._address = Buckets(settings.address_per_s, settings.address_burst, MAX_EVENTS)
        if settings.site_per_s is not None:
            self._site = Buckets(settings.site_per_s, settings.site_burst, MAX_EVENTS)
        self._settings = settings
        self._reminder = Reminder()

    def take(self, ip: str | None, now_ms: int) -> TooMany | None:
        """One event of a browser at this address (None: unknown) may come: None."""
        if (too_many := self.ask(ip, now_ms)) is not None:
            return too_many
        name = None if ip is None else bucket_of(ip)
        if self._site is not None and (wait_ms := self._site.take(_SITE, now_ms, _RESERVE)):
            sent_little = self._address is None or name is None or self._address.used(name, now_ms) <= _LITTLE
            if not sent_little or (wait_ms := self._site.take(_SITE, now_ms)):
                return self._later(RequestRefusal.RATE_SITE, wait_ms, now_ms)
        return None

    def ask(self, ip: str | None, now_ms: int) -> TooMany | None:
        """One request that brings no event may come from this address: None."""
        name = None if ip is None else bucket_of(ip)
        if self._address is not None and name is not None and (wait_ms := self._address.take(name, now_ms)):
            return self._later(RequestRefusal.RATE_ADDRESS, wait_ms, now_ms)
        return None

    def charge(self, ip: str | None, events: int, now_ms: int) -> None:
        """The further events of a request that came in."""
        name = None if ip is None else bucket_of(ip)
        if self._address is not None and name is not None:
            self._address.charge(name, events, now_ms)
        if self._site is not None:
            self._site.charge(_SITE, events, now_ms)

    def _later(self, reason: RequestRefusal, wait_ms: float, now_ms: int) -> TooMany:
        settings = self._settings
        if reason == RequestRefusal.RATE_ADDRESS:
            fill_s = settings.address_burst / (settings.address_per_s or math.inf)
        else:
            fill_s = settings.site_burst / (settings.site_per_s or math.inf)
        if self._reminder.is_due(reason, now_ms):
            _log.warning("too many events", reason=str(reason), advice=_WORDS[reason][1])
        return TooMany(reason, math.ceil(wait_ms / SECOND_MS + fill_s * _ROOM))


_WORDS = {
    RequestRefusal.RATE_ADDRESS: (
        "too many events or requests from this address; keep them and send them again later",
        "an address sends more than limits.address_per_s; if it is your proxy, name it in listen.trusted_proxies",
    ),
    RequestRefusal.RATE_SITE: (
        "too many events now; keep them and send them again later",
        "all together send more than limits.site_per_s",
    ),
}


@lru_cache(maxsize=16_384)
def bucket_of(ip: str) -> Name | None:
    """Whose bucket an address uses: its own, or that of its /64 (a household's, IPv6). None: a private address."""
    if ":" in ip:  # of IPv6 only 2000::/3 is the open internet
        return inet_pton(AF_INET6, ip)[:8] if ip[0] in "23" and ip[4:5] == ":" else None
    return ip if ip.partition(".")[0] not in _SPECIAL or is_public(ip) else None


@lru_cache(maxsize=256)
def _later(reason: RequestRefusal, after_s: int) -> Answer:
    return failure(429, _WORDS[reason][0], f"Retry-After: {after_s}\r\n".encode())
