"""How often Python looks for garbage cycles in a process that collects.

Requests under way hold hundreds of small objects each, none of them in a cycle, and the default (every 700) looks at
all of them again and again: 178 instead of 161 us of CPU per request, and a p99 of 48 instead of 27 ms (64 connections,
six rounds with and without this in turns, docs/performance.md).
"""

from __future__ import annotations

import gc

_EVERY, _OLDER, _OLDEST = 10_000, 20, 50


def look_seldom() -> None:
    """For the whole process, from now on. What waits for the collector meanwhile is a few MB at most."""
    gc.set_threshold(_EVERY, _OLDER, _OLDEST)
