"""Google Ads: what a builder can be shown of the vectors, settings, and how every answer is read. More payloads stand in
tests/golden/google_ads; the schema of Google's own library judges those in tests/oracles."""

import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from proxy.destinations import _google_ads_errors as errors
from proxy.destinations.base import Processed, Refusal, Reply
from proxy.destinations.google_ads import GoogleAds, timestamp
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault
from proxy.event import ActionSource, ClickId, Client, Consent, ConsentState, Data, Event, Item, Page, User, replace

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())
NOW_MS = 1_795_169_730_000
LEAD = Event(id="lead-1", name="lead", time=NOW_MS, user=User(email=("alexz@example.com",)))
LOGIN = {"client_id": "c", "client_secret": "client-secret", "refresh_token": "refresh-token"}


def google(**settings):
    actions = {"lead": "1", "purchase": "987654321"}
    given = {"customer_id": "1234567890", "conversion_actions": actions, **LOGIN, **settings}
    return GoogleAds("g", GoogleAds.Settings(kind="google_ads", **given))


def row(event, **settings):
    return google(**settings).payload(event, NOW_MS)


def body(event, **settings):
    (request,) = google(**settings).build([event], NOW_MS).requests
    return json.loads(request.body)


def identifiers(user, **settings):
    """Of a user who also has a click, so that nothing is refused for want of identifiers."""
    clicked = replace(LEAD, user=user, click_ids={"gclid": ClickId(value="Cj0", clicked_at=NOW_MS)})
    return row(clicked, **settings).get("userData", {}).get("userIdentifiers", [])


def picked(key, values):
    return [one for one in values if one["id"].startswith(key)]


def by_id(vector):
    return vector["id"]


# --- vectors: match keys


@pytest.mark.parametrize("vector", [v for v in VECTORS["normalisation"] if v["adopt"]], ids=by_id)
def test_match_keys_are_the_vectors(vector):
    field, given, expect = vector["field"], vector["input"], vector["expect"]
    whole = {"first_name": "Ann", "last_name": "Lee", "country": "FR", "zip": "75001"}
    names = {
        "address.givenName": "first_name",
        "address.familyName": "last_name",
        "address.regionCode": "country",
        "address.postalCode": "zip",
    }
    if field in names:
        us = {"country": "US"} if field == "address.postalCode" and given.strip()[:1].isdigit() else {}
        found = [one["address"] for one in identifiers(User(**(whole | us | {names[field]: given})))]
        values = [one[field.removeprefix("address.")] for one in found]
    else:
        user = {"emailAddress": {"email": (given,)}, "phoneNumber": {"phone": (given,)}}[field]
        values = [one[field] for one in identifiers(User(**user))]
    assert values == ([] if expect is None else [expect.get("sha256_hex") or expect["normalised"]])


def test_every_vector_of_match_keys_is_adopted():
    assert len([v for v in VECTORS["normalisation"] if v["adopt"]]) == VECTORS["counts"]["normalisation"]


def test_a_national_number_is_completed_with_the_configured_country():
    national = next(v["input"] for v in VECTORS["normalisation"] if v["id"] == "N024")
    international = next(v["expect"]["sha256_hex"] for v in VECTORS["normalisation"] if v["id"] == "N019")
    assert identifiers(User(phone=(national,)), default_country_code="+1") == [{"phoneNumber": international}]


@pytest.mark.parametrize("missing", ["first_name", "last_name", "country", "zip"])
def test_an_address_is_whole_or_not_there(missing):
    whole = {"first_name": "Ann", "last_name": "Lee", "country": "FR", "zip": "75001"}
    assert len(identifiers(User(**whole))) == 1
    assert identifiers(User(**(whole | {missing: None}))) == []
    assert identifiers(User(**(whole | {missing: "null"}))) == []


# --- vectors: times and payloads


@pytest.mark.parametrize("vector", [v for v in VECTORS["timestamps"] if "dm_eventTimestamp" in v], ids=by_id)
def test_times_are_the_vectors(vector):
    assert timestamp(vector["epoch_ms"]) == vector["dm_eventTimestamp"]


