"""Every connection is an open file: the limit is raised as far as it goes, and what is beyond is not promised."""

import pytest

from proxy import open_files
from proxy.collector.door import Door


@pytest.fixture
def limit(monkeypatch):
    """Soft and hard limit of a machine."""
    pair = [64, 1_000]
    monkeypatch.setattr(open_files, "getrlimit", lambda _: tuple(pair))
    monkeypatch.setattr(open_files, "setrlimit", lambda _, new: pair.__setitem__(slice(None), new))
    return pair


def test_it_is_raised_as_far_as_needed(limit):
    open_files.allow(500)
    assert limit == [500 + open_files.OTHER_FILES, 1_000]
    open_files.allow(100)
    assert limit == [500 + open_files.OTHER_FILES, 1_000], "never lowered"


def test_and_no_further_than_the_system_lets_us(limit):
    open_files.allow(10_000)
    assert limit == [1_000, 1_000]
    assert open_files.room() == open_files.most_room() == 1_000 - open_files.OTHER_FILES


def test_more_connections_than_files_are_not_let_in(limit):
    limit[0] = 300
    door = Door(10_000)
    assert sum(door.enter(None) for _ in range(1_000)) == 300 - open_files.OTHER_FILES


def test_no_limit_is_none(limit):
    limit[:] = [open_files.RLIM_INFINITY] * 2
    open_files.allow(10**9)
    assert open_files.room() is None
    assert Door(50)._most == 50
