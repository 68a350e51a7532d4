"""The stand-in for Snapchat refuses what Snapchat is documented to refuse, a whole request at a time."""

import copy
import json
from pathlib import Path

import pytest

from proxy.sandbox.base import Call
from proxy.sandbox.snapchat import Snapchat

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
PAYLOADS = [one for one in VECTORS["payloads"] if one["platform"] == "snapchat"]
NOW_MS = (1_763_856_000 + 60) * 1000
PURCHASE = PAYLOADS[0]["payload"]
DIGEST = PURCHASE["data"][0]["user_data"]["em"][0]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
QUERY = {"access_token": "sandbox-token"}


def send(body, edge="", query=QUERY, method="POST", **headers):
    path = f"/v3/3d1f8d6e-3b1c-4a53-9a3e-7a2f1f0c9d11/events{edge}"
    call = Call(method=method, path=path, query=query, headers=headers, body=json.dumps(body).encode())
    assert Snapchat().owns(call)
    return Snapchat().answer(call, NOW_MS)


def purchase(**changes):
    """The vectors' purchase; `user_data__em=…` changes inside, None removes."""
    row = copy.deepcopy(PURCHASE["data"][0])
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = row
        for part in parts:
            place = place.setdefault(part, {})
            place = place[0] if isinstance(place, list) else place
        place[last] = value
        if value is None:
            del place[last]
    return {"data": [row]}


@pytest.mark.parametrize("vector", PAYLOADS, ids=lambda one: f"{one['id']} {one['name']}")
def test_a_vector_is_judged_as_the_fact_sheet_says(vector):
    """`avoid` is what we must not send though Snapchat might take it, so it is refused; `conflict` is taken."""
    answer = send(vector["payload"])
    assert (answer.status == 200) == (vector["expect"] in {"accept", "conflict"})
    assert answer.body["status"] == ("VALID" if answer.status == 200 else "INVALID")
    assert len(answer.accepted) == (answer.status == 200)


RULES = [
    ({"event_name": "Purchase"}, "Unrecognized event type"),
    ({"event_name": "CUSTOM_EVENT_6"}, "Unrecognized event type"),
    ({"event_name": None}, "event_name"),
    ({"event_time": "now"}, "event_time"),
    ({"event_time": NOW_MS // 1000 + 3600}, "in the future"),
    ({"event_time": NOW_MS // 1000 - 38 * 86400}, "older than 37 days"),
    ({"action_source": "web"}, "action_source"),
    ({"event_source_url": None}, "event_source_url"),
    ({"event_id": 7}, "event_id"),
    ({"surprise": 1}, "surprise"),
    ({"data_processing_options": ["LMU"]}, "data_processing_options"),
    ({"opt_out": 1}, "opt_out"),
    ({"action_source": "MOBILE_APP"}, "app_data"),
    ({"app_data": {"app_id": "1", "extinfo": [""] * 15}}, "extinfo"),
    ({"user_data": None}, "user_data"),
    ({"user_data": {"fn": [DIGEST], "sc_click_id": "x"}}, "user_data"),
    ({"user_data": {"client_ip_address": "203.0.113.9"}}, "user_data"),
    ({"user_data__em": DIGEST}, "user_data.em"),
    ({"user_data__em": []}, "user_data.em"),
    ({"user_data__em": ["jane@example.com"]}, "user_data.em"),
    ({"user_data__em": [DIGEST.upper()]}, "user_data.em"),
    ({"user_data__ph": [EMPTY]}, "user_data.ph"),
    ({"user_data__external_id": "User-42"}, "user_data.external_id"),
    ({"user_data__client_ip_address": DIGEST}, "client_ip_address"),
    ({"user_data__email": [DIGEST]}, "email"),
    ({"custom_data__value": None}, "custom_data.value"),
    ({"custom_data__currency": None}, "custom_data.currency"),
    ({"custom_data__currency": "usd"}, "custom_data.currency"),
    ({"custom_data__value": "49,90"}, "custom_data.value"),
    ({"custom_data__num_items": 1.5}, "num_items"),
    ({"custom_data__content_ids": [1]}, "content_ids"),
    ({"custom_data__contents__item_price": "a lot"}, "contents[0].item_price"),
    ({"custom_data__contents__sku": "x"}, "sku"),
    ({"custom_data__color": "red"}, "color"),
]


@pytest.mark.parametrize(("changes", "words"), RULES)
def test_a_broken_rule_is_refused_and_the_row_named(changes, words):
    body = {"data": [*PURCHASE["data"], *purchase(**changes)["data"]]}
    answer = send(body)
    assert (answer.status, answer.body["status"], answer.body["event"]) == (400, "INVALID", 1)
    assert words in " ".join(answer.body["errors"]["error_msgs"])
    assert len(answer.body["errors"]["codes"]) == len(answer.faults)
    assert not answer.accepted


@pytest.mark.parametrize(("changes", "words"), RULES)
def test_the_dry_run_finds_the_same_and_records_nothing(changes, words):
    answer = send({"data": [*PURCHASE["data"], *purchase(**changes)["data"]]}, edge="/validate")
    assert (answer.status, answer.body["status"], answer.body["test_event"]) == (200, "INVALID", True)
    assert [log["status"] for log in answer.body["event_logs"]] == ["VALID", "INVALID"]
    assert words in " ".join(answer.body["event_logs"][1]["errors"]["error_msgs"])
    assert not answer.accepted


def test_the_dry_run_of_a_good_event_records_nothing_and_warns_of_a_missing_id():
    answer = send(purchase(event_id=None), edge="/validate")
    assert (answer.body["status"], answer.accepted, answer.faults) == ("VALID", (), [])
    assert answer.body["event_logs"][0]["warnings"]["codes"] == ["MISSING_EVENT_ID"]


@pytest.mark.parametrize(
    "changes",
    [
        {"event_time": 1_763_856_000_000},
        {"action_source": "OFFLINE", "event_source_url": None},
        {"event_name": "PAGE_VIEW", "custom_data": None},
        {"user_data": {"em": [DIGEST]}},
        {"user_data": {"client_ip_address": "2001:db8::1", "client_user_agent": "UA"}},
        {"data_processing_options": ["LDU"]},
    ],
)
def test_what_is_documented_is_taken(changes):
    assert not send(purchase(**changes)).faults


@pytest.mark.parametrize(
    ("query", "headers"),
    [({}, {}), ({}, {"authorization": "Bearer sandbox-token"}), ({"access_token": "revoked-token"}, {})],
)
def test_a_token_anywhere_but_in_the_query_is_401(query, headers):
    answer = send(purchase(), query=query, **headers)
    assert (answer.status, answer.body) == (401, "Invalid access token")


@pytest.mark.parametrize("body", [{"data": []}, {"data": PURCHASE["data"] * 2001}, {}, [], {"data": [1]}])
def test_a_body_that_is_no_batch_is_refused(body):
    assert (send(body).status, send(body).body["status"]) == (400, "INVALID")


def test_rows_belong_to_the_pixel_and_copies_are_known_by_name_and_id():
    answer = send(purchase())
    assert answer.accounts == ["3d1f8d6e-3b1c-4a53-9a3e-7a2f1f0c9d11"]
    assert Snapchat().dedup_key(answer.accepted[0]) == ("PURCHASE", "ord-1001")


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttled", 429), ("bad_token", 401)])
def test_trouble_is_said_by_status(mode, status):
    assert Snapchat().trouble(mode).status == status
