"""The stand-in for GA4 never complains, like the real one, but counts only what would show up in reports."""

import copy
import json
from pathlib import Path

import pytest

from proxy.sandbox.base import Call
from proxy.sandbox.ga4 import Ga4

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())
PAYLOADS = VECTORS["ga4_payloads"]
NOW_MS = 1_763_633_730_000 + 60_000
PURCHASE = PAYLOADS[0]["payload"]
QUERY = {"measurement_id": "G-ABC1234567", "api_secret": "sandbox-token"}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def send(body, path="/mp/collect", **query):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = Call(method="POST", path=path, query=QUERY | query, body=body)
    assert Ga4().owns(call)
    return Ga4().answer(call, NOW_MS)


def codes(body, **query):
    answer = send(body, path="/debug/mp/collect", **query)
    assert (answer.status, answer.accepted) == (200, ())
    return {(one["fieldPath"], one["validationCode"]) for one in answer.body["validationMessages"]}


def purchase(**changes):
    """The vectors' purchase; `events__params__value=…` changes inside, None removes."""
    body = copy.deepcopy(PURCHASE)
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = body
        for part in parts:
            place = place.setdefault(part, {})
            place = place[0] if isinstance(place, list) else place
        place[last] = value
        if value is None:
            del place[last]
    return body


@pytest.mark.parametrize("vector", PAYLOADS, ids=lambda one: f"{one['id']} {one['title']}")
def test_a_vector_is_judged_as_the_fact_sheet_says(vector):
    """By the validation server, or where that does not look (the query), by what is recorded."""
    if query := {key: vector[key] for key in ("api_secret", "measurement_id") if key in vector}:
        answer = send(vector["payload"], **query)
        assert (answer.status, answer.accepted) == (204, ())
        assert answer.faults
    else:
        assert (codes(vector["payload"]) == set()) == (vector["verdict"] == "valid")


def test_what_shows_up_is_recorded_whole():
    body = purchase()
    body["events"].append({"name": "page_view", "params": {"engagement_time_msec": 1}})
    answer = send(body)
    assert (answer.status, answer.body, answer.faults, answer.refused) == (204, None, (), [])
    assert answer.accepted == [body | {"events": [event]} for event in body["events"]]
    assert answer.accounts == ["G-ABC1234567"] * 2


@pytest.mark.parametrize("engaged", [None, 0, -1, "1", True])
def test_without_engagement_time_an_event_is_not_counted(engaged):
    answer = send(purchase(events__params__engagement_time_msec=engaged))
    assert (answer.status, answer.accepted) == (204, [])
    assert "engagement_time_msec" in answer.refused[0].faults[0]


