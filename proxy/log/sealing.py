"""What of an event touches the disk: a sealed body and two keyed digests. Nothing else, and nothing readable.

The key of an event recognises the same (id, name) when it comes again. It starts with the time an id tells by itself
(UUIDv7, as our tracker makes them), so that the keys of one minute lie side by side in the index: a random key costs
a page of disk traffic per event once the index outgrows a few thousand entries (44 instead of 21 us of CPU at a
million events, tests/bench/log_append.py --growth), and only foreign ids pay that.
"""

from __future__ import annotations

import msgspec

from proxy.event import Event, decode_event, encode_json
from proxy.log.base import ReaderState
from proxy.privacy.keys import Keyring

_BODY, _KEY, _VISITOR, _STATE, _DETAIL = "log", "log-key", "log-visitor", "log-state", "log-detail"
_CLAIM = "log-claim"


class Row(msgspec.Struct, frozen=True):
    """An event as it is stored."""

    key: bytes
    visitor: int | None
    body: bytes


class Sealing:
    def __init__(self, keys: Keyring) -> None:
        """`keys`: rooted in this log, see `Keyring.rooted`."""
        self._keys = keys

    def row(self, event: Event) -> Row:
        key = self.key(event.id, event.name)
        visitor = None if event.visitor is None else self.visitor(event.visitor.id)
        return Row(key, visitor, self._keys.seal(_BODY, encode_json(event), key))

    def event(self, key: bytes, body: bytes) -> Event | None:
        """None: no key opens it, or what it holds is no event."""
        raw = self._keys.open(_BODY, body, key)
        if raw is None:
            return None
        try:
            return decode_event(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def key(self, event_id: str, name: str) -> bytes:
        digest = self._keys.digest64(_KEY, f"{len(event_id)}:{event_id}{name}".encode())
        return _told_time(event_id) + digest.to_bytes(8, "big", signed=True)

    def visitor(self, visitor_id: str) -> int:
        return self._keys.digest64(_VISITOR, visitor_id.encode())

    def claim(self, reader: str, key: str) -> int:
        return self._keys.digest64(_CLAIM, f"{len(reader)}:{reader}{key}".encode("utf-8", "surrogatepass"))

    def state(self, reader: str, state: ReaderState) -> bytes:
        return self._keys.seal(_STATE, encode_json(state), reader.encode())

    def opened_state(self, reader: str, sealed: bytes) -> ReaderState:
        """A state that cannot be opened (its key is gone) starts afresh: it says how to go on, not where."""
        raw = self._keys.open(_STATE, sealed, reader.encode())
        return ReaderState() if raw is None else msgspec.json.decode(raw, type=ReaderState)

    def detail(self, reader: str, text: str) -> bytes:
        return self._keys.seal(_DETAIL, text.encode(), reader.encode())

    def opened_detail(self, reader: str, sealed: bytes) -> str:
        raw = self._keys.open(_DETAIL, sealed, reader.encode())
        return "" if raw is None else raw.decode()


def _told_time(event_id: str) -> bytes:
    """The six bytes of Unix ms that a UUIDv7 begins with; b"" for every other id."""
    if len(event_id) != 36 or event_id[14] != "7":  # noqa: PLR2004 - the text form of a UUID, its version digit
        return b""
    try:
        return bytes.fromhex(event_id[:8] + event_id[9:13])
    except ValueError:
        return b""