@pytest.mark.parametrize("vector", [v for v in VECTORS["timestamps"] if v.get("verdict") == "valid"], ids=by_id)
def test_a_time_is_written_so_that_it_is_read_as_the_same_millisecond(vector):
    read = datetime.fromisoformat(timestamp(vector["epoch_ms"]))
    assert round(read.timestamp() * 1000) == vector["epoch_ms"]
    assert timestamp(vector["epoch_ms"])[:19] == vector["utc"][:19]


def payload(name):
    return next(v["payload"] for v in VECTORS["payloads"] if v["id"] == name)


def without(mapping, *keys):
    return {key: value for key, value in mapping.items() if key not in keys}


def plain(request, row=0):
    """A request of ours as the vectors write them: one destination without reference, consent for the whole."""
    event = without(request["events"][row], "destinationReferences")
    destinations = [without(one, "reference") for one in request["destinations"]]
    consent = {"consent": event.pop("consent")} if "consent" in event else {}
    return {**without(request, "destinations"), **consent, "destinations": destinations, "events": [event]}


ALL_CONSENT = Consent(marketing=ConsentState.GRANTED, personalization=ConsentState.GRANTED)
SALE = Event(
    id="e-1",
    name="purchase",
    time=NOW_MS,
    user=User(email=("alexz@example.com",)),
    data=Data(value=Decimal("49.9"), currency="EUR", order_id="order-1001"),
    consent=ALL_CONSENT,
)


def test_the_minimal_purchase_is_the_vector():
    assert plain(body(SALE)) == payload("P001")


def test_a_purchase_with_everything_is_the_vector():
    """Without what a proxy cannot know: the device at landing and a later change."""
    expected = payload("P002")
    expected["events"][0].pop("lastUpdatedTimestamp")
    expected["events"][0]["adIdentifiers"].pop("landingPageDeviceInfo")
    expected["events"][0]["eventTimestamp"] = "2026-11-20T10:15:30.250Z"
    expected["destinations"][0]["reference"] = "987654321"
    expected["events"][0]["destinationReferences"] = ["987654321"]
    names = {"first_name": "Givenname", "last_name": "Familyname", "zip": "94045", "country": "us"}
    event = replace(
        SALE,
        time=NOW_MS + 250,
        user=User(email=("alexz@example.com",), phone=("+18005550100",), **names),
        data=Data(value=Decimal(120), currency="EUR", order_id="order-1002"),
        client=Client(ip="203.0.113.9", user_agent="Mozilla/5.0"),
        click_ids={"gclid": ClickId(value="Cj0KCQExample-gclid_1", clicked_at=NOW_MS - 1)},
        consent=Consent(marketing=ConsentState.GRANTED, personalization=ConsentState.DENIED),
    )
    destination = google(login_customer_id="111-222-3333", validate_only=True)
    (request,) = destination.build([event], NOW_MS + 1000).requests
    assert json.loads(request.body) == expected


@pytest.mark.parametrize(("name", "kind"), [("P003", "gclid"), ("P004", "gbraid")])
def test_an_offline_conversion_by_click_is_the_vector(name, kind):
    expected = payload(name)
    event = expected["events"][0]
    click = ClickId(value=event["adIdentifiers"][kind], clicked_at=NOW_MS - 1)
    data = Data(
        value=Decimal(str(event["conversionValue"])), currency=event["currency"], order_id=event["transactionId"]
    )
    source = next(s for s, word in {ActionSource.WEBSITE: "WEB", ActionSource.OTHER: "OTHER",
                                    ActionSource.PHONE_CALL: "PHONE", ActionSource.PHYSICAL_STORE: "IN_STORE"}.items()
                  if word == event["eventSource"])  # fmt: skip
    ours = replace(SALE, user=User(), click_ids={kind: click}, data=data, action_source=source)
    ours = ours if "consent" in expected else replace(ours, consent=Consent())
    assert plain(body(ours)) == expected


