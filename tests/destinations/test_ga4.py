"""GA4: every body against the rules of its vectors, and how the little it answers is read."""

import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from proxy.destinations import _ga4_event as rules
from proxy.destinations.base import Refusal, Reply
from proxy.destinations.ga4 import Ga4
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault
from proxy.event import ClickId, Consent, ConsentState, Data, Event, Item, Page, Purpose, User, Visitor, replace
from proxy.relay.redact import redact
from proxy.vocabulary import CANONICAL

TESTS = Path(__file__).parents[1]
VECTORS = json.loads((TESTS / "vectors" / "google-vectors.json").read_text())["ga4_payloads"]
NOW_MS = 1_790_000_000_000
VIEW = Event(
    id="e-1",
    name="page_view",
    time=NOW_MS,
    page=Page(url="https://shop.example/"),
    browser_ids={"ga_client_id": "1234567890.1690000000"},
    consent=Consent(analytics=ConsentState.GRANTED),
)
ALL_GRANTED = Consent(
    marketing=ConsentState.GRANTED, analytics=ConsentState.GRANTED, personalization=ConsentState.GRANTED
)


def ga4(**settings):
    given_settings = {"measurement_id": "G-ABC", "api_secret": "secret", **settings}
    return Ga4("g", Ga4.Settings(kind="ga4", **given_settings))


def row(event, **settings):
    return ga4(**settings).payload(event, NOW_MS)


def params(event, **settings):
    return row(event, **settings)["events"][0]["params"]


NAME = re.compile(r"(?!_|firebase_|ga_|google_)[A-Za-z][A-Za-z0-9_]{0,39}")
TOP = {"client_id", "user_id", "timestamp_micros", "events", "user_properties", "user_data", "consent", "device"}
TOP |= {"ip_override", "user_agent", "user_location", "non_personalized_ads", "validation_behavior"}


