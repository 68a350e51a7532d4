import hashlib

import pytest

from proxy.event import Data, Event, User, Visitor
from proxy.privacy.selector import By, selector


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def event(**user):
    return Event(id="e", name="purchase", time=1, user=User(**user))


@pytest.mark.parametrize("asked", ["ann@example.com", "  Ann@Example.COM ", sha256("ann@example.com")])
@pytest.mark.parametrize("stored", ["ann@example.com", "ANN@example.com", sha256("ann@example.com").upper()])
def test_an_email_is_found_in_every_spelling_and_hashed_or_not(asked, stored):
    who = selector(By.EMAIL, asked)
    assert who.finds(event(email=("other@example.com", stored)))
    assert not who.finds(event(email=("other@example.com",)))
    assert not who.finds(event())


def test_a_gmail_address_is_found_under_googles_digest():
    who = selector(By.EMAIL, "a.n.n+shop@gmail.com")
    assert who.finds(event(email=(sha256("ann@gmail.com"),)))
    assert who.finds(event(email=("Ann@gmail.com",)))


@pytest.mark.parametrize("asked", ["+49 171 1234567", "491711234567", sha256("491711234567"), sha256("+491711234567")])
@pytest.mark.parametrize("stored", ["+49 (171) 123-4567", "00491711234567"])
def test_a_phone_number_is_found_in_every_spelling(asked, stored):
    assert selector(By.PHONE, asked).finds(event(phone=(stored,)))


@pytest.mark.parametrize("stored", [sha256("491711234567"), sha256("+491711234567")])
def test_a_hashed_phone_number_is_found_with_and_without_its_plus(stored):
    assert selector(By.PHONE, "+49 171 1234567").finds(event(phone=(stored,)))


def test_an_id_of_the_site_is_found_as_written_and_as_platforms_hash_it():
    who = selector(By.EXTERNAL_ID, "Customer 7")
    for stored in ("Customer 7", "customer7", sha256("customer7"), sha256("Customer 7")):
        assert who.finds(event(external_id=(stored,))), stored
    assert not who.finds(event(external_id=("Customer 8",)))


def test_an_order_and_a_visitor_are_found_as_they_are():
    bought = Event(id="e", name="purchase", time=1, data=Data(order_id="o-1"), visitor=Visitor(id="v_a", first_seen=1))
    assert selector(By.ORDER, "o-1").finds(bought)
    assert not selector(By.ORDER, "o-10").finds(bought)
    assert selector(By.VISITOR, "v_a").finds(bought)
    assert not selector(By.VISITOR, "v_b").finds(event())


@pytest.mark.parametrize(
    ("by", "value", "words"),
    [
        (By.EMAIL, "not an address", "is neither an e-mail address nor its SHA-256"),
        (By.PHONE, "12", "is neither a phone number"),
        (By.EMAIL, "  ", "it is empty"),
        (By.ORDER, "", "it is empty"),
    ],
)
def test_what_names_nobody_is_refused(by, value, words):
    with pytest.raises(ValueError, match=words):
        selector(by, value)