def test_cart_and_custom_variables_are_the_vector():
    """Without what we do not send: user properties, session attributes; the discount is not known."""
    expected = payload("P005")
    event = without(expected["events"][0], "userProperties", "adIdentifiers")
    event["cartData"] = without(event["cartData"], "transactionDiscount")
    event["cartData"]["items"][0]["quantity"] = 2  # int64 as a number: P011
    sold = replace(
        SALE.data, coupon="SPRING", items=(Item(id="sku-1", quantity=2, price=Decimal("24.95"), name="Mug"),)
    )
    settings = {"merchant_id": 7654321, "merchant_feed_label": "FR", "merchant_feed_language": "fr"}
    ours = body(replace(SALE, data=sold, custom={"level": "gold"}), custom_variables={"tier": "level"}, **settings)
    assert plain(ours) == {**expected, "events": [event]}


def test_several_destinations_are_pointed_at_by_reference():
    lead = replace(LEAD, id="lead-2")
    (request,) = google().build([SALE, lead, replace(SALE, id="e-2")], NOW_MS).requests
    found = json.loads(request.body)
    assert [one["reference"] for one in found["destinations"]] == ["987654321", "1"]
    assert [one["destinationReferences"] for one in found["events"]] == [["987654321"], ["1"], ["987654321"]]


def test_more_than_ten_conversion_actions_take_more_than_one_request():
    actions = {f"event {number}": str(1000 + number) for number in range(25)}
    events = [replace(LEAD, id=f"e-{number}", name=name) for number, name in enumerate(actions)] * 2
    requests = google(conversion_actions=actions).build(events, NOW_MS).requests
    assert [len(json.loads(one.body)["destinations"]) for one in requests] == [10, 10, 5]
    assert sorted(row for one in requests for row in one.rows) == list(range(50))
    assert len(json.loads(google(conversion_actions=actions).probe(NOW_MS).body)["destinations"]) == 10


EXOTIC = replace(
    SALE,
    id="o-77",
    name="lead",
    page=Page(url="https://shop.example/?gclid=x", language="de-AT", screen="0x0"),
    user=User(email=("alexz@example.com",), phone=("+18005550100",), zip="94045"),
    data=Data(value=Decimal("1E+2"), currency=" eur ", items=(Item(id="a", quantity=2, price=Decimal("NaN")),)),
    click_ids={
        name: ClickId(value=f"Click_{name}", clicked_at=place)
        for place, name in enumerate(("gclid", "gbraid", "wbraid", "dclid"))
    },
    browser_ids={"ga_client_id": "1.2"},
    custom={"testEventCode": "T1", "hashedEmail": "x", "gclid": "y"},
)
MADE = [
    body(event, **settings)
    for event in (SALE, LEAD, EXOTIC, replace(EXOTIC, click_ids={}), replace(EXOTIC, user=User()))
    for settings in ({}, {"merchant_id": "7"}, {"customer_id": "123-456-7890", "validate_only": True})
]
FIELDS = {
    "": {"destinations", "encoding", "validateOnly", "events"},
    ".destinations[]": {"reference", "operatingAccount", "loginAccount", "productDestinationId"},
    ".destinations[].operatingAccount": {"accountType", "accountId"},
    ".destinations[].loginAccount": {"accountType", "accountId"},
    ".events[]": {
        "destinationReferences", "transactionId", "eventTimestamp", "eventSource", "currency", "conversionValue",
        "adIdentifiers", "userData", "consent", "eventDeviceInfo", "cartData", "customVariables",
    },
    ".events[].adIdentifiers": {"gclid", "gbraid", "wbraid"},
    ".events[].userData": {"userIdentifiers"},
    ".events[].userData.userIdentifiers[]": {"emailAddress", "phoneNumber", "address"},
    ".events[].userData.userIdentifiers[].address": {"givenName", "familyName", "regionCode", "postalCode"},
    ".events[].consent": {"adUserData", "adPersonalization"},
    ".events[].eventDeviceInfo": {
        "userAgent", "ipAddress", "category", "languageCode", "screenWidth", "screenHeight", "operatingSystem",
    },
    ".events[].cartData": {"merchantId", "merchantFeedLabel", "merchantFeedLanguageCode", "couponCodes", "items"},
    ".events[].cartData.items[]": {"merchantProductId", "quantity", "unitPrice"},
}  # fmt: skip


