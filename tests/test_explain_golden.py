"""What `firsthand explain` prints for purchases and views whose requests are known to the field (tests/vectors).

Everything goes the way an operator's file goes: a configuration in YAML, an event in the form of `POST /e`, the command.
Payloads case by case stand in tests/golden; this is about the whole way there.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.commands.explain import command
from proxy.identity.hashing import sha256_hex

VECTORS = Path(__file__).parent / "vectors"
GOLDEN = json.loads((VECTORS / "tiktok-snap-pinterest-vectors.json").read_text())["golden"]
GOOGLE = json.loads((VECTORS / "google-vectors.json").read_text())

CONFIG = """
site: {origins: [https://shop.example]}
data: ./data
consent: {default: denied}
destinations:
  meta-main: {kind: meta, pixel_id: "123", access_token: "${NO_SUCH_VARIABLE:-token}"}
  google:
    kind: google_ads
    customer_id: "1234567890"
    service_account: "${file:google.json}"
    conversion_actions: {purchase: "987654321", lead: 111}
  managed:
    kind: google_ads
    customer_id: 123-456-7890
    login_customer_id: 111-222-3333
    validate_only: true
    service_account: "${file:google.json}"
    conversion_actions: {purchase: "987654321"}
  tiktok: {kind: tiktok, pixel_code: C4PIXELCODE0EXAMPLE0, access_token: token}
  tiktok-test: {kind: tiktok, pixel_code: C123, access_token: token, test_event_code: TEST12345}
  snap: {kind: snapchat, pixel_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, access_token: token}
  pinterest: {kind: pinterest, ad_account_id: 549755885175, access_token: pinterest}
  ga4: {kind: ga4, measurement_id: G-ABC, api_secret: secret}
  crm: {kind: webhook, url: https://crm.example/in, secret: s, consent: [analytics]}
"""
ALL = {"marketing": "granted", "analytics": "granted", "personalization": "granted"}
CONSENT = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    account = {"type": "service_account", "private_key_id": "k1", "private_key": pem, "client_email": "a@p.example"}
    (folder / "google.json").write_text(json.dumps(account))
    (folder / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def explain(folder):
    """The destinations' answers by name, `requests` as they are printed."""

    def run(event, now=None):
        event = {"consent": ALL, **event}
        (folder / "event.json").write_text(json.dumps(event))
        arguments = ["--config", str(folder / "config.yaml"), str(folder / "event.json"), "--json"]
        ended = CliRunner().invoke(command, [*arguments, "--now", str(now or event["time"] + 5000)])
        assert ended.exit_code == 0, ended.output
        return {one["name"]: one for one in json.loads(ended.stdout)["destinations"]}

    return run


def wire():
    """The vectors' canonical purchase as a site would post it."""
    one = GOLDEN["canonical"]
    user, client = one["user"], one["client"]
    renamed = {"region": "state", "postal_code": "zip"}
    return {
        "id": one["event_id"],
        "name": one["name"],
        "time": one["time"] * 1000,
        "page": {**one["page"], "language": client["language"]},
        "client": {"ip": client["ip"], "user_agent": client["user_agent"]},
        "browser_ids": {name.removeprefix("_"): value for name, value in one["cookies"].items()},
        "user": {renamed.get(key, key): value for key, value in user.items()},
        "data": one["order"],
    }


def body(told, name):
    (request,) = told[name]["requests"]
    return request["body"]


# --- the golden purchase


@pytest.mark.parametrize(("name", "kind"), [("tiktok", "tiktok"), ("snap", "snapchat"), ("pinterest", "pinterest")])
def test_the_golden_purchase_makes_the_golden_request(explain, name, kind):
    assert body(explain(wire()), name) == GOLDEN[kind]


def test_the_same_person_written_otherwise_makes_the_golden_request(explain):
    event = wire()
    told = explain(
        {
            **event,
            "name": "Order Completed",
            "user": {
                **event["user"],
                "email": ["JANE.DOE@example.com", sha256_hex("jane.doe@example.com").upper()],
                "phone": ["0016505551212", "not a number"],
                "first_name": sha256_hex("jane"),
                "state": "California",
                "country": "USA",
            },
            "data": {**event["data"], "value": "49.9", "currency": "usd"},
        }
    )
    assert body(told, "tiktok") == GOLDEN["tiktok"]
    assert body(told, "snap") == GOLDEN["snapchat"]
    assert body(told, "pinterest") == GOLDEN["pinterest"]


def test_ids_given_one_by_one_count_as_those_in_the_address(explain):
    event = wire()
    _, _, query = event["page"]["url"].partition("?")
    clicks = dict(pair.split("=") for pair in query.split("&"))
    bare = {**event, "page": {**event["page"], "url": "https://shop.example/thanks"}, "click_ids": clicks}
    told = explain({**bare, "browser_ids": {f"_{name}": value for name, value in event["browser_ids"].items()}})
    assert body(told, "tiktok")["data"][0]["user"] == GOLDEN["tiktok"]["data"][0]["user"]
    assert body(told, "snap")["data"][0]["user_data"] == GOLDEN["snapchat"]["data"][0]["user_data"]
    assert body(told, "pinterest")["data"][0]["user_data"] == GOLDEN["pinterest"]["data"][0]["user_data"]


def test_requests_go_where_the_platforms_want_them(explain):
    told = explain(wire())
    said = {
        name: (one["requests"][0]["method"], one["requests"][0]["url"], one["requests"][0]["headers"])
        for name, one in told.items()
        if one["requests"]
    }
    json_body = {"Content-Type": "application/json"}
    bearer = {**json_body, "Authorization": "Bearer ***"}
    assert said["meta-main"] == ("POST", "https://graph.facebook.com/v26.0/123/events", bearer)
    assert said["google"] == ("POST", "https://datamanager.googleapis.com/v1/events:ingest", bearer)
    assert said["tiktok"] == (
        "POST",
        "https://business-api.tiktok.com/open_api/v1.3/event/track/",
        {**json_body, "Access-Token": "***"},
    )
    assert said["snap"] == (
        "POST",
        "https://tr.snapchat.com/v3/3f2504e0-4f89-41d3-9a0c-0305e82c3301/events?access_token=***",
        json_body,
    )
    assert said["pinterest"] == ("POST", "https://api.pinterest.com/v5/ad_accounts/549755885175/events", bearer)


def test_a_test_code_stands_at_the_request(explain):
    told = explain(wire())
    assert body(told, "tiktok-test")["test_event_code"] == "TEST12345"
    assert body(told, "tiktok-test")["event_source_id"] == "C123"
    assert "test_event_code" not in body(told, "tiktok")


# --- Google Ads


def google_vector(name):
    """The vector's request as ours: conversion actions named by their number, consent beside each event."""
    request = next(vector["payload"] for vector in GOOGLE["payloads"] if vector["id"] == name)
    shared = {"consent": request.pop("consent")} if "consent" in request else {}
    for destination in request["destinations"]:
        destination["reference"] = destination["productDestinationId"]
    for event in request["events"]:
        event.update(shared, destinationReferences=["987654321"])
    return request


SALE = {
    "id": "e-1",
    "name": "purchase",
    "time": "2026-11-20T10:15:30Z",
    "user": {"email": " Alexz@Example.COM "},
    "data": {"value": 49.9, "currency": "EUR", "order_id": "order-1001"},
}
SOLD_MS = 1_795_169_730_000


def test_googles_minimal_purchase_is_the_vector(explain):
    assert body(explain(SALE, now=SOLD_MS + 5), "google") == google_vector("P001")


def test_googles_purchase_through_a_manager_is_the_vector(explain):
    """Without what a proxy does not know: the device at landing and a later change."""
    expected = google_vector("P002")
    (event,) = expected["events"]
    del event["lastUpdatedTimestamp"], event["adIdentifiers"]["landingPageDeviceInfo"]
    event["eventTimestamp"] = "2026-11-20T10:15:30.250Z"
    names = {"first_name": "Givenname", "last_name": "Familyname", "zip": "94045", "country": "US"}
    told = explain(
        {
            **SALE,
            "time": "2026-11-20T12:15:30.250+02:00",
            "user": {**SALE["user"], "phone": "+1 (800) 555-0100", **names},
            "data": {"value": "120", "currency": "EUR", "order_id": "order-1002"},
            "page": {"url": "https://shop.example/thanks?gclid=Cj0KCQExample-gclid_1"},
            "client": {"ip": "203.0.113.9", "user_agent": "Mozilla/5.0"},
            "consent": {**ALL, "personalization": "denied"},
        },
        now=SOLD_MS + 1000,
    )
    assert body(told, "managed") == expected


@pytest.mark.parametrize(("vector", "kind"), [("P003", "gclid"), ("P004", "gbraid")])
def test_googles_conversion_by_click_alone_is_the_vector(explain, vector, kind):
    expected = google_vector(vector)
    click = expected["events"][0]["adIdentifiers"][kind]
    told = explain({**SALE, "user": {}, "click_ids": {kind: click}}, now=SOLD_MS + 5)
    assert body(told, "google") == expected


# --- GA4


def test_the_complete_purchase_of_ga4_is_the_vector(explain):
    expected = next(vector["payload"] for vector in GOOGLE["ga4_payloads"] if vector["id"] == "G001")
    items = [{"id": "sku-1", "name": "Shoe", "price": 24.95, "quantity": 2}]
    told = explain(
        {
            **SALE,
            "browser_ids": {"ga_client_id": "1234567890.1690000000", "ga_session_id": "1747132561"},
            "data": {"value": 49.9, "currency": "EUR", "order_id": "T-1", "items": items},
        },
        now=SOLD_MS + 5,
    )
    expected["consent"] = {"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"}
    expected["events"][0]["timestamp_micros"] = SOLD_MS * 1000
    assert body(told, "ga4") == expected
    assert told["ga4"]["requests"][0]["url"] == (
        "https://www.google-analytics.com/mp/collect?measurement_id=G-ABC&api_secret=***"
    )


# --- Meta


def test_a_purchase_at_meta_has_every_field_of_the_minimal_event(explain):
    event = {
        "id": "ord-1",
        "name": "purchase",
        "time": 1_764_000_000_000,
        "page": {"url": "https://www.shop.example/thanks?fbclid=AbC_1", "referrer": "https://www.shop.example/pay"},
        "client": {"ip": "203.0.113.9", "user_agent": "Mozilla/5.0"},
        "browser_ids": {"fbp": "fb.1.1763000000000.1234567890"},
        "user": {"email": "Ann@Example.com", "external_id": "User 42"},
        "data": {"value": 10.5, "currency": "eur", "order_id": "1"},
    }
    assert body(explain(event), "meta-main") == {
        "data": [
            {
                "event_name": "Purchase",
                "event_time": 1_764_000_000,
                "event_id": "ord-1",
                "action_source": "website",
                "event_source_url": "https://www.shop.example/thanks?fbclid=AbC_1",
                "referrer_url": "https://www.shop.example/pay",
                "user_data": {
                    "client_ip_address": "203.0.113.9",
                    "client_user_agent": "Mozilla/5.0",
                    "fbp": "fb.1.1763000000000.1234567890",
                    "fbc": "fb.1.1764000000000.AbC_1",
                    "external_id": [sha256_hex("user42")],
                    "em": [sha256_hex("ann@example.com")],
                },
                "custom_data": {"currency": "EUR", "value": 10.5, "order_id": "1"},
            }
        ]
    }


# --- what is not sent, and why


def decisions(told):
    return {name: (one["decision"], one["reason"]) for name, one in told.items()}


def test_consent_decides_before_anything_else(explain):
    found = decisions(explain({**wire(), "consent": {"marketing": "denied", "analytics": "granted"}}))
    assert found.pop("crm")[0] == "send"
    assert found.pop("ga4") == ("refuse", "GA4 wants a client_id: the _ga cookie's, or our visitor id to make one of")
    assert set(found.values()) == {("skip", "consent: marketing denied")}


def test_marketing_alone_is_enough_for_the_ad_platforms(explain):
    found = decisions(explain({**wire(), "consent": {"marketing": "granted"}}))
    assert {name for name, (decision, _) in found.items() if decision == "send"} == set(found) - {"ga4", "crm"}
    assert found["crm"] == ("skip", "consent: analytics denied")


def test_a_refused_sale_is_a_refusal(explain):
    found = decisions(explain({**wire(), "consent": {**ALL, "sale": "denied"}}))
    assert {found[name] for name in ("meta-main", "google", "tiktok", "snap", "pinterest")} == {
        ("skip", "consent: sale denied")
    }


@pytest.mark.parametrize(
    ("changes", "refusing"),
    [
        ({"data": {"currency": "EUR"}}, {"meta-main", "snap", "pinterest"}),
        ({"data": {"value": 5}}, {"meta-main", "snap", "pinterest", "google", "managed"}),
        ({"page": {}}, {"meta-main", "snap", "tiktok", "tiktok-test"}),
        ({"client": {}}, {"meta-main"}),
        ({"user": {"phone": "+16505551212"}, "client": {}}, {"meta-main", "pinterest"}),
        ({"user": {}}, {"google", "managed"}),
        (
            {"user": {}, "client": {}, "page": {"url": "https://shop.example/"}, "browser_ids": {}},
            {"meta-main", "google", "managed", "tiktok", "tiktok-test", "snap", "pinterest"},
        ),
        ({"action_source": "phone_call", "page": {}, "client": {}}, {"tiktok", "tiktok-test"}),
        ({"action_source": "app"}, {"meta-main", "tiktok", "tiktok-test", "snap", "pinterest"}),
    ],
)
def test_only_a_platforms_own_rule_refuses(explain, changes, refusing):
    found = decisions(explain({**wire(), **changes}))
    found.pop("ga4")
    assert {name for name, (decision, _) in found.items() if decision == "refuse"} == refusing


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("days", "refusing"),
    [
        (2.9, set()),
        (3.1, {"ga4"}),
        (6.9, {"ga4"}),
        (7.1, {"ga4", "meta-main", "tiktok", "tiktok-test", "snap", "pinterest"}),
        (89, {"ga4", "meta-main", "tiktok", "tiktok-test", "snap", "pinterest", "crm"}),
        (91, {"ga4", "meta-main", "tiktok", "tiktok-test", "snap", "pinterest", "crm", "google", "managed"}),
    ],
)
def test_an_old_event_is_refused_where_it_is_too_old(explain, days, refusing):
    event = {**wire(), "browser_ids": {"ga_client_id": "1.2"}}
    found = decisions(explain(event, now=event["time"] + round(days * DAY_MS)))
    assert {name for name, (decision, _) in found.items() if decision == "refuse"} == refusing


def test_what_has_no_name_at_a_platform_is_refused_in_words(explain):
    found = decisions(explain({**wire(), "name": "page_view"}))
    assert found["tiktok"] == (
        "refuse",
        "TikTok has no event like page_view; name one in the rule (`as:`) or leave it out",
    )
    assert found["google"][0] == "refuse"
    assert found["snap"][0] == found["pinterest"][0] == found["meta-main"][0] == "send"


NAMED = [
    ("begin_checkout", "InitiateCheckout", "InitiateCheckout", "START_CHECKOUT", "initiate_checkout", "begin_checkout"),
    ("generate_lead", "Lead", "Lead", "SIGN_UP", "lead", "generate_lead"),
    ("SubmitForm", "Lead", "Lead", "SIGN_UP", "lead", "generate_lead"),
    ("CompletePayment", "Purchase", "Purchase", "PURCHASE", "checkout", "purchase"),
    ("sign_up", "CompleteRegistration", "CompleteRegistration", "SIGN_UP", "signup", "sign_up"),
    ("Product Added", "AddToCart", "AddToCart", "ADD_CART", "add_to_cart", "add_to_cart"),
    ("my_custom", "my_custom", "my_custom", None, "custom", "my_custom"),
    ("custom_event_2", "custom_event_2", "custom_event_2", "CUSTOM_EVENT_2", "custom", "custom_event_2"),
]


@pytest.mark.parametrize("names", NAMED, ids=lambda names: names[0])
def test_any_vocabulary_is_understood(explain, names):
    given, meta, tiktok, snap, pinterest, ga4 = names
    told = explain({**wire(), "name": given, "browser_ids": {"ga_client_id": "1.2"}})
    assert body(told, "meta-main")["data"][0]["event_name"] == meta
    assert body(told, "tiktok")["data"][0]["event"] == tiktok
    assert body(told, "pinterest")["data"][0]["event_name"] == pinterest
    assert body(told, "ga4")["events"][0]["name"] == ga4
    if snap is None:
        assert told["snap"]["decision"] == "refuse"
    else:
        assert body(told, "snap")["data"][0]["event_name"] == snap
