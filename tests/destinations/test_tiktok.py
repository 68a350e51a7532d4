"""TikTok: spelling, names, what is refused before sending, and how answers are read. Payloads are in tests/golden/tiktok."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from proxy.clock import DAY_S
from proxy.destinations import _tiktok_errors as errors
from proxy.destinations.base import Reply
from proxy.destinations.tiktok import CURRENCIES, NAMES, STANDARD, TikTok
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault
from proxy.event import ActionSource, ClickId, Client, Data, Event, Item, Page, User, replace
from proxy.identity.click_ids import harvest, merge
from proxy.vocabulary import CANONICAL

NOW_MS = 1_790_000_000_000
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
LEAD = Event(
    id="e-1",
    name="lead",
    time=NOW_MS,
    page=Page(url="https://shop.example/"),
    client=Client(ip="203.0.113.9", user_agent="UA"),
)
SEVERAL = {"email", "phone", "external_id"}
FIELDS = {"zip_code": "zip"}  # theirs -> ours, where they differ


def ours(group):
    return [vector for vector in VECTORS[group] if vector["platform"] == "tiktok"]


def by_id(vector):
    return vector["id"]


def tiktok(**settings):
    return TikTok("t", TikTok.Settings(kind="tiktok", **{"pixel_code": "C123", "access_token": "token", **settings}))


def row(event, **settings):
    return tiktok(**settings).payload(event, NOW_MS)


def body(destination, *events):
    (request,) = destination.build(events, NOW_MS).requests
    return json.loads(request.body)


def reply(code, message="words", *, status=200, headers=None, sent=1, **more):
    said = {"code": code, "message": message, "request_id": "R1", **more}
    return Reply(status=status, headers=headers or {}, body=json.dumps(said).encode(), sent=sent)


# --- identity


def told(vector):
    """The lead of a person of whom one thing is told, plus a click that always matches."""
    field = vector["field"]
    click = {"ttclid": ClickId(value="E.C.P.x", clicked_at=NOW_MS)}
    if field == "ip":
        return replace(LEAD, click_ids=click, client=Client(ip=vector["input"], user_agent="UA"))
    value = (vector["input"],) if field in SEVERAL else vector["input"]
    return replace(LEAD, click_ids=click, user=User(**{FIELDS.get(field, field): value}))


NOT_OURS = {
    "T-N28": "the collector takes the port off an address",
    "T-N29": "app events only",
    "T-N30": "app events only",
}
ADOPTED = [vector for vector in ours("normalisation") if vector["adopt"] is True and vector["id"] not in NOT_OURS]


@pytest.mark.parametrize("vector", ADOPTED, ids=by_id)
def test_every_adopted_spelling_is_sent(vector):
    code = {"GB": "44"}.get(vector.get("default_region"))
    user = row(told(vector), default_country_code=code)["user"]
    sent = {"sha256": vector.get("sha256"), "omit": None}.get(vector["send_as"], vector["normalised"])
    assert user.get(vector["field"]) == sent


@pytest.mark.parametrize("vector", [v for v in ours("normalisation") if v["adopt"] is False], ids=by_id)
def test_no_refuted_spelling_is_sent(vector):
    assert vector["sha256"] not in json.dumps(row(told(vector)))


@pytest.mark.parametrize(
    ("id_", "settings"),
    [
        ("T-N10", {"external_id_case": "lower"}),
        ("T-N15", {"default_country_code": "44"}),
        ("T-N17", {}),
        ("T-N22", {"name_spaces": "remove"}),
        ("T-N26", {}),
    ],
)
def test_every_disputed_spelling_can_be_had(id_, settings):
    (vector,) = (one for one in ours("normalisation") if one["id"] == id_)
    assert row(told(vector), **settings)["user"][vector["field"]] == vector["sha256"]


def test_disputed_vectors_are_all_decided():
    assert {v["id"] for v in ours("normalisation") if v["adopt"] is None} == {
        "T-N10",
        "T-N15",
        "T-N17",
        "T-N22",
        "T-N26",
    }


@pytest.mark.parametrize("vector", ours("click_ids"), ids=by_id)
def test_click_and_cookie_arrive_raw(vector):
    offline = vector.get("event_source") == "offline"
    cookies = vector["cookies"]
    kept = {"ttclid": ClickId(value=cookies["ttclid"], clicked_at=NOW_MS - 1)} if "ttclid" in cookies else {}
    event = replace(
        LEAD,
        action_source=ActionSource.PHYSICAL_STORE if offline else ActionSource.WEBSITE,
        page=Page(url=vector["url"]),
        click_ids=merge(kept, harvest(vector["url"], NOW_MS), NOW_MS),
        browser_ids={"ttp": cookies["_ttp"]} if "_ttp" in cookies else {},
        user=User(email=("ann@example.com",)),
    )
    user = row(event, offline_event_set_id="7")["user"]
    assert {key: user[key] for key in ("ttclid", "ttp") if key in user} == vector["expect"]
    assert not offline or user.keys() == {"email"}


@pytest.mark.parametrize(
    "client", [Client(ip="203.0.113.9"), Client(user_agent="UA"), Client(ip="10.0.0.1", user_agent="U")]
)
def test_address_and_user_agent_go_together_or_not_at_all(client):
    user = row(replace(LEAD, client=client, user=User(email=("ann@example.com",))))["user"]
    assert user.keys() == {"email"}


@pytest.mark.parametrize(
    ("language", "sent"),
    [("en-US", "en-US"), ("de", "de"), ("zh-Hant-TW", "zh-Hant-TW"), ("en_US", None), ("x" * 40, None)],
)
def test_a_locale_is_a_language_tag_or_left_out(language, sent):
    assert row(replace(LEAD, page=replace(LEAD.page, language=language)))["user"].get("locale") == sent


def test_a_place_alone_finds_nobody():
    event = replace(LEAD, client=Client(), page=replace(LEAD.page, language="de"), user=User(city="Bonn", country="de"))
    assert row(event).why == "no_identifier"


# --- names


@pytest.mark.parametrize("vector", VECTORS["event_names"], ids=lambda v: v["canonical"])
def test_names_are_those_of_the_vectors(vector):
    made = row(replace(LEAD, name=vector["canonical"]))
    assert (made.why if vector["tiktok"] is None else made["event"]) == (vector["tiktok"] or "unknown_name")


def test_every_canonical_name_is_decided():
    assert CANONICAL - NAMES.keys() == {"page_view", "view_category", "login", "share", "donate"}
    assert NAMES.keys() <= CANONICAL


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_tiktoks_own_names_are_used_as_they_are(name):
    assert row(replace(LEAD, name=name))["event"] == name


def test_another_case_is_a_custom_event_and_no_product_event():
    made = row(replace(LEAD, name="PURCHASE", data=Data(value=Decimal(1), currency="EUR")))
    assert made["event"] == "PURCHASE"
    assert "content_type" not in made["properties"]


# --- rows


def test_the_golden_purchase_is_equal(golden):
    destination = tiktok(pixel_code=golden["tiktok"]["event_source_id"])
    (request,) = destination.build([golden["event"]], golden["event"].time).requests
    assert json.loads(request.body, parse_float=Decimal) == golden["tiktok"]


def paths(value, place=""):
    """Every place in a body with the type that stands there."""
    if isinstance(value, dict):
        return {path for key, part in value.items() for path in paths(part, f"{place}.{key}")}
    if isinstance(value, list):
        return {path for part in value for path in paths(part, f"{place}[]")}
    return {
        (place, "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__)
    }


REJECTED = [vector for vector in ours("payloads") if vector["expect"] == "reject"]


@pytest.mark.parametrize("vector", REJECTED, ids=by_id)
def test_a_body_tiktok_refuses_cannot_be_built(vector, golden):
    """What is wrong with each, and the nearest event we can be given."""
    event, destination = golden["event"], tiktok()
    match vector["id"]:
        case "T-P07":
            many = [replace(event, id=str(number)) for number in range(1001)]
            sizes = [len(one.rows) for one in tiktok(batch_size=10_000).build(many, NOW_MS).requests]
            assert sizes == [1000, 1]
        case "T-P08" | "T-P09":
            items = (Item(id="1001", price=Decimal("24.95"), quantity=2), Item(id="2", price=None))
            contents = body(destination, replace(event, data=Data(items=items)))["data"][0]["properties"]["contents"]
            assert contents == [
                {"content_id": "1001", "price": 24.95, "quantity": 2},
                {"content_id": "2", "quantity": 1},
            ]
        case "T-P10":
            assert body(tiktok(pixel_code=123456), event)["event_source_id"] == "123456"
            with pytest.raises(ValidationError):
                tiktok(pixel_code=None)
        case "T-P11":
            assert row(replace(event, page=Page())).why == "no_page_url"
        case "T-P12":
            assert not {"pixel_code", "context", "timestamp"} & body(destination, event).keys()
            assert destination.build([event], NOW_MS).requests[0].url.endswith("/v1.3/event/track/")
        case "T-P14":
            assert body(destination, event)["data"][0]["event_time"] == 1_763_856_000
        case unknown:
            pytest.fail(f"a new vector: {unknown}")


@pytest.mark.parametrize("vector", [v for v in ours("payloads") if v["expect"] == "accept"], ids=by_id)
def test_a_body_tiktok_takes_has_our_keys_and_types(vector, golden):
    """Every key of the accepted bodies is one we build, with the same type (one value or a list of them alike)."""
    known = set()
    event = replace(golden["event"], browser_ids={"tiktok_lead_id": "12345"})
    settings = {"lead_event_source": "ExampleCRM", "test_event_code": "T", "limited_data_use": "always"}
    known |= paths(body(tiktok(**settings), event))
    settings |= {"crm_event_set_id": "7", "limited_data_use": "never"}
    known |= paths(body(tiktok(**settings), event))
    known |= {(path.replace("email", "email[]"), kind) for path, kind in known}
    known |= {(path.replace("phone", "phone[]").replace("external_id", "external_id[]"), kind) for path, kind in known}
    assert paths(vector["payload"]) <= known


def test_what_differs_at_request_level_never_shares_a_request(golden):
    event = golden["event"]
    shop = replace(event, action_source=ActionSource.PHYSICAL_STORE)
    lead = replace(shop, browser_ids={"tiktok_lead_id": "9"})
    made = tiktok(offline_event_set_id="700", crm_event_set_id="800").build([event, shop, lead, shop, event], NOW_MS)
    seen = [
        (one.rows, json.loads(one.body)["event_source"], json.loads(one.body)["event_source_id"])
        for one in made.requests
    ]
    assert seen == [((0, 4), "web", "C123"), ((1, 3), "offline", "700"), ((2,), "crm", "800")]


@pytest.mark.parametrize("source", sorted(set(ActionSource) - {ActionSource.WEBSITE, ActionSource.APP}))
def test_what_did_not_happen_on_the_website_needs_an_event_set(source):
    event = replace(LEAD, action_source=source, user=User(phone=("+448444124653",)))
    assert row(event).why == "no_event_set"
    assert row(event, offline_event_set_id="7").keys() == {"event", "event_time", "event_id", "user"}


def test_a_lead_id_alone_does_not_make_a_crm_event():
    event = replace(LEAD, browser_ids={"tiktok_lead_id": "9"})
    assert "lead" not in row(event)
    assert row(event, crm_event_set_id="8", limited_data_use="always").why == "cannot_limit"


def test_a_value_that_is_no_amount_is_left_out():
    assert "properties" not in row(replace(LEAD, data=Data(value=Decimal("NaN"), predicted_ltv=Decimal("1E+40"))))


# --- settings


def test_the_token_stands_bare_in_its_header_and_nowhere_else():
    destination = tiktok(access_token="T0KEN")
    for request in (destination.build([LEAD], NOW_MS).requests[0], destination.probe(NOW_MS)):
        assert request.headers["Access-Token"] == "T0KEN"
        assert "T0KEN" not in request.url + (request.body or b"").decode()


def test_the_probe_holds_no_event():
    probe = tiktok(base_url="http://127.0.0.1:9/").probe(NOW_MS)
    assert probe.url == "http://127.0.0.1:9/open_api/v1.3/event/track/"
    assert json.loads(probe.body) == {"event_source": "web", "event_source_id": "C123", "data": []}


@pytest.mark.parametrize("code", [40000, 40002])
def test_missing_events_prove_the_token_of_a_probe_and_of_nothing_else(code):
    said = reply(code, "data: Missing data for required field.", sent=0)
    assert tiktok().judge(said) == Delivered()
    for sent in (1, 50, None):
        assert isinstance(tiktok().judge(replace(said, sent=sent)), Rejected)


@pytest.mark.parametrize("code", [40001, 40101, 40105])
def test_a_probe_with_a_bad_token_says_so(code):
    assert isinstance(tiktok().judge(reply(code, sent=0)), AuthBroken)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixel_code": ""},
        {"pixel_code": "C 1"},
        {"access_token": None},
        {"limited_data_use": "never", "sale_refused": "limit"},
        {"default_country_code": "999"},
        {"default_currency": "euro"},
        {"content_type": "things"},
        {"pixel_id": "C1"},
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        tiktok(**wrong)


def test_events_of_a_week_are_sent_and_of_four_at_most():
    assert tiktok().max_age_s == 7 * DAY_S
    assert tiktok(max_age_hours=24 * 20).max_age_s == 20 * DAY_S
    assert tiktok(max_age_hours=24 * 60).max_age_s == 28 * DAY_S


def test_what_is_odd_but_works_is_announced():
    assert tiktok(default_currency="eur").warnings(NOW_MS) == ()
    assert "Test Events" in tiktok(test_event_code="T").warnings(NOW_MS)[0]
    assert "XAF" in tiktok(default_currency="XAF").warnings(NOW_MS)[0]
    assert "USD" in CURRENCIES


# --- answers

CLASSES = {
    "delivered": Delivered,
    "delivered-warn": Delivered,
    "permanent": Rejected,
    "auth": AuthBroken,
    "retry": RetryLater,
}


@pytest.mark.parametrize("vector", ours("responses"), ids=by_id)
def test_every_known_answer_is_read_right(vector):
    raw = vector["body"] if isinstance(vector["body"], str) else json.dumps(vector["body"])
    verdict = tiktok().judge(Reply(status=vector["http_status"], body=raw.encode(), sent=3))
    assert isinstance(verdict, CLASSES[vector["expect"]])
    if isinstance(verdict, Delivered):
        assert bool(verdict.warnings) is (vector["expect"] == "delivered-warn")
    else:
        assert isinstance(vector["body"], str) or vector["body"]["message"] in verdict.detail
    if isinstance(verdict, Rejected):
        assert [fault.row for fault in verdict.rows] == ([vector["bad_row"]] if "bad_row" in vector else [])
    if isinstance(verdict, AuthBroken):
        assert verdict.advice


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("code", [*errors.BY_CODE, 40999, 51999, 12, -1])
def test_the_code_decides_whatever_the_status(code, status):
    assert type(tiktok().judge(reply(code, status=status))) is type(tiktok().judge(reply(code)))


def test_every_named_row_is_at_fault_once():
    said = reply(40002, "Batch.3.properties.value: x; Batch.0.user: y; Batch.3.event: z", sent=5)
    verdict = tiktok().judge(said)
    assert [(fault.row, fault.why) for fault in verdict.rows] == [(3, "40002"), (0, "40002")]
    assert all(isinstance(fault, RowFault) and "R1" in fault.detail for fault in verdict.rows)


def test_no_row_is_read_from_a_message_about_credentials():
    assert tiktok().judge(reply(40001, "Batch.0.pixel: no permission")).why == "permission_missing"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reply(status=0, error="timeout"), RetryLater),
        (Reply(status=200, body=b""), RetryLater),
        (Reply(status=200, body=b"<html>captive portal</html>"), RetryLater),
        (Reply(status=200, body=b"{}"), RetryLater),
        (Reply(status=200, body=b"[0]"), RetryLater),
        (Reply(status=200, body=b'{"code": "0"}'), RetryLater),
        (Reply(status=200, body=b'{"code": true}'), RetryLater),
        (Reply(status=403, body=b"<html>denied by a firewall</html>"), RetryLater),
        (Reply(status=404, body=b"nothing here"), RetryLater),
        (Reply(status=302, body=b""), RetryLater),
        (Reply(status=429, body=b""), RetryLater),
        (Reply(status=401, body=b"{}"), AuthBroken),
        (Reply(status=422, body=b"{}"), Rejected),
        (Reply(status=413, body=b"<html>"), Rejected),
        (Reply(status=500, body=b"{}"), RetryLater),
    ],
)
def test_an_answer_without_a_code_is_read_by_its_status(answer, verdict):
    assert isinstance(tiktok().judge(answer), verdict)


def test_a_waiting_time_is_obeyed():
    assert tiktok().judge(reply(40100, headers={"retry-after": "7"})).after_s == 7
    assert tiktok().judge(reply(40100)).after_s is None


def test_words_are_kept_short_and_on_one_line():
    detail = tiktok().judge(reply(40002, "a\nb" * 5000, request_id="r" * 5000)).detail
    assert len(detail) < 500
    assert "\n" not in detail


def test_every_code_of_the_table_is_in_the_manual():
    page = (Path(__file__).parents[2] / "docs" / "destinations" / "tiktok.md").read_text()
    assert {code for code in errors.BY_CODE if code} <= {int(number) for number in re.findall(r"\b\d{5}\b", page)}
