"""An acknowledged event survives SIGKILL at any moment, whatever the platforms do meanwhile (`make crash`: at length)."""

import pytest

from proxy.relay import aside
from tests.crash.harness import Plan, run

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]


async def test_nothing_acknowledged_is_lost_whichever_process_is_killed():
    """Of events, faults and dead letters there are as many as it takes to find something."""
    reckoning = await run(
        Plan(kills=20, seed=23, longest_s=0.3),
        enough=lambda now: len(now.due) > 200 and now.faults.total() > 5 and now.odd > 0 and now.put_off > 0,
    )
    report = "\n".join(reckoning.lines())
    assert reckoning.kills == {"collector": 11, "relay": 6, "parent": 1, "everything": 2}, report
    assert reckoning.lost == 0, report
    assert reckoning.strays == 0, report
    assert reckoning.stored_twice == 0, report
    assert reckoning.out_of_order == 0, report
    assert {*reckoning.dead} == {"meta", "snapchat", "pinterest", "picky"}, report
    assert {*reckoning.dead["picky"].values()} == {aside.WHY}, report
    assert len(reckoning.dead["picky"]) >= reckoning.put_off, report
