"""The stand-in for Google's Data Manager API fails fast, names every bad event, and sells tokens."""

import copy
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import urlencode

import pytest

from proxy.sandbox._google_schema import is_timestamp, timestamp_ms
from proxy.sandbox.base import Call
from proxy.sandbox.google_ads import GoogleAds

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "google-vectors.json").read_text())
PAYLOADS = [one for one in VECTORS["payloads"] if one["message"] == "dm.IngestEventsRequest"]
NOW_MS = timestamp_ms("2026-11-20T11:00:00Z")
PURCHASE = PAYLOADS[0]["payload"]
DIGEST = PURCHASE["events"][0]["userData"]["userIdentifiers"][0]["emailAddress"]
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BEARER = "Bearer sandbox-token"
# Legal for Google's reader, not what we send; the server's rule on them is not documented, so they are taken.
TAKEN_THOUGH_AVOIDED = {"P030", "P044", "P047"}


def asked(call):
    assert GoogleAds().owns(call)
    return GoogleAds().answer(call, NOW_MS)


def send(body, token=BEARER, method="POST"):
    headers = {"authorization": token}
    return asked(Call(method=method, path="/v1/events:ingest", headers=headers, body=json.dumps(body).encode()))


def status(request_id, now_ms=NOW_MS + 10_000):
    path, query = "/v1/requestStatus:retrieve", {"requestId": request_id}
    call = Call(method="GET", path=path, query=query, headers={"authorization": BEARER})
    return GoogleAds().answer(call, now_ms)


def purchase(**changes):
    """The vectors' purchase; `events__currency=…` changes inside its first entry, None removes."""
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


def named(answer):
    assert answer.status == 400
    bad_request = next(one for one in answer.body["error"]["details"] if one["@type"].endswith("BadRequest"))
    return {(one["field"], one.get("reason")) for one in bad_request["fieldViolations"]}


@pytest.mark.parametrize("vector", PAYLOADS, ids=lambda one: f"{one['id']} {one['title']}")
def test_a_vector_is_judged_as_the_fact_sheet_says(vector):
    answer = send(vector["payload"])
    is_good = vector["verdict"] == "valid" or vector["id"] in TAKEN_THOUGH_AVOIDED
    assert answer.status == (200 if is_good else 400), answer.faults
    assert bool(answer.faults) != is_good
    if not is_good:
        assert answer.body["error"]["status"] == "INVALID_ARGUMENT"
        assert not answer.accepted


@pytest.mark.parametrize("vector", [one for one in VECTORS["timestamps"] if "input" in one], ids=lambda one: one["id"])
def test_times_are_read_as_googles_reader_reads_them(vector):
    assert is_timestamp(vector["input"]) == (vector["verdict"] == "valid")
    if vector["verdict"] == "valid":
        assert timestamp_ms(vector["input"]) == vector["epoch_ms"]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"surprise": 1}, "", None),
        ({"events__surprise": 1}, "events[0]", None),
        ({"events__userData__userIdentifiers": [{"email": DIGEST}]}, "events[0].user_data.user_identifiers[0]", None),
        ({"events__eventSource": "web"}, "events[0].event_source", None),
        ({"events__consent": {"adUserData": "GRANTED"}}, "events[0].consent.ad_user_data", None),
        ({"events__transactionId": 1001}, "events[0].transaction_id", None),
        ({"events__conversionValue": True}, "events[0].conversion_value", None),
        ({"events__eventTimestamp": "2026-11-20"}, "events[0].event_timestamp", None),
        ({"events__eventTimestamp": "2026-11-20T12:00:00Z"}, "events[0].event_timestamp", "EVENT_TIME_INVALID"),
        ({"events__eventTimestamp": "2026-08-01T12:00:00Z"}, "events[0].event_timestamp", "EVENT_TIME_INVALID"),
        ({"events__eventTimestamp": None}, "events[0].event_timestamp", "REQUIRED_FIELD_MISSING"),
        ({"events__currency": None}, "events[0].currency", "REQUIRED_FIELD_MISSING"),
        ({"events__currency": "euro"}, "events[0].currency", "INVALID_CURRENCY_CODE"),
        ({"events__transactionId": "null"}, "events[0].transaction_id", "INVALID_ARGUMENT"),
        ({"events__userData": None}, "events[0]", "NO_IDENTIFIERS_PROVIDED"),
        ({"events__userData": None, "events__adIdentifiers": {"gclid": ""}}, "events[0]", "NO_IDENTIFIERS_PROVIDED"),
        ({"encoding": None}, "encoding", "REQUIRED_FIELD_MISSING"),
        ({"destinations__operatingAccount__accountId": "123"}, None, "INVALID_ACCOUNT_ID"),
        ({"destinations__loginAccount": {"accountId": "1"}}, None, "REQUIRED_FIELD_MISSING"),
        ({"destinations__productDestinationId": "AW-1"}, None, "INVALID_CONVERSION_ACTION_ID"),
        ({"destinations": [PURCHASE["destinations"][0]] * 2}, "destinations[1].reference", "REQUIRED_FIELD_MISSING"),
        (
            {"destinations": [PURCHASE["destinations"][0] | {"reference": "a"}] * 2},
            "destinations",
            "DUPLICATE_DESTINATION_REFERENCE",
        ),
        ({"destinations": [PURCHASE["destinations"][0]] * 11}, "destinations", "TOO_MANY_DESTINATIONS"),
        ({"events__destinationReferences": ["x"]}, "events[0].destination_references", "INVALID_DESTINATION"),
        ({"events": PURCHASE["events"] * 2001}, "events", "TOO_MANY_EVENTS"),
        (
            {"events__userData__userIdentifiers": [{"emailAddress": DIGEST}] * 11},
            "events[0].user_data.user_identifiers",
            "TOO_MANY_USER_IDENTIFIERS",
        ),
        ({"events__adIdentifiers": {"sessionAttributes": "{}"}}, None, "FIELD_VALUE_TOO_LONG"),
    ],
)
def test_a_broken_rule_is_refused_and_named(changes, field, reason):
    found = named(send(purchase(**changes)))
    assert any(one[1] == reason and field in {None, one[0]} for one in found), found


