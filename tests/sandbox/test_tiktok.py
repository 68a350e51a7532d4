"""The stand-in for TikTok refuses what TikTok is documented to refuse, in TikTok's words: HTTP 200 and a code."""

import copy
import json
from pathlib import Path

import pytest

from proxy.sandbox.base import Call
from proxy.sandbox.tiktok import TikTok

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
PAYLOADS = [one for one in VECTORS["payloads"] if one["platform"] == "tiktok"]
NOW_MS = (1_763_856_000 + 60) * 1000
PURCHASE = PAYLOADS[0]["payload"]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
DIGEST = PURCHASE["data"][0]["user"]["email"]


def send(body, token="sandbox-token", path="/open_api/v1.3/event/track/", method="POST"):
    headers = {"access-token": token} if token else {}
    call = Call(method=method, path=path, headers=headers, body=json.dumps(body).encode())
    assert TikTok().owns(call)
    return TikTok().answer(call, NOW_MS)


def purchase(**changes):
    """The vectors' purchase; `user__ip=…` changes inside, None removes, `top__…` changes the envelope."""
    body = copy.deepcopy(PURCHASE)
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = body["data"][0]
        for part in parts:
            place = body if part == "top" else place[0] if isinstance(place, list) else place.setdefault(part, {})
        place = place[0] if isinstance(place, list) else place
        place[last] = value
        if value is None:
            del place[last]
    return body


@pytest.mark.parametrize("vector", PAYLOADS, ids=lambda one: f"{one['id']} {one['name']}")
def test_a_vector_is_judged_as_the_fact_sheet_says(vector):
    body = copy.deepcopy(vector["payload"])
    if times := vector.get("repeat_data_item"):
        body["data"] *= times
    answer = send(body)
    assert answer.status == 200
    assert (answer.body["code"] == 0) == (vector["expect"] in {"accept", "custom-event"})
    assert bool(answer.accepted) == (answer.body["code"] == 0) == (not answer.faults)


def test_accepted_rows_belong_to_the_pixel():
    answer = send(purchase())
    assert answer.accepted == PURCHASE["data"]
    assert answer.accounts == ["C4PIXELCODE0EXAMPLE0"]


