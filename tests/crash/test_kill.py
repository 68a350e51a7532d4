"""An acknowledged event survives SIGKILL at any moment, whatever the platforms do meanwhile (`make crash`: at length)."""

import pytest

from tests.crash.harness import Plan, run

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]


async def test_nothing_acknowledged_is_lost_whichever_process_is_killed():
    """The seed gives one kill of the parent alone, one or two of everything, the rest of children."""
    reckoning = await run(Plan(kills=20, seed=23, longest_s=0.3))
    report = "\n".join(reckoning.lines())
    assert len(reckoning.due) > 200, report
    assert reckoning.kills.total() == 20, report
    assert reckoning.faults.total() > 5, report
    assert reckoning.lost == 0, report
    assert reckoning.strays == 0, report
    assert reckoning.stored_twice == 0, report
    assert reckoning.out_of_order == 0, report
    assert {*reckoning.dead} == {"meta", "snapchat", "pinterest"}, report
