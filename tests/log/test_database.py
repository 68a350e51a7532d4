"""Start-up: whatever is wrong with the folder or the file is said with its path and the way out."""

import os
import sqlite3
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from proxy.config.settings import LogSettings
from proxy.errors import ConfigError, LogUnavailable
from proxy.log import database
from proxy.log.base import Outcome, Replay
from proxy.log.sqlite import SqliteLog
from proxy.log.view import LogView
from proxy.privacy.keys import Keyring, generate_key


@pytest.fixture
def loop_is_never_blocked():
    """Nothing here runs in a loop, and the tests look into files."""


def fault(error):
    (only,) = error.value.faults
    assert only.advice
    return only.message


@contextmanager
def nobody():
    """Without root's power to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """One that every user can get to; pytest's own are root's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


FORMAT = 6  # of this version


def version(path):
    with closing(sqlite3.connect(path)) as file:
        return file.execute("PRAGMA user_version").fetchone()[0]


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path, keyring):
    folder = tmp_path / "a" / "b"
    database.prepare(folder, keyring)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert version(folder / "log.db") == FORMAT


def test_its_files_are_for_its_owner_only(tmp_path, keyring):
    old = os.umask(0)
    try:
        database.prepare(tmp_path, keyring)
    finally:
        os.umask(old)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("log.db*")} == {0o600}


def test_preparing_twice_changes_nothing(tmp_path, keyring):
    database.prepare(tmp_path, keyring)
    before = (tmp_path / "log.db").read_bytes()
    database.prepare(tmp_path, keyring)
    assert (tmp_path / "log.db").read_bytes() == before


def test_a_path_through_a_file_is_a_fault(tmp_path, keyring):
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(ConfigError) as error:
        database.prepare(tmp_path / "data", keyring)
    assert str(tmp_path / "data" / "log.db") in fault(error)


def test_a_folder_one_may_not_write_to_is_a_fault(open_folder, keyring):
    open_folder.chmod(0o555)
    with nobody(), pytest.raises(ConfigError) as error:
        database.prepare(open_folder, keyring)
    assert f"cannot write to {open_folder / 'log.db'}" in fault(error)


def test_a_file_one_may_not_write_to_is_a_fault(open_folder, keyring):
    database.prepare(open_folder, keyring)
    (open_folder / "log.db").chmod(0o444)
    with nobody(), pytest.raises(ConfigError) as error:
        database.prepare(open_folder, keyring)
    assert "cannot write to" in fault(error)


def test_a_file_that_is_no_database_is_a_fault(tmp_path, keyring):
    (tmp_path / "log.db").write_text("once upon a time there was a log" * 100)
    with pytest.raises(ConfigError) as error:
        database.prepare(tmp_path, keyring)
    assert "is not an event log, or is damaged" in fault(error)


def test_a_repaired_file_gets_its_write_ahead_log_back(tmp_path, keyring):
    database.prepare(tmp_path, keyring)
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        assert file.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    database.prepare(tmp_path, keyring)
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_programs_database_is_left_alone(tmp_path, keyring):
    with closing(sqlite3.connect(tmp_path / "log.db")) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "log.db").read_bytes()
    with pytest.raises(ConfigError) as error:
        database.prepare(tmp_path, keyring)
    assert "a database, but not an event log" in fault(error)
    assert (tmp_path / "log.db").read_bytes() == before


def test_a_newer_format_is_not_touched(tmp_path, keyring):
    database.prepare(tmp_path, keyring)
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        file.execute("PRAGMA user_version=7")
    with pytest.raises(ConfigError) as error:
        database.prepare(tmp_path, keyring)
    assert f"written by a newer firsthand (format 7; this one knows {FORMAT})" in fault(error)


def test_a_locked_file_says_who_may_hold_it(tmp_path, keyring, monkeypatch):
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    database.prepare(tmp_path, keyring)
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="another program keeps it locked"):
            database.prepare(tmp_path, keyring)


def test_keys_of_another_log_are_a_fault_of_the_keys(tmp_path, keyring):
    database.prepare(tmp_path, keyring)
    with pytest.raises(ConfigError) as error:
        database.prepare(tmp_path, Keyring.parse(generate_key()))
    assert error.value.faults[0].path == ("keys",)
    assert f"no configured key opens the event log {tmp_path / 'log.db'}" in fault(error)


def test_an_old_key_may_go_once_the_new_one_has_started(tmp_path):
    old, new = generate_key(), generate_key()
    for keys in (old, f"{new},{old}", new):
        database.prepare(tmp_path, Keyring.parse(keys))
    with pytest.raises(ConfigError):
        database.prepare(tmp_path, Keyring.parse(old))


