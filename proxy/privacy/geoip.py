"""The region of an address, from a database the operator brings (`consent.geoip`). Asks nobody.

It is a file in MaxMind's format that knows countries. The package that reads it is an extra, imported only when a
database is configured: docs/decisions/0005-region-from-a-file.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from proxy.errors import ConfigError, Fault
from proxy.privacy.region import region_code

Locate = Callable[[str | None], str | None]
"""The region of an address; None when it is not known."""

_MODE_MMAP = 2  # maxminddb.MODE_MMAP: processes on one machine share the pages, and it works without the C extension


def nowhere(_: str | None) -> str | None:
    """Without a database nothing is known."""
    return None


def locator(path: Path | None) -> Locate:
    """Looks addresses up in the database at `path`. Raises `ConfigError` when it cannot be used."""
    if path is None:
        return nowhere
    database = _open(path)

    @lru_cache(maxsize=4096)
    def look_up(ip: str) -> str | None:
        try:
            return _region_in(database.get(ip))
        except ValueError:  # IPv6 asked of a database of IPv4, or no address at all
            return None

    return lambda ip: None if ip is None else look_up(ip)


def faults(path: Path) -> tuple[Fault, ...]:
    """Why the database cannot be used; nothing when it can."""
    try:
        _open(path).close()
    except ConfigError as error:
        return error.faults
    return ()


def _open(path: Path) -> Any:
    at = ("consent", "geoip")
    try:
        import maxminddb  # noqa: PLC0415 - an extra, see above
    except ImportError:
        advice = "pip install 'firsthand[geoip]', or use consent.region_header"
        raise ConfigError([Fault(at, "the package maxminddb, which reads it, is not there", advice)]) from None
    try:
        return maxminddb.open_database(path, _MODE_MMAP)
    except OSError as error:
        raise ConfigError([Fault(at, f"reading {path}: {(error.strerror or 'not readable').lower()}")]) from None
    except (maxminddb.InvalidDatabaseError, ValueError):
        advice = "it wants a file in MaxMind's format (.mmdb) with countries in it"
        raise ConfigError([Fault(at, f"{path} is not such a database", advice)]) from None


def _region_in(record: Any) -> str | None:
    """Of a record as MaxMind, DB-IP, IPinfo and others write it."""
    match record:
        case {"country": {"iso_code": str(country)}, "subdivisions": [{"iso_code": str(state)}, *_]}:
            return region_code(country, state)
        case {"country": {"iso_code": str(country)}} | {"country_code": str(country)} | {"country": str(country)}:
            return region_code(country)
    return None
