"""The webhook: what is posted, how it is signed, where it may go, and how answers are read."""

import hashlib
import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.destinations.webhook import SIGNATURE, Webhook, signature
from proxy.event import Data, Event, User, decode_event, encode_json, replace

NOW_MS = 1_790_000_060_000
LEAD = Event(id="l-1", name="lead", time=1_790_000_000_000)


def webhook(**settings):
    return Webhook(
        "crm", Webhook.Settings(kind="webhook", **{"url": "https://crm.example/in", "secret": "s3cret", **settings})
    )


def posted(event, **settings):
    request = webhook(**settings).build([event], NOW_MS).requests[0]
    return json.loads(request.body)


# --- signature


PAGE = (Path(__file__).parents[2] / "docs" / "destinations" / "webhook.md").read_text()


def snippet(language):
    return PAGE.partition(f"```{language}\n")[2].partition("```")[0]


def verified(secret, header, body, now_s):
    """The receiver's half, as the manual page tells people to write it."""
    manual = {}
    exec(snippet("python"), manual)
    manual["time"] = SimpleNamespace(time=lambda: now_s)
    return manual["is_from_us"](secret, header, body)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_javascript_of_the_manual_accepts_ours_and_nothing_else():
    body = json.dumps({"name": "größe"}).encode()
    good = signature(b"s3cret", NOW_MS // 1000, body)
    late = signature(b"s3cret", NOW_MS // 1000 - 301, body)
    script = f"""{snippet("js")}
        Date.now = () => {NOW_MS};
        const body = Buffer.from({json.dumps(body.decode())});
        console.log(JSON.stringify([
          isFromUs("s3cret", "{good}", body), isFromUs("other", "{good}", body),
          isFromUs("s3cret", "{good}", Buffer.from("{{}}")), isFromUs("s3cret", "{late}", body),
          isFromUs("s3cret", "t=1,v1=", body)]));"""
    run = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(run.stdout) == [True, False, False, False, False]


def test_the_signature_is_the_hmac_of_time_and_body():
    request = webhook().build([LEAD], NOW_MS).requests[0]
    header = request.headers[SIGNATURE]
    assert verified("s3cret", header, request.body, NOW_MS // 1000)
    assert not verified("other", header, request.body, NOW_MS // 1000)
    assert not verified("s3cret", header, request.body + b" ", NOW_MS // 1000)
    assert not verified("s3cret", header, request.body, NOW_MS // 1000 + 301)


def test_a_known_signature_stays_the_same():
    known = "93d12b60fcb5fdf6ba740aeb88a6e8d62f6f9dce0e43528f60cfc985365d0286"  # openssl dgst -sha256 -hmac key
    assert signature(b"key", 1_790_000_060, b"{}") == f"t=1790000060,v1={known}"


@given(at_s=st.integers(0, 2**40), body=st.binary(max_size=50))
def test_time_and_body_cannot_change_places(at_s, body):
    assert signature(b"key", at_s, body) != signature(b"key", at_s + 1, body)
    assert signature(b"key", at_s, body) != signature(b"key", at_s, body + b".")


def test_a_late_event_is_signed_now():
    old = replace(LEAD, time=LEAD.time - 86_400_000)
    assert webhook().build([old], NOW_MS).requests[0].headers[SIGNATURE].startswith("t=1790000060,")


def test_the_ping_is_signed_and_no_event():
    probe = webhook().probe(NOW_MS)
    assert json.loads(probe.body) == {"ping": "firsthand check"}
    assert verified("s3cret", probe.headers[SIGNATURE], probe.body, NOW_MS // 1000)


# --- body


def test_the_raw_body_is_the_event():
    event = replace(
        LEAD,
        user=User(email=("Ann@Example.com",), first_name="Ann"),
        data=Data(value=Decimal("0.10"), currency="EUR"),
        custom={"a": [1, {"b": "c"}]},
    )
    body = webhook(raw_user=True).build([event], NOW_MS).requests[0].body
    assert decode_event(body) == event
    assert json.loads(body) == json.loads(encode_json(event)) | {"source": "browser", "action_source": "website"}


def test_amounts_and_numbers_json_cannot_carry_are_left_out():
    event = replace(
        LEAD,
        data=Data(value=Decimal("NaN"), tax=Decimal("Infinity"), shipping=Decimal("1E+30")),
        custom={"x": float("nan")},
    )
    for raw in (False, True):
        assert posted(event, raw_user=raw).keys() == {"id", "name", "time", "source", "action_source"}


def test_the_preview_token_never_leaves():
    assert "debug" not in posted(replace(LEAD, debug="session"), raw_user=True)


@pytest.mark.parametrize(
    ("size", "bodies"), [(None, [dict, dict, dict]), (1, [dict] * 3), (2, [list, list]), (500, [list])]
)
def test_a_body_is_an_object_or_always_a_list(size, bodies):
    settings = {} if size is None else {"batch_size": size}
    built = webhook(**settings).build([replace(LEAD, id=str(number)) for number in range(3)], NOW_MS)
    assert [type(json.loads(request.body)) for request in built.requests] == bodies


def test_phones_without_a_country_are_completed_before_hashing():
    user = User(phone=("020 7946 0958",))
    assert "user" not in posted(replace(LEAD, user=user))
    digest = hashlib.sha256(b"442079460958").hexdigest()
    assert posted(replace(LEAD, user=user), default_country_code="+44")["user"] == {"phone": [digest]}


# --- where to


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/in",
        "https://[::1]/in",
        "https://localhost/in",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://metadata.google.internal/",
        "https://crm/in",
        "http://crm.example/in",
    ],
)
def test_the_own_network_and_plain_http_need_a_word(url):
    with pytest.raises(ValidationError, match="allow_private_addresses: true"):
        webhook(url=url)
    request = webhook(url=url, allow_private_addresses=True).build([LEAD], NOW_MS).requests[0]
    assert (request.url, request.public_only) == (url, False)


@pytest.mark.parametrize(
    "url", ["crm.example/in", "ftp://crm.example/", "https://", "https://a b/", "https://[::1", "https://x:99999/"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValidationError):
        webhook(url=url)


def test_credentials_in_the_address_are_refused():
    with pytest.raises(ValidationError, match="Authorization"):
        webhook(url="https://ann:pw@crm.example/in")


def test_an_address_is_checked_again_when_it_is_connected_to():
    built = webhook().build([LEAD], NOW_MS)
    assert [request.public_only for request in (*built.requests, webhook().probe(NOW_MS))] == [True, True]


def test_a_stand_in_replaces_the_host_only():
    request = (
        webhook(url="https://crm.example/in?a=1", base_url="http://127.0.0.1:8090/").build([LEAD], NOW_MS).requests[0]
    )
    assert (request.url, request.public_only) == ("http://127.0.0.1:8090/in?a=1", False)


# --- headers


def test_more_headers_are_sent_and_kept_secret():
    destination = webhook(headers={"Authorization": "Bearer abc", "X-Tenant": "7"})
    request = destination.build([LEAD], NOW_MS).requests[0]
    assert request.headers["Authorization"] == "Bearer abc"
    assert "Bearer abc" not in repr(destination.settings) + destination.settings.model_dump_json()
    assert {"Bearer abc", "s3cret"} <= set(destination.secrets())


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "x"},
        {SIGNATURE: "x"},
        {"Host": "x"},
        {"a b": "x"},
        {"X": "a\r\nB: c"},
        {"X": ""},
        {"X": "ü"},
        {"": "x"},
    ],
)
def test_headers_that_would_break_the_request_are_refused(headers):
    with pytest.raises(ValidationError):
        webhook(headers=headers)


# --- answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_has_taken_the_event(status):
    assert webhook().judge(Reply(status=status, body=b"<html>")) == Delivered()


@pytest.mark.parametrize("status", [0, 301, 408, 425, 429, 500, 502, 503, 504, 522])
def test_what_may_pass_is_tried_again(status):
    assert isinstance(webhook().judge(Reply(status=status)), RetryLater)


@pytest.mark.parametrize(("status", "why"), [(401, "token_refused"), (403, "token_refused"), (410, "gone")])
def test_a_receiver_that_refuses_us_pauses(status, why):
    verdict = webhook().judge(Reply(status=status))
    assert isinstance(verdict, AuthBroken)
    assert (verdict.why, bool(verdict.advice)) == (why, True)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 422])
def test_other_4xx_lose_the_event(status):
    assert isinstance(webhook().judge(Reply(status=status)), Rejected)


def test_the_receivers_time_is_kept():
    assert webhook().judge(Reply(status=429, headers={"retry-after": "9"})).after_s == 9
