"""Pinterest: every request against its published schema, its vectors, and how each known answer is read."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings as calmly
from pydantic import ValidationError

from proxy.destinations.base import Refusal, Reply
from proxy.destinations.pinterest import KNOWN, NAMES, Pinterest
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater, RowFault
from proxy.event import ClickId, Client, Data, Event, Item, Page, User, replace
from proxy.identity import match_keys
from proxy.vocabulary import CANONICAL

TESTS = Path(__file__).parents[1]
SCHEMA = json.loads((TESTS / "vectors" / "pinterest-events.schema.json").read_text())
ALL = json.loads((TESTS / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
NOW_MS = 1_790_000_000_000
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
VIEW = Event(
    id="e-1",
    name="page_view",
    time=NOW_MS,
    page=Page(url="https://shop.example/"),
    client=Client(ip="203.0.113.9", user_agent="UA"),
)


def vectors(kind):
    return [vector for vector in ALL[kind] if vector.get("platform") == "pinterest"]


def pinterest(**settings):
    given_settings = {"ad_account_id": "123", "access_token": "token", **settings}
    return Pinterest("p", Pinterest.Settings(kind="pinterest", **given_settings))


def row(event, **settings):
    return pinterest(**settings).payload(event, NOW_MS)


def sent(body):
    """The events of a request, or of a golden file's lower half."""
    return json.loads(body)["data"]


