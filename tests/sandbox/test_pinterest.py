"""The stand-in for Pinterest: the schema costs the request, what it lets pass costs the row."""

import copy
import json
from pathlib import Path

import pytest

from proxy.sandbox import pinterest
from proxy.sandbox.base import Call
from proxy.sandbox.pinterest import Pinterest
from proxy.sandbox.schema import Flag, Many, Table, Text, Whole

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "tiktok-snap-pinterest-vectors.json").read_text())
PAYLOADS = [one for one in VECTORS["payloads"] if one["platform"] == "pinterest"]
NOW_MS = (1_763_856_000 + 60) * 1000
CHECKOUT = PAYLOADS[0]["payload"]
DIGEST = CHECKOUT["data"][0]["user_data"]["em"][0]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def send(body, token="Bearer sandbox-token", account="549755885175", method="POST", **query):
    call = Call(
        method=method,
        path=f"/v5/ad_accounts/{account}/events",
        query=query,
        headers={"authorization": token},
        body=json.dumps(body).encode(),
    )
    assert Pinterest().owns(call)
    return Pinterest().answer(call, NOW_MS)


def checkout(**changes):
    """The vectors' checkout; `user_data__em=…` changes inside, None removes."""
    row = copy.deepcopy(CHECKOUT["data"][0])
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = row
        for part in parts:
            place = place[0] if isinstance(place, list) else place.setdefault(part, {})
        place = place[0] if isinstance(place, list) else place
        place[last] = value
        if value is None:
            del place[last]
    return row


@pytest.mark.parametrize("vector", PAYLOADS, ids=lambda one: f"{one['id']} {one['name']}")
def test_a_vector_is_judged_as_the_fact_sheet_says(vector):
    answer = send(vector["payload"])
    assert (answer.status == 200) == (vector["schema"] == "valid")
    assert bool(answer.accepted) == (vector["expect"] == "accept")
    if answer.status == 400:
        assert answer.body["code"] == 4196
        assert answer.body["message"]


