"""Google's token endpoint, as far as it can be played without knowing anybody's key.

Source: docs/destinations/google_ads.md (checked 2026-11). A signed grant is checked in everything but the signature's
arithmetic: form, header, claims, times, length. A refresh token must be the sandbox's token. Both buy that token.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from proxy.sandbox.base import REFUSED_TOKEN, TOKEN, Answer, Call

PATH = "/token"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/datamanager"
_LIFETIME_S = 3600
_CLOCK_SLACK_S = 300
_SHORTEST_SIGNATURE = 256  # bytes: RSA with 2048 bits
_FORM = "application/x-www-form-urlencoded"
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")
Refusal = tuple[str, str]


def answer(call: Call, now_ms: int) -> Answer:
    if call.method != "POST" or call.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        return refused("invalid_request", f"A POST with Content-Type {_FORM} is expected.")
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    match form.get("grant_type"):
        case "refresh_token":
            problem = _refresh(form)
        case grant if grant == _JWT_GRANT:
            problem = _assertion(form.get("assertion", ""), now_ms // 1000)
        case other:
            problem = ("unsupported_grant_type", f"Invalid grant_type: {other}")
    if problem is not None:
        return refused(*problem)
    return Answer(
        status=200, body={"access_token": TOKEN, "expires_in": _LIFETIME_S - 1, "scope": SCOPE, "token_type": "Bearer"}
    )


def refused(error: str, description: str) -> Answer:
    status = 401 if error == "invalid_client" else 400
    body = {"error": error, "error_description": description}
    return Answer(status=status, body=body, faults=[f"{error}: {description}"])


def _refresh(form: dict[str, str]) -> Refusal | None:
    if not form.get("client_id") or not form.get("client_secret"):
        return "invalid_client", "The OAuth client was not found."
    if form.get("refresh_token") != TOKEN:
        return "invalid_grant", "Token has been expired or revoked."
    return None


def _assertion(jwt: str, now_s: int) -> Refusal | None:
    segments = jwt.split(".")
    if len(segments) != 3 or not all(map(_SEGMENT.match, segments)):  # noqa: PLR2004 - header, claims, signature
        return "invalid_grant", "Invalid JWT: three base64url segments without padding are expected."
    header, claims, signature = (_decoded(segment) for segment in segments)
    return (
        _header(_object(header))
        or _claims(_object(claims), now_s)
        or (None if len(signature) >= _SHORTEST_SIGNATURE else ("invalid_grant", "Invalid JWT Signature."))
    )


def _header(header: dict[str, Any]) -> Refusal | None:
    if header.get("alg") != "RS256" or header.get("typ", "JWT") != "JWT":
        return "invalid_grant", "Invalid JWT: alg RS256 and typ JWT are expected."
    if not isinstance(header.get("kid"), str) or not header["kid"] or header["kid"] == REFUSED_TOKEN:
        return "invalid_grant", "Invalid JWT Signature."  # Google says no more about a key that was deleted
    return None


def _claims(claims: dict[str, Any], now_s: int) -> Refusal | None:
    if "@" not in str(claims.get("iss", "")):
        return "invalid_grant", "Invalid grant: account not found."
    if claims.get("aud") != _AUDIENCE:
        return "invalid_grant", f"Invalid JWT: Failed audience check; {_AUDIENCE} is expected."
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        return "invalid_grant", "Invalid JWT: iat and exp are expected in Unix seconds."
    if not (issued <= now_s + _CLOCK_SLACK_S and now_s < expires <= issued + _LIFETIME_S):
        return "invalid_grant", "Invalid JWT: iat and exp must lie around now, at most 60 minutes apart."
    if SCOPE not in str(claims.get("scope", "")).split():
        return "invalid_scope", f"The scope {SCOPE} is expected."
    return None


def _decoded(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        return b""


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