def unknown(value, place=""):
    """Fields of a request that are not in Google's schema, as far as we use it."""
    if isinstance(value, list):
        return [one for part in value for one in unknown(part, f"{place}[]")]
    if not isinstance(value, dict):
        return []
    strange = [f"{place}.{key}" for key in value if key not in FIELDS.get(place, ())]
    return strange + [one for key, part in value.items() for one in unknown(part, f"{place}.{key}")]


ADS = [v for v in VECTORS["payloads"] if v["message"].startswith("dm.") and v["verdict"] != "valid"]


def breaks_no_rule(request):
    """Every rule the rejected payload vectors break, said of a request of ours."""
    assert not unknown(request)  # P015, P025 to P028, P030, P045, P046
    assert request["destinations"]  # P031
    assert request["events"]  # P032
    for one in request["destinations"]:
        assert one["operatingAccount"]["accountType"] == "GOOGLE_ADS"  # P034, P035
        assert re.fullmatch(r"\d{10}", one["operatingAccount"]["accountId"])  # P013, P041
        assert re.fullmatch(r"\d+", one["productDestinationId"])  # P037
    for event in request["events"]:
        people = event.get("userData", {}).get("userIdentifiers", [])
        assert people or event.get("adIdentifiers")  # P038
        assert not people or request["encoding"] == "HEX"  # P024, P029, P039
        assert all(len(one) == 1 for one in people)  # P016
        for one in people:
            assert re.fullmatch(r"[0-9a-f]{64}", next(iter(one.values()))) or "address" in one  # P040
            assert (
                set(one.get("address", FIELDS[".events[].userData.userIdentifiers[].address"]))
                == FIELDS[".events[].userData.userIdentifiers[].address"]
            )  # P036
        assert len(event.get("adIdentifiers", {})) <= 1  # P047
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", event["eventTimestamp"])  # P017 to P021, P033
        assert event["eventSource"] in {"WEB", "APP", "IN_STORE", "PHONE", "MESSAGE", "OTHER"}  # P023, P044
        assert isinstance(event.get("conversionValue", 0), int | float)  # P022
        assert re.fullmatch(r"[A-Z]{3}", event.get("currency", "EUR"))  # P042
        assert len(event["transactionId"]) > 1  # P043
        assert set(event.get("consent", {}).values()) <= {"CONSENT_GRANTED", "CONSENT_DENIED"}  # P014


@pytest.mark.parametrize("request_", MADE)
def test_what_we_build_breaks_no_rule_of_the_vectors(request_):
    breaks_no_rule(request_)


@pytest.mark.parametrize("vector", ADS, ids=by_id)
def test_a_payload_google_refuses_is_none_we_could_build(vector):
    with pytest.raises((AssertionError, KeyError, TypeError, AttributeError)):
        breaks_no_rule(vector["payload"])


# --- what is refused here


@pytest.mark.parametrize("order_id", ["2", " 3 ", "123", "1234", "transactionId", "transaction_id", "TRANSACTION_ID"])
def test_a_transaction_id_google_refuses_is_refused_here_and_a_prefix_helps(order_id):
    short = replace(SALE, data=replace(SALE.data, order_id=order_id))
    refused = row(short)
    assert isinstance(refused, Refusal)
    assert "transaction_id_prefix" in refused.detail
    assert row(short, transaction_id_prefix="shop-")["transactionId"] == f"shop-{order_id.strip()}"


@pytest.mark.parametrize("order_id", ["null", "undefined", " None ", "[object Object]"])
def test_an_order_number_that_is_none_leaves_the_event_id(order_id):
    assert row(replace(SALE, data=replace(SALE.data, order_id=order_id)))["transactionId"] == "e-1"


def test_an_event_id_google_refuses_is_refused_too():
    assert row(replace(LEAD, id="7")).why == "transaction_id"


def test_a_conversion_action_is_found_under_any_name_of_the_event():
    assert google(conversion_actions={"generate_lead": 5}).payload(LEAD, NOW_MS)["destinationReferences"] == ["5"]
    assert row(replace(LEAD, name="page_view")).why == "no_conversion_action"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1E+15"])
def test_a_value_that_is_no_amount_is_left_out(value):
    assert "conversionValue" not in row(replace(SALE, data=Data(value=Decimal(value), currency="EUR")))


