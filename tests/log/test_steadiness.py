"""A clock that jumps ahead deletes nothing: retention waits until it is back, or for a day."""

import pytest
import structlog

from proxy.clock import DAY_MS
from proxy.log.steadiness import SLIP_MS, Steadiness, passed_ms

HOUR_MS = 3_600_000


class Machine:
    def __init__(self):
        self.clock_ms, self.passed_ms = 1_790_000_000_000, 5_000_000
        self.steadiness = Steadiness(lambda: self.clock_ms, lambda: self.passed_ms)

    def wait(self, ms):
        self.clock_ms += ms
        self.passed_ms += ms

    def jump(self, ms):
        self.clock_ms += ms

    def is_steady(self):
        return self.steadiness.is_steady()


@pytest.fixture
def machine():
    return Machine()


def test_time_that_passes_and_small_corrections_are_believed(machine):
    for _ in range(100):
        machine.wait(DAY_MS)
        assert machine.is_steady()
    machine.jump(SLIP_MS)
    assert machine.is_steady()


def test_a_jump_ahead_is_doubted_until_the_clock_is_back(machine):
    with structlog.testing.capture_logs() as lines:
        machine.jump(40 * DAY_MS)
        assert not machine.is_steady()
        machine.wait(23 * HOUR_MS)
        assert not machine.is_steady()
        machine.jump(-40 * DAY_MS)
        assert machine.is_steady()
    assert [line["event"] for line in lines] == [
        "clock jumped ahead, retention waits",
        "clock is back, retention goes on",
    ]


def test_a_jump_ahead_that_stays_is_believed_after_a_day(machine):
    machine.jump(40 * DAY_MS)
    assert not machine.is_steady()
    machine.wait(DAY_MS)
    assert machine.is_steady()
    machine.wait(HOUR_MS)
    assert machine.is_steady()


def test_a_clock_that_was_set_back_must_not_jump_ahead_again_unseen(machine):
    machine.jump(-400 * DAY_MS)
    assert machine.is_steady()
    machine.jump(400 * DAY_MS)
    assert not machine.is_steady()  # which of the two was right nobody knows: a day is not much to wait


def test_the_kernel_counts_forward():
    before = passed_ms()
    assert passed_ms() >= before > 0
