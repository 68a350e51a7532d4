"""What we build, our own strict stand-ins take: two readings of one fact sheet, by different hands."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from proxy.destinations import load_all
from proxy.destinations.base import Reply
from proxy.destinations.verdict import AuthBroken, Delivered
from proxy.event import encode_json
from proxy.sandbox import load_all as load_stand_ins
from proxy.sandbox.base import REFUSED_TOKEN, TOKEN, Call

GOLDEN = Path(__file__).parents[1] / "golden"
STAND_INS = load_stand_ins()
KINDS = sorted(load_all().keys() & STAND_INS.keys())


def made(kind, token):
    given_settings = json.loads((GOLDEN / kind / "settings.json").read_text())
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
    answer = stand_in.answer(call, now_ms)
    body = answer.body.encode() if isinstance(answer.body, str) else encode_json(answer.body)
    return answer, Reply(status=answer.status, headers=answer.headers, body=body, sent=len(request.rows))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_stand_in_takes_everything_we_build(kind, events, people, now_ms, data):
    destination = made(kind, TOKEN)
    batch = data.draw(st.lists(events | people, min_size=1, max_size=3))
    for request in destination.build(batch, now_ms).requests:
        answer, reply = asked(kind, request, now_ms)
        assert not answer.faults
        assert destination.judge(reply) == Delivered()


def test_a_probe_tells_a_good_token_from_a_bad_one(kind, now_ms):
    for token, verdict in ((TOKEN, Delivered), (REFUSED_TOKEN, AuthBroken)):
        destination = made(kind, token)
        _, reply = asked(kind, destination.probe(now_ms), now_ms)
        assert isinstance(destination.judge(reply), verdict)


@pytest.mark.parametrize("mode", ["down", "throttled", "bad_token"])
def test_trouble_is_never_read_as_the_events_fault(kind, mode):
    answer = STAND_INS[kind]().trouble(mode)
    body = answer.body.encode() if isinstance(answer.body, str) else encode_json(answer.body)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    verdict = made(kind, TOKEN).judge(Reply(status=answer.status, headers=headers, body=body))
    assert type(verdict).__name__ == ("AuthBroken" if mode == "bad_token" else "RetryLater")
