"""`fields` and `client_ip` of a destination: the language of rules, checked where it stands, last to speak."""

import pytest

from proxy.event import Client, Consent, Data, Event, Page, User

DESTINATION = "{kind: webhook, url: 'https://crm.example/in', secret: s3cret-s3cret"
PURCHASE = Event(
    id="o-1",
    name="purchase",
    time=1,
    page=Page(url="https://www.shop.example/", title="Thanks"),
    user=User(email=("ann@shop.example",), city="Rome"),
    data=Data(order_id="o-1"),
    client=Client(ip="203.0.113.9", user_agent="UA", region="DE"),
    consent=Consent(),
)


@pytest.fixture
def sent(read, site):
    """What of the purchase a destination with these settings is sent."""

    def sent(settings, rules="", event=PURCHASE):
        config = read(f"{site}destinations:\n  crm: {DESTINATION}, {settings}}}\n  all: {DESTINATION}}}\n{rules}")
        routes = {route.destination: route.event for route in config.rules.decide(event).routes}
        assert "all" not in routes or rules or routes["all"] == event
        return routes["crm"]

    return sent


def test_one_destination_gets_less_and_the_others_everything(sent):
    found = sent("fields: {remove: [user.*, client.user_agent]}")
    assert found.user == User()
    assert found.client == Client(ip="203.0.113.9", region="DE")
    assert found.page == PURCHASE.page


def test_only_what_is_named_is_left(sent):
    found = sent("fields: {only: [data.order_id]}")
    assert (found.user, found.page, found.client) == (User(), Page(), Client())
    assert found.data == Data(order_id="o-1")


def test_raw_can_become_hashed(sent):
    assert len(sent("fields: {hash_only: [user.email]}").user.email[0]) == 64


def test_it_comes_after_what_rules_did(sent):
    rules = "rules:\n  - {set: {page.title: From a rule}, send_to: [{destination: crm, set: {user.city: Paris}}]}\n"
    found = sent("fields: {remove: [page.title, user.city]}", rules)
    assert (found.page.title, found.user.city) == (None, None)


@pytest.mark.parametrize(
    ("client_ip", "ip"),
    [
        ("full", "203.0.113.9"),
        ("truncated", "203.0.113.0"),
        ("none", None),
        ("{EEA: none, other: full}", None),
        ("{US: none}", "203.0.113.9"),
    ],
)
def test_the_address_is_cut_by_region(sent, client_ip, ip):
    assert sent(f"client_ip: {client_ip}").client.ip == ip


def test_fields_are_checked_where_they_stand(faults, site):
    text = f"{site}destinations:\n  crm: {DESTINATION}, fields: {{remove: [user.emial], set: {{a: 1}}}}}}\n"
    found = faults(text)
    assert any("unknown field 'user.emial'" in line and "destinations.crm.fields.remove" in line for line in found)
    assert any("unknown key 'set'" in line and "only" in line for line in found)


def test_regions_of_an_address_are_checked(faults, site):
    (fault,) = faults(f"{site}destinations:\n  crm: {DESTINATION}, client_ip: {{EUROPE: none}}}}\n")
    assert "no region: 'EUROPE'" in fault


def test_a_platform_that_would_refuse_everything_is_warned_about(read, site):
    meta = "destinations: {m: {kind: meta, pixel_id: '1', access_token: t, fields: %s}}"
    for fields in ("{remove: [client.user_agent]}", "{remove: [client.*]}", "{only: [data.*, page.url]}"):
        warnings = read(site + meta % fields).warnings
        assert [warning for warning in warnings if "refuses website events without client.user_agent" in warning], (
            fields
        )
    assert not read(site + meta % "{only: [data.*, page.url, client.*]}").warnings


def test_a_rule_that_reads_a_parameter_nobody_keeps_is_warned_about(read, site):
    rules = (
        "rules:\n  - {when: {page.query.shop: '7'}, drop: true}\n  - {when: {page.query.utm_source: x}, drop: true}\n"
    )
    (warning,) = [one for one in read(site + rules).warnings if "page.query" in one]
    assert "add shop to privacy.url_parameters" in warning
    kept = "privacy: {url_parameters: [shop]}\n"
    assert not [one for one in read(site + kept + rules).warnings if "page.query" in one]
