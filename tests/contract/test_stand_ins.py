"""What we build, our own strict stand-ins take: two readings of one fact sheet, by different hands."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from proxy.destinations import load_all
from proxy.destinations.base import Reply, Token
from proxy.destinations.verdict import AuthBroken, Delivered
from proxy.event import encode_json
from proxy.sandbox import load_all as load_stand_ins
from proxy.sandbox.base import REFUSED_TOKEN, TOKEN, Call

GOLDEN = Path(__file__).parents[1] / "golden"
STAND_INS = load_stand_ins()
KINDS = sorted(load_all().keys() & STAND_INS.keys())
IN_THE_SANDBOX = {"webhook": {"url": "https://crm.example/webhook"}}
NEVER_SAYS = {"ga4"}  # answers alike whatever the secret


def made(kind, token):
    given_settings = json.loads((GOLDEN / kind / "settings.json").read_text()) | IN_THE_SANDBOX.get(kind, {})
    platform = load_all()[kind]
    secrets = {
        name: token for name, field in platform.Settings.model_fields.items() if "Secret" in str(field.annotation)
    }
    known = {name: token for name in secrets if name in given_settings}
    return platform("contract", platform.Settings.model_validate({"kind": kind, **given_settings, **known}))


def asked(kind, request, now_ms):
    """The stand-in's answer to one request, as (Answer, Reply)."""
    url = urlsplit(request.url)
    call = Call(
        method=request.method,
        path=url.path,
        query=dict(parse_qsl(url.query)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body or b"",
    )
    stand_in = STAND_INS[kind]()
    assert stand_in.owns(call)
    return reply_to(stand_in.answer(call, now_ms), len(request.rows))


def reply_to(answer, sent=None):
    body = answer.body.encode() if isinstance(answer.body, str) else encode_json(answer.body)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return answer, Reply(status=answer.status, headers=headers, body=b"" if body == b"null" else body, sent=sent)


def bearing(destination, request, now_ms):
    """The request with a bought token if it needs one, or the verdict on buying it."""
    if not request.needs_token:
        return request
    _, reply = asked(destination.kind, destination.token_request(now_ms), now_ms)
    bought = destination.read_token(reply, now_ms)
    if not isinstance(bought, Token):
        return bought
    headers = {**request.headers, "Authorization": f"Bearer {bought.value.get_secret_value()}"}
    return msgspec.structs.replace(request, headers=headers)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


def test_every_destination_has_a_stand_in():
    assert load_all().keys() == STAND_INS.keys()


@settings(max_examples=40)
@given(data=st.data())
def test_a_stand_in_takes_everything_we_build(kind, events, people, now_ms, data):
    destination = made(kind, TOKEN)
    drawn = data.draw(st.lists(events | people, min_size=1, max_size=3))
    batch = [event for event in drawn if now_ms - event.time <= destination.max_age_s_of(event) * 1000]  # as the relay
    for request in destination.build(batch, now_ms).requests:
        answer, reply = asked(kind, bearing(destination, request, now_ms), now_ms)
        assert not answer.faults
        assert not answer.refused
        assert len(answer.accepted) == len(request.rows)
        verdict = destination.judge(reply)
        assert isinstance(verdict, Delivered)
        assert not verdict.rejected


@pytest.mark.parametrize(("token", "expected"), [(TOKEN, Delivered), (REFUSED_TOKEN, AuthBroken)])
def test_a_probe_tells_a_good_token_from_a_bad_one(kind, now_ms, token, expected):
    destination = made(kind, token)
    verdict = bearing(destination, destination.probe(now_ms), now_ms)
    if not isinstance(verdict, AuthBroken):
        verdict = destination.judge(asked(kind, verdict, now_ms)[1])
    assert isinstance(verdict, Delivered if kind in NEVER_SAYS else expected)


@pytest.mark.parametrize("mode", ["down", "throttled", "bad_token"])
def test_trouble_is_never_read_as_the_events_fault(kind, mode):
    _, reply = reply_to(STAND_INS[kind]().trouble(mode))
    verdict = type(made(kind, TOKEN).judge(reply)).__name__
    if mode == "bad_token":
        assert verdict == ("Delivered" if kind in NEVER_SAYS else "AuthBroken")
    else:
        assert verdict == "RetryLater"