def test_a_copy_is_known_by_its_event_and_id():
    one, other = purchase()["data"][0], purchase(event="Lead")["data"][0]
    assert TikTok().dedup_key(one) == TikTok().dedup_key(copy.deepcopy(one)) != TikTok().dedup_key(other)
    assert TikTok().dedup_key(purchase(event_id=None)["data"][0]) is None


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"properties__contents__price": "24.95"}, 40000, "Batch.0.properties.contents.0.price: Invalid Price Field"),
        ({"properties__contents": [{"price": None}]}, 40000, "Batch.0.properties.contents.0.price"),
        ({"properties__contents__content_id": 7}, 40002, "Batch.0.properties.contents.0.content_id: Not a valid str"),
        ({"properties__contents__quantity": 1.5}, 40002, "contents.0.quantity"),
        ({"properties__contents__sku": "x"}, 40002, "contents.0.sku: Unknown field"),
        ({"properties__content_ids": [1]}, 40002, "content_ids.0"),
        ({"properties__content_type": "mug"}, 40002, "content_type"),
        ({"properties__value": "49.9"}, 40002, "properties.value"),
        ({"properties__currency": "usd"}, 40002, "properties.currency"),
        ({"page": None}, 40002, "Batch.0.page.url"),
        ({"page__url": ""}, 40002, "Batch.0.page.url"),
        ({"event": None}, 40002, "Batch.0.event:"),
        ({"event_time": None}, 40002, "Batch.0.event_time:"),
        ({"event_time": NOW_MS // 1000 + 3600}, 40002, "in the future"),
        ({"event_time": NOW_MS // 1000 - 29 * 86400}, 40002, "older than 28 days"),
        ({"event_id": 7}, 40002, "event_id"),
        ({"surprise": 1}, 40002, "Batch.0.surprise: Unknown field"),
        ({"user__em": DIGEST}, 40002, "user.em: Unknown field"),
        ({"user__email": "jane@example.com"}, 40002, "user.email"),
        ({"user__email": DIGEST.upper()}, 40002, "user.email"),
        ({"user__email": EMPTY}, 40002, "user.email"),
        ({"user__email": []}, 40002, "user.email"),
        ({"user__phone": [DIGEST, EMPTY]}, 40002, "user.phone"),
        ({"user__zip_code": "94107"}, 40002, "user.zip_code"),
        ({"user__city": "San Francisco"}, 40002, "user.city"),
        ({"user__country": DIGEST}, 40002, "user.country"),
        ({"user__ip": DIGEST}, 40002, "user.ip"),
        ({"user__ttp": "x" * 129}, 40002, "user.ttp"),
        ({"user__ttclid": "a b"}, 40002, "user.ttclid"),
        ({"user__locale": "english please"}, 40002, "user.locale"),
        ({"user__idfa": "x"}, 40002, "user.idfa: not supported for event_source web"),
        ({"lead": {"lead_id": "1"}}, 40002, "lead: not supported"),
        ({"limited_data_use": "yes"}, 40002, "limited_data_use"),
        ({"top__event_source": "website"}, 40002, "event_source"),
        ({"top__event_source": None}, 40002, "event_source"),
        ({"top__event_source_id": 7}, 40002, "Invalid value for event_source_id: not a valid string."),
        ({"top__data": []}, 40002, "data"),
        ({"top__surprise": 1}, 40002, "surprise"),
        ({"top__event_source": "offline"}, 40002, "page: not supported"),
        ({"top__event_source": "offline", "page": None, "event": "Custom"}, 40002, "user.ip"),
        ({"top__event_source": "crm", "page": None}, 40002, "lead.lead_id"),
        ({"top__event_source": "app", "page": None}, 40002, "app.app_id"),
    ],
)
def test_a_broken_rule_is_refused_and_named(changes, code, words):
    answer = send(purchase(**changes))
    assert (answer.status, answer.body["code"]) == (200, code)
    assert words in answer.body["message"]
    assert answer.faults
    assert not answer.accepted


def test_the_first_bad_row_is_named_and_none_is_taken():
    body = purchase()
    body["data"] += purchase(event_time="soon")["data"]
    answer = send(body)
    assert answer.body["message"] == "Batch.1.event_time: Not a valid integer"
    assert not answer.accepted


@pytest.mark.parametrize("extra", [{"color": "red"}, {"order_id": "1", "num_items": 2, "search_string": "mug"}])
def test_properties_of_our_own_are_taken(extra):
    assert not send(purchase(**{f"properties__{key}": value for key, value in extra.items()})).faults


@pytest.mark.parametrize(
    ("token", "code"), [("Bearer sandbox-token", 40105), ("revoked-token", 40105), ("wrong", 40105), ("", 40104)]
)
def test_a_bad_token_is_said_inside_http_200(token, code):
    answer = send(purchase(), token=token)
    assert (answer.status, answer.body["code"]) == (200, code)
    assert not answer.accepted


@pytest.mark.parametrize("path", ["/open_api/v1.3/event/track", "/open_api/v1.3/pixel/track/"])
def test_another_path_is_not_found(path):
    assert send(purchase(), path=path).status == 404


@pytest.mark.parametrize(("mode", "status", "code"), [("throttled", 200, 40100), ("bad_token", 200, 40105)])
def test_trouble_is_a_code(mode, status, code):
    answer = TikTok().trouble(mode)
    assert (answer.status, answer.body["code"]) == (status, code)


def test_being_down_is_html():
    assert TikTok().trouble("down").body.startswith("<html>")


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"data": 1}', b"\xff"])
def test_junk_is_refused_without_raising(junk):
    call = Call(method="POST", path="/open_api/v1.3/event/track/", headers={"access-token": "sandbox-token"}, body=junk)
    assert TikTok().answer(call, NOW_MS).faults
