"""What the supervising process and its children say to each other: one JSON line each, over a socket pair.

The pair has no name and no address, so nobody else can speak on it, and its end is how a child learns that its parent
is gone. After a restart in place a parent speaks with children of the version before: messages may gain fields that
have defaults, and nothing else may change in them.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from enum import StrEnum
from typing import Self

import msgspec

from proxy.observe.merge import Sample

_LINE = 64 * 1024 * 1024  # asyncio wants a bound; a page of metrics or a configuration is far below


class Role(StrEnum):
    COLLECTOR = "collector"
    RELAY = "relay"


class Begin(msgspec.Struct, frozen=True, tag=True):
    """To a child, first: what to be. It gets everything ready, and does nothing yet."""

    role: Role
    path: str  # of the configuration
    text: bytes  # of the configuration
    sockets: tuple[int, ...]  # inherited, to accept from


class Go(msgspec.Struct, frozen=True, tag=True):
    """To a child: collect, or relay, from now on."""


class Leave(msgspec.Struct, frozen=True, tag=True):
    """To a child: take nothing new, finish what is under way, end. A second one may only shorten the time."""

    linger_s: float


class Measure(msgspec.Struct, frozen=True, tag=True):
    """To a child: tell your metrics."""


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """From a child: `Go` takes effect at once."""


class Measured(msgspec.Struct, frozen=True, tag=True):
    """From a child: the metrics; unasked as its last word."""

    samples: tuple[Sample, ...]


Message = Begin | Go | Leave | Measure | Prepared | Measured
_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Message)


class Channel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `open`."""
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LINE))

    def send(self, message: Message) -> None:
        """To somebody who has ended it is lost, like what he has not read."""
        if not self._writer.is_closing():
            self._writer.write(_encoder.encode(message) + b"\n")

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Until the other end is closed."""
        with suppress(ConnectionError):
            while (line := await self._reader.readline()).endswith(b"\n"):
                with suppress(msgspec.DecodeError):  # the rest of a line that was begun before a restart in place
                    yield _decoder.decode(line)

    def copy(self) -> int:
        """Another descriptor of this end, which keeps it open when this process becomes another program."""
        return os.dup(self._writer.get_extra_info("socket").fileno())

    async def close(self) -> None:
        """What was sent still arrives."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
