"""Event names of other tools become ours; everything else stays as the site wrote it."""

import pytest
from hypothesis import given, strategies as st

from proxy import vocabulary
from proxy.destinations.meta import NAMES as META_NAMES
from proxy.vocabulary import CANONICAL, canonical

TABLES = (
    vocabulary.GA4,
    vocabulary.SEGMENT,
    vocabulary.TIKTOK,
    vocabulary.SNAPCHAT,
    vocabulary.PINTEREST,
    vocabulary.SHOPIFY,
)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("begin_checkout", "initiate_checkout"),
        ("view_item", "view_content"),
        ("view_item_list", "view_category"),
        ("generate_lead", "lead"),
        ("sign_up", "complete_registration"),
        ("InitiateCheckout", "initiate_checkout"),
        ("PageView", "page_view"),
        ("Order Completed", "purchase"),
        ("order_completed", "purchase"),
        ("Product Viewed", "view_content"),
        ("CompletePayment", "purchase"),
        ("PAGE_VIEW", "page_view"),
        ("START_CHECKOUT", "initiate_checkout"),
        ("PURCHASE", "purchase"),
        ("checkout_completed", "purchase"),
        ("Lead", "lead"),
        ("Login", "login"),
        ("share", "share"),
    ],
)
def test_a_name_of_another_tool_is_understood(written, name):
    assert canonical(written) == name


@pytest.mark.parametrize(
    "name", ["checkout", "PlaceAnOrder", "Registration", "Order Placed", "BigOrder", "Ünïcode", "purchase!", "", " "]
)
def test_an_ambiguous_or_unknown_name_stays_as_written(name):
    assert canonical(name) == name


def test_every_alias_leads_to_a_canonical_name():
    assert {name for table in TABLES for name in table.values()} <= CANONICAL


def test_no_two_tables_disagree_about_a_name():
    meanings = {}
    for table in TABLES:
        for alias, name in table.items():
            assert meanings.setdefault(vocabulary._fold(alias), name) == name


def test_every_standard_event_of_meta_is_known_by_its_own_name():
    assert {written: canonical(written) for written in META_NAMES.values()} == {v: k for k, v in META_NAMES.items()}


@given(st.text())
def test_a_canonical_name_is_its_own_canonical_name(name):
    assert canonical(canonical(name)) == canonical(name)
    assert canonical(name) == name or canonical(name) in CANONICAL
