"""What must not slip out beside the match keys."""

import pytest

from proxy.identity.personal import harmless, names_a_person


@pytest.mark.parametrize("key", ["email", "First-Name", "first_name", "PHONE", "ann@example.com", "x ann@example.com"])
def test_a_property_that_names_a_person_is_known_in_any_spelling(key):
    assert names_a_person(key)


@pytest.mark.parametrize("key", ["plan", "email_opt_in", "item_name", "", "phone case"])
def test_other_properties_are_not_suspected(key):
    assert not names_a_person(key)


@pytest.mark.parametrize("text", ["ann@example.com", "ask ann%40example.com please", "", None])
def test_text_with_an_address_in_it_is_none(text):
    assert harmless(text) is None


@pytest.mark.parametrize("text", ["plain", "a @ b", "size: 40"])
def test_other_text_is_unchanged(text):
    assert harmless(text) == text
