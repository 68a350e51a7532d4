"""Garbage cycles: looked for seldom, but still looked for."""

import gc

import pytest

from proxy.collector.garbage import look_seldom


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_a_collector_looks_for_garbage_less_often_but_not_never(thresholds):
    look_seldom()
    assert gc.isenabled()
    assert all(now > before for now, before in zip(gc.get_threshold()[:2], thresholds[:2], strict=True))
