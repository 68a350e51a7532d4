"""How Google's access tokens are bought: a service account's signed grant, or a user's refresh token. Pure.

Reads key files, writes the form for Google's token endpoint and reads its answer; whoever sends it keeps the token.
No key, grant or token ever stands in a message made here. Sources: RFC 7523, RFC 6749 section 5.2, Google Identity,
"Using OAuth 2.0 for server to server applications" (checked 2026-11).
"""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.clock import SECOND_MS
from proxy.destinations._answer import TRY_AGAIN, one_line
from proxy.destinations.base import Reply, Request, Secret, Token
from proxy.destinations.verdict import AuthBroken, RetryLater
from proxy.event import encode_json

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_S = 3600  # the longest a grant may live

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_TRANSIENT = frozenset({"server_error", "temporarily_unavailable", "internal_failure"})
_SENDABLE = re.compile(r"[\x21-\x7e]+")  # what may stand in a header
_LONG_WORD = re.compile(r"\S{40,}")  # no explanation has such words, credentials are such words

ADVICE = {
    "invalid_grant": "With a service account: see that its key still exists (Google Cloud, IAM, Service accounts, "
    "Keys) and that this machine's clock is right. With a refresh token: it was revoked or has expired (after 7 days "
    "while the consent screen is in testing); make a new one.",
    "invalid_client": "client_id and client_secret must be of one OAuth client that still exists.",
    "deleted_client": "The OAuth client was deleted; make a new one and a new refresh_token.",
    "disabled_client": "The OAuth client or its project is disabled; enable it in Google Cloud.",
    "unauthorized_client": "This client may not use the grant: make the refresh_token with the same client_id.",
    "invalid_scope": "Make the refresh_token again with the scope https://www.googleapis.com/auth/datamanager.",
    "access_denied": "An administrator of your organisation blocks this client; ask for an exception.",
}
"""OAuth error -> what the operator does. It is also the list of reasons we name; others count as token_refused."""


class KeyFile(msgspec.Struct, frozen=True, rename={"kind": "type", "key_id": "private_key_id"}):
    """What we read of a service account's JSON key."""

    kind: Literal["service_account"]
    client_email: str
    private_key: str
    key_id: str = ""


class ServiceAccount:
    """A robot user of Google Cloud, known by its key."""

    def __init__(self, text: str) -> None:
        """`text`: the JSON key as Google hands it out. `ValueError` in words that quote nothing of it."""
        file = _key_file(text)
        self._email, self._key_id = file.client_email, file.key_id
        self._pem = file.private_key.replace("\\n", "\n")  # escaped once more on its way through an environment
        self._key = _private_key(self._pem)

    def form(self, now_ms: int, scope: str) -> dict[str, str]:
        return {"grant_type": GRANT_TYPE, "assertion": self.grant(now_ms, scope)}

    def grant(self, now_ms: int, scope: str) -> str:
        """A signed statement, good for an hour; the same for the same second (PKCS #1 v1.5 rolls no dice)."""
        issued_s = now_ms // SECOND_MS
        header = {"alg": "RS256", "typ": "JWT"} | ({"kid": self._key_id} if self._key_id else {})
        claims = {"iss": self._email, "scope": scope, "aud": TOKEN_URL, "iat": issued_s, "exp": issued_s + GRANT_S}
        signed = b".".join(_base64url(encode_json(part)) for part in (header, claims))
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return b".".join((signed, _base64url(signature))).decode()

    def secrets(self) -> tuple[str, ...]:
        return (self._pem,)


class RefreshToken:
    """A person's consent, given once to an OAuth client."""

    def __init__(self, client_id: str, client_secret: Secret, refresh_token: Secret) -> None:
        self._client_id, self._client_secret, self._refresh_token = client_id, client_secret, refresh_token

    def form(self, now_ms: int, scope: str) -> dict[str, str]:  # noqa: ARG002 - both were fixed with the consent
        return {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
            "refresh_token": self._refresh_token.get_secret_value(),
        }

    def secrets(self) -> tuple[str, ...]:
        return (self._client_secret.get_secret_value(), self._refresh_token.get_secret_value())


Credentials = ServiceAccount | RefreshToken


def request(credentials: Credentials, url: str, now_ms: int, scope: str) -> Request:
    return Request(
        method="POST", url=url, headers=_FORM, body=urlencode(credentials.form(now_ms, scope)).encode("ascii")
    )


def read(reply: Reply, now_ms: int) -> Token | RetryLater | AuthBroken:
    """The token endpoint's answer; `now_ms`: when it was asked, so that the token never seems younger than it is."""
    body = reply.json()
    if isinstance(body, dict) and reply.status == HTTPStatus.OK:
        value, lives_s = body.get("access_token"), body.get("expires_in")
        if isinstance(value, str) and _SENDABLE.fullmatch(value) and type(lives_s) is int and lives_s > 0:
            return Token(value=Secret(value), expires_at_ms=now_ms + lives_s * SECOND_MS)
    if reply.status == 0:
        return RetryLater("token_unanswered", None, reply.error)
    code, words = _error(body)
    is_ours = HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if not is_ours or reply.status in TRY_AGAIN or code in _TRANSIENT or not isinstance(body, dict):
        return RetryLater("token_unavailable", None, words or f"HTTP {reply.status}")
    why = code if code in ADVICE else "token_refused"
    advice = ADVICE.get(code, "Check the credentials; `firsthand check --live` tries them.")
    return AuthBroken(why, words or f"HTTP {reply.status}", advice)


def _error(body: Any) -> tuple[str, str]:
    """The OAuth error code and Google's words, bounded, without anything that could be a credential."""
    if not isinstance(body, dict):
        return "", ""
    said = [one if isinstance(one, str) else "" for one in (body.get("error"), body.get("error_description"))]
    return said[0], _LONG_WORD.sub("***", one_line(*said))


def _key_file(text: str) -> KeyFile:
    if text.strip().startswith(("/", "./", "~")) or text.strip().endswith(".json"):
        raise ValueError("expected the JSON key itself, not its path: write ${file:/run/secrets/google.json}")
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("not the JSON key of a service account: it is no JSON") from None
    if isinstance(found, dict) and found.get("type") == "authorized_user":
        raise ValueError("this is a user's file: give client_id, client_secret and refresh_token from it instead")
    try:
        return msgspec.convert(found, KeyFile)
    except msgspec.ValidationError:
        needed = "type: service_account, client_email and private_key"
        raise ValueError(f"not the JSON key of a service account: it needs {needed}") from None


def _private_key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("its private_key is no readable PEM key; download the JSON key again") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("its private_key is no RSA key; Google's keys are")  # noqa: TRY004 - a fault of the value
    return key


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