def test_the_unknown_key_is_named_as_the_real_one_names_it():
    answer = send({"data": [checkout(custom_data__category_name="Kitchen")]})
    assert answer.body == {
        "code": 4196,
        "message": "Additional properties are not allowed ('category_name' was unexpected)",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"app_info": {"app_id": 7}},
        {"app_info": {"sku": "7"}},
        {"device_info": {"form_factor": "fridge"}},
        {"device_info": {"network_type": "cellular_1g"}},
        {"device_info": {"battery_level": 101}},
        {"device_info": {"locale": "x" * 36}},
        {"device_info": {"surprise": 1}},
        {"opt_out": "yes"},
        {"language": 1},
        {"user_data": {"client_user_agent": "UA"}},
        {"user_data__external_id": DIGEST},
        {"custom_data__num_items": "2"},
        {"custom_data__predicted_ltv": 2.5},
    ],
)
def test_what_breaks_the_schema_costs_the_whole_request(changes):
    answer = send({"data": [checkout(), checkout(**changes)]})
    assert (answer.status, answer.body["code"]) == (400, 4196)
    assert "data[1]" in answer.faults[0]
    assert not answer.accepted


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event_name": "purchase"}, "event_name"),
        ({"action_source": "website"}, "action_source"),
        ({"event_id": ""}, "event_id"),
        ({"event_time": NOW_MS // 1000 + 3600}, "in the future"),
        ({"event_time": NOW_MS // 1000 - 8 * 86400}, "older than 7 days"),
        ({"language": "en-US"}, "language"),
        ({"partner_name": "Firsthand"}, "partner_name"),
        ({"user_data__em": []}, "user_data.em"),
        ({"user_data__em": ["jane@example.com"]}, "user_data.em"),
        ({"user_data__em": [DIGEST.upper()]}, "user_data.em"),
        ({"user_data__ph": [EMPTY]}, "user_data.ph"),
        ({"user_data__client_ip_address": DIGEST}, "client_ip_address"),
        ({"custom_data__currency": "usd"}, "custom_data.currency"),
        ({"custom_data__value": "49,90"}, "custom_data.value"),
        ({"custom_data__contents__item_price": "a lot"}, "contents[0].item_price"),
        ({"custom_data__opt_out_type": "LDU"}, "opt_out_type"),
    ],
)
def test_what_the_schema_lets_pass_fails_its_row_only(changes, words):
    bad = checkout(**changes)
    answer = send({"data": [checkout(event_id="a"), bad, checkout(event_id="b")]})
    assert answer.status == 200
    assert [row["event_id"] for row in answer.accepted] == ["a", "b"]
    assert answer.accounts == ["549755885175"] * 2
    assert (answer.body["num_events_received"], answer.body["num_events_processed"]) == (3, 2)
    assert [row["status"] for row in answer.body["events"]] == ["processed", "failed", "processed"]
    assert words in answer.body["events"][1]["error_message"]
    assert [refused.row for refused in answer.refused] == [bad]


def test_a_dry_run_is_answered_alike_and_recorded_nowhere():
    answer = send({"data": [checkout()]}, test="true")
    assert answer.body["num_events_processed"] == 1
    assert not answer.accepted
    assert not answer.faults


@pytest.mark.parametrize("token", ["", "sandbox-token", "Bearer revoked-token", "Bearer wrong"])
def test_a_bad_token_is_401_with_code_2(token):
    answer = send({"data": [checkout()]}, token=token)
    assert (answer.status, answer.body["code"]) == (401, 2)


@pytest.mark.parametrize(
    ("body", "account"), [({"data": [checkout()] * 1001}, "1"), ({"data": [checkout()]}, "x"), ([], "1"), (None, "1")]
)
def test_what_is_no_batch_of_an_account_is_400(body, account):
    assert send(body, account=account).status == 400


def test_offline_events_are_never_merged():
    assert Pinterest().dedup_key(checkout()) == ("checkout", "ord-1001")
    assert Pinterest().dedup_key(checkout(action_source="offline")) is None


@pytest.mark.parametrize(("mode", "status", "code"), [("throttled", 429, 8), ("bad_token", 401, 2)])
def test_trouble_has_pinterests_codes(mode, status, code):
    answer = Pinterest().trouble(mode)
    assert (answer.status, answer.body["code"]) == (status, code)


def test_being_down_is_a_503_without_json():
    assert (Pinterest().trouble("down").status, Pinterest().trouble("down").body[:6]) == (503, "<html>")


def as_json_schema(shape):
    """A `Table` the way the published schema writes it."""
    match shape:
        case Table():
            written = {"type": "object", "properties": {key: as_json_schema(one) for key, one in shape.fields.items()}}
            written |= {"required": sorted(shape.required)} if shape.required else {}
            return written if shape.is_open else written | {"additionalProperties": False}
        case Many():
            bounds = {"minItems": shape.least or None, "maxItems": shape.most}
            return {"type": "array", "items": as_json_schema(shape.of)} | {k: v for k, v in bounds.items() if v}
        case Flag():
            return {"type": "boolean"}
        case Text():
            bounds = {"maxLength": shape.longest, "enum": shape.choices and sorted(shape.choices)}
            kind = ["string", "null"] if shape.nullable else "string"
            return {"type": kind} | {key: value for key, value in bounds.items() if value}
        case Whole():
            bounds = {"minimum": shape.low, "maximum": shape.high}
            kind = ["integer", "null"] if shape.nullable else "integer"
            return {"type": kind} | {key: value for key, value in bounds.items() if value is not None}


def plain(published):
    """The published schema without what the tables do not hold: comments, and user_data's alternatives."""
    if not isinstance(published, dict):
        return published
    if "anyOf" in published:
        published = {key: value for key, value in published["anyOf"][0].items() if key != "required"}
    kept = {
        key: value
        for key, value in published.items()
        if not key.startswith(("$", "x-")) and (key, value) != ("minItems", 0)
    }
    if "properties" in kept:
        kept["properties"] = {key: plain(value) for key, value in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = plain(kept["items"])
    for key in ("required", "enum"):
        if key in kept:
            kept[key] = sorted(kept[key])
    return kept


def test_the_tables_are_the_published_schema():
    published = json.loads((FOLDER / "pinterest-events.schema.json").read_text())
    assert as_json_schema(pinterest._BODY) == plain(published)
