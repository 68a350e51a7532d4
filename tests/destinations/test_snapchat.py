"""Snapchat: spelling, names, what is refused before sending, and how answers are read. Payloads are in tests/golden/snapchat."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from proxy.clock import DAY_S
from proxy.destinations.base import Reply
from proxy.destinations.snapchat import KNOWN, NAMES, Snapchat
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.event import ActionSource, ClickId, Client, Data, Event, Item, Page, User, replace
from proxy.identity import hashing
from proxy.identity.click_ids import harvest
from proxy.relay.redact import redact
from proxy.vocabulary import CANONICAL

NOW_MS = 1_790_000_000_000
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
VIEW = Event(
    id="e-1",
    name="page_view",
    time=NOW_MS,
    page=Page(url="https://shop.example/"),
    client=Client(ip="203.0.113.9", user_agent="UA"),
)
FIELDS = {  # theirs -> ours
    "em": "email",
    "ph": "phone",
    "fn": "first_name",
    "ln": "last_name",
    "ct": "city",
    "zp": "zip",
    "ge": "gender",
    "db": "birth_date",
    "country": "country",
}


def ours(group):
    return [vector for vector in VECTORS[group] if vector["platform"] == "snapchat"]


def by_id(vector):
    return vector["id"]


def snapchat(**settings):
    return Snapchat("s", Snapchat.Settings(kind="snapchat", **{"pixel_id": "p-1", "access_token": "token", **settings}))


def row(event, **settings):
    return snapchat(**settings).payload(event, NOW_MS)


def body(event, **settings):
    (request,) = snapchat(**settings).build([event], NOW_MS).requests
    return json.loads(request.body)


def reply(status, said, **more):
    raw = said if isinstance(said, str) else json.dumps(said)
    return Reply(status=status, body=raw.encode(), **{"sent": 2, **more})


# --- identity


def told(vector):
    """The view of a person of whom one thing more is told."""
    field, text = vector["field"], vector["input"]
    if field == "madid":
        return replace(VIEW, browser_ids={"madid": text})
    name = FIELDS[field]
    return replace(VIEW, user=User(**{name: (text,) if name in ("email", "phone") else text}))


NOT_OURS = {"S-N31": "the collector reads forwarded lists"}
ADOPTED = [vector for vector in ours("normalisation") if vector["adopt"] is True and vector["id"] not in NOT_OURS]


@pytest.mark.parametrize("vector", ADOPTED, ids=by_id)
def test_every_adopted_spelling_is_sent(vector):
    keys = row(told(vector))["user_data"]
    sent = {"sha256": [vector.get("sha256")], "omit": None}.get(vector["send_as"], vector["normalised"])
    assert keys.get(vector["field"]) == sent


@pytest.mark.parametrize("vector", [v for v in ours("normalisation") if v["adopt"] is False], ids=by_id)
def test_no_refuted_spelling_is_sent(vector):
    assert vector["sha256"] not in json.dumps(row(told(vector)))


@pytest.mark.parametrize(("id_", "settings"), [("S-N20", {}), ("S-N24", {"birth_date": True})])
def test_every_disputed_spelling_can_be_had(id_, settings):
    (vector,) = (one for one in ours("normalisation") if one["id"] == id_)
    assert row(told(vector), **settings)["user_data"][vector["field"]] == [vector["sha256"]]


def test_disputed_vectors_are_all_decided():
    assert {v["id"] for v in ours("normalisation") if v["adopt"] is None} == {"S-N20", "S-N24"}
    assert "db" not in row(replace(VIEW, user=User(birth_date="1997-02-16")))["user_data"]


@pytest.mark.parametrize("vector", ours("click_ids"), ids=by_id)
def test_click_and_cookie_arrive_raw(vector):
    ids = {"scid": vector["cookies"]["_scid"]} if "_scid" in vector["cookies"] else {}
    keys = row(replace(VIEW, click_ids=harvest(vector["url"], NOW_MS), browser_ids=ids))["user_data"]
    assert {key: keys[key] for key in ("sc_click_id", "sc_cookie1") if key in keys} == vector["expect"]


@pytest.mark.parametrize(
    ("changes", "enough"),
    [
        ({"user": User(email=("ann@example.com",))}, True),
        ({"user": User(phone=("+16505551212",))}, True),
        ({"browser_ids": {"madid": "38400000-8cf0-11bd-b23e-10b96e40000d"}}, True),
        ({"client": VIEW.client}, True),
        ({"client": Client(ip="203.0.113.9")}, False),
        ({"client": Client(user_agent="UA")}, False),
        ({"client": Client(ip="10.0.0.1", user_agent="UA")}, False),
        ({"user": User(first_name="Ann", city="Bonn", external_id=("c-7",))}, False),
        ({"click_ids": {"sccid": ClickId(value="abc", clicked_at=1)}, "browser_ids": {"scid": "abc"}}, False),
    ],
)
def test_the_documented_minimum_decides(changes, enough):
    made = row(replace(replace(VIEW, client=Client()), **changes))
    assert ("user_data" in made) if enough else (made.why == "no_identifier")


def test_offline_the_same_minimum_decides():
    event = replace(VIEW, action_source=ActionSource.PHYSICAL_STORE)
    assert row(event)["action_source"] == "OFFLINE"
    assert row(replace(event, client=Client())).why == "no_identifier"


@pytest.mark.parametrize(
    ("given", "hashed"),
    [("Mary-Jane", "maryjane"), (" Mary  Ann ", "mary ann"), ("O'Brien Jr.", "obrien jr"), (". -", None)],
)
def test_names_lose_punctuation_and_keep_their_spaces(given, hashed):
    made = row(replace(VIEW, user=User(first_name=given)))["user_data"]
    assert made.get("fn") == (hashed and [hashing.sha256_hex(hashed)])


def test_spaces_in_names_can_go():
    made = row(replace(VIEW, user=User(last_name="de la Cruz")), name_spaces="remove")["user_data"]
    assert made["ln"] == [hashing.sha256_hex("delacruz")]


# --- names


@pytest.mark.parametrize("vector", VECTORS["event_names"], ids=lambda v: v["canonical"])
def test_names_are_those_of_the_vectors(vector):
    data = Data(value=Decimal(1), currency="EUR")
    made = row(replace(VIEW, name=vector["canonical"], data=data))
    assert (made.why if vector["snapchat"] is None else made["event_name"]) == (vector["snapchat"] or "unknown_name")


def test_every_canonical_name_is_decided():
    without = "contact schedule find_location customize_product donate submit_application download".split()
    assert CANONICAL - NAMES.keys() == set(without)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_snapchats_own_names_are_used_as_they_are(name):
    data = Data(value=Decimal(1), currency="EUR")
    assert row(replace(VIEW, name=name, data=data))["event_name"] == name
    assert row(replace(VIEW, name=name.lower(), data=data))["event_name"] in {name, NAMES.get(name.lower())}
    assert row(replace(VIEW, name=name.lower() + "_", data=data)).why == "unknown_name"


# --- rows


def test_the_golden_purchase_is_equal(golden):
    (request,) = snapchat().build([golden["event"]], golden["event"].time).requests
    assert json.loads(request.body, parse_float=Decimal) == golden["snapchat"]


AVOIDED = [vector for vector in ours("payloads") if vector["expect"] in ("avoid", "reject", "conflict")]


@pytest.mark.parametrize("vector", AVOIDED, ids=by_id)
def test_a_body_that_is_not_to_be_sent_cannot_be_built(vector, golden):
    """What is wrong with each, and the nearest event we can be given."""
    event = replace(
        golden["event"],
        browser_ids={"madid": "38400000-8CF0-11BD-B23E-10B96E40000D"},
        user=replace(golden["event"].user, external_id=("a", "b"), birth_date="1997-02-16"),
        custom={"event_id": "c", "version": "3.0", "brands": ["Acme"]},
    )
    sent = body(event, limited_data_use="always")
    (made,) = sent["data"]
    keys, facts = made["user_data"], made["custom_data"]
    match vector["id"]:
        case "S-P08":
            hashed = "em ph fn ln ct st zp country".split()
            assert all(isinstance(keys[key], list) for key in hashed)
        case "S-P09" | "S-P10":
            assert isinstance(facts["content_category"], str)
            assert "brands" not in facts
        case "S-P11":
            assert made["event_id"] == "ord-1001"
            assert "event_id" not in facts
        case "S-P12":
            assert "version" not in json.dumps(sent)
        case "S-P13":
            assert keys["madid"] == vector["payload"]["data"][0]["user_data"]["madid"]
        case "S-P14":
            other = body(event, device_id_key="mobile_ad_id")["data"][0]["user_data"]
            assert "madid" not in other
            assert other["mobile_ad_id"] == vector["payload"]["data"][0]["user_data"]["mobile_ad_id"]
        case "S-P15":
            assert {key for key in made if key.startswith("data_processing")} == {"data_processing_options"}
        case "S-P16":
            assert isinstance(keys["external_id"], str)
        case "S-P17":
            assert "db" not in keys
            assert body(event, birth_date=True)["data"][0]["user_data"]["db"]
        case "S-P18":
            assert row(replace(event, data=Data(value=Decimal("49.9")))).why == "no_currency"
        case "S-P19":
            assert row(replace(VIEW, client=Client(), user=User(first_name="Jane"))).why == "no_identifier"
        case "S-P20":
            sources = {row(replace(event, action_source=one))["action_source"] for one in set(ActionSource) - {"app"}}
            assert sources == {"WEB", "OFFLINE"}
        case unknown:
            pytest.fail(f"a new vector: {unknown}")


def paths(value, place=""):
    """Every place in a body with the type that stands there."""
    if isinstance(value, dict):
        return {path for key, part in value.items() for path in paths(part, f"{place}.{key}")}
    if isinstance(value, list):
        return {path for part in value for path in paths(part, f"{place}[]")}
    return {
        (place, "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__)
    }


APP_OR_LOOSER = {"S-P02": "numbers as text", "S-P03": "counts as numbers", "S-P07": "an app event"}
TAKEN = [v for v in ours("payloads") if v["expect"] == "accept" and v["id"] not in APP_OR_LOOSER]


@pytest.mark.parametrize("vector", TAKEN, ids=by_id)
def test_a_body_snapchat_takes_has_our_keys_and_types(vector, golden):
    settings = {"test_event_code": "T", "limited_data_use": "always", "opt_out": "limited"}
    assert paths(vector["payload"]) <= paths(body(golden["event"], **settings))


def test_counts_and_prices_of_items_are_text():
    items = (Item(id="1001", price=Decimal("1E+3"), quantity=2), Item(id="2"))
    (made,) = body(replace(VIEW, data=Data(items=items)))["data"]
    assert made["custom_data"]["contents"] == [
        {"id": "1001", "quantity": "2", "item_price": "1000"},
        {"id": "2", "quantity": "1"},
    ]


def test_several_names_are_no_name_and_the_sites_own_word_comes_first():
    items = (Item(id="1", name="Mug", category="Kitchen"), Item(id="2", name="Cap", category="Clothes"))
    (mixed,) = body(replace(VIEW, data=Data(items=items)))["data"]
    assert not {"content_name", "content_category"} & mixed["custom_data"].keys()
    (said,) = body(replace(VIEW, data=Data(items=items, content_name="Set", content_category="Gifts")))["data"]
    assert (said["custom_data"]["content_name"], said["custom_data"]["content_category"]) == ("Set", "Gifts")


# --- settings


@pytest.mark.parametrize("token", ["T0KEN", "a+b/c=&d", "tök en"])
def test_the_token_is_a_parameter_and_masked_wherever_a_request_is_shown(token):
    destination = snapchat(access_token=token)
    for request in (destination.build([VIEW], NOW_MS).requests[0], destination.probe(NOW_MS)):
        shown = redact(request.url, destination.secrets())
        assert shown.endswith("?access_token=***")
        assert request.url.count("access_token=") == 1
        assert "Authorization" not in request.headers
        assert token not in request.body.decode()


def test_the_probe_is_for_validation_only():
    probe = snapchat(base_url="http://127.0.0.1:9/").probe(NOW_MS)
    assert probe.url == "http://127.0.0.1:9/v3/p-1/events/validate?access_token=token"
    assert probe.rows == ()
    (made,) = json.loads(probe.body)["data"]
    assert made.keys() <= row(VIEW).keys()


def test_what_validation_thinks_of_the_probe_does_not_matter():
    refused = {"status": "INVALID", "reason": "client_ip_address is not public"}
    assert snapchat().judge(reply(200, refused, sent=0)) == Delivered(warnings=("client_ip_address is not public",))
    assert isinstance(snapchat().judge(reply(200, refused, sent=None)), Rejected)
    assert isinstance(snapchat().judge(reply(401, "Invalid access token", sent=0)), AuthBroken)
    assert isinstance(snapchat().judge(reply(404, {}, sent=0)), AuthBroken)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixel_id": ""},
        {"pixel_id": "a/b"},
        {"pixel_id": None},
        {"limited_data_use": "never", "sale_refused": "limit"},
        {"default_country_code": "999"},
        {"default_currency": "euro"},
        {"device_id_key": "idfa"},
        {"pixel_code": "C1"},
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        snapchat(**wrong)


def test_events_of_a_week_are_sent_and_of_37_days_at_most():
    assert snapchat().max_age_s == 7 * DAY_S
    assert snapchat(max_age_hours=24 * 30).max_age_s == 30 * DAY_S
    assert snapchat(max_age_hours=24 * 60).max_age_s == 37 * DAY_S


def test_batches_are_fifty_unless_asked_and_never_above_two_thousand():
    assert snapchat().batch_size == 50
    assert snapchat(batch_size=5000).batch_size == 2000


def test_a_test_code_is_announced():
    assert snapchat().warnings(NOW_MS) == ()
    assert "test_event_code" in snapchat(test_event_code="T").warnings(NOW_MS)[0]


# --- answers

CLASSES = {"delivered": Delivered, "permanent": Rejected, "auth": AuthBroken, "retry": RetryLater}
INVALID = {
    "status": "INVALID",
    "reason": "Invalid event",
    "event": 1,
    "errors": {"codes": ["x"], "error_msgs": ["why"]},
}


@pytest.mark.parametrize("vector", ours("responses"), ids=by_id)
def test_every_known_answer_is_read_right(vector):
    verdict = snapchat().judge(reply(vector["http_status"], vector["body"]))
    assert isinstance(verdict, CLASSES[vector["expect"]])
    if isinstance(verdict, AuthBroken):
        assert verdict.advice


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_refusal_is_one_of_the_whole_request_even_when_it_seems_to_name_a_row(status):
    assert snapchat().judge(reply(status, INVALID)) == Rejected("invalid", "Invalid event: why: x")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reply(status=0, error="timeout"), RetryLater),
        (reply(200, ""), RetryLater),
        (reply(200, "<html>captive portal</html>"), RetryLater),
        (reply(200, {}), RetryLater),
        (reply(200, [1]), RetryLater),
        (reply(200, {"status": "SOMETHING"}), RetryLater),
        (reply(302, ""), RetryLater),
        (reply(400, ""), Rejected),
        (reply(400, "<html>"), RetryLater),
        (reply(401, "<html>"), AuthBroken),
        (reply(401, INVALID), AuthBroken),
        (reply(403, {"reason": "no access"}), AuthBroken),
        (reply(403, "<html>denied by a firewall</html>"), RetryLater),
        (reply(404, ""), AuthBroken),
        (reply(404, "<html>"), RetryLater),
        (reply(408, ""), RetryLater),
        (reply(413, "<html>"), Rejected),
        (reply(429, INVALID), RetryLater),
        (reply(500, INVALID), RetryLater),
        (reply(502, "<html>"), RetryLater),
    ],
)
def test_other_answers_are_read_by_their_status(answer, verdict):
    assert isinstance(snapchat().judge(answer), verdict)


def test_a_wrong_pixel_id_pauses_and_loses_nothing():
    verdict = snapchat().judge(reply(404, "not found"))
    assert verdict.why == "pixel_unknown"
    assert "pixel_id" in verdict.advice


def test_what_snapchat_says_in_plain_text_is_kept_and_a_page_is_not():
    assert snapchat().judge(reply(401, "Invalid access\ntoken")).detail == "Invalid access token"
    assert snapchat().judge(reply(401, "<html>no</html>")).detail == "HTTP 401"


def test_a_waiting_time_is_obeyed():
    assert snapchat().judge(reply(429, "", headers={"retry-after": "30"})).after_s == 30


@pytest.mark.parametrize("errors", [None, [], "x", {"codes": None, "error_msgs": "text"}, {"error_msgs": [1, None]}])
def test_words_of_any_shape_are_kept_short_and_on_one_line(errors):
    detail = snapchat().judge(reply(400, {"status": "INVALID", "reason": "a\nb" * 5000, "errors": errors})).detail
    assert len(detail) < 500
    assert "\n" not in detail


def test_every_reason_of_refusal_is_in_the_manual():
    page = (Path(__file__).parents[2] / "docs" / "destinations" / "snapchat.md").read_text()
    source = (Path(__file__).parents[2] / "proxy" / "destinations" / "snapchat.py").read_text()
    reasons = set(re.findall(r'(?:Refusal|Rejected|AuthBroken|RetryLater)\(\s*"(\w+)"', source))
    assert len(reasons) >= 8
    assert reasons <= set(re.findall(r"`(\w+)`", page))
