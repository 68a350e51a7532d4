"""The event log for commands: opened beside a running service, closed whatever happens. Holds no command of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from proxy.clock import DAY_MS, SECOND_MS, system_clock
from proxy.config.load import Config
from proxy.config.machine import keyring
from proxy.errors import ConfigError, Fault
from proxy.log.database import must_exist, path_of
from proxy.log.sqlite import SqliteLog
from proxy.log.view import LogView
from proxy.privacy.keys import Keyring


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator[LogView]:
    """Changes nothing. `ConfigError` when there is no log yet."""
    view = await LogView.open(config.settings.data, _keys(config))
    try:
        yield view
    finally:
        await view.close()


@asynccontextmanager
async def writing(config: Config) -> AsyncIterator[SqliteLog]:
    log = await SqliteLog.open(config.settings.data, _keys(config), config.settings.log, system_clock)
    try:
        yield log
    finally:
        await log.close()


async def names(config: Config, view: LogView) -> set[str]:
    """Of destinations, also those that only the log still knows."""
    return {*config.destinations, *(reader.reader for reader in (await view.stats()).readers)}


def check_name(destination: str | None, known: set[str]) -> None:
    if destination is not None and destination not in known:
        raise click.BadParameter(f"{destination!r} is none of {', '.join(sorted(known))}", param_hint="--destination")


def _keys(config: Config) -> Keyring:
    """Looks for the log first: without it, asking for the keys would make a key file where `data` was misspelt."""
    path = path_of(config.settings.data)
    try:
        must_exist(path)
    except PermissionError:
        advice = f"run this as the user the service runs as, not as user id {os.geteuid()}"
        raise ConfigError([Fault(("data",), f"reading {path}: permission denied", advice)]) from None
    return keyring(config.settings)


def printable(text: str) -> str:
    """What visitors and platforms wrote, without the control characters that would steer a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def ago(ms: int, now_ms: int) -> str:
    """`12 s`, `5 min`, `3 h`, `2 days`: how long before `now_ms`."""
    past_ms = max(0, now_ms - ms)
    for unit, unit_ms in (("days", DAY_MS), ("h", 3_600_000), ("min", 60_000)):
        if past_ms >= 2 * unit_ms:
            return f"{past_ms // unit_ms} {unit}"
    return f"{past_ms // SECOND_MS} s"