def test_an_amount_keeps_every_digit():
    (request,) = google().build([replace(SALE, data=Data(value=Decimal("0.10"), currency="EUR"))], NOW_MS).requests
    assert b'"conversionValue":0.10,' in request.body


@pytest.mark.parametrize("value", ["{gclid}", "%7Bgclid%7D", "a b", "", "null"])
def test_a_click_id_nobody_filled_in_is_left_out(value):
    event = replace(LEAD, click_ids={"gclid": ClickId(value=value, clicked_at=NOW_MS)})
    assert "adIdentifiers" not in row(event)
    assert row(replace(event, user=User())).why == "no_identifier"


@pytest.mark.parametrize(
    ("country", "send_ip", "sent"),
    [
        (None, "auto", False),
        ("Nowhere", "auto", False),
        ("fr", "auto", False),
        ("United Kingdom", "auto", False),
        ("Switzerland", "auto", False),
        ("NO", "auto", False),
        ("us", "auto", True),
        ("us", "never", False),
        ("fr", "always", True),
        (None, "always", True),
    ],
)
def test_ip_addresses_of_some_regions_stay_at_home(country, send_ip, sent):
    event = replace(LEAD, client=Client(ip="203.0.113.9"), user=replace(LEAD.user, country=country))
    assert ("eventDeviceInfo" in row(event, send_ip=send_ip)) is sent


@pytest.mark.parametrize(
    ("region", "country", "sent"),
    [
        ("DE", None, False),
        ("GB", None, False),
        ("CH", "us", False),
        ("GP", None, False),
        ("US", "fr", False),
        ("US-CA", None, True),
        ("JP", "us", True),
        (None, None, False),
    ],
)
def test_the_region_of_the_connection_counts_as_well_and_neither_may_be_a_refused_one(region, country, sent):
    client = Client(ip="203.0.113.9", region=region)
    event = replace(LEAD, client=client, user=replace(LEAD.user, country=country))
    assert ("eventDeviceInfo" in row(event)) is sent


def test_a_click_of_another_account_costs_the_click_and_not_the_event():
    clicks = {name: ClickId(value="abc", clicked_at=1) for name in ("gclid", "wbraid", "fbclid")}
    mended = google().repair(replace(LEAD, click_ids=clicks), "invalid_ad_identifier_for_account")
    assert mended == replace(LEAD, click_ids={"fbclid": clicks["fbclid"]})
    assert google().repair(mended, "invalid_ad_identifier_for_account") is None
    assert google().repair(replace(LEAD, click_ids=clicks), "invalid_event") is None


# --- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"customer_id": "12345"}, "ten digits"),
        ({"login_customer_id": "AW-1"}, "ten digits"),
        ({"conversion_actions": {"lead": "AW-123/abc"}}, "ctId"),
        ({"conversion_actions": {}}, "at least 1"),
        ({"refresh_token": None}, "client_id, client_secret and refresh_token together"),
        (dict.fromkeys(LOGIN), "service_account is missing"),
        ({"default_country_code": "999999"}, "calling code"),
        ({"transaction_id_prefix": "a b"}, "pattern"),
    ],
)
def test_a_wrong_setting_says_what_is_expected(settings, words):
    with pytest.raises(ValidationError, match=words):
        google(**settings)


def test_numbers_and_hyphens_are_fine_as_ids():
    made = google(customer_id=1234567890, conversion_actions={"lead": 987}, login_customer_id="111-222-3333")
    assert made.payload(LEAD, NOW_MS)["destinationReferences"] == ["987"]
    assert json.loads(made.build([LEAD], NOW_MS).requests[0].body)["destinations"] == [
        {
            "reference": "987",
            "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "1234567890"},
            "loginAccount": {"accountType": "GOOGLE_ADS", "accountId": "1112223333"},
            "productDestinationId": "987",
        }
    ]


def test_every_credential_is_known_for_redaction():
    assert set(google().secrets()) == {"client-secret", "refresh-token"}


def test_a_check_is_warned_of():
    assert google().warnings(NOW_MS) == ()
    assert "validate_only" in google(validate_only=True).warnings(NOW_MS)[0]