def faults(body, *, age=True):
    """What Google's documentation forbids in a body, written down a second time for these tests."""
    found = [f"{key}: unknown" for key in body.keys() - TOP]
    if not body.get("client_id"):
        found.append("client_id: missing")
    if not 1 <= len(body["events"]) <= 25:
        found.append("events: too few or too many")
    for key, prop in body.get("user_properties", {}).items():
        value = prop.get("value") if isinstance(prop, dict) else None
        if value is None or len(str(value)) > 36 or len(key) > 24 or key in rules.RESERVED_PROPERTIES:
            found.append(f"user_properties.{key}")
    for event in body["events"]:
        found += event_faults(event)
    stamps = [body.get("timestamp_micros"), *(event.get("timestamp_micros") for event in body["events"])]
    if age and any(stamp is not None and stamp // 1000 < NOW_MS - 72 * 3_600_000 for stamp in stamps):
        found.append("timestamp_micros: too old")
    return found


def event_faults(event):
    name, given = event["name"], event.get("params", {})
    found = []
    if not NAME.fullmatch(name) or name in rules.RESERVED:
        found.append(f"{name}: not a name")
    if len(given) > 25:
        found.append("params: too many")
    found += [f"{key}: not a parameter" for key in given if not NAME.fullmatch(key)]
    found += [
        f"{key}: too long"
        for key, value in given.items()
        if len(str(value)) > rules.LONGER.get(key, 100) and key != "items"
    ]
    if ("value" in given) != ("currency" in given):
        found.append("value and currency: both or neither")
    if isinstance(given.get("value"), str):
        found.append("value: not a number")
    if "currency" in given and not re.fullmatch("[A-Z]{3}", given["currency"]):
        found.append("currency: not ISO 4217")
    if name == "purchase" and not isinstance(given.get("transaction_id"), str):
        found.append("transaction_id: missing")
    if "items" in given and not given["items"]:
        found.append("items: empty")
    found += ["item: nameless" for item in given.get("items", []) if not item.keys() & {"item_id", "item_name"}]
    return found


# --- vectors


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_rules_of_these_tests_tell_good_from_bad(vector):
    if vector["id"] in {"G008", "G009"}:  # the address, not the body: a required setting
        with pytest.raises(ValidationError):
            ga4(**{key: vector[key] or None for key in ("api_secret", "measurement_id") if key in vector})
    else:
        aged = "too old" in str(faults(vector["payload"])) if vector["id"] in {"G003", "G004"} else False
        assert bool(faults(vector["payload"], age=not aged)) == (vector["verdict"] != "valid")


@pytest.mark.parametrize("case", sorted((TESTS / "golden" / "ga4").glob("*.txt")), ids=lambda case: case.stem)
def test_a_golden_request_keeps_every_rule(case):
    lower = case.read_text().partition("\n----------\n")[2]
    bodies = [block for block in lower.split("\n\n") if block.startswith("{")]
    assert bodies or "REFUSED" in lower
    for body in bodies:
        assert faults(json.loads(body)) == []


NAMES = {vector["id"]: vector["payload"]["events"][0]["name"] for vector in VECTORS if vector["payload"]["events"]}


@pytest.mark.parametrize("vector_id", ["G012", "G016", "G037", "G038", "G039"])
def test_a_name_ga4_would_drop_is_refused(vector_id):
    assert isinstance(row(replace(VIEW, name=NAMES[vector_id])), Refusal)


@pytest.mark.parametrize(("vector_id", "name"), [("G013", "add_to_cart"), ("G014", "sign_up"), ("G015", "a" * 40)])
def test_a_name_ga4_can_read_is_sent(vector_id, name):
    assert row(replace(VIEW, name=NAMES[vector_id]))["events"][0]["name"] == name


@pytest.mark.parametrize("vector_id", ["G017", "G018", "G019", "G020", "G041"])
def test_parameters_ga4_would_drop_are_left_out_or_cut(vector_id):
    vector = next(vector for vector in VECTORS if vector["id"] == vector_id)
    event = replace(VIEW, name="proxy_test", custom=vector["payload"]["events"][0]["params"])
    assert faults(row(event)) == []


@pytest.mark.parametrize("vector_id", ["G030", "G031", "G032", "G040"])
def test_user_properties_are_made_right_or_left_out(vector_id):
    vector = next(vector for vector in VECTORS if vector["id"] == vector_id)
    given_properties = {
        key: prop["value"] if isinstance(prop, dict) else prop
        for key, prop in vector["payload"]["user_properties"].items()
    }
    assert faults(row(replace(VIEW, custom={"user_properties": given_properties}))) == []


def test_the_complete_purchase_of_the_vectors_comes_out():
    wanted = next(vector["payload"] for vector in VECTORS if vector["id"] == "G001")
    event = replace(
        VIEW,
        name="purchase",
        page=Page(),
        browser_ids={**VIEW.browser_ids, "ga_session_id": "1747132561"},
        data=Data(
            value=Decimal("49.9"),
            currency="EUR",
            order_id="T-1",
            items=(Item(id="sku-1", name="Shoe", price=Decimal("24.95"), quantity=2),),
        ),
    )
    body = json.loads(ga4().build([event], NOW_MS).requests[0].body)
    assert body["client_id"] == wanted["client_id"]
    made = body["events"][0]["params"]
    assert made == wanted["events"][0]["params"]


# --- bodies


def test_every_canonical_name_is_one_ga4_takes():
    event = replace(VIEW, data=Data(value=Decimal(1), currency="EUR", items=(Item(id="a"),)))
    for name in CANONICAL:
        assert faults(row(replace(event, name=name))) == []


def test_a_derived_client_id_is_of_one_visitor_alone_and_lasts():
    anna, ben = (Visitor(id=name, first_seen=1_789_990_000_999) for name in ("v_anna", "v_ben"))
    of = {who.id: row(replace(VIEW, browser_ids={}, visitor=who))["client_id"] for who in (anna, ben)}
    assert of["v_anna"] != of["v_ben"]
    assert row(replace(VIEW, id="e-2", browser_ids={}, visitor=anna, time=NOW_MS - 9))["client_id"] == of["v_anna"]
    number, _, seconds = of["v_anna"].partition(".")
    assert 0 <= int(number) < 2**31
    assert seconds == "1789990000"


@pytest.mark.parametrize("given_id", ["", "null", "a b", "x" * 256, "a\nb"])
def test_a_client_id_that_is_none_is_not_used(given_id):
    assert row(replace(VIEW, browser_ids={"ga_client_id": given_id})).why == "no_client_id"


@pytest.mark.parametrize("session", ["", "abc", "1.2", "-5", "٣"])
def test_a_session_that_is_no_number_is_left_out(session):
    assert "session_id" not in params(replace(VIEW, browser_ids={**VIEW.browser_ids, "ga_session_id": session}))


def test_with_several_streams_each_gets_its_own_session():
    ids = {**VIEW.browser_ids, "ga_session_id_ABC": "11", "ga_session_id_DEF": "22"}
    view = replace(VIEW, browser_ids=ids)
    assert params(view)["session_id"] == "11"
    assert params(view, measurement_id="G-DEF")["session_id"] == "22"
    assert "session_id" not in params(view, measurement_id="G-XYZ")


@pytest.mark.parametrize(
    ("consent", "ad_user_data", "ad_personalization"),
    [
        (ALL_GRANTED, "GRANTED", "GRANTED"),
        (replace(ALL_GRANTED, personalization=ConsentState.DENIED), "GRANTED", "DENIED"),
        (replace(ALL_GRANTED, personalization=ConsentState.UNKNOWN), "GRANTED", "DENIED"),
        (replace(ALL_GRANTED, marketing=ConsentState.UNKNOWN), "DENIED", "DENIED"),
        (replace(ALL_GRANTED, sale=ConsentState.DENIED), "DENIED", "DENIED"),
    ],
)
def test_advertising_is_granted_only_by_a_yes(consent, ad_user_data, ad_personalization):
    event = replace(
        VIEW,
        consent=consent,
        user=User(email=("ann@example.com",)),
        page=Page(url="https://shop.example/?gclid=AbC"),
        click_ids={"gclid": ClickId(value="AbC", clicked_at=NOW_MS)},
    )
    body = row(event, user_data=True)
    assert body["consent"] == {"ad_user_data": ad_user_data, "ad_personalization": ad_personalization}
    assert ("user_data" in body) == (ad_user_data == "GRANTED")
    assert ("gclid" in json.dumps(body)) == (ad_user_data == "GRANTED")


def test_analytics_is_the_purpose_unless_told_otherwise():
    assert ga4().settings.consent == (Purpose.ANALYTICS,)
    assert ga4(consent=["analytics", "marketing"]).settings.consent == (Purpose.ANALYTICS, Purpose.MARKETING)


def test_what_differs_beside_the_events_never_shares_a_request():
    base = replace(VIEW, consent=ALL_GRANTED, visitor=Visitor(id="v", first_seen=NOW_MS))
    others = [
        replace(base, user=User(email=("ann@example.com",))),
        replace(base, consent=replace(ALL_GRANTED, personalization=ConsentState.DENIED)),
        replace(base, client=replace(base.client, ip="203.0.113.9")),
        replace(base, client=replace(base.client, user_agent="UA")),
        replace(base, custom={"user_properties": {"tier": "gold"}}),
        replace(base, page=replace(base.page, language="de")),
        replace(base, browser_ids={"ga_client_id": "2.2"}),
        replace(base, browser_ids={}),
    ]
    destination = ga4(user_data=True, user_id=True, device=True)
    built = destination.build([base, *others, base], NOW_MS)
    assert sorted(request.rows for request in built.requests) == sorted([(0, 9), *((n,) for n in range(1, 9))])
    for request in built.requests:
        body = json.loads(request.body)
        for position in request.rows:
            alone = destination.payload([base, *others, base][position], NOW_MS)
            assert {**body, "events": None} == {**alone, "events": None}


def test_no_more_than_25_events_share_a_request():
    built = ga4(batch_size=1000).build([replace(VIEW, id=str(number)) for number in range(60)], NOW_MS)
    assert [len(request.rows) for request in built.requests] == [25, 25, 10]


def test_items_are_limited_and_those_of_none_left_out():
    items = tuple(Item(id=str(number), quantity=number) for number in range(300))
    made = params(replace(VIEW, data=Data(items=items)))["items"]
    assert len(made) == rules.ITEMS
    assert made[0]["item_id"] == "1"


def test_custom_properties_never_replace_what_data_says():
    event = replace(VIEW, custom={"value": "9", "items": "x", "event_id": "y", "session_id": "z", "transaction_id": 1})
    assert params(event).keys() == {"engagement_time_msec", "page_location"}
    assert params(event, event_id=True)["event_id"] == "e-1"


def test_long_texts_are_kept_where_they_may_be():
    event = replace(VIEW, custom={"p": "x" * 600})
    assert [len(params(event, long_texts=big)["p"]) for big in (False, True)] == [100, 500]


def test_the_secret_is_in_the_address_only_and_known_for_redaction():
    destination = ga4(api_secret="a/b c+")
    request = destination.build([VIEW], NOW_MS).requests[0]
    assert parse_qs(urlsplit(request.url).query) == {"measurement_id": ["G-ABC"], "api_secret": ["a/b c+"]}
    assert "api_secret=***" in redact(request.url, destination.secrets())
    assert b"a/b" not in request.body


def test_an_hour_beyond_72_is_too_old():
    assert ga4().max_age_s == 72 * 3600
    assert ga4(max_age_hours=100).max_age_s == 72 * 3600


def test_what_looks_like_an_id_but_is_an_address_is_no_user_id():
    user = User(external_id=("ann@example.com", "null", "x" * 257, " u-7 "))
    assert row(replace(VIEW, user=user), user_id=True)["user_id"] == "u-7"
    assert "user_id" not in row(replace(VIEW, user=user))


def test_a_remembered_id_makes_no_second_user_of_the_same_person():
    user = User(external_id=("0" * 64,))
    assert "user_id" not in row(replace(VIEW, user=user, remembered=("external_id",)), user_id=True)
    assert row(replace(VIEW, user=user), user_id=True)["user_id"] == "0" * 64


def test_settings_that_change_what_is_recorded_are_worth_a_warning():
    assert ga4().warnings(NOW_MS) == ()
    assert len(ga4(debug=True, debug_view=True).warnings(NOW_MS)) == 2


@pytest.mark.parametrize("bad", [{"measurement_id": "UA-1"}, {"engagement_time_msec": 0}, {"default_currency": "EURO"}])
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ValidationError):
        ga4(**bad)