@pytest.mark.parametrize(
    ("value", "encoding", "reason"),
    [
        ("alex@example.com", "HEX", "INVALID_HEX_ENCODING"),
        (DIGEST[:-2], "HEX", "INVALID_SHA256_FORMAT"),
        (EMPTY, "HEX", "INVALID_SHA256_FORMAT"),
        (DIGEST, "BASE64", "INVALID_SHA256_FORMAT"),
        ("%%%", "BASE64", "INVALID_BASE64_ENCODING"),
    ],
)
def test_what_is_no_digest_is_refused_with_the_reason(value, encoding, reason):
    for one in ({"emailAddress": value}, {"phoneNumber": value}):
        answer = send(purchase(encoding=encoding, events__userData={"userIdentifiers": [one]}))
        assert {found[1] for found in named(answer)} == {reason}


ADDRESS = {"givenName": DIGEST, "familyName": DIGEST, "regionCode": "US", "postalCode": "94045"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({key: ""}, key) for key in ADDRESS),
        ({"givenName": "jane"}, "givenName"),
        ({"addressLine": "1 Main St"}, "addressLine"),
        ({"regionCode": "us"}, "regionCode"),
    ],
)
def test_an_address_is_whole_or_refused(changes, field):
    answer = send(purchase(events__userData={"userIdentifiers": [{"address": ADDRESS | changes}]}))
    ((found, _),) = named(answer)
    assert found.rpartition(".")[2].replace("_", "") == field.lower()


def test_all_bad_events_are_named_at_once_and_nothing_is_stored():
    good = PURCHASE["events"][0]
    answer = send({**PURCHASE, "events": [good, good | {"currency": "eur"}, good, good | {"eventTimestamp": "now"}]})
    assert named(answer) == {("events[3].event_timestamp", None)}  # Google's JSON reader speaks before its rules
    answer = send({**PURCHASE, "events": [good, good | {"currency": "eur"}, good, good | {"transactionId": "2"}]})
    assert {field for field, _ in named(answer)} == {"events[1].currency", "events[3].transaction_id"}
    assert not answer.accepted


def test_rows_belong_to_the_conversion_action_they_name():
    body = copy.deepcopy(PAYLOADS[6]["payload"])
    body["events"].append(body["events"][0] | {"destinationReferences": []})
    answer = send(body)
    ads1, ads2 = "1234567890/987654321", "1234567890/111"
    assert answer.accounts == [ads1, ads2, ads1, ads2]
    assert GoogleAds().dedup_key(answer.accepted[0]) == "order-1001"


def test_a_dry_run_stores_nothing_and_misses_short_ids():
    answer = send(purchase(validateOnly=True, events__transactionId="2"))
    assert (answer.status, answer.accepted, answer.faults) == (200, (), ())
    assert status(answer.body["requestId"]).status == 400


def test_the_fate_of_a_request_is_told_by_its_id():
    denied = PURCHASE["events"][0] | {"consent": {"adUserData": "CONSENT_DENIED"}}
    answer = send({**PURCHASE, "events": [*PURCHASE["events"], denied]})
    assert len(answer.accepted) == 1
    assert [one.row for one in answer.refused] == [denied]
    request_id = answer.body["requestId"]
    (told,) = status(request_id, NOW_MS).body["requestStatusPerDestination"]
    assert told["requestStatus"] == "PROCESSING"
    (told,) = status(request_id).body["requestStatusPerDestination"]
    assert told["destination"]["productDestinationId"] == "987654321"
    assert (told["requestStatus"], told["eventsIngestionStatus"]) == ("PARTIAL_SUCCESS", {"recordCount": "2"})
    assert told["errorInfo"] == {
        "errorCounts": [{"recordCount": "1", "reason": "PROCESSING_ERROR_REASON_DENIED_CONSENT"}]
    }
    (told,) = status(send(PURCHASE).body["requestId"]).body["requestStatusPerDestination"]
    assert told["requestStatus"] == "SUCCESS"