def test_the_probe_stores_nothing_and_names_every_conversion_action():
    probe = google().probe(NOW_MS)
    sent = json.loads(probe.body)
    assert sent["validateOnly"] is True
    assert [one["productDestinationId"] for one in sent["destinations"]] == ["1", "987654321"]
    assert probe.needs_token
    breaks_no_rule(sent)


# --- answers


def reply(status, body=None, *, raw=None, headers=None, sent=5):
    return Reply(
        status=status, headers=headers or {}, body=json.dumps(body).encode() if raw is None else raw, sent=sent
    )


def judged(status, body=None, **more):
    return google().judge(reply(status, body, **more))


def refused(*violations, status=400, reason="INVALID_ARGUMENT", **more):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    if violations:
        fields = [dict(zip(("field", "reason", "description"), one, strict=False)) for one in violations]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields})
    details += more.get("details", [])
    return {"error": {"code": status, "message": "There was a problem.", "status": reason, "details": details}}


ACTIONS = {
    "accepted": Delivered,
    "drop_named_and_resend": Rejected,
    "permanent": AuthBroken,
    "refresh_token_once": AuthBroken,  # by then the relay has tried with a new one
    "retry": RetryLater,
}
ANSWERS = [
    v
    for v in VECTORS["responses"]
    if v["message"] in ("dm.IngestEventsResponse", "google.rpc.Status")
]  # fmt: skip


@pytest.mark.parametrize("vector", ANSWERS, ids=by_id)
def test_every_answer_of_the_vectors_is_read_as_the_sheet_says(vector):
    verdict = judged(vector["http_status"], vector["body"])
    assert isinstance(verdict, ACTIONS[vector["action"]])
    if vector["id"] == "R002":
        assert verdict.warnings == ("custom_variable_not_enabled: x",)
    if vector["id"] == "R008":
        assert verdict.rows == (RowFault(1, "invalid_sha256_format", verdict.rows[0].detail),)
        assert "events[1].user_data.user_identifiers[0]" in verdict.rows[0].detail
        assert "request abc" in verdict.detail
    if vector["id"] == "R009":
        assert "Data Manager API" in verdict.advice


def test_all_answers_to_an_ingest_are_tested():
    assert [v["id"] for v in ANSWERS] == [f"R{n:03}" for n in (1, 2, 3, 8, 9, 10, 11, 12, 13, 14)]


def test_every_event_that_is_named_is_named_once():
    verdict = judged(
        400,
        refused(
            ("events[4].currency", "INVALID_CURRENCY_CODE", "bad"),
            ("events[0].event_timestamp", "EVENT_TIME_INVALID", "old"),
            ("events[4].consent", "INVALID_ENUM_VALUE", "odd"),
        ),
    )
    assert {(one.row, one.why) for one in verdict.rows} == {(4, "invalid_currency_code"), (0, "event_time_invalid")}


@pytest.mark.parametrize(
    "reason", sorted(r for r, known in errors.REASONS.items() if known.means is errors.Means.SETUP)
)
def test_a_fault_of_the_set_up_pauses_even_when_an_event_is_named(reason):
    verdict = judged(400, refused(("events[0].x", reason, "no"), ("events[1].y", "INVALID_EVENT", "no")))
    assert isinstance(verdict, AuthBroken)
    assert verdict.why == reason.lower()
    assert verdict.advice
    assert isinstance(judged(403, refused(status=403, reason=reason)), AuthBroken)


@pytest.mark.parametrize(
    "reason", sorted(r for r, known in errors.REASONS.items() if known.means is errors.Means.EVENT)
)
def test_a_fault_of_an_event_costs_that_event_and_says_what_to_do(reason):
    verdict = judged(400, refused(("events[2].x", reason, "words")))
    assert isinstance(verdict, Rejected)
    assert [(one.row, one.why) for one in verdict.rows] == [(2, reason.lower())]
    assert errors.REASONS[reason].advice in verdict.rows[0].detail


def test_a_reason_nobody_knows_yet_is_read_by_where_it_points():
    assert judged(400, refused(("events[3].x", "NEWLY_INVENTED", ""))).rows[0].why == "newly_invented"
    assert isinstance(judged(400, refused(("destinations[0].operating_account", "NEWLY_INVENTED", ""))), AuthBroken)
    assert judged(400, refused(("encoding", "NEWLY_INVENTED", ""))).rows == ()
    assert judged(400, refused(("events[3].x", "ann@example.com", ""))).rows[0].why == "invalid_argument"


