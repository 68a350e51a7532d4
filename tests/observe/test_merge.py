"""Metrics of several processes: sums that never fall."""

import pytest
from prometheus_client import generate_latest

from proxy.observe import metrics
from proxy.observe.merge import Sample, Sum, samples

STORED = ("firsthand_events_stored", "firsthand_events_stored_total", (("source", "merged"),))
PAUSED = ("firsthand_destination_paused", "firsthand_destination_paused", (("destination", "merged"),))


def shown(page, key):
    _, name, labels = key
    for family in page.collect():
        for sample in family.samples:
            if sample.name == name and tuple(sample.labels.items()) == labels:
                return sample.value
    return None


def test_counters_of_all_processes_are_summed():
    page = Sum().page([[Sample(*STORED, 3.0)], [Sample(*STORED, 4.0)]])
    assert shown(page, STORED) == 7
    assert b'firsthand_events_stored_total{source="merged"} 7.0' in generate_latest(page)


def test_a_process_that_ends_takes_its_gauges_along_but_not_its_counts():
    total = Sum()
    last = [Sample(*STORED, 3.0), Sample(*PAUSED, 1.0)]
    assert shown(total.page([last]), PAUSED) == 1
    total.retire(last)
    page = total.page([[Sample(*STORED, 1.0)]])
    assert shown(page, STORED) == 4
    assert shown(page, PAUSED) is None


@pytest.mark.parametrize("line", ["_bucket", "_count", "_sum"])
def test_every_line_of_a_histogram_is_summed(line):
    metrics.attempt_seconds.labels("merge-test").observe(0.3)
    own = [sample for sample in samples() if ("destination", "merge-test") in sample.labels]
    found = [sample for sample in own if sample.name == f"firsthand_attempt_seconds{line}"]
    page = Sum().page([own])  # this process is on the page too
    assert found
    for sample in found:
        assert shown(page, sample.key) == pytest.approx(2 * sample.value)
