"""Token buckets: each holds `burst` events and gains `per_s` of them a second. Pure: the time is a parameter.

A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm of ATM networks). One
that is full need not be remembered. So there are two generations, exchanged as often as the emptiest bucket takes to
fill: who was not heard of for a whole generation is forgotten, and nothing is lost by it. `most` buckets a generation
bound the memory; beyond them the older ones are forgotten early, in favour of their senders.
"""

from __future__ import annotations

Name = str | bytes

MOST = 50_000
"""Buckets a generation: 100,000 take 15 MB."""


class Buckets:
    __slots__ = ("_each_ms", "_longest_ms", "_most", "_old", "_span_ms", "_turn_ms", "_young")

    def __init__(self, per_s: float, burst: int, debt: int = 0, most: int = MOST) -> None:
        """`debt`: how many events `charge` takes at most at once, beyond what a bucket holds."""
        self._each_ms = 1_000 / per_s
        self._span_ms = burst * self._each_ms
        self._longest_ms = self._span_ms + debt * self._each_ms
        self._most = most
        self._young: dict[Name, float] = {}
        self._old: dict[Name, float] = {}
        self._turn_ms = 0.0

    def take(self, name: Name, now_ms: int, kept: float = 0.0) -> float:
        """Takes one event out: 0.0. Is there none, or no more than `kept` (a part of the bucket), nothing is taken and
        the answer is in how many milliseconds there will be."""
        full_ms = self._full_at(name, now_ms) + self._each_ms
        wait_ms = full_ms - now_ms - self._span_ms
        if kept:
            wait_ms += kept * self._span_ms
        if wait_ms > 0:
            return wait_ms
        self._young[name] = full_ms
        return 0.0

    def charge(self, name: Name, events: int, now_ms: int) -> None:
        """Takes that many out, if need be more than there are."""
        self._young[name] = min(self._full_at(name, now_ms) + events * self._each_ms, now_ms + self._longest_ms)

    def used(self, name: Name, now_ms: int) -> float:
        """Which part of the bucket is gone."""
        return (self._full_at(name, now_ms) - now_ms) / self._span_ms

    def _full_at(self, name: Name, now_ms: int) -> float:
        full_ms = self._young.get(name)
        if full_ms is None or now_ms >= self._turn_ms:
            full_ms = self._from_before(name, now_ms)
        # Later than can be: the clock was set back. Nobody waits for that.
        return full_ms if now_ms < full_ms <= now_ms + self._longest_ms else now_ms

    def _from_before(self, name: Name, now_ms: int) -> float:
        if now_ms >= self._turn_ms or len(self._young) >= self._most:
            self._old, self._young = self._young, {}
            self._turn_ms = now_ms + self._longest_ms
        return self._old.get(name, 0.0)