@pytest.mark.parametrize("request_id", ["", "x", "é", "e30", "eyJhdCI6MX0"])
def test_an_unknown_request_id_is_400(request_id):
    assert named(status(request_id)) == {("request_id", "INVALID_REQUEST_ID")}


def test_a_cart_with_a_braid_is_taken_with_a_warning():
    cart = {"items": [{"quantity": 1}]}
    answer = send(purchase(events__cartData=cart, events__adIdentifiers={"gbraid": "b"}))
    assert len(answer.body["fieldWarnings"]) == 3
    assert answer.accepted


@pytest.mark.parametrize("token", ["", "sandbox-token", "Bearer revoked-token"])
def test_a_bad_token_is_unauthenticated(token):
    error = send(PURCHASE, token=token).body["error"]
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("body", [None, [], 1, {"events": 1}, {"destinations": [1]}])
def test_junk_is_refused_without_raising(body):
    assert send(body).status == 400


# --- the token endpoint


def bought(now_ms=NOW_MS, content_type="application/x-www-form-urlencoded", **form):
    call = Call(method="POST", path="/token", headers={"content-type": content_type}, body=urlencode(form).encode())
    assert GoogleAds().owns(call)
    return GoogleAds().answer(call, now_ms)


def segment(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def grant(signature=b"s" * 256, header=None, **claims):
    given = VECTORS["jwt"]["grant"]
    parts = (given["header"] | (header or {}), given["claims"] | claims, signature)
    return {"grant_type": given["form"]["grant_type"], "assertion": ".".join(map(segment, parts))}


ISSUED_MS = VECTORS["jwt"]["grant"]["claims"]["iat"] * 1000


def test_a_signed_grant_buys_the_token_that_ingest_takes():
    answer = bought(ISSUED_MS, **grant())
    assert answer.status == 200
    assert {"access_token", "expires_in", "token_type"} <= answer.body.keys()
    assert send(PURCHASE, token=f"Bearer {answer.body['access_token']}").status == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (grant(header={"alg": "HS256"}), "invalid_grant"),
        (grant(header={"kid": None}), "invalid_grant"),
        (grant(header={"kid": "revoked-token"}), "invalid_grant"),
        (grant(signature=b"short"), "invalid_grant"),
        (grant(iss="somebody"), "invalid_grant"),
        (grant(aud="https://datamanager.googleapis.com/"), "invalid_grant"),
        (grant(exp=ISSUED_MS // 1000 + 3601), "invalid_grant"),
        (grant(iat=ISSUED_MS // 1000 + 400), "invalid_grant"),
        (grant(iat=ISSUED_MS // 1000 - 3700, exp=ISSUED_MS // 1000 - 100), "invalid_grant"),
        (grant(iat="now"), "invalid_grant"),
        (grant(scope="https://www.googleapis.com/auth/adwords"), "invalid_scope"),
        ({**grant(), "assertion": "a.b"}, "invalid_grant"),
        ({**grant(), "assertion": "=.=.="}, "invalid_grant"),
        ({**grant(), "assertion": "a.a.a"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
    ],
)
def test_a_grant_that_breaks_a_rule_is_refused(form, error):
    answer = bought(ISSUED_MS, **form)
    assert (answer.status, answer.body["error"]) == (400, error)


REFRESH = {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s"}


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({**REFRESH, "refresh_token": "sandbox-token"}, 200, None),
        ({**REFRESH, "refresh_token": "revoked-token"}, 400, "invalid_grant"),
        ({**REFRESH, "refresh_token": "sandbox-token", "client_secret": ""}, 401, "invalid_client"),
    ],
)
def test_a_refresh_token_buys_a_token_unless_it_was_revoked(form, status, error):
    answer = bought(**form)
    assert (answer.status, answer.body.get("error")) == (status, error)


def test_a_form_in_json_is_refused():
    assert bought(content_type="application/json", **REFRESH).body["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("mode", "code", "name"),
    [("down", 503, "UNAVAILABLE"), ("throttled", 429, "RESOURCE_EXHAUSTED"), ("bad_token", 401, "UNAUTHENTICATED")],
)
def test_trouble_has_googles_words(mode, code, name):
    error = GoogleAds().trouble(mode).body["error"]
    assert (error["code"], error["status"]) == (code, name)


def test_a_revoked_grant_is_refused_at_the_token_endpoint():
    answer = GoogleAds().trouble("bad_token", Call(method="POST", path="/token"))
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")
