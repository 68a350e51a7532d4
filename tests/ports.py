"""Ports for servers that are told where to listen, and do it only later, or again after a restart."""

import socket
from random import SystemRandom

# Below the range from which the kernel serves whoever asks for any port, connections that go out among them: a port from
# there may be gone when its server has started. 12,000 of them, in an order that no other run of the tests has.
_UNTRIED = iter(SystemRandom().sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """One that nobody listens on; this process is never given it again."""
    for port in _UNTRIED:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port of 12,000 is free")
