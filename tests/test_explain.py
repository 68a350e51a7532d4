"""`explain` on a real configuration: the JSON form is a stable interface, so it is compared whole."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.config.load import read
from proxy.event import encode_json
from proxy.explain import NOT_KEPT, explain
from proxy.log.base import Entry
from proxy.relay.plan import plan
from proxy.wire import parse

NOW_MS = 1_790_000_005_000
TOKEN = "tok/EN-secret"

CONFIG = """
site: {origins: [https://www.shop.example]}
ingest_keys: [ingest-key-0123456789abcdef]
consent: {default: denied}
destinations:
  second: {kind: meta, pixel_id: "222", access_token: "tok/EN-secret"}
  first: {kind: meta, pixel_id: "111", access_token: "tok/EN-secret"}
  off: {kind: meta, pixel_id: "333", access_token: "tok/EN-secret", enabled: false}
rules:
  - {name: no staff, when: {client.ip: {in_network: [203.0.113.0/24]}}, drop: true}
  - {name: shop, when: {event: purchase}, send_to: [first, off]}
  - {name: big, when: {event: purchase, value: {at_least: 100}}, send_to: [first, second]}
"""

PURCHASE = {
    "id": "o-1",
    "name": "purchase",
    "time": 1_790_000_000_000,
    "page": {"url": "https://www.shop.example/thanks?fbclid=AbC"},
    "consent": {"marketing": "granted"},
    "user": {"email": "ann@example.com"},
    "client": {"ip": "198.51.100.7", "user_agent": "Mozilla/5.0"},
    "data": {"value": 59.90, "currency": "EUR"},
}


@pytest.fixture
def config():
    return read(CONFIG, Path("config.yaml"), {})


def explained(config, trace=False, now_ms=NOW_MS, **changes):
    body = json.dumps({**PURCHASE, **changes}).encode()
    (event,) = parse(body, received_ms=now_ms, trusted=True).events
    return explain(event, config, now_ms, trace=trace)


def by_name(found):
    return {one["name"]: one for one in found["destinations"]}


def test_the_form_is_stable(config):
    found = explained(config)
    assert list(found) == ["event", "destinations"]
    assert [one["name"] for one in found["destinations"]] == ["second", "first", "off"]  # as in the configuration
    for one in found["destinations"]:
        assert list(one) == ["name", "kind", "decision", "reason", "rules", "requests"]
    first = by_name(found)["first"]
    assert {key: first[key] for key in ("kind", "decision", "reason", "rules")} == {
        "kind": "meta",
        "decision": "send",
        "reason": "rule 'shop'",
        "rules": ["shop"],
    }
    (request,) = first["requests"]
    assert list(request) == ["method", "url", "headers", "body"]
    assert request["method"] == "POST"
    assert request["headers"]["Authorization"] == "Bearer ***"
    assert request["body"]["data"][0]["event_id"] == "o-1"


def test_several_rules_are_named_in_order(config):
    found = by_name(explained(config, data={"value": 120, "currency": "EUR"}))
    assert found["first"]["reason"] == "rules 'shop', 'big'"
    assert found["first"]["rules"] == ["shop", "big"]
    assert len(found["first"]["requests"]) == 1
    assert found["second"]["reason"] == "rule 'big'"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "lead"}, "no rule sends 'lead' here"),
        ({"client": {"ip": "203.0.113.9", "user_agent": "x"}}, "rule 'no staff' drops it"),
        ({"consent": {"marketing": "denied", "analytics": "granted"}}, "consent: marketing denied"),
        ({"consent": None}, "consent: marketing denied"),
    ],
)
def test_a_skip_says_why(config, changes, reason):
    first = by_name(explained(config, **changes))["first"]
    assert (first["decision"], first["reason"], first["rules"], first["requests"]) == ("skip", reason, [], [])


def test_a_disabled_destination_is_skipped(config):
    off = by_name(explained(config))["off"]
    assert (off["decision"], off["reason"]) == ("skip", "disabled")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": 1_789_000_000_000}, "happened 11.6 days ago; meta takes events up to 7 days old"),
        ({"data": {"value": 5}}, "currency"),
    ],
)
def test_a_refusal_says_the_platforms_rule(config, changes, words):
    first = by_name(explained(config, **changes))["first"]
    assert (first["decision"], first["rules"], first["requests"]) == ("refuse", ["shop"], [])
    assert words in first["reason"]


def test_what_is_not_kept_goes_nowhere_even_where_no_consent_is_asked():
    config = read(CONFIG.replace('pixel_id: "111"', 'pixel_id: "111", consent: []'), Path("config.yaml"), {})
    first = by_name(explained(config, consent={"marketing": "denied"}))["first"]
    assert (first["decision"], first["reason"]) == ("skip", NOT_KEPT)


def test_the_event_goes_the_collectors_way(config):
    event = explained(config)["event"]
    assert event["consent"] == {"marketing": "granted", "analytics": "denied", "personalization": "denied"}
    assert event["click_ids"] == {"fbclid": {"value": "AbC", "clicked_at": PURCHASE["time"]}}
    assert event["browser_ids"] == {"fbc": f"fb.1.{PURCHASE['time']}.AbC"}


def test_click_ids_are_not_found_without_consent(config):
    event = explained(config, consent={"marketing": "denied", "analytics": "granted"})["event"]
    assert "click_ids" not in event
    assert "browser_ids" not in event
    assert not event.get("user")
    assert "fbclid" not in event["page"]["url"]


def test_money_stays_exact(config):
    found = explained(config, data={"value": "19999999999999.99", "currency": "EUR"})
    assert found["event"]["data"]["value"] == Decimal("19999999999999.99")
    assert by_name(found)["first"]["requests"][0]["body"]["data"][0]["custom_data"]["value"] == Decimal(
        "19999999999999.99"
    )
    assert b"19999999999999.99" in encode_json(found)


def test_no_secret_is_shown_wherever_it_appears(config):
    found = explained(config, custom={"oops": f"x {TOKEN} y"}, id=f"id-{TOKEN}")
    text = encode_json(found).decode()
    assert TOKEN not in text
    assert json.dumps(TOKEN)[1:-1] not in text
    assert "id-***" in text


def test_the_trace_says_what_every_rule_said(config):
    trace = explained(config, trace=True)["trace"]
    assert [(step["rule"], step["matched"]) for step in trace] == [("no staff", False), ("shop", True), ("big", False)]
    assert "59.9" in trace[2]["why"]


def test_the_same_event_and_time_give_the_same_bytes(config):
    assert encode_json(explained(config)) == encode_json(explained(config))


def test_it_shows_the_very_bytes_the_relay_sends(config):
    """What is printed, encoded again, is the body of the planned request."""
    consent = {"marketing": "granted", "analytics": "denied", "personalization": "denied"}
    body = json.dumps({**PURCHASE, "page": {"url": "https://www.shop.example/"}, "consent": consent}).encode()
    (event,) = parse(body, received_ms=NOW_MS, trusted=True).events
    destination = config.destinations["first"]
    (parcel,) = plan(destination, [Entry(1, NOW_MS, event)], config.rules.decide, NOW_MS).parcels
    (shown,) = by_name(explain(event, config, NOW_MS))["first"]["requests"]
    assert encode_json(shown["body"]) == parcel.request.body


def test_a_token_that_is_bought_when_sending_is_shown_as_stars():
    google = "{kind: google_ads, customer_id: 1234567890, conversion_actions: {purchase: 7}, "
    google += "client_id: c, client_secret: s3cret-text, refresh_token: s3cret-text}"
    text = f"site: {{origins: [https://www.shop.example]}}\ndestinations: {{google: {google}}}\n"
    found = explained(read(text, Path("config.yaml"), {}))
    (request,) = by_name(found)["google"]["requests"]
    assert request["url"] == "https://datamanager.googleapis.com/v1/events:ingest"
    assert request["headers"] == {"Authorization": "Bearer ***", "Content-Type": "application/json"}
    assert request["body"]["events"][0]["transactionId"] == "o-1"


def test_what_only_the_log_knows_is_said_in_words(config):
    changed = CONFIG.replace("send_to: [first, off]", "send_to: [first, off], once: per_order").replace(
        "send_to: [first, second]", "send_to: [{destination: first, as: Big}, {destination: second, once: per_visitor}]"
    )
    config = read(changed, Path("config.yaml"), {})
    order = {"value": 120, "currency": "EUR", "order_id": "A-7"}
    visitor = {"id": "0190a0a0-0000-7000-8000-000000000001", "first_seen": NOW_MS - 1000}
    found = by_name(explained(config, data=order, visitor=visitor))
    unless = "unless this order was sent before (once per order)"
    assert found["first"]["decision"] == "send"
    assert found["first"]["reason"] == f"rules 'shop', 'big'; 'purchase' {unless}"
    assert found["second"]["reason"] == "rule 'big', unless one of this visitor was sent before (once per visitor)"
    small = by_name(explained(config, data={**order, "value": 1}))
    assert small["first"]["reason"] == f"rule 'shop', {unless}"
    assert by_name(explained(config, data={"value": 1, "currency": "EUR"}))["first"]["reason"] == "rule 'shop'"
    (step,) = [step for step in explained(config, trace=True, data=order)["trace"] if step["rule"] == "shop"]
    assert step["why"] == "sends to first once per order, off once per order"
