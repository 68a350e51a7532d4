"""What leaves an event before it is stored, and by which name that is counted."""

from decimal import Decimal

import pytest

from proxy.config.privacy import PrivacySettings
from proxy.event import Client, Data, Event, Item, Page, User
from proxy.privacy.scrub import FIELDS, scrubber

EMAIL, PHONE = "ann@shop.example", "+49 151 12345678"


def event(**parts):
    return Event(id="o-1", name="purchase", time=1, **parts)


def scrubbed(given, **settings):
    return scrubber(PrivacySettings(**settings))(given)


CLEAN = event(
    page=Page(url="https://x.example/p?utm_source=a", referrer="https://y.example/", title="Mug"),
    data=Data(value=Decimal("59.90"), order_id="4006381333931", search_term="blue mug", coupon="NOV-2026"),
    custom={"plan": "gold", "count": 3, "sizes": [38, 39], "none": None, "nested": {"a": True}},
    user=User(email=(EMAIL,), phone=(PHONE,)),
)


@pytest.mark.parametrize(
    ("wanted", "region", "stored"),
    [
        ("full", "DE", "203.0.113.77"),
        ("truncated", "DE", "203.0.113.0"),
        ("none", None, None),
        ({"EEA": "truncated"}, "DE", "203.0.113.0"),
        ({"EEA": "truncated"}, "US-CA", "203.0.113.77"),
        ({"EEA": "none", "UK": "truncated"}, None, None),  # not known where: the least of all
    ],
)
def test_of_the_address_so_much_is_stored_as_is_wanted(wanted, region, stored):
    given = event(client=Client(ip="203.0.113.77", user_agent="x", region=region))
    clean, found = scrubbed(given, client_ip=wanted)
    assert (clean.client, found) == (Client(ip=stored, user_agent="x", region=region), ())
    assert scrubbed(event(), client_ip=wanted)[0] == event()


def test_an_event_with_nothing_in_it_stays_the_same_object():
    clean, found = scrubbed(CLEAN)
    assert clean is CLEAN
    assert found == ()


@pytest.mark.parametrize(
    ("given", "field", "look"),
    [
        (event(page=Page(url=f"https://x.example/{EMAIL}")), "page.url", lambda e: e.page.url),
        (event(page=Page(referrer=f"https://x.example/{EMAIL}")), "page.referrer", lambda e: e.page.referrer),
        (event(page=Page(title=f"Welcome {EMAIL}!")), "page.title", lambda e: e.page.title),
        (event(data=Data(search_term=PHONE)), "data.search_term", lambda e: e.data.search_term),
        (event(data=Data(description=f"for {PHONE}")), "data", lambda e: e.data.description),
        (event(data=Data(items=(Item(id="1", name=f"gift for {EMAIL}"),))), "items", lambda e: e.data.items[0].name),
        (event(custom={"note": f"write to {EMAIL}"}), "custom", lambda e: e.custom["note"]),
        (event(custom={"a": {"b": [f"x {PHONE}"]}}), "custom", lambda e: e.custom["a"]["b"][0]),
    ],
)
def test_it_is_taken_out_of_its_field_and_the_field_is_named(given, field, look):
    clean, found = scrubbed(given)
    assert found == (field,)
    assert field in FIELDS
    left = look(clean)
    assert left is None or (EMAIL not in left and PHONE not in left)


def test_what_was_nothing_else_is_gone_and_what_stood_beside_it_stays():
    given = event(custom={"mail": EMAIL, "phone": 4915112345678, "keep": "x", EMAIL: 1, "many": [EMAIL, "y", None]})
    clean, _ = scrubbed(given)
    assert clean.custom == {"keep": "x", "many": ["y", None]}


def test_article_numbers_may_look_like_phones():
    given = event(data=Data(items=(Item(id="415-555-2671", name="415-555-2671", variant="+49 151 12345678"),)))
    assert scrubbed(given) == (given, ())


def test_match_keys_have_their_own_place_and_stay():
    assert scrubbed(CLEAN)[0].user == CLEAN.user


def test_parameters_go_before_people_are_looked_for_so_they_are_not_counted():
    given = event(page=Page(url=f"https://x.example/?email={EMAIL}"))
    clean, found = scrubbed(given)
    assert clean.page.url == "https://x.example/"
    assert found == ()


def test_each_half_can_be_switched_off():
    given = event(page=Page(url=f"https://x.example/?email={EMAIL}"))
    assert scrubbed(given, url_parameters="all", detect="off") == (given, ())
    clean, found = scrubbed(given, url_parameters="all")
    assert (clean.page.url, found) == ("https://x.example/?email=redacted", ("page.url",))
    clean, _ = scrubbed(event(page=Page(url="https://x.example/?a=1", title=EMAIL)), detect="off")
    assert (clean.page.url, clean.page.title) == ("https://x.example/", EMAIL)
    assert scrubbed(event(page=Page(url="https://x.example/?a=1&b=2")), url_parameters=("a",))[0].page.url.endswith(
        "?a=1"
    )


def test_doing_it_twice_changes_nothing_more():
    given = event(page=Page(url=f"https://x.example/{EMAIL}?x=1", title=PHONE), custom={"a": f"b {EMAIL}"})
    once, _ = scrubbed(given)
    assert scrubbed(once) == (once, ())
