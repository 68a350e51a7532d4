"""Ingest keys: several at once, compared in constant time (tests/commands/test_ingest_keys.py: and gone after a reload)."""

import hmac

import pytest

from proxy.collector import senders
from proxy.collector.senders import IngestKeys

OLD, NEW = "the-old-key-0123456789", "the-new-key-0123456789"


@pytest.mark.parametrize("key", [OLD, NEW])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_every_configured_key_opens(key, scheme):
    assert IngestKeys([OLD, NEW]).permits(scheme + key)


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", f"Bearer {OLD[:-1]}", f"Bearer {OLD}x", f"Basic {OLD}", OLD, f"Bearer {OLD} {NEW}"],
)
def test_nothing_else_does(given):
    assert not IngestKeys([OLD, NEW]).permits(given)
    assert not IngestKeys([]).permits(given)


def test_how_long_it_takes_tells_nothing(monkeypatch):
    """Every key is compared, by a comparison that does not stop at the first difference, whichever fits."""
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return real(one, other)

    real = hmac.compare_digest
    monkeypatch.setattr(senders.hmac, "compare_digest", compare)
    keys = IngestKeys([OLD, NEW])
    for given in (OLD, NEW, "x", OLD[:5]):
        compared.clear()
        keys.permits(f"Bearer {given}")
        assert [other for _, other in compared] == [OLD.encode(), NEW.encode()]