# --- answers


@pytest.mark.parametrize("reply", [Reply(status=204), Reply(status=200), Reply(status=200, body=b"GIF89a")])
def test_silence_is_success(reply):
    assert ga4().judge(reply) == Delivered()


def test_what_google_refuses_is_not_sent_again():
    verdict = ga4().judge(Reply(status=400, sent=3))
    assert isinstance(verdict, Rejected)
    assert [fault.row for fault in verdict.rows] == [0, 1, 2]


def test_a_body_too_large_is_halved():
    assert ga4().judge(Reply(status=413, sent=3)) == Rejected("too_large", "HTTP 413")


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status):
    assert isinstance(ga4().judge(Reply(status=status, sent=1)), RetryLater)


def test_a_page_of_a_gateway_is_no_success():
    assert isinstance(ga4().judge(Reply(status=200, body=b"\n<html>", sent=1)), RetryLater)


def validation(*messages, sent=3):
    return ga4().judge(Reply(status=200, body=json.dumps({"validationMessages": messages}).encode(), sent=sent))


@pytest.mark.parametrize("place", ["events[1].name", "#/events/1/name", "events.1.name"])
def test_a_message_of_the_validation_server_names_its_event(place):
    message = {"fieldPath": place, "description": "no", "validationCode": "NAME_INVALID"}
    assert validation(message, message) == Delivered(rejected=(RowFault(1, "name_invalid", f"{place}: no"),))


def test_a_message_about_the_body_is_about_all_events():
    verdict = validation({"fieldPath": "client_id", "description": "no", "validationCode": "VALUE_INVALID"}, sent=2)
    assert [fault.row for fault in verdict.rejected] == [0, 1]


def test_a_message_about_the_credentials_pauses():
    assert isinstance(validation({"fieldPath": "api_secret", "validationCode": "VALUE_REQUIRED"}), AuthBroken)


@pytest.mark.parametrize("messages", [[], [None], [{"fieldPath": "events[7].name"}], [{"fieldPath": 5}]])
def test_strange_messages_break_nothing(messages):
    assert isinstance(validation(*messages), Delivered)
