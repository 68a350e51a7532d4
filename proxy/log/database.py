"""The log's file: where it is, how it is opened, how its format moves on. Knows nothing of events.

`prepare` runs once at start-up, synchronously and before any loop connection: it creates the folder and the file, or
brings an older file to this version's format (one transaction per step, a copy of the file before the first). Every
fault it meets becomes a `ConfigError` or `LogUnavailable` that names the path and the way out.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import aiosqlite

from proxy.errors import ConfigError, Fault, LogUnavailable
from proxy.log.turns import TurnTaking
from proxy.observe.logs import get_logger
from proxy.privacy.keys import Keyring

FILE = "log.db"
BUSY_S = 5.0  # how long a statement waits for another process's transaction
_CACHED_STATEMENTS = 300  # one per group size (writing.CHUNK) and the rest
_MOST_UNFOLDED = 16_000  # pages, 64 MB: then a commit folds the -wal file in, if nobody has before (`folding.py`)

_STEPS = resources.files("proxy.log").joinpath("sql")  # 0001_….sql brings an empty file to format 1, and so on

_log = get_logger("log")


def path_of(folder: Path) -> Path:
    return folder.absolute() / FILE


def must_exist(path: Path) -> None:
    """For whoever only reads: `ConfigError` where nothing was ever stored."""
    if not path.exists():
        raise _fault(
            f"there is no event log at {path}",
            "It appears when `firsthand serve` starts; `data` in the configuration says where.",
        )


def copies(path: Path) -> list[Path]:
    """What `prepare` left beside the log when its format moved on."""
    return sorted(path.parent.glob(f"{FILE}.format-*"))


def size(path: Path) -> int:
    """Bytes of the log's files."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.suffix != ".db-shm")


