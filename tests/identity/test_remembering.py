"""Match keys of one person, remembered without ever becoming those of two."""

import hashlib

import pytest
from hypothesis import given, strategies as st

from proxy.event import User
from proxy.identity import google_keys, match_keys
from proxy.identity.remembering import digests, fill, remember

KINDS = ("email", "phone", "external_id")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def hexed(keys):
    return {kind: [digest.hex() for digest in values] for kind, values in keys.items()}


def known(**user):
    return digests(user_of(**user), KINDS)


def user_of(**fields):
    return User(
        **{key: (value,) if key in KINDS and isinstance(value, str) else value for key, value in fields.items()}
    )


def test_a_value_is_kept_in_every_spelling_a_platform_hashes():
    found = known(email=" Ann.Lee+shop@GMAIL.com", phone="+49 (0)170 0000000", external_id="C-7 a")
    assert hexed(found) == {
        "email": [sha("ann.lee+shop@gmail.com"), sha("annlee@gmail.com")],
        "phone": [sha("491700000000"), sha("+491700000000")],
        "external_id": [sha("C-7 a"), sha("c-7a")],
    }


def test_one_spelling_is_kept_once_and_a_digest_as_it_is():
    assert hexed(known(email="ann@shop.example")) == {"email": [sha("ann@shop.example")]}
    assert hexed(known(email=sha("x").upper())) == {"email": [sha("x")]}


@pytest.mark.parametrize(
    "user", [{"email": "undefined"}, {"email": "no address"}, {"phone": "0170 0000000"}, {"external_id": "null"}, {}]
)
def test_what_cannot_be_hashed_for_every_platform_is_not_remembered(user):
    assert known(**user) == {}


def test_only_the_kinds_that_were_asked_for_are_remembered():
    assert set(digests(user_of(email="ann@shop.example", phone="+491700000000"), ("phone",))) == {"phone"}


def test_of_a_long_list_two_values_are_kept():
    assert len(known(email=tuple(f"a{number}@shop.example" for number in range(20)))["email"]) == 2


def test_what_an_event_does_not_say_is_filled_in_hashed_and_told():
    user, filled = fill(User(), known(email="ann@shop.example", phone="+491700000000"), KINDS)
    assert user == User(email=(sha("ann@shop.example"),), phone=(sha("491700000000"), sha("+491700000000")))
    assert set(filled) == {"email", "phone"}


def test_what_it_says_itself_stays():
    before = known(email="ann@shop.example", phone="+491700000000")
    user, filled = fill(user_of(email="ANN@shop.example"), before, KINDS)
    assert user.email == ("ANN@shop.example",)
    assert user.phone == (sha("491700000000"), sha("+491700000000"))
    assert filled == ("phone",)


@pytest.mark.parametrize(
    "other",
    [
        {"email": "bob@shop.example"},
        {"first_name": "Bob"},
        {"birth_date": "1990-01-01"},
        {"external_id": "c-9"},
        {"email": "ann@shop.example", "external_id": "c-9"},
    ],
)
def test_somebody_who_may_be_another_gets_nothing(other):
    before = known(email="ann@shop.example", phone="+491700000000", external_id="c-7")
    user = user_of(**other)
    assert fill(user, before, KINDS) == (user, ())


def test_a_place_is_no_person():
    user, filled = fill(User(country="DE", zip="10115"), known(email="ann@shop.example"), KINDS)
    assert user.country == "DE"
    assert filled == ("email",)


def test_another_person_replaces_the_first_whole():
    before = known(email="ann@shop.example", phone="+491700000000")
    assert hexed(remember(before, user_of(email="bob@shop.example"), KINDS)) == {"email": [sha("bob@shop.example")]}
    assert hexed(remember(before, user_of(external_id="c-9"), KINDS)) == {"external_id": [sha("c-9")]}


def test_the_same_person_adds_to_what_is_known():
    before = known(email="ann@shop.example")
    after = remember(before, user_of(email="ann@shop.example", phone="+491700000000"), KINDS)
    assert set(after) == {"email", "phone"}
    assert remember(after, User(), KINDS) == after


def test_one_key_that_agrees_does_not_outweigh_one_that_does_not():
    before = known(email="ann@shop.example", external_id="c-7", phone="+491700000000")
    after = remember(before, user_of(email="ann@shop.example", external_id="c-9"), KINDS)
    assert set(after) == {"email", "external_id"}


people = st.builds(
    user_of,
    email=st.sampled_from(["", "ann@shop.example", "bob@shop.example"]),
    phone=st.sampled_from(["", "+491700000000", "+491700000001"]),
    external_id=st.sampled_from(["", "c-7", "c-9"]),
    first_name=st.sampled_from([None, "Ann"]),
)


@given(st.lists(people, max_size=6))
def test_no_history_makes_an_event_of_two_people(history):
    keys = {}
    for said in history:
        own = digests(said, KINDS)
        keys = remember(keys, said, KINDS)
        full, filled = fill(said, keys, KINDS)
        for kind in own:
            assert getattr(full, kind) == getattr(said, kind)
            assert set(own[kind]) <= set(keys[kind])
        if said.first_name and not own:
            assert filled == ()


@given(st.text(max_size=30))
def test_no_text_makes_it_raise(text):
    fill(user_of(email=text), known(email=text, phone=text, external_id=text), KINDS)


def test_the_digests_are_those_the_destinations_would_make():
    assert match_keys.keyed(["Ann@Gmail.com"], match_keys.email) == hexed(known(email="Ann@Gmail.com"))["email"]
    dotted = hexed(known(email="A.nn@Gmail.com"))["email"]
    assert match_keys.keyed(["A.nn@Gmail.com"], google_keys.email) == dotted[1:]
