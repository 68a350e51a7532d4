"""The one file that speaks to platforms: a `Request` goes out, a `Reply` comes back, whatever happens on the way.

It keeps connections, follows no redirect (the answer is judged as it is), keeps no cookie, reads at most `BODY_MAX` of
an answer, takes no proxy from the environment unless asked, and writes no log line. A `public_only` request connects
to no private address, whatever its name resolves to at that moment.
"""

from __future__ import annotations

import socket

import aiohttp
from aiohttp import AddrInfoType, SocketFactoryType
from yarl import URL

import proxy
from proxy.destinations.base import Reply, Request
from proxy.reach import is_public

BODY_MAX = 1_000_000  # bytes of an answer we look at; platforms answer in a few hundred
IDLE_S = 60.0  # an unused connection is kept this long
PER_HOST = 8  # connections to one host; readers send one request at a time each

WORDS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits, so the narrow ones stand first
    (aiohttp.ClientConnectorDNSError, "name not resolved"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (TimeoutError, "timeout"),
    (aiohttp.ServerDisconnectedError, "connection closed before an answer"),
    (aiohttp.ClientPayloadError, "answer cut off"),
    (aiohttp.ClientConnectorError, "not reachable"),
    (aiohttp.InvalidURL, "invalid address"),
    (aiohttp.NonHttpUrlClientError, "invalid address"),
    (aiohttp.ClientResponseError, "answer is not HTTP"),
    (OSError, "connection reset"),
    (ValueError, "invalid request"),
)


class NotPublicError(OSError):
    """A connection to an inner network was about to be made for a request that may not go there."""


class Sender:
    def __init__(self, *, proxies_from_env: bool = False) -> None:
        """Needs a running event loop at the first `send`, not here."""
        self._proxies_from_env = proxies_from_env
        self._session: aiohttp.ClientSession | None = None
        self._public: aiohttp.ClientSession | None = None  # connections are kept apart, so that none is shared

    async def send(self, request: Request, timeout_s: float) -> Reply:
        """Never raises for trouble on the way: then `status` is 0 and `error` says in a word what went wrong."""
        try:
            session = self._open_public() if request.public_only else self._open()
            async with session.request(
                request.method,
                URL(request.url, encoded=True),  # exactly what `explain` shows
                data=request.body,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                body = await _bounded(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(status=response.status, headers=headers, body=body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            return Reply(status=0, error=_word(fault))

    async def close(self) -> None:
        for session in (self._session, self._public):
            if session is not None:
                await session.close()
        self._session = self._public = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = _session(trust_env=self._proxies_from_env)
        return self._session

    def _open_public(self) -> aiohttp.ClientSession:
        """Never by a proxy: it would connect for us, and we could not see where."""
        if self._public is None:
            self._public = _session(trust_env=False, socket_factory=_public_socket)
        return self._public


def _session(*, trust_env: bool, socket_factory: SocketFactoryType | None = None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=PER_HOST, keepalive_timeout=IDLE_S, socket_factory=socket_factory
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"firsthand/{proxy.__version__}"},
        trust_env=trust_env,
    )


def _public_socket(info: AddrInfoType) -> socket.socket:
    """Called with the very address a connection goes to, so a name that changes between look-ups gains nothing."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise NotPublicError("address is not public")
    return socket.socket(family=family, type=kind, proto=protocol)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The answer's body; what is beyond `BODY_MAX` is not read and its connection not used again."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= BODY_MAX:
            response.close()
            break
    return bytes(body[:BODY_MAX])


def _word(fault: Exception) -> str:
    """Short, stable, free of addresses and URLs: it becomes `last_error` and part of a log line."""
    if isinstance(fault, aiohttp.ClientConnectorError):
        if isinstance(fault.os_error, NotPublicError):
            return "address is not public"
        if isinstance(fault.os_error, ConnectionRefusedError):
            return "connection refused"
    return next((word for kind, word in WORDS if isinstance(fault, kind)), "no answer")
