"""The stand-in for a webhook's receiver believes nothing that is not signed with the secret it shares with us."""

import hashlib
import hmac
import json

import pytest

from proxy.sandbox.base import Call
from proxy.sandbox.webhook import Webhook

NOW_MS = 1_790_000_000_000
NOW_S = NOW_MS // 1000
EVENT = {"id": "o-1", "name": "purchase", "time": NOW_MS, "data": {"value": "59.90", "currency": "EUR"}}


def signed(body, at_s=NOW_S, secret="sandbox-token"):
    digest = hmac.new(secret.encode(), str(at_s).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def send(content, path="/webhook", method="POST", content_type="application/json", **signing):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"content-type": content_type, "x-firsthand-signature": signed(body, **signing)}
    call = Call(method=method, path=path, headers=headers, body=body)
    assert Webhook().owns(call)
    return Webhook().answer(call, NOW_MS)


@pytest.mark.parametrize(("content", "rows"), [(EVENT, [EVENT]), ([EVENT, EVENT | {"id": "2"}], None), ([], [])])
def test_a_signed_event_or_list_of_them_is_taken(content, rows):
    answer = send(content)
    assert (answer.status, list(answer.accepted)) == (200, content if rows is None else rows)


def test_a_ping_is_no_event():
    answer = send({"ping": "hello"})
    assert (answer.status, answer.accepted, answer.faults) == (200, (), ())


@pytest.mark.parametrize(
    "signing", [{"secret": "revoked-token"}, {"at_s": NOW_S - 301}, {"at_s": NOW_S + 301}, {"at_s": ""}]
)
def test_a_wrong_or_old_signature_is_401(signing):
    assert send(EVENT, **signing).status == 401


@pytest.mark.parametrize("header", ["", "t=1", "v1=00", "sha256=00"])
def test_a_signature_of_another_form_is_401(header):
    call = Call(method="POST", path="/webhook", headers={"x-firsthand-signature": header}, body=b"{}")
    assert Webhook().answer(call, NOW_MS).status == 401


def test_a_signature_of_another_body_is_401():
    call = Call(method="POST", path="/webhook", headers={"x-firsthand-signature": signed(b"[]")}, body=b"{}")
    assert Webhook().answer(call, NOW_MS).status == 401


@pytest.mark.parametrize(
    "content", [{}, 1, None, {"id": "1", "name": "x"}, EVENT | {"id": ""}, [EVENT, EVENT | {"time": "now"}], b"{"]
)
def test_what_is_no_event_is_422(content):
    answer = send(content)
    assert (answer.status, answer.accepted) == (422, ())


def test_the_wrong_method_and_type_are_refused():
    assert send(EVENT, method="PUT").status == 405
    assert send(EVENT, content_type="text/plain").status == 415


def test_receivers_below_the_path_are_told_apart():
    assert send(EVENT, path="/webhook/crm").accounts == ["crm"]
    assert Webhook().dedup_key(EVENT) == ("purchase", "o-1")


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttled", 429), ("bad_token", 401)])
def test_trouble_is_said_by_status(mode, status):
    assert Webhook().trouble(mode).status == status
