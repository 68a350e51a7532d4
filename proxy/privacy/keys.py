"""Keys: sealing what we store or hand to a browser, and keyed digests for finding it again.

The operator has a few keys; the first seals, all open. From each key one subkey per *purpose* is derived, so a cookie
never opens as a log entry. Sealed bytes are

    version (1)  key id (3)  nonce (12)  ciphertext and tag (AES-256-GCM)

Nonces are random: two of 2**40 seals under one key share one with odds below 1 in 100,000. File I/O happens only in
`load_or_create`. No message of this module ever shows a key.

Digests (`digest64`, `pseudonym`) must outlive a rotation. They hang on the *last*, oldest key, so putting a new key in
front changes none of them; but taking the last key away changes all. Data that outlives its keys (the event log) avoids
that with a root of its own, sealed and stored beside the data: see `Keyring.rooted`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.observe.logs import get_logger

KEY_BYTES = 32
OVERHEAD_BYTES = 1 + 3 + 12 + 16
"""How much longer sealed bytes are than what was sealed."""

_VERSION = b"\x01"
_ROOT = "digest root"
_SEPARATORS = re.compile(r"[\s,]+")


class Keyring:
    """The operator's keys, ready to use. Make one per process and keep it: subkeys are derived once per purpose."""

    def __init__(self, keys: Sequence[bytes], *, root: bytes | None = None) -> None:
        """`keys`: 32 bytes each, the first seals. `root`: what digests hang on; default: the last key."""
        if not keys:
            raise ValueError("no key given: make one with `firsthand keygen`")
        self._keys = tuple(keys)
        self._root = keys[-1] if root is None else root
        self._ids = [_derive(key, "key id", 3) for key in keys]
        for position, key_id in enumerate(self._ids):
            if (first := self._ids.index(key_id)) < position:
                raise ValueError(f"key {position + 1} repeats key {first + 1}: keep one of them")
        self._ciphers: dict[str, dict[bytes, AESGCM]] = {}
        self._digests: dict[tuple[str, int], hashlib.blake2b] = {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys as `firsthand keygen` prints them, separated by commas or whitespace. `ValueError` says which is bad."""
        parts = [part for part in _SEPARATORS.split(text) if part]
        return cls([_decode(part, f"key {number} of {len(parts)}") for number, part in enumerate(parts, 1)])

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys)} key(s))"

    def seal(self, purpose: str, plaintext: bytes, context: bytes = b"") -> bytes:
        """Encrypt and authenticate. `context` is not stored: `open` must be given the same (a row's key, say)."""
        key_id = self._ids[0]
        nonce = os.urandom(12)
        return b"".join(
            (_VERSION, key_id, nonce, self._for(purpose)[key_id].encrypt(nonce, plaintext, _bound(key_id, context)))
        )

    def open(self, purpose: str, sealed: bytes, context: bytes = b"") -> bytes | None:
        """What was sealed; None when it is forged, cut, of another purpose or context, or its key is gone."""
        if len(sealed) < OVERHEAD_BYTES or sealed[:1] != _VERSION:
            return None
        key_id = sealed[1:4]
        cipher = self._for(purpose).get(key_id)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(sealed[4:16], sealed[16:], _bound(key_id, context))
        except InvalidTag:
            return None

    def is_current(self, sealed: bytes) -> bool:
        """Sealed with the first key? If not, whoever stores it may want to seal it again. Proves nothing else."""
        return sealed[1:4] == self._ids[0]

    def digest64(self, purpose: str, data: bytes) -> int:
        """A keyed 64-bit hash as a signed integer, which is what SQLite stores in eight bytes."""
        return int.from_bytes(self._digest(purpose, data, 8), "big", signed=True)

    def pseudonym(self, purpose: str, data: bytes) -> bytes:
        """A keyed 128-bit hash: finds the same `data` again, tells nothing about it without the key."""
        return self._digest(purpose, data, 16)

    def rooted(self, stored: bytes | None) -> tuple[Keyring, bytes]:
        """The same keys with digests that survive every rotation, and the sealed root to store beside the data.

        `stored`: what an earlier call returned, None the first time. The returned bytes are those to store from now
        on: they change when the first key has, so an old key can be taken away once nothing sealed with it is left.
        `ValueError` when no key opens `stored`.
        """
        if stored is not None and self.is_current(stored) and (root := self.open(_ROOT, stored)) is not None:
            return Keyring(self._keys, root=root), stored
        root = os.urandom(KEY_BYTES) if stored is None else self.open(_ROOT, stored)
        if root is None:
            raise ValueError("the keys given are not those this data was stored with: add the missing key at the end")
        return Keyring(self._keys, root=root), self.seal(_ROOT, root)

    def _for(self, purpose: str) -> dict[bytes, AESGCM]:
        ciphers = self._ciphers.get(purpose)
        if ciphers is None:
            pairs = zip(self._ids, self._keys, strict=True)
            ciphers = {key_id: AESGCM(_derive(key, f"seal {purpose}", KEY_BYTES)) for key_id, key in pairs}
            self._ciphers[purpose] = ciphers
        return ciphers

    def _digest(self, purpose: str, data: bytes, size: int) -> bytes:
        prepared = self._digests.get((purpose, size))
        if prepared is None:
            key = _derive(self._root, f"digest {purpose}", KEY_BYTES)
            prepared = self._digests[purpose, size] = hashlib.blake2b(key=key, digest_size=size)
        digest = prepared.copy()
        digest.update(data)
        return digest.digest()


def generate_key() -> str:
    """A new key as text: 43 characters of base64url."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).rstrip(b"=").decode()


def load_or_create(path: Path) -> Keyring:
    """The keys in a file; made with one new key, readable by its owner only, if there is none.

    Several processes may call this at once: one file wins, and nobody sees it half written. A file other users can
    read is used, with a warning (some container volumes cannot do better). `ValueError` names the file when it does
    not hold keys; `OSError` when the folder cannot be written or the file not read.
    """
    if not path.exists():
        create_file(path, generate_key() + "\n")
    if (mode := stat.S_IMODE(path.stat().st_mode)) & stat.S_IROTH:
        get_logger("keys").warning(
            "key_file_readable_by_others", file=str(path), mode=f"{mode:04o}", advice="chmod 600"
        )
    try:
        return Keyring.parse(path.read_text(encoding="ascii"))
    except UnicodeDecodeError:
        raise ValueError(f"key file {path}: not text as `firsthand keygen` prints it") from None
    except ValueError as error:
        raise ValueError(f"key file {path}: {error}") from None


def create_file(path: Path, text: str) -> None:
    """A file for its owner only, whole or not at all; nothing happens when somebody else was first."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)  # written aside, then put into place
    finally:
        Path(temporary).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # a key lost to a power cut would make everything stored after it unreadable
    finally:
        os.close(folder)


def _decode(text: str, which: str) -> bytes:
    advice = f"expected {KEY_BYTES} bytes as 43 characters A-Z a-z 0-9 - _, as `firsthand keygen` prints them"
    try:
        key = binascii.a2b_base64(text.rstrip("=").replace("-", "+").replace("_", "/") + "=", strict_mode=True)
    except ValueError:  # binascii.Error is one
        raise ValueError(f"{which}: {advice}; this has {len(text)} characters or others than those") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"{which}: {advice}; this has {len(text)} characters")
    return key


def _derive(key: bytes, info: str, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"firsthand 1 {info}".encode()).derive(key)


def _bound(key_id: bytes, context: bytes) -> bytes:
    """Associated data: everything outside the ciphertext that must not be exchangeable."""
    return _VERSION + key_id + context