def test_several_processes_may_start_at_once(tmp_path, keyring):
    for folder in (tmp_path / str(number) for number in range(5)):
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(database.prepare, folder, keyring) for _ in range(8)]:
                done.result()
        assert version(folder / "log.db") == FORMAT
        assert not (folder / "log.db.format-1").exists()


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """The real first step, and a folder to put more into."""
    folder = tmp_path / "steps"
    folder.mkdir()
    first = database._STEPS / "0001_log.sql"
    (folder / first.name).write_text(first.read_text())
    monkeypatch.setattr(database, "_STEPS", folder)
    return folder


def test_an_older_file_moves_on_and_is_copied_first(tmp_path, keyring, steps):
    data = tmp_path / "data"
    database.prepare(data, keyring)
    (steps / "0002_more.sql").write_text("-- a comment; with a semicolon\nALTER TABLE reader ADD COLUMN note TEXT;\n")
    (steps / "0003_more.sql").write_text("CREATE TABLE more (x);\nCREATE INDEX more_x ON more (x);\n")
    database.prepare(data, keyring)
    assert version(data / "log.db") == 3
    assert version(data / "log.db.format-1") == 1
    assert sorted(path.name for path in data.iterdir()) == ["log.db", "log.db.format-1"]


async def test_a_log_of_format_1_goes_on_with_its_events_and_learns_to_claim(tmp_path, keyring, settings, clock, event):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path / "steps"
        folder.mkdir()
        (folder / "0001_log.sql").write_text((database._STEPS / "0001_log.sql").read_text())
        patch.setattr(database, "_STEPS", folder)
        log = await SqliteLog.open(tmp_path / "data", keyring, settings, clock)
        await log.append([event(1)])
        await log.close()
    log = await SqliteLog.open(tmp_path / "data", keyring, settings, clock)
    batch = await log.read("meta", 10)
    assert [entry.event.id for entry in batch.entries] == ["e-1"]
    await log.commit(batch, Outcome(settled=[1], claims={"order": 1}, state=batch.state))
    assert await log.claims("meta", ["order"]) == {"order": 1}
    await log.close()
    assert version(tmp_path / "data" / "log.db") == FORMAT


async def test_what_a_log_of_format_2_had_settled_counts_as_accepted(tmp_path, keyring, settings, clock, event):
    data = tmp_path / "data"
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path / "steps"
        folder.mkdir()
        for name in ("0001_log.sql", "0002_claim.sql"):
            (folder / name).write_text((database._STEPS / name).read_text())
        patch.setattr(database, "_STEPS", folder)
        log = await SqliteLog.open(data, keyring, settings, clock)
        await log.append([event(1), event(2)])
        await log.close()
    with closing(sqlite3.connect(data / "log.db", isolation_level=None)) as file:
        file.execute("INSERT INTO reader (name, cursor, state) VALUES ('meta', 1, x'')")
    log = await SqliteLog.open(data, keyring, settings, clock)
    assert await log.replay(Replay(reader="meta", since_ms=0, only_missing=True)) == 0
    assert [entry.event.id for entry in (await log.read("meta", 10)).entries] == ["e-2"]
    await log.close()


def test_a_step_that_fails_leaves_the_format_before_it(tmp_path, keyring, steps):
    data = tmp_path / "data"
    database.prepare(data, keyring)
    (steps / "0002_fine.sql").write_text("CREATE TABLE fine (x);\n")
    (steps / "0003_bad.sql").write_text("CREATE TABLE half (x);\nCREATE TABLE fine (x);\n")
    with pytest.raises(ConfigError):
        database.prepare(data, keyring)
    with closing(sqlite3.connect(data / "log.db")) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    assert version(data / "log.db") == 2
    assert "fine" in tables
    assert "half" not in tables


async def test_a_view_of_nothing_says_where_the_log_would_be(tmp_path, keyring):
    with pytest.raises(ConfigError) as error:
        await LogView.open(tmp_path, keyring)
    assert f"there is no event log at {tmp_path / 'log.db'}" in fault(error)


async def test_a_refused_log_leaves_no_connection_behind(tmp_path, keyring):
    database.prepare(tmp_path, keyring)
    with pytest.raises(ConfigError):
        await SqliteLog.open(tmp_path, Keyring.parse(generate_key()), LogSettings(), lambda: 0)
    with pytest.raises(ConfigError):
        await LogView.open(tmp_path, Keyring.parse(generate_key()))
