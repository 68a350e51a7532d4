"""What DNS says of a host: its chain of CNAMEs and its addresses of both versions. One of the doctor's two ways out."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from dns import asyncresolver, exception, rdatatype, resolver

from proxy.config.origins import is_address
from proxy.doctor.safari import Place

TIMEOUT_S = 5.0


class DnsTroubleError(Exception):
    """A host that cannot be resolved; the message says why, for people."""


class Dns:
    """`server`: HOST or HOST:PORT of the resolver to ask, instead of the system's."""

    def __init__(self, server: str | None = None) -> None:
        """`ValueError` when `server` is no IP address with or without a port."""
        self._server: str | None = None
        self._port = 53
        if server is not None:
            self._server, self._port = _parsed(server)

    async def place(self, host: str) -> Place:
        """Raises `DnsTroubleError` when there is no address at all."""
        if is_address(host):
            return Place(host=host, addresses=(host,))
        asking = self._resolver()
        aliases: tuple[str, ...] = ()
        addresses: list[str] = []
        for kind in (rdatatype.A, rdatatype.AAAA):
            try:
                answer = await asking.resolve(f"{host}.", kind, raise_on_no_answer=False, search=False)
            except resolver.NXDOMAIN:
                raise DnsTroubleError(f"{host} does not exist in DNS") from None
            except exception.DNSException as error:
                raise DnsTroubleError(f"{host}: no usable answer from DNS ({type(error).__name__})") from None
            addresses += [record.to_text() for record in answer.rrset or ()]
            chain = answer.chaining_result.cnames
            aliases = aliases or tuple(
                record.target.to_text(omit_final_dot=True).lower() for alias in chain for record in alias
            )
        if not addresses:
            raise DnsTroubleError(f"{host} has neither an A nor an AAAA record")
        return Place(host=host, aliases=aliases, addresses=tuple(addresses))

    def _resolver(self) -> asyncresolver.Resolver:
        if self._server is None:
            try:
                asking = asyncresolver.Resolver()
            except exception.DNSException:
                raise DnsTroubleError("this machine has no DNS resolver configured (see --resolver)") from None
        else:
            asking = asyncresolver.Resolver(configure=False)
            asking.nameservers, asking.port = [self._server], self._port
        asking.lifetime = TIMEOUT_S
        return asking


def _parsed(server: str) -> tuple[str, int]:
    host, port = server, "53"
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif server.count(":") == 1:
        host, _, port = server.partition(":")
    if not is_address(host) or not port.isdecimal():
        raise ValueError(
            f"{server!r} is not the address of a resolver; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
        )
    return host, int(port)


def in_order(addresses: Sequence[str]) -> list[str]:
    """As a browser with both versions tries them: IPv6 first."""
    return sorted(addresses, key=lambda address: -ip_address(address).version)
