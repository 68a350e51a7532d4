"""An acknowledged event survives SIGKILL at any moment (the long run: `make crash`)."""

import pytest

from tests.crash.harness import report, run

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]


async def test_nothing_acknowledged_is_lost_when_serve_is_killed():
    tally, dead = await run(kills=5, seed=11, clients=8)
    assert len(tally.acknowledged) > 50, report(tally, dead)
    assert not tally.lost(dead), report(tally, dead)
    assert not tally.refused, report(tally, dead)


async def test_nothing_acknowledged_is_lost_when_any_of_its_processes_is_killed():
    tally, dead = await run(kills=8, seed=12, clients=8, workers=2)
    assert len(tally.acknowledged) > 50, report(tally, dead)
    assert not tally.lost(dead), report(tally, dead)
    assert not tally.refused, report(tally, dead)