def faults(value, schema, place="$"):
    """What the schema forbids; the part of JSON Schema that Pinterest's uses."""
    known = {"type", "properties", "additionalProperties", "required", "items", "anyOf", "enum", "maxLength"}
    known |= {"minItems", "maxItems", "minimum", "maximum", "$schema", "$comment", "$defs", "pattern"}
    assert not {word for word in schema if word not in known and not word.startswith("x-")}, place
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(is_a(value, kind) for kind in kinds):
        return [f"{place}: not {' or '.join(kinds)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: not one of {schema['enum']}")
    if "anyOf" in schema and all(faults(value, one, place) for one in schema["anyOf"]):
        found.append(f"{place}: none of the alternatives")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{place}.{name}: missing" for name in schema.get("required", []) if name not in value]
        for name, part in value.items():
            if name in properties:
                found += faults(part, properties[name], f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{place}.{name}: unknown")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
            found.append(f"{place}: too many or too few")
        for number, part in enumerate(value):
            found += faults(part, schema.get("items", {}), f"{place}[{number}]")
    if isinstance(value, str) and len(value) > schema.get("maxLength", 10**9):
        found.append(f"{place}: too long")
    if is_a(value, "integer") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{place}: out of range")
    return found


def is_a(value, kind):
    if kind in {"integer", "number"}:
        return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


# --- against the published schema


@pytest.mark.parametrize("vector", vectors("payloads"), ids=lambda vector: vector["id"])
def test_the_schema_check_of_these_tests_tells_good_from_bad(vector):
    assert bool(faults(vector["payload"], SCHEMA)) == (vector["schema"] == "invalid")


@pytest.mark.parametrize("case", sorted((TESTS / "golden" / "pinterest").glob("*.txt")), ids=lambda case: case.stem)
def test_a_golden_request_is_valid_by_the_schema(case):
    lower = case.read_text().partition("\n----------\n")[2]
    bodies = [block for block in lower.split("\n\n") if block.startswith("{")]
    assert bodies or "REFUSED" in lower
    for body in bodies:
        assert faults(json.loads(body), SCHEMA) == []
        for event in sent(body):
            assert event["event_name"] in KNOWN
            assert event["user_data"].get("em") != []


@calmly(max_examples=60)
@given(number=...)
def test_quantities_stay_whole_numbers_whatever_they_are(number: int):
    event = replace(VIEW, data=Data(items=(Item(id="a", quantity=number),), num_items=3))
    assert faults({"data": [row(event)]}, SCHEMA) == []


def test_the_probe_is_valid_and_only_a_test():
    probe = pinterest().probe(NOW_MS)
    assert probe.url.endswith("/v5/ad_accounts/123/events?test=true")
    assert faults(json.loads(probe.body), SCHEMA) == []


# --- vectors


def canonical_event():
    given_event = ALL["golden"]["canonical"]
    order, user = given_event["order"], given_event["user"]
    epik = given_event["page"]["url"].rpartition("epik=")[2]
    return Event(
        id=given_event["event_id"],
        name=given_event["name"],
        time=given_event["time"] * 1000,
        page=Page(**given_event["page"], language=given_event["client"]["language"]),
        click_ids={"epik": ClickId(value=epik, clicked_at=given_event["time"] * 1000)},
        user=User(
            email=(user["email"],),
            phone=(user["phone"],),
            external_id=(user["external_id"],),
            **{name: user[name] for name in ("first_name", "last_name", "city", "country")},
            state=user["region"],
            zip=user["postal_code"],
        ),
        data=Data(
            value=Decimal(str(order["value"])),
            currency=order["currency"],
            order_id=order["order_id"],
            items=tuple(Item(**{**item, "price": Decimal(str(item["price"]))}) for item in order["items"]),
        ),
        client=Client(ip=given_event["client"]["ip"], user_agent=given_event["client"]["user_agent"]),
    )


def test_the_canonical_purchase_is_the_agreed_body():
    built = pinterest().build([canonical_event()], NOW_MS)
    assert json.loads(built.requests[0].body) == ALL["golden"]["pinterest"]


FIELDS = {"fn": "first_name", "ln": "last_name", "ge": "gender", "db": "birth_date", "ct": "city", "st": "state"}
FIELDS |= {"zp": "zip", "country": "country"}
LISTS = {"em": "email", "ph": "phone", "external_id": "external_id"}


@pytest.mark.parametrize("vector", vectors("normalisation"), ids=lambda vector: vector["id"])
def test_a_match_key_vector_holds(vector):
    field, value = vector["field"], vector["input"]
    user = User(**({LISTS[field]: (value,)} if field in LISTS else {FIELDS[field]: value} if field in FIELDS else {}))
    madid = {"madid": value} if field == "hashed_maids" else {}
    found = row(replace(VIEW, user=user, browser_ids=madid))["user_data"][field]
    expected = vector["normalised"] if vector["send_as"] == "as-is" else vector["sha256"]
    if vector["adopt"] is False:
        assert expected not in found
    else:
        assert found == [expected]


@pytest.mark.parametrize("vector", vectors("click_ids"), ids=lambda vector: vector["id"])
def test_a_click_id_vector_holds(vector):
    from proxy.identity.click_ids import harvest

    found = {"epik": vector["cookies"]["_epik"]} if "_epik" in vector["cookies"] else {}
    event = replace(VIEW, click_ids=harvest(vector["url"], NOW_MS), browser_ids=found)
    assert row(event)["user_data"].get("click_id") == vector["expect"].get("click_id")


def test_a_click_id_that_is_none_falls_back_to_the_cookie():
    event = replace(
        VIEW, click_ids={"epik": ClickId(value="__EPIK__", clicked_at=NOW_MS)}, browser_ids={"epik": "dj0yabc"}
    )
    assert row(event)["user_data"]["click_id"] == "dj0yabc"


@pytest.mark.parametrize("vector", ALL["event_names"], ids=lambda vector: vector["canonical"])
def test_an_event_name_vector_holds(vector):
    assert (
        row(replace(VIEW, name=vector["canonical"]), checkout_without_value="send")["event_name"]
        == (vector["pinterest"])
    )


def test_every_canonical_name_is_one_pinterest_knows():
    assert {NAMES.get(name, "custom") for name in CANONICAL} <= KNOWN
    event = SCHEMA["properties"]["data"]["items"]["properties"]["event_name"]
    assert {*event["x-documented-values"], *event["x-guide-only-values"]} == KNOWN


REJECTED = {
    "P-P10": replace(VIEW, client=Client(), user=User(phone=("+16505551212",))),
    "P-P11": replace(VIEW, client=Client(ip="203.0.113.9")),
    "P-P12": replace(VIEW, client=Client(), click_ids={"epik": ClickId(value="dj0yabc", clicked_at=NOW_MS)}),
    "P-P26": replace(VIEW, client=Client(), user=User(email=("",))),
    "P-P27": replace(VIEW, client=Client()),
}


@pytest.mark.parametrize("name", REJECTED)
def test_an_event_without_the_identity_pinterest_wants_is_refused(name):
    assert isinstance(row(REJECTED[name]), Refusal)
    assert row(REJECTED[name]).why == "no_identifier"


def test_nothing_to_send_is_no_request():
    assert pinterest().build([], NOW_MS).requests == ()
    assert pinterest().build([REJECTED["P-P27"]], NOW_MS).requests == ()


def test_no_forbidden_digest_is_made():
    digests = {entry["sha256"] for entry in ALL["forbidden_digests"]}
    for entry in ALL["forbidden_digests"]:
        junk = entry["input"]
        user = User(email=(junk,), phone=(junk,), external_id=(junk,), first_name=junk, city=junk, gender=junk)
        text = json.dumps(row(replace(VIEW, user=user)))
        assert not [digest for digest in digests if digest in text]


# --- rows


@pytest.mark.parametrize(
    ("tag", "language"), [("en-US", "en"), ("DE", "de"), ("zh_Hant", "zh"), ("fil", None), ("", None), ("e", None)]
)
def test_a_language_has_two_letters_or_is_left_out(tag, language):
    assert row(replace(VIEW, page=Page(language=tag))).get("language") == language


def test_an_upper_case_form_is_added_once_and_never_for_a_digest():
    digest = match_keys.keyed(("US",), match_keys.country)[0]
    keys = row(replace(VIEW, user=User(country=digest, state="unknown")), places_in_both_cases=True)["user_data"]
    assert keys["country"] == [digest]
    assert "st" not in keys


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1E+20"])
def test_a_value_that_is_no_amount_is_no_value(amount):
    assert row(replace(VIEW, name="purchase", data=Data(value=Decimal(amount), currency="EUR"))).why == "no_value"


def test_an_event_id_and_time_are_kept():
    body = row(replace(VIEW, id="o-1001", time=NOW_MS - 1))
    assert (body["event_id"], body["event_time"]) == ("o-1001", 1_789_999_999)


def test_settings_that_cannot_work_are_refused():
    for bad in ({"ad_account_id": "act_1"}, {"ad_account_id": "1" * 19}, {"partner_name": "Firsthand"}):
        with pytest.raises(ValidationError):
            pinterest(**bad)
    assert pinterest(ad_account_id=549755885175).settings.ad_account_id == "549755885175"


def test_only_test_mode_is_worth_a_warning():
    assert pinterest().warnings(NOW_MS) == ()
    assert "records none" in pinterest(test=True).warnings(NOW_MS)[0]


def test_another_host_is_another_host_only():
    request = pinterest(base_url="http://127.0.0.1:8090/").build([VIEW], NOW_MS).requests[0]
    assert request.url == "http://127.0.0.1:8090/v5/ad_accounts/123/events"


def test_birth_dates_of_the_future_are_no_birth_dates():
    tomorrow = datetime.fromtimestamp(NOW_MS / 1000 + 2 * 86_400, UTC).date().isoformat()
    assert "db" not in row(replace(VIEW, user=User(birth_date=tomorrow)))["user_data"]


# --- answers

EXPECTED = {
    "delivered": Delivered,
    "delivered-warn": Delivered,
    "permanent": Rejected,
    "auth": AuthBroken,
    "retry": RetryLater,
}


def reply(status, body, *, headers=None, sent_rows=None):
    return Reply(status=status, headers=headers or {}, body=json.dumps(body).encode(), sent=sent_rows)


@pytest.mark.parametrize("vector", vectors("responses"), ids=lambda vector: vector["id"])
def test_an_answer_vector_is_read_as_agreed(vector):
    rows = vector["body"].get("num_events_received", 2)
    verdict = pinterest().judge(reply(vector["http_status"], vector["body"], sent_rows=rows))
    if vector["expect"] == "partial":
        failed = vector.get("failed_rows")
        if failed is None:  # it does not say which: halved until it does
            assert isinstance(verdict, Rejected)
            assert verdict.rows == ()
        else:
            assert [fault.row for fault in verdict.rejected] == failed
    else:
        assert isinstance(verdict, EXPECTED[vector["expect"]])
        assert bool(getattr(verdict, "warnings", ())) == (vector["expect"] == "delivered-warn")


def test_one_bad_row_of_ten_is_the_only_one_lost():
    rows = [{"status": "processed"}] * 4 + [{"status": "failed", "error_message": "no"}] + [{"status": "processed"}] * 5
    assert pinterest().judge(reply(200, {"events": rows}, sent_rows=10)) == Delivered(
        rejected=(RowFault(4, "failed", "no"),)
    )


@pytest.mark.parametrize("body", [{"events": [{"status": "failed"}]}, {"details": {"events": [{"status": "failed"}]}}])
def test_a_422_that_names_rows_is_believed(body):
    assert pinterest().judge(reply(422, body, sent_rows=1)) == Delivered(rejected=(RowFault(0, "failed", ""),))


@pytest.mark.parametrize(
    ("status", "body", "headers", "verdict"),
    [
        (429, {"code": 8, "message": "slow"}, {}, RetryLater("throttled", 60.0, "8: slow")),
        (429, {"code": 8, "message": "slow"}, {"retry-after": "7"}, RetryLater("throttled", 7.0, "8: slow")),
        (503, {"code": 4197, "message": "down"}, {}, RetryLater("ramped_down", 600.0, "4197: down")),
        (503, {"message": "down"}, {"retry-after": "9"}, RetryLater("http_5xx", 9.0, "down")),
        (400, {"code": 4196, "message": "bad"}, {}, Rejected("4196", "4196: bad")),
        (400, {"code": "x", "message": "bad"}, {}, Rejected("http_4xx", "x: bad")),
        (408, {"message": "late"}, {}, RetryLater("throttled", None, "late")),
        (405, {"message": "no"}, {}, Rejected("http_4xx", "no")),
        (413, {}, {}, Rejected("too_large", "HTTP 413")),
    ],
)
def test_an_answer_has_its_reason(status, body, headers, verdict):
    assert pinterest().judge(reply(status, body, headers=headers)) == verdict


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 422, 502])
def test_a_page_of_a_gateway_is_not_pinterests_word(status):
    assert isinstance(pinterest().judge(Reply(status=status, body=b"<html>")), RetryLater)


@pytest.mark.parametrize(
    ("status", "why"), [(401, "token_refused"), (403, "permission_missing"), (404, "account_unknown")]
)
def test_a_pause_says_what_to_do(status, why):
    verdict = pinterest().judge(reply(status, {"code": 2, "message": "no"}))
    assert (verdict.why, bool(verdict.advice)) == (why, True)


def test_rows_we_did_not_send_mean_nothing():
    verdict = pinterest().judge(reply(200, {"events": [{"status": "processed"}, {"status": "failed"}]}, sent_rows=1))
    assert verdict == Delivered()
    assert pinterest().judge(reply(200, {"events": "?"}, sent_rows=1)).warnings
