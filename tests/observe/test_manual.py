"""docs/metrics.md lists every metric with its labels, and none that does not exist."""

import re
from pathlib import Path

from proxy.observe.metrics import registry

MANUAL = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_manual_lists_every_metric_with_its_labels():
    rows = re.findall(r"^\| `(firsthand_\w+)` \|([^|]*)\|", MANUAL, re.MULTILINE)
    listed = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert len(listed) == len(rows)
    real = {}
    for collector in list(registry._collector_to_names):
        (family,) = collector.describe() or collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        real[name] = set(collector._labelnames)
    assert listed == real


def test_what_deserves_an_alert_exists():
    mentioned = set(re.findall(r"firsthand_\w+", MANUAL))
    assert mentioned == set(re.findall(r"^\| `(firsthand_\w+)` \|", MANUAL, re.MULTILINE))
