"""How many connections may be open at once, in all and from one address.

Above either number a new one is told so and closed: loudly, because silence looks like a broken network. Counted by the
connection's other end, so a reverse proxy (a trusted one, or any private address) may have as many as there are.
"""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from proxy.clock import system_clock
from proxy.collector.answers import RequestRefusal, failure
from proxy.collector.buckets import Name
from proxy.collector.client_ip import TrustedProxies
from proxy.collector.limits import bucket_of
from proxy.observe.logs import Reminder, get_logger
from proxy.observe.metrics import requests_refused
from proxy.open_files import room

_log = get_logger("collector")


class Door:
    def __init__(self, most: int, most_per_address: int | None = None, proxies: TrustedProxies | None = None) -> None:
        self._most = min(most, room() or most)
        self._most_per_address = most_per_address
        self._proxies = proxies or TrustedProxies(())
        self._open = 0
        self._by_address: Counter[Name] = Counter()
        self._reminder = Reminder()

    def enter(self, ip: str | None) -> bool:
        """One more connection, from this address (None: unknown). False: there are too many, and it does not count."""
        if self._open >= self._most:
            return self._refused(RequestRefusal.CONNECTIONS)
        name = self._name(ip)
        if name is not None:
            if self._by_address[name] >= (self._most_per_address or self._most):
                return self._refused(RequestRefusal.CONNECTIONS_ADDRESS)
            self._by_address[name] += 1
        self._open += 1
        return True

    def leave(self, ip: str | None) -> None:
        """One that had entered is closed."""
        self._open -= 1
        name = self._name(ip)
        if name is not None:
            self._by_address[name] -= 1
            if not self._by_address[name]:
                del self._by_address[name]

    def _name(self, ip: str | None) -> Name | None:
        return None if self._most_per_address is None or ip is None or ip in self._proxies else bucket_of(ip)

    def _refused(self, reason: RequestRefusal) -> bool:
        requests_refused.labels(reason).inc()
        if self._reminder.is_due(reason, system_clock()):
            _log.warning("too many connections", reason=str(reason), most=self._most, advice=_ADVICE[reason])
        return False


DOOR = web.AppKey("door", Door)
"""Set by an application that has one."""

FULL = failure(503, "too many connections; try again soon", b"Retry-After: 5\r\n", b"Connection: close\r\n")

_ADVICE = {
    RequestRefusal.CONNECTIONS: "limits.connections and the open files a process may have (ulimit -n) bound them",
    RequestRefusal.CONNECTIONS_ADDRESS: "limits.connections_per_address bounds them",
}
