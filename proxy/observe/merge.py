"""Metrics of several processes as one page: counters and histograms are summed, and never fall when a process ends.

A process tells its values as `samples()`; whoever shows them keeps a `Sum`. Pure but for reading the registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.observe import metrics

_LASTING = frozenset({"counter", "histogram"})
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One line of `/metrics`; `family`: the metric it belongs to (a histogram has many lines)."""

    family: str
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    @property
    def key(self) -> _Key:
        return self.family, self.name, self.labels


def samples() -> list[Sample]:
    """Of this process, now."""
    return [
        Sample(family.name, sample.name, tuple(sample.labels.items()), sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
    ]


class Sum:
    """Remembers what processes that have ended had counted: otherwise Prometheus would take the smaller sum for a
    restart of all of them, and count the rest a second time."""

    def __init__(self) -> None:
        self._ended: dict[_Key, float] = {}

    def retire(self, last: Iterable[Sample]) -> None:
        """The last values known of a process that has ended. Its gauges end with it."""
        lasting = {family.name for family in metrics.registry.collect() if family.type in _LASTING}
        for sample in last:
            if sample.family in lasting:
                self._ended[sample.key] = self._ended.get(sample.key, 0.0) + sample.value

    def page(self, living: Iterable[Sequence[Sample]]) -> Collector:
        """This process, the `living` and those that have ended, for `generate_latest`."""
        values = dict(self._ended)
        for sample in (sample for process in (samples(), *living) for sample in process):
            values[sample.key] = values.get(sample.key, 0.0) + sample.value
        return _Page(values)


class _Page(Collector):
    def __init__(self, values: dict[_Key, float]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        by_family: dict[str, list[tuple[_Key, float]]] = {}
        for key, value in self._values.items():
            by_family.setdefault(key[0], []).append((key, value))
        for family in metrics.registry.collect():
            merged = Metric(family.name, family.documentation, family.type)
            for (_, name, labels), value in by_family.get(family.name, ()):
                merged.add_sample(name, dict(labels), value)
            yield merged
