"""The visitor cookie `_fh`: what a browser carries for us, sealed, so that collectors need no store.

It holds a random visitor id, the newest click per platform, first and last touch, the platforms' own cookies (`_fbp`,
`_fbc`, `_ttp`, …) last seen in or given to this browser, what the visitor said about consent, which decision was last
written down as proof of it and, where configured, digests of the person's match keys. Sealed with the cookie subkey of
the keyring, written in base64url, at most 3 kB.
Whatever does not open (forged, cut, of a lost key, of another programme) is no cookie: the codec answers None and never
raises.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from proxy.clock import DAY_MS
from proxy.event import ClickId, Consent, ConsentState, Purpose, Touch, Visitor, replace
from proxy.identity.meta_cookies import fbclid_of
from proxy.privacy.consent import BY_MEMORY
from proxy.privacy.keys import Keyring
from proxy.privacy.proof import Logged

MAX_CHARS = 3000
"""Longer cookies are cut by dropping the oldest clicks. Browsers allow 4096 bytes with the name; servers often 8192
for all headers together."""

LONGEST_MS = 401 * DAY_MS
"""Browsers keep no cookie longer than 400 days, and one is sealed at most a day before it is set. What is older comes
from a backup or a thief, not from a browser, and is no cookie."""

_PURPOSE = "visitor cookie"
_REMEMBERED = 2048  # cookies, opened; some 4 MB, 12 at most


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie holds. `seen_at`: ms, when it was last sealed, which may be a day before it was last set; `fbp`
    counts as forgotten 90 days after that."""

    visitor: Visitor
    seen_at: int
    click_ids: dict[str, ClickId] = {}
    fbp: str | None = None
    fbc: str | None = None
    cookies: dict[str, str] = {}  # other platforms' cookies, name -> value
    touches: tuple[Touch, Touch] | None = None  # first and last
    logged: Logged | None = None  # the last proof of consent
    keys: Mapping[str, tuple[bytes, ...]] = {}  # match keys of the person, as `remembering.Keys`
    reset_at: int = 0  # ms, when the site said that the person has gone; nothing from before counts
    consent: Consent | None = None  # what the visitor said last (`privacy.consent.to_remember`)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """`Remembered` without field names. New fields go to the end, with a default: old cookies still open."""

    visitor: str
    first_seen: int
    seen_at: int
    fbp: str | None
    fbc: str | None
    clicks: list[tuple[str, int, str | None]]  # name, ms, value; None: the one inside `fbc`
    cookies: dict[str, str] = {}
    touches: list[tuple[str, int, str]] = []  # first and last, or the one that is both
    logged: tuple[str, int] | None = None
    keys: dict[str, tuple[bytes, ...]] = {}
    reset_at: int = 0
    consent: tuple[str, int] | None = None  # a letter per purpose, ms


def visitor_id(random_128_bits: int) -> str:
    """`v_` and 26 lower-case characters of base32; never 32 or 64 hex digits, which would pass for a hash."""
    raw = (random_128_bits & (2**128 - 1)).to_bytes(16, "big")
    return "v_" + base64.b32encode(raw).decode().rstrip("=").lower()


class VisitorCookie:
    """Seals and opens the cookie's value."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(_Packed)
        self.decode = lru_cache(maxsize=_REMEMBERED)(self._decode)
        """`_decode`, remembered: the events of a visit come one after the other, and opening takes 5 us."""

    def encode(self, remembered: Remembered) -> str:
        """A cookie value of at most `MAX_CHARS`; the oldest clicks go first when it does not fit, then match keys."""
        clicks = sorted(remembered.click_ids.items(), key=lambda item: item[1].clicked_at, reverse=True)
        while True:
            text = self._seal(remembered, clicks)
            if len(text) <= MAX_CHARS or not (clicks or remembered.keys):
                return text
            if clicks:
                clicks.pop()
            else:
                remembered = replace(remembered, keys={})

    def renew(self, remembered: Remembered, before: Remembered | None, text: str) -> str:
        """As `encode`, for a browser that brought `text`, which holds `before`. Where that is no older than a day and
        says the same, sealed with the first key, it goes back as it came: `Max-Age` beside it starts anew all the
        same. Saves 3 of the 8 us that all cookies of an answer take (tests/bench/ingest.py --parts)."""
        if (
            before is not None
            and 0 <= remembered.seen_at - before.seen_at < DAY_MS
            and replace(remembered, seen_at=before.seen_at) == before
            and self._keyring.is_current(binascii.a2b_base64(_plain(text[:8])))
        ):
            return text
        return self.encode(remembered)

    def _decode(self, value: str) -> Remembered | None:
        """None unless this keyring sealed it."""
        if len(value) > MAX_CHARS:
            return None
        try:
            text = _plain(value)
            sealed = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
        except ValueError:  # binascii.Error is one; so is what non-ASCII text raises
            return None
        raw = self._keyring.open(_PURPOSE, sealed)
        if raw is None:
            return None
        try:
            packed = self._decoder.decode(raw)
        except msgspec.DecodeError:
            return None
        inside = fbclid_of(packed.fbc) if packed.fbc else None
        values = ((name, at, inside if value is None else value) for name, at, value in packed.clicks)
        return Remembered(
            visitor=Visitor(id=packed.visitor, first_seen=packed.first_seen),
            seen_at=packed.seen_at,
            click_ids={name: ClickId(value=value, clicked_at=at) for name, at, value in values if value is not None},
            fbp=packed.fbp,
            fbc=packed.fbc,
            cookies=packed.cookies,
            touches=_touches(packed.touches),
            logged=None if packed.logged is None else Logged(*packed.logged),
            keys=packed.keys,
            reset_at=packed.reset_at,
            consent=_consent(packed.consent),
        )

    def _seal(self, remembered: Remembered, clicks: list[tuple[str, ClickId]]) -> str:
        inside, consent = fbclid_of(remembered.fbc) if remembered.fbc else None, remembered.consent
        packed = _Packed(
            remembered.visitor.id,
            remembered.visitor.first_seen,
            remembered.seen_at,
            remembered.fbp,
            remembered.fbc,
            [
                (name, click.clicked_at, None if name == "fbclid" and click.value == inside else click.value)
                for name, click in clicks
            ],
            remembered.cookies,
            [(touch.click, touch.at, touch.evidence) for touch in dict.fromkeys(remembered.touches or ())],
            None if remembered.logged is None else (remembered.logged.states, remembered.logged.at),
            dict(remembered.keys),
            remembered.reset_at,
            None if consent is None else ("".join(consent.state(purpose)[0] for purpose in Purpose), consent.time or 0),
        )
        sealed = self._keyring.seal(_PURPOSE, self._encoder.encode(packed))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _touches(packed: list[tuple[str, int, str]]) -> tuple[Touch, Touch] | None:
    touches = [Touch(click=click, at=at, evidence=evidence) for click, at, evidence in packed]
    return (touches[0], touches[-1]) if touches else None


_STATES = {state[0]: state for state in ConsentState}


def _consent(packed: tuple[str, int] | None) -> Consent | None:
    if packed is None:
        return None
    letters, time = packed
    states = {
        str(purpose): _STATES.get(letter, ConsentState.UNKNOWN)
        for purpose, letter in zip(Purpose, letters, strict=False)
    }
    return Consent(**states, source=BY_MEMORY, time=time)


def _plain(text: str) -> str:
    """Base64 as `binascii` reads it."""
    return text.replace("-", "+").replace("_", "/")  # `translate` takes twenty times as long