def test_a_new_conversion_action_is_waited_for():
    assert judged(400, refused(("destinations[0]", "CONVERSION_ACTION_TOO_RECENTLY_CREATED", ""))).after_s == 3600


def test_google_says_when_to_come_back():
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}
    assert judged(429, refused(status=429, reason="RESOURCE_EXHAUSTED", details=[info])).after_s == 17
    assert judged(503, {}, headers={"retry-after": "30"}).after_s == 30


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (0, b"", RetryLater),
        (200, b"<html>", RetryLater),
        (302, b"{}", RetryLater),
        (404, b"<html>not here", RetryLater),
        (404, b'{"error": {"code": 404, "status": "NOT_FOUND"}}', AuthBroken),
        (408, b"", RetryLater),
        (413, b"<html>", Rejected),
        (400, b"{}", Rejected),
        (401, b"<html>", AuthBroken),
        (502, b"<html>", RetryLater),
        (400, b'{"error": {"details": [1, {"@type": 3, "fieldViolations": 4}]}}', Rejected),
        (200, b'{"fieldWarnings": [3, {"reason": 4}]}', Delivered),
    ],
)
def test_odd_answers_are_read(status, raw, kind):
    assert isinstance(judged(status, raw=raw), kind)


# --- what became of accepted events

STATUSES = [v for v in VECTORS["responses"] if v["message"] == "dm.RetrieveRequestStatusResponse"]
BECAME = {
    "R004": RetryLater("processing"),
    "R005": Processed({"processed": 3}),
    "R006": Processed({"invalid_gclid": 1, "processed": 2}),
    "R007": Processed({"internal_error": 3}),
}


@pytest.mark.parametrize("vector", STATUSES, ids=by_id)
def test_every_status_of_the_vectors_is_read(vector):
    assert google().read_receipt(reply(vector["http_status"], vector["body"])) == BECAME[vector["id"]]


def test_all_statuses_are_tested():
    assert [v["id"] for v in STATUSES] == sorted(BECAME)


def test_one_destination_still_at_work_makes_us_wait_for_all():
    done = {"requestStatus": "SUCCESS", "eventsIngestionStatus": {"recordCount": "3"}}
    both = {"requestStatusPerDestination": [done, {"requestStatus": "PROCESSING"}]}
    assert google().read_receipt(reply(200, both)) == RetryLater("processing")
    failed = {"requestStatus": "FAILURE", "errorInfo": {"errorCounts": [{"recordCount": 2, "reason": "PROCESSING_ERROR_OPERATING_ACCOUNT_MISMATCH_FOR_AD_IDENTIFIER"}]}}  # fmt: skip
    told = google().read_receipt(reply(200, {"requestStatusPerDestination": [done, failed]}))
    assert told == Processed({"processed": 3, "operating_account_mismatch_for_ad_identifier": 2})


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (0, b"", RetryLater),
        (200, b"<html>", RetryLater),
        (200, b"{}", RetryLater),
        (200, b'{"requestStatusPerDestination": [{"requestStatus": "SUCCESS", "errorInfo": 3}]}', Processed),
        (401, b"{}", RetryLater),
        (404, b"{}", Processed),
        (400, b'{"error": {"status": "INVALID_ARGUMENT"}}', Processed),
        (503, b"", RetryLater),
    ],
)
def test_odd_statuses_are_read(status, raw, kind):
    assert isinstance(google().read_receipt(reply(status, raw=raw)), kind)


def test_a_receipt_is_what_google_calls_the_request_and_fit_for_an_address():
    assert judged(200, {"requestId": "req-1"}) == Delivered(receipt="req-1")
    assert judged(200, {"requestId": "a b\r\n"}) == Delivered()
    assert google(validate_only=True).judge(reply(200, {"requestId": "req-1"})) == Delivered()
    asked = google().receipt_request("a&b=c/d")
    assert asked.url == "https://datamanager.googleapis.com/v1/requestStatus:retrieve?requestId=a%26b%3Dc%2Fd"
    assert (asked.method, asked.needs_token) == ("GET", True)
