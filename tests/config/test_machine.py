import asyncio
import errno
import io
import os
import pathlib
import socket
import stat
import tempfile

import pytest

from proxy.config.machine import admin_token, data_folder, examine, keyring, only_service
from proxy.config.settings import Settings
from proxy.errors import ConfigError
from proxy.log.database import prepare
from proxy.privacy.keys import Keyring, generate_key


@pytest.fixture
def settings(tmp_path):
    def settings(**more):
        return Settings.model_validate(
            {
                "site": {"origins": ["https://www.shop.example"]},
                "listen": {"host": "127.0.0.1", "port": 0},
                "admin": {"port": None},
                "data": tmp_path / "data",
                **more,
            }
        )

    return settings


def test_the_keys_are_made_once_and_then_read(settings):
    ready = settings()
    data_folder(ready)
    sealed = keyring(ready).seal("test", b"x")
    assert keyring(ready).open("test", sealed) == b"x"
    assert stat.S_IMODE((ready.data / "keys").stat().st_mode) == 0o600
    assert stat.S_IMODE(ready.data.stat().st_mode) == 0o700


def test_configured_keys_are_used_and_no_file_is_made(settings):
    key = generate_key()
    ready = settings(keys=key)
    data_folder(ready)
    assert keyring(ready).open("test", Keyring.parse(key).seal("test", b"x")) == b"x"
    assert list(ready.data.iterdir()) == []


def test_a_key_file_without_keys_is_named(settings):
    ready = settings()
    (data_folder(ready) / "keys").write_text("nonsense\n")
    with pytest.raises(ConfigError, match=r"keys: key file .*/data/keys: key 1 of 1") as caught:
        keyring(ready)
    assert "nonsense" not in str(caught.value)
    assert [fault.path for fault in examine(ready)[0]] == [("keys",)]


def test_the_operators_token_is_made_once_for_its_owner_only(settings):
    ready = settings(admin={})
    data_folder(ready)
    token = admin_token(ready)
    assert len(token) == 43
    assert admin_token(ready) == token
    assert stat.S_IMODE((ready.data / "admin-token").stat().st_mode) == 0o600
    assert admin_token(settings(admin={}, data=ready.data)) == token


def test_a_configured_token_is_used_and_an_open_listener_has_none(settings):
    assert admin_token(settings(admin={"token": "a-token-of-some-length"})) == "a-token-of-some-length"
    assert admin_token(settings(admin={"open": True})) is None


@pytest.mark.parametrize("held", [b"", b"short", b"\xff" * 40])
def test_a_token_file_without_a_token_is_named(settings, held):
    ready = settings(admin={})
    (data_folder(ready) / "admin-token").write_bytes(held)
    with pytest.raises(ConfigError, match=r"admin.token: the token file .*/data/admin-token holds no token"):
        admin_token(ready)


@pytest.fixture
def logged(settings):
    """Settings whose folder holds a log, written with keys of its own."""
    ready = settings()
    prepare(data_folder(ready), keyring(ready))
    return ready


def test_keys_that_open_the_log_are_fine(logged):
    assert examine(logged) == ([], [])


def test_other_keys_than_the_log_s_are_a_fault_before_the_start(logged, settings):
    faults, _ = examine(settings(keys=generate_key()))
    assert [fault.path for fault in faults] == [("keys",)]
    assert "opens the event log" in faults[0].message
    former = (logged.data / "keys").read_text().strip()
    assert examine(settings(keys=f"{generate_key()},{former}")) == ([], [])


def test_no_new_keys_are_made_beside_a_log_of_others(logged):
    (logged.data / "keys").unlink()
    with pytest.raises(ConfigError, match=r"the key file .*/keys is missing, but .*/log\.db needs its keys"):
        keyring(logged)
    assert [fault.path for fault in examine(logged)[0]] == [("keys",)]
    assert not (logged.data / "keys").exists()


def test_looking_leaves_nothing_behind(settings, tmp_path):
    assert examine(settings()) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_the_user(settings, tmp_path):
    (tmp_path / "file").write_text("")
    for ready in (settings(data=tmp_path / "file"), settings(data=tmp_path / "file" / "data")):
        faults, _ = examine(ready)
        assert [fault.path for fault in faults] == [("data",)]
        assert "not a directory" in faults[0].message
        assert "must name a folder" in faults[0].advice
        with pytest.raises(ConfigError, match="the data folder"):
            data_folder(ready)


def test_a_read_only_folder_is_a_fault(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere, so the answer is given
    faults, _ = examine(settings(data=tmp_path / "a" / "b"))
    assert faults[0].message.endswith("permission denied")
    assert str(os.geteuid()) in faults[0].advice


def test_a_folder_that_cannot_be_looked_into_is_one_fault(logged, monkeypatch):
    real = pathlib.Path.stat

    def stat(path, **options):
        if path.parent == logged.data:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, **options)

    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(pathlib.Path, "stat", stat)
    with pytest.raises(ConfigError, match=r"keys: the key file .*: permission denied"):
        keyring(logged)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert [fault.path for fault in examine(logged)[0]] == [("data",)]


def test_a_full_disk_is_told_from_a_missing_permission(settings, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(ConfigError, match=r"no space left on device .make room there"):
        data_folder(settings())


def test_a_taken_port_is_a_warning_because_the_service_may_be_running(settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        faults, warnings = examine(settings(listen={"host": "127.0.0.1", "port": port}))
    assert faults == []
    assert warnings == [f"listen.port: {port} is taken on 127.0.0.1; fine if that is this service, running already."]


@pytest.mark.parametrize(
    ("room", "limits", "warns"),
    [
        (5_000, {}, False),
        (500, {}, True),
        (5_000, {"connections": 9_000}, True),
        (5_000, {"connections": 5_000}, False),
    ],
)
def test_fewer_open_files_than_connections_are_a_warning(settings, monkeypatch, room, limits, warns):
    monkeypatch.setattr("proxy.config.machine.most_room", lambda: room)
    _, warnings = examine(settings(limits=limits))
    assert [
        warning.startswith(f"limits.connections: this machine allows a process {room}") for warning in warnings
    ] == ([True] * warns)


def test_an_address_this_machine_does_not_have_is_a_fault(settings):
    faults, warnings = examine(settings(listen={"host": "192.0.2.1", "port": 0}))
    assert [(fault.path, fault.message.split(": ")[0]) for fault in faults] == [
        (("listen", "host"), "listening on 192.0.2.1:0")
    ]
    assert warnings == []


async def test_a_data_folder_has_one_service_at_a_time(tmp_path):
    settings = Settings.model_validate({"site": {"origins": ["https://www.shop.example"]}, "data": tmp_path})
    async with only_service(settings):
        with pytest.raises(ConfigError, match="another firsthand serves") as error:
            async with only_service(settings, patience_s=0):
                pass
        assert "send everything twice" in str(error.value)
    async with only_service(settings, patience_s=0):
        pass


async def test_a_data_folder_is_free_when_the_children_of_its_service_are_gone_too(tmp_path):
    settings = Settings.model_validate({"site": {"origins": ["https://www.shop.example"]}, "data": tmp_path})
    async with only_service(settings) as lock:
        inherited = os.dup(lock)
    with pytest.raises(ConfigError, match="another firsthand serves"):
        async with only_service(settings, patience_s=0):
            pass
    waiting = asyncio.create_task(only_service(settings).__aenter__())
    await asyncio.sleep(0)
    os.close(inherited)
    await waiting
