"""What of a visitor's words is remembered for requests on which nobody can speak."""

import pytest

from proxy.event import Consent, ConsentState, replace
from proxy.privacy.consent import to_remember

G, D, U = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
NOW = 1_790_000_000_000
BEFORE = Consent(marketing=G, analytics=G, source="remembered", time=NOW - 5)


@pytest.mark.parametrize("source", ["default", "remembered"])
@pytest.mark.parametrize("before", [None, BEFORE])
def test_a_default_or_a_memory_is_no_word(source, before):
    assert to_remember(before, Consent(marketing=D, source=source), NOW) is before


def test_a_word_is_remembered_with_its_time_and_without_its_source():
    said = Consent(marketing=G, analytics=D, sale=U, source="tcf", time=NOW - 9)
    assert to_remember(None, said, NOW) == replace(said, source="remembered")
    assert to_remember(BEFORE, replace(said, time=None), NOW) == replace(said, source="remembered", time=NOW)


def test_the_same_word_again_changes_nothing():
    assert to_remember(BEFORE, replace(BEFORE, source="api", time=NOW), NOW) is BEFORE


@pytest.mark.parametrize("source", ["gpc", "dnt", "default"])  # as a header says it, and as the script does
def test_a_signal_refuses_the_sale_and_grants_nothing(source):
    signal = Consent(marketing=G, analytics=G, sale=D, source=source)  # marketing by default only
    assert to_remember(None, signal, NOW) == Consent(sale=D, source="remembered", time=NOW)
    assert to_remember(BEFORE, signal, NOW) == replace(BEFORE, sale=D)


def test_a_signal_that_refuses_marketing_is_remembered_as_such():
    signal = Consent(marketing=D, analytics=G, sale=D, source="gpc")
    assert to_remember(None, signal, NOW) == Consent(marketing=D, sale=D, source="remembered", time=NOW)
