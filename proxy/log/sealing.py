"""What of an event touches the disk: a sealed body and two keyed digests. Nothing else, and nothing readable.

The key of an event recognises the same (id, name) when it comes again. It starts with the time an id tells by itself
(UUIDv7, as our tracker makes them), so that the keys of one minute lie side by side in the index: a random key costs
a page of disk traffic per event once the index outgrows a few thousand entries (44 instead of 21 us of CPU at a
million events, tests/bench/log_append.py --growth), and only foreign ids pay that.
"""

from __future__ import annotations

import msgspec

from proxy.event import Event, Purpose, decode_event, encode_json, replace
from proxy.log.base import ReaderState
from proxy.privacy.keys import Keyring
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal

_BODY, _KEY, _VISITOR, _STATE, _DETAIL = "log", "log-key", "log-visitor", "log-state", "log-detail"
_CLAIM, _CONSENT, _ORDER = "log-claim", "log-consent", "log-order"


class Row(msgspec.Struct, frozen=True):
    """An event as it is stored."""

    key: bytes
    visitor: int | None
    body: bytes
    order: int | None = None  # the order it names, where that is to be remembered


class ProofRow(msgspec.Struct, frozen=True):
    """A proof of consent as it is stored."""

    at_ms: int
    visitor: int
    body: bytes


class RefusalRow(msgspec.Struct, frozen=True):
    """A refusal as it is stored."""

    visitor: int
    refused: str


class Sealing:
    def __init__(self, keys: Keyring) -> None:
        """`keys`: rooted in this log, see `Keyring.rooted`."""
        self._keys = keys

    def row(self, event: Event, order: str | None = None) -> Row:
        """`order`: the one it names, if that is to be remembered."""
        key = self.key(event.id, event.name)
        visitor = None if event.visitor is None else self.visitor(event.visitor.id)
        named = None if order is None else self.order(order)
        return Row(key, visitor, self._keys.seal(_BODY, encode_json(event), key), named)

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

    def proof(self, proof: Proof) -> ProofRow:
        visitor = self.visitor(proof.visitor)
        return ProofRow(proof.at, visitor, self.proof_body(visitor, proof))

    def proof_body(self, visitor: int, proof: Proof) -> bytes:
        """Without the visitor id, which only the digest beside it stands for."""
        return self._keys.seal(_CONSENT, encode_json(replace(proof, visitor="")), _bytes(visitor))

    def opened_proof(self, visitor: int, body: bytes) -> Proof | None:
        raw = self._keys.open(_CONSENT, body, _bytes(visitor))
        return None if raw is None else msgspec.json.decode(raw, type=Proof)

    def refusal(self, refusal: Refusal) -> RefusalRow:
        return RefusalRow(self.visitor(refusal.visitor), "".join(purpose[0] for purpose in refusal.purposes))

    def visitor(self, visitor_id: str) -> int:
        return self._keys.digest64(_VISITOR, visitor_id.encode())

    def order(self, order_id: str) -> int:
        return self._keys.digest64(_ORDER, order_id.encode("utf-8", "surrogatepass"))

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


def refused(letters: str | None) -> tuple[Purpose, ...]:
    """The purposes of `RefusalRow.refused`, of one row or of several put together."""
    return tuple(purpose for purpose in Purpose if purpose[0] in letters) if letters else ()


def _bytes(digest: int) -> bytes:
    return digest.to_bytes(8, "big", signed=True)


def _told_time(event_id: str) -> bytes:
    """The six bytes of Unix ms that a UUIDv7 begins with; b"" for every other id."""
    if len(event_id) != 36 or event_id[14] != "7":  # noqa: PLR2004 - the text form of a UUID, its version digit
        return b""
    try:
        return bytes.fromhex(event_id[:8] + event_id[9:13])
    except ValueError:
        return b""
