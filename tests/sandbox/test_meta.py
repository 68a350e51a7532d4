"""The stand-in for Meta refuses what Meta's documentation says it refuses."""

import json

import pytest

from proxy.sandbox.base import Call
from proxy.sandbox.meta import Meta

NOW_MS = 1_790_000_000_000
DIGEST = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"  # test@example.com


def event(**changes):
    row = {
        "event_name": "Purchase",
        "event_time": NOW_MS // 1000,
        "event_id": "o-1",
        "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {"client_user_agent": "UA", "em": [DIGEST]},
        "custom_data": {"value": 10.5, "currency": "EUR"},
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not None}


def send(*rows, token="sandbox-token", path="/v26.0/123/events", **top):
    body = json.dumps({"data": list(rows), **top}).encode()
    call = Call(method="POST", path=path, headers={"authorization": f"Bearer {token}"}, body=body)
    return Meta().answer(call, NOW_MS)


def test_a_correct_purchase_is_accepted():
    answer = send(event())
    assert (answer.status, answer.body["events_received"], len(answer.accepted)) == (200, 1, 1)


def test_one_bad_event_costs_the_whole_batch_and_is_not_named():
    answer = send(event(), event(user_data={"client_user_agent": "UA"}))
    assert answer.status == 400
    assert not answer.accepted
    assert answer.body["error"]["error_subcode"] == 2804050
    assert "data[1]" in answer.faults[0]
    assert "data[1]" not in json.dumps(answer.body)


def user(**keys):
    return {"user_data": {"client_user_agent": "UA", "em": [DIGEST], **keys}}


@pytest.mark.parametrize(
    ("changes", "subcode"),
    [
        ({"event_time": NOW_MS // 1000 - 8 * 86400}, 2804003),
        ({"event_time": NOW_MS // 1000 + 3600}, None),
        ({"event_time": "now"}, None),
        ({"event_source_url": None}, None),
        ({"action_source": "web"}, None),
        ({"surprise": 1}, None),
        (user(em=["test@example.com"]), None),
        (user(em=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]), None),
        (user(fbc="fb.1.1700000000000."), 2804001),
        (user(fbp="garbage"), None),
        (user(client_ip_address="10.0.0.1"), None),
        (user(emails=["x"]), None),
        ({"custom_data": {"currency": "EUR"}}, 2804009),
        ({"custom_data": {"value": 1}}, 2804010),
        ({"custom_data": {"value": "1", "currency": "EUR"}}, None),
        ({"custom_data": {"value": 1, "currency": "eur"}}, None),
        ({"custom_data": {"value": 1, "currency": "EUR", "contents": [{"quantity": 1}]}}, None),
    ],
)
def test_a_broken_rule_is_refused(changes, subcode):
    answer = send(event(**changes))
    assert answer.status == 400
    assert answer.body["error"].get("error_subcode") == subcode
    assert not answer.accepted


@pytest.mark.parametrize(("token", "subcode"), [("wrong", None), ("revoked-token", 463)])
def test_a_bad_token_is_answered_with_code_190(token, subcode):
    error = send(event(), token=token).body["error"]
    assert (error["code"], error.get("error_subcode")) == (190, subcode)


def test_a_version_that_ended_is_refused():
    assert send(event(), path="/v20.0/123/events").status == 400


def test_more_than_a_thousand_events_are_refused():
    assert send(*[event()] * 1001).status == 400


@pytest.mark.parametrize("mark", ["AQ", "Bg", "AQYCAQMB"])
def test_a_hash_and_an_address_may_carry_the_mark_of_metas_own_library(mark):
    marked = user(em=[f"{DIGEST}.{mark}"], client_ip_address=f"203.0.113.9.{mark}")
    assert not send(event(**marked)).faults


def test_a_mark_does_not_make_a_plain_address_a_hash():
    assert send(event(**user(em=["test@example.com.AQYCAQMB"]))).faults
