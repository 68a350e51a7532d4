"""The doctor's requests: what the page and the collector answer, and the certificate they show. Raises nothing.

Connections go to the addresses DNS gave the doctor, so that what is judged is what was asked; redirects are not
followed and no cookie is kept.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

import proxy
from proxy.clock import Clock

TIMEOUT_S = 10.0
BODY_MAX = 1_000_000


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`status` 0: no answer, and `error` says why. `headers`: lower-case names, each value in order. `at_ms`: our clock
    half-way between question and answer."""

    url: str
    status: int = 0
    headers: Mapping[str, tuple[str, ...]] = {}
    body: bytes = b""
    error: str = ""
    at_ms: int = 0
    took_ms: int = 0

    def header(self, name: str) -> str:
        """All values of a header as one line, "" when it is absent."""
        return ", ".join(self.headers.get(name, ()))


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Of one address of a host. `error`: why no browser would connect; then the rest is empty."""

    address: str
    version: str = ""  # "TLSv1.3"
    expires_s: float = 0.0  # Unix seconds
    error: str = ""
    unreachable: bool = False  # no connection at all, so nothing is known about the certificate


class Fetcher:
    """`places`: host -> addresses. Use as an async context manager."""

    def __init__(self, places: dict[str, tuple[str, ...]], context: ssl.SSLContext, clock: Clock) -> None:
        self._context, self._clock = context, clock
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Known(places), ssl=context, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers={"User-Agent": f"Mozilla/5.0 (compatible; firsthand-doctor/{proxy.__version__})"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        before_ms = self._clock()
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                told = await response.content.read(BODY_MAX)
                after_ms = self._clock()
                found: dict[str, tuple[str, ...]] = {}
                for name, value in response.headers.items():
                    found[name.lower()] = (*found.get(name.lower(), ()), value)
                return Answer(
                    url=url,
                    status=response.status,
                    headers=found,
                    body=told,
                    at_ms=(before_ms + after_ms) // 2,
                    took_ms=after_ms - before_ms,
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Answer(url=url, error=_words(error))

    async def certificate(self, host: str, port: int, address: str) -> Certificate:
        """The TLS handshake a browser would make with this address."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, writer = await asyncio.open_connection(address, port, ssl=self._context, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            return Certificate(address=address, error=error.verify_message or "the certificate is not valid")
        except ssl.SSLError as error:
            return Certificate(address=address, error=f"the TLS handshake fails ({error.reason})")
        except (TimeoutError, OSError) as error:
            return Certificate(address=address, error=_words(error), unreachable=True)
        try:
            shown: dict[str, Any] = writer.get_extra_info("peercert") or {}
            version = writer.get_extra_info("ssl_object").version()
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                await writer.wait_closed()
        return Certificate(address=address, version=version, expires_s=ssl.cert_time_to_seconds(shown["notAfter"]))


class _Known(AbstractResolver):
    """Answers aiohttp with what DNS told the doctor, in the order a browser tries addresses."""

    def __init__(self, places: dict[str, tuple[str, ...]]) -> None:
        self._places = places

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's interface
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._places.get(host, ())
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the certificate is not valid for this host"
    if isinstance(error, aiohttp.ClientSSLError):
        return "the TLS handshake fails"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection is refused or the network cannot be reached"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection is closed without an answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"no usable answer ({type(error).__name__})"
