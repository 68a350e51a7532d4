"""How many connections this process may have: every one is an open file, and the system bounds those."""

from __future__ import annotations

from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

OTHER_FILES = 200
"""Open files a process needs besides its connections: the log, the relay's connections, spare."""


def allow(connections: int) -> None:
    """Raise this process's limit as far as that many connections need and the system lets us."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft != RLIM_INFINITY and soft < wanted:
        setrlimit(RLIMIT_NOFILE, (wanted if hard == RLIM_INFINITY else min(wanted, hard), hard))


def room() -> int | None:
    """How many connections there may be now; None: no limit."""
    return _room(getrlimit(RLIMIT_NOFILE)[0])


def most_room() -> int | None:
    """How many there may be after `allow`."""
    return _room(getrlimit(RLIMIT_NOFILE)[1])


def _room(files: int) -> int | None:
    return None if files == RLIM_INFINITY else max(10, files - OTHER_FILES)
