"""Buying Google's access tokens: the grant is signed as the vector says, and every answer is read without a leak."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from proxy.destinations import _google_auth as auth
from proxy.destinations.base import Reply, Token
from proxy.destinations.google_ads import SCOPE, GoogleAds
from proxy.destinations.verdict import AuthBroken, RetryLater

JWT = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())["jwt"]
NOW_MS = JWT["grant"]["claims"]["iat"] * 1000 + 999


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def key_file(key):
    return {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": JWT["grant"]["header"]["kid"],
        "private_key": pem_of(key),
        "client_email": JWT["grant"]["claims"]["iss"],
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def google(**settings):
    given = {"customer_id": "1234567890", "conversion_actions": {"lead": "1"}, **settings}
    return GoogleAds("g", GoogleAds.Settings(kind="google_ads", **given))


def opened(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_service_accounts_grant_is_the_vector_and_its_signature_holds(key, key_file):
    request = google(service_account=json.dumps(key_file)).token_request(NOW_MS)
    form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
    header, claims, signature = form["assertion"].split(".")
    assert (request.method, request.url) == ("POST", JWT["grant"]["post"])
    assert request.headers["Content-Type"] == JWT["grant"]["content_type"]
    assert form["grant_type"] == JWT["grant"]["form"]["grant_type"]
    assert opened(header) == JWT["grant"]["header"]
    assert opened(claims) == JWT["grant"]["claims"]
    assert "=" not in form["assertion"]
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    key.public_key().verify(raw, f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


def test_the_same_second_is_the_same_grant(key_file):
    account = auth.ServiceAccount(json.dumps(key_file))
    assert account.grant(NOW_MS, SCOPE) == account.grant(NOW_MS - 999, SCOPE) != account.grant(NOW_MS + 1, SCOPE)


def test_a_refresh_token_is_traded_in_as_the_vector_says():
    login = {"client_id": "<id>", "client_secret": "<secret>", "refresh_token": "<token>"}
    request = google(**login).token_request(NOW_MS)
    assert request.url == JWT["refresh"]["post"]
    assert request.headers["Content-Type"] == JWT["refresh"]["content_type"]
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == JWT["refresh"]["form"]


def test_a_stand_in_sells_tokens_too():
    login = {"client_id": "i", "client_secret": "s", "refresh_token": "t"}
    assert google(**login, base_url="http://127.0.0.1:8090/").token_request(0).url == "http://127.0.0.1:8090/token"
    assert google(**login, base_url="http://x.test", token_url="http://y.test/t").token_request(0).url == (
        "http://y.test/t"
    )


def test_a_key_that_went_through_an_environment_is_read(key_file):
    escaped = {**key_file, "private_key": key_file["private_key"].replace("\n", "\\n")}
    plain = auth.ServiceAccount(json.dumps(key_file))
    assert auth.ServiceAccount(json.dumps(escaped)).grant(NOW_MS, SCOPE) == plain.grant(NOW_MS, SCOPE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("/run/secrets/google.json", r"write \$\{file:/run/secrets/google\.json\}"),
        ("google.json", "not its path"),
        ("not json", "no JSON"),
        ("[1]", "it needs type: service_account"),
        ({"type": "authorized_user"}, "give client_id, client_secret and refresh_token"),
        ({"client_email": None}, "it needs type: service_account, client_email and private_key"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"}, "no readable PEM key"),
        ({"private_key": pem_of(ec.generate_private_key(ec.SECP256R1()))}, "no RSA key"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_fault_of_the_setting_without_quoting_it(key_file, changes, words):
    text = changes if isinstance(changes, str) else json.dumps({**key_file, **changes})
    with pytest.raises(ValidationError, match=words) as caught:
        google(service_account=text)
    said = caught.value.errors()[0]["msg"]
    assert "c2VjcmV0" not in said
    assert "BEGIN" not in said


def test_one_kind_of_credentials_is_enough(key_file):
    with pytest.raises(ValidationError, match="service_account excludes"):
        google(service_account=json.dumps(key_file), client_id="c")


def test_the_key_is_hidden_and_known_for_redaction(key_file):
    text = json.dumps(key_file)
    made = google(service_account=text)
    assert set(made.secrets()) == {text, key_file["private_key"]}
    assert made.secrets()[0] == text  # the longest first
    assert "PRIVATE KEY" not in repr(made.settings)


def read(status, body=None, raw=None):
    body = json.dumps(body).encode() if raw is None else raw
    return google(client_id="i", client_secret="s", refresh_token="t").read_token(
        Reply(status=status, body=body, error="" if status else "timeout"), NOW_MS
    )


def test_a_token_ends_when_google_says_counted_from_when_it_was_asked_for():
    token = read(200, {"access_token": "ya29.abc", "expires_in": 3599, "token_type": "Bearer"})
    assert isinstance(token, Token)
    assert token.value.get_secret_value() == "ya29.abc"
    assert token.expires_at_ms == NOW_MS + 3_599_000
    assert "ya29" not in repr(token)


@pytest.mark.parametrize(
    "answer",
    [
        (0, None, b""),
        (200, {"id_token": "x"}, None),
        (200, {"access_token": "a\r\nX: y", "expires_in": 3600}, None),
        (200, {"access_token": "abc", "expires_in": -1}, None),
        (200, {"access_token": "abc", "expires_in": True}, None),
        (200, None, b"<html>"),
        (302, {}, None),
        (400, None, b"<html>"),
        (400, {"error": "temporarily_unavailable"}, None),
        (400, {"error": "internal_failure"}, None),
        (408, {}, None),
        (429, {"error": "rate_limit_exceeded"}, None),
        (500, {"error": "server_error"}, None),
        (503, None, b""),
    ],
    ids=str,
)
def test_a_fault_of_the_token_endpoint_is_waited_out(answer):
    assert isinstance(read(*answer), RetryLater)


@pytest.mark.parametrize("code", sorted(auth.ADVICE))
def test_refused_credentials_pause_and_say_what_to_do(code):
    verdict = read(400, {"error": code, "error_description": "Token has been expired or revoked."})
    assert verdict == AuthBroken(code, f"{code}: Token has been expired or revoked.", auth.ADVICE[code])


def test_a_code_nobody_knows_pauses_under_one_name():
    assert read(401, {"error": "brand_new"}).why == "token_refused"
    assert read(403, {"error": {"code": 403}}).why == "token_refused"


def test_what_looks_like_a_credential_is_masked_in_googles_words(key_file):
    grant = auth.ServiceAccount(json.dumps(key_file)).grant(NOW_MS, SCOPE)
    verdict = read(400, {"error": "invalid_grant", "error_description": f"Bad assertion {grant}."})
    assert grant[:40] not in verdict.detail
    assert "Bad assertion ***" in verdict.detail