def test_one_bad_event_does_not_cost_the_others():
    body = purchase()
    body["events"].append({"name": "session_start", "params": {"engagement_time_msec": 1}})
    answer = send(body)
    assert [row["events"][0]["name"] for row in answer.accepted] == ["purchase"]
    assert "NAME_RESERVED" in answer.refused[0].faults[0]


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"client_id": None}, "client_id", "VALUE_REQUIRED"),
        ({"client_id": 7}, "client_id", "VALUE_INVALID"),
        ({"events": []}, "events", "VALUE_REQUIRED"),
        ({"events": [{"name": "e"}] * 26}, "events", "EXCEEDED_MAX_ENTITIES"),
        ({"surprise": 1}, "surprise", "NAME_INVALID"),
        ({"user_id": "x" * 257}, "user_id", "VALUE_OUT_OF_BOUNDS"),
        ({"consent": {"ad_user_data": "CONSENT_GRANTED"}}, "consent.ad_user_data", "VALUE_INVALID"),
        ({"consent": {"adUserData": "GRANTED"}}, "consent.adUserData", "NAME_INVALID"),
        ({"ip_override": "here"}, "ip_override", "VALUE_INVALID"),
        ({"device": {"screen": "1x1"}}, "device.screen", "NAME_INVALID"),
        ({"non_personalized_ads": "yes"}, "non_personalized_ads", "VALUE_INVALID"),
        ({"timestamp_micros": (NOW_MS - 73 * 3_600_000) * 1000}, "timestamp_micros", "VALUE_OUT_OF_BOUNDS"),
        ({"timestamp_micros": (NOW_MS + 3_600_000) * 1000}, "timestamp_micros", "VALUE_OUT_OF_BOUNDS"),
        ({"events__timestamp_micros": 1}, "events[0].timestamp_micros", "VALUE_OUT_OF_BOUNDS"),
        ({"user_data": {"sha256_email_address": ["jane@example.com"]}}, None, "VALUE_INVALID"),
        ({"user_data": {"sha256_phone_number": EMPTY}}, None, "VALUE_INVALID"),
        ({"user_data": {"address": {"sha256_first_name": "jane"}}}, None, "VALUE_INVALID"),
        ({"user_properties": {"ga_x": {"value": 1}}}, "user_properties.ga_x", "NAME_RESERVED"),
        ({"user_properties": {f"p{n}": {"value": 1} for n in range(26)}}, "user_properties", "EXCEEDED_MAX_ENTITIES"),
        ({"user_properties": []}, "user_properties", "VALUE_INVALID"),
        ({"events__name": "gtag.js"}, "events[0].name", "NAME_RESERVED"),
        ({"events__params__page_location": "x" * 1001}, "events[0].params.page_location", "VALUE_OUT_OF_BOUNDS"),
        ({"events__params__a-b": 1}, "events[0].params.a-b", "NAME_INVALID"),
        ({"events__params__nested": {"a": 1}}, "events[0].params.nested", "VALUE_INVALID"),
        ({"events__params__items": {}}, "events[0].params.items", "VALUE_INVALID"),
        ({"events__params__items__price": "1"}, "events[0].params.items[0].price", "VALUE_INVALID"),
        ({"events__params__items__item_name": "x" * 101}, None, "VALUE_OUT_OF_BOUNDS"),
        (
            {f"events__params__items__own{n}": 1 for n in range(11)},
            "events[0].params.items[0]",
            "EXCEEDED_MAX_ENTITIES",
        ),
    ],
)
def test_a_broken_rule_is_said_by_the_validation_server_and_costs_the_event(changes, path, code):
    body = purchase(**changes)
    found = codes(body)
    assert any(one[1] == code and path in {None, one[0]} for one in found), found
    answer = send(body)
    assert (answer.status, list(answer.accepted)) == (204, [])
    assert answer.faults or answer.refused


@pytest.mark.parametrize(
    "changes", [{"events__params__page_location": "x" * 1000}, {"events__params__plan": "x" * 100}]
)
def test_a_limit_itself_is_within_the_limit(changes):
    assert codes(purchase(**changes)) == set()


def test_a_body_of_130_kb_is_too_long():
    assert ("body", "VALUE_OUT_OF_BOUNDS") in codes(json.dumps(PURCHASE).encode() + b" " * 130_000)


def test_the_validation_server_does_not_look_at_the_secret():
    assert codes(PURCHASE, api_secret="wrong") == set()


def test_a_wrong_secret_is_answered_204_and_recorded_nowhere():
    answer = send(PURCHASE, api_secret="revoked-token")
    assert (answer.status, answer.accepted) == (204, ())
    assert "api_secret" in answer.faults[0]


def test_only_a_purchase_is_merged():
    row = send(PURCHASE).accepted[0]
    assert Ga4().dedup_key(row) == ("purchase", "T-1")
    assert Ga4().dedup_key(row | {"events": [{"name": "page_view"}]}) is None


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"\xff", b'{"client_id": "1.2", "events": [1]}'])
def test_junk_is_answered_204_too(junk):
    answer = send(junk)
    assert (answer.status, list(answer.accepted)) == (204, [])
    assert answer.faults or answer.refused


@pytest.mark.parametrize(("mode", "status"), [("down", 503), ("throttled", 429), ("bad_token", 204)])
def test_trouble_with_the_secret_is_silent(mode, status):
    assert Ga4().trouble(mode).status == status