def prepare(folder: Path, keyring: Keyring) -> None:
    """Create or migrate `folder`/log.db, and see that `keyring` opens it."""
    path = path_of(folder)
    with faults_explained(path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # SQLite gives its -wal and -shm files the same rights; bodies are sealed, times are not
        with closing(_connect(path)) as database:
            _migrate(database, path)
            with _exclusively(database):
                database.execute("DELETE FROM root WHERE false")  # a file opened read-only gets this far, not further
                stored = database.execute("SELECT sealed FROM root").fetchone()
                _, sealed = _rooted(keyring, path, None if stored is None else stored[0])
                if stored is None or sealed != stored[0]:
                    database.execute("INSERT OR REPLACE INTO root (one, sealed) VALUES (1, ?)", (sealed,))


async def rooted(connection: aiosqlite.Connection, path: Path, keyring: Keyring) -> Keyring:
    """`keyring` with the digests of this log."""
    with faults_explained(path):
        stored = list(await connection.execute_fetchall("SELECT sealed FROM root"))
    return _rooted(keyring, path, stored[0][0] if stored else None)[0]


def _rooted(keyring: Keyring, path: Path, stored: bytes | None) -> tuple[Keyring, bytes]:
    try:
        return keyring.rooted(stored)
    except ValueError:
        advice = (
            "Was the key or the key file replaced? Add the former key after the new one; or move the log away to go "
            "on without its events."
        )
        raise ConfigError([Fault(("keys",), f"no configured key opens the event log {path}", advice)]) from None


# Connections are in autocommit: a single statement is its own transaction.
_CONNECTION: dict[str, Any] = {
    "uri": True,
    "isolation_level": None,
    "timeout": BUSY_S,
    "cached_statements": _CACHED_STATEMENTS,
}


async def reading(path: Path) -> aiosqlite.Connection:
    """A connection of the event loop that refuses every change, whatever is asked of it."""
    with faults_explained(path):
        connection = await aiosqlite.connect(f"{path.as_uri()}?mode=rw", **_CONNECTION)
        try:
            await connection.execute_fetchall("PRAGMA query_only=ON")
        except BaseException:
            await connection.close()
            raise
    return connection


def writing(path: Path) -> sqlite3.Connection:
    """A connection that changes the file, in turn with those of other processes; any thread may use it."""
    with faults_explained(path):
        connect = TurnTaking.at(path.with_suffix(".lock"))
        connection = connect(f"{path.as_uri()}?mode=rw", check_same_thread=False, **_CONNECTION)
        # WAL and FULL: a transaction is on disk (fsync of the -wal file) before its statement returns.
        # FAST: what a page still holds of deleted rows is overwritten where that costs no extra page.
        try:
            for setting in ("synchronous=FULL", f"wal_autocheckpoint={_MOST_UNFOLDED}", "secure_delete=FAST"):
                connection.execute(f"PRAGMA {setting}")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def faults_explained(path: Path) -> Iterator[None]:
    """Start-up only: the operator reads this, so every fault says what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: sqlite3.Error | OSError) -> ConfigError | LogUnavailable:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LogUnavailable(f"opening {path}: another program keeps it locked; close it (a backup, a sqlite3 shell)")
    if name == "SQLITE_FULL":
        return LogUnavailable(f"opening {path}: the disk is full; make room")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        advice = "Restore a copy, move the file away to start a new log, or point `data` elsewhere."
        return _fault(f"{path} is not an event log, or is damaged: {error}", advice)
    advice = "Let the user that runs firsthand own this folder, or point `data` to one it may write to."
    return _fault(f"cannot write to {path}: {error}", advice)


def _fault(message: str, advice: str) -> ConfigError:
    return ConfigError([Fault(("data",), message, advice)])


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    steps = sorted((step for step in _STEPS.iterdir() if step.name.endswith(".sql")), key=lambda step: step.name)
    known = len(steps)
    _check_file(database, path, known)
    _use_wal(database)
    database.execute("PRAGMA synchronous=FULL")
    if _version(database) == known:
        return
    with _exclusively(database):  # a new file in one go, or another process would take it for an older one
        if _version(database) == 0:
            for number, step in enumerate(steps, start=1):
                _take(database, number, step)
    copied = False
    for number, step in enumerate(steps, start=1):
        with _exclusively(database):
            if _version(database) >= number:  # another process was faster
                continue
            if not copied:
                _copy(path, path.with_name(f"{FILE}.format-{_version(database)}"))
                copied = True
            _take(database, number, step)
            _log.info("log format moved on", path=str(path), format=number)


def _use_wal(database: sqlite3.Connection) -> None:
    """It stays with the file, but a repaired or copied one may have lost it. SQLite refuses at once when another
    process is just changing it, whatever the time-out: the waiting is ours."""
    deadline_s = time.monotonic() + BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


def _take(database: sqlite3.Connection, number: int, step: Traversable) -> None:
    for statement in _statements(step.read_text("utf-8")):
        database.execute(statement)
    database.execute(f"PRAGMA user_version={number}")


def _check_file(database: sqlite3.Connection, path: Path, known: int) -> None:
    # In one statement, or another process's first step could come between the two answers.
    ((found, filled),) = database.execute(
        "SELECT user_version, EXISTS (SELECT 1 FROM sqlite_master) FROM pragma_user_version"
    )
    if found > known:
        raise _fault(
            f"{path} was written by a newer firsthand (format {found}; this one knows {known})",
            "Run the newer version again, or move the file away to start a new log.",
        )
    if found == 0 and filled:
        raise _fault(f"{path} is a database, but not an event log", "Move it away, or point `data` elsewhere.")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextmanager
def _exclusively(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    finally:
        database.rollback()  # does nothing after a commit


def _copy(path: Path, to: Path) -> None:
    """The file as it is on disk, transactions in progress left out; keeps its mode: it is as secret as the log."""
    with closing(_connect(path)) as source, closing(_connect(to)) as target:
        to.chmod(path.stat().st_mode)
        source.backup(target)
    _log.info("log copied before its format moves on", path=str(to))


def _statements(script: str) -> Iterator[str]:
    """`executescript` commits first and so cannot run inside our transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
