"""SIGHUP: is the new configuration one that a running service can take over?

All or nothing: a file with a fault, or with a change that only a restart can make, is refused as a whole and the old
one stays in force. So what runs is always a file as somebody wrote it, and `config` in the log lines names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from proxy.config.load import Config
from proxy.config.settings import Settings
from proxy.errors import ConfigError, dotted
from proxy.observe.logs import get_logger

Reread = Callable[[], Config]
"""Loads the configuration anew, from where it came from. Raises `ConfigError`."""

_FIXED = (
    ("listen", "host"),
    ("listen", "port"),
    ("admin",),
    ("workers",),
    ("data",),
    ("keys",),
    ("log",),
    ("relay", "process"),
)
"""What belongs to the process that keeps running: its sockets, its log, its children."""

_log = get_logger("config")


async def reread(running: Config, load: Reread) -> Config | None:
    """The new configuration, or None: then one line in the log says why."""
    try:
        new = await asyncio.to_thread(load)
    except ConfigError as error:
        _log.error("reload refused", config=running.version, faults=[str(fault) for fault in error.faults])
        return None
    changed = list(changed_for_good(running.settings, new.settings))
    if changed:
        _log.error("reload refused", config=running.version, needs_restart=changed)
        return None
    for warning in new.warnings:
        _log.warning(warning)
    return new


def changed_for_good(old: Settings, new: Settings) -> Iterator[str]:
    """Keys whose change needs a restart."""
    for path in _FIXED:
        before, after = old, new
        for name in path:
            before, after = getattr(before, name), getattr(after, name)
        if before != after:
            yield dotted(path)
