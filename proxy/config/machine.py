"""Can this machine run the configuration: the data folder, the keys, the ports.

`keyring` is how every process gets the keys. The checks look without leaving anything behind: what is missing is not
created, only its creation is judged.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.config.crosscheck import SHORTEST_SECRET
from proxy.config.settings import Settings
from proxy.errors import ConfigError, Fault, LogUnavailable
from proxy.log.database import path_of
from proxy.log.view import LogView
from proxy.observe.logs import get_logger
from proxy.open_files import most_room
from proxy.privacy.keys import Keyring, create_file, generate_key, load_or_create

_log = get_logger("serve")

KEY_FILE = "keys"
"""Name of the key file within `data`."""
ADMIN_TOKEN_FILE = "admin-token"  # noqa: S105 - its name
"""Name of the token file within `data`."""
_FEW_CONNECTIONS = 1_000
"""Of a small site; fewer deserve a warning even when nobody asked for a number."""
FORMER_S = 10.0
"""How long a start waits for the service before it. The children of one that was killed take milliseconds to notice,
and seconds where one was just being started on a busy machine."""


def keyring(settings: Settings) -> Keyring:
    """The configured keys, else those of the key file in `data`, which is made when there is none.

    `data` must exist (see `data_folder`). Raises `ConfigError` that names the file and the way out. Never makes keys
    beside a log that other keys wrote: they would not open it.
    """
    if settings.keys is not None:
        return Keyring.parse(settings.keys.get_secret_value())  # `load` has seen to it that this works
    path, log = settings.data / KEY_FILE, path_of(settings.data)
    try:
        if log.exists() and not path.exists():
            advice = "restore it from your backup, or set `keys`; or move the log away to go on without its events"
            raise ConfigError([Fault(("keys",), f"the key file {path} is missing, but {log} needs its keys", advice)])
        return load_or_create(path)
    except ValueError as error:
        raise ConfigError([Fault(("keys",), str(error), "restore the file from your backup, or set `keys`")]) from None
    except OSError as error:
        raise ConfigError([_no_access(("keys",), f"the key file {path}", error)]) from None


def admin_token(settings: Settings) -> str | None:
    """What the operator's listener asks for: the configured token, else that of the file in `data`, which is made when
    there is none. None: it is open. Raises `ConfigError` that names the file and the way out."""
    admin, path = settings.admin, settings.data / ADMIN_TOKEN_FILE
    if admin.open:
        return None
    if admin.token is not None:
        return admin.token.get_secret_value()
    try:
        if not path.exists():
            create_file(path, generate_key() + "\n")
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError([_no_access(("admin", "token"), f"the token file {path}", error)]) from None
    except UnicodeDecodeError:
        token = ""
    if len(token) < SHORTEST_SECRET:
        advice = "remove it, and the next start makes a new one"
        raise ConfigError([Fault(("admin", "token"), f"the token file {path} holds no token", advice)])
    return token


def data_folder(settings: Settings) -> Path:
    """The data folder, made when there is none. Raises `ConfigError` when that fails or it cannot be written."""
    folder = settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _try_writing(folder)
    except OSError as error:
        raise ConfigError([_no_access(("data",), f"the data folder {folder}", error)]) from None
    return folder


@asynccontextmanager
async def only_service(
    settings: Settings, patience_s: float = FORMER_S, *, inherited: int | None = None
) -> AsyncIterator[int]:
    """Held by the one service of a data folder until it ends, however it ends: two would send everything twice.

    Yields the descriptor that holds it. Whoever inherits that holds it too, so that the children of a parent that was
    killed are gone before the next service begins. The folder must exist. Raises `ConfigError` when another still
    holds it after `patience_s`. `inherited`: the descriptor, where this process holds it already.
    """
    folder = settings.data
    with (folder / "serve.lock").open("ab") if inherited is None else os.fdopen(inherited, "ab") as file:
        if not _locked(file.fileno()):
            _log.info("waiting for another service to end", data=str(folder))
            deadline = time.monotonic() + patience_s
            while not _locked(file.fileno()):
                if time.monotonic() >= deadline:
                    raise _taken(folder)
                await asyncio.sleep(0.02)
        yield file.fileno()


def _taken(folder: Path) -> ConfigError:
    advice = "two services of one log would send everything twice; stop it, or give this one its own `data`"
    return ConfigError([Fault(("data",), f"another firsthand serves {folder}", advice)])


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def examine(settings: Settings) -> tuple[list[Fault], list[str]]:
    """What stops a start on this machine now, and what may (sentences). Not for use within an event loop."""
    faults = [*_about_folder(settings)] or [*_about_keys(settings)]  # a folder of others hides its keys and log
    warnings = []
    for section, host, port in _listeners(settings):
        problem = _try_binding(host, port)
        if problem is None:
            continue
        if problem.errno == errno.EADDRINUSE:
            warnings.append(
                f"{section}.port: {port} is taken on {host}; fine if that is this service, running already."
            )
        else:
            advice = "ports below 1024 need root or CAP_NET_BIND_SERVICE" if problem.errno == errno.EACCES else ""
            faults.append(Fault((section, "host"), f"listening on {host}:{port}: {_reason(problem)}", advice))
    connections, room = settings.limits.connections, most_room()
    was_asked_for = "connections" in settings.limits.model_fields_set
    if room is not None and room < (connections if was_asked_for else _FEW_CONNECTIONS):
        warnings.append(
            f"limits.connections: this machine allows a process {room} connections, not {connections}; "
            "raise its limit of open files (ulimit -n, LimitNOFILE=, docker run --ulimit nofile=)."
        )
    return faults, warnings


def _about_folder(settings: Settings) -> Iterator[Fault]:
    folder = settings.data
    try:
        if folder.exists():
            _try_writing(folder)
            return
        above = next(parent for parent in folder.parents if parent.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        yield _no_access(("data",), f"the data folder {folder}", error)


def _about_keys(settings: Settings) -> Iterator[Fault]:
    """Whether the keys are keys, and those of the log that is there already."""
    log = path_of(settings.data)
    if settings.keys is None and not (settings.data / KEY_FILE).exists() and not log.exists():
        return
    try:
        keys = keyring(settings)
        if log.exists():
            asyncio.run(_open_log(settings.data, keys))
    except ConfigError as error:
        yield from error.faults
    except LogUnavailable as error:
        yield Fault(("data",), str(error))


async def _open_log(folder: Path, keys: Keyring) -> None:
    view = await LogView.open(folder, keys)
    await view.close()


def _try_writing(folder: Path) -> None:
    """Real bytes: a full disk still takes the name of a new file."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))


def _listeners(settings: Settings) -> Iterator[tuple[str, str, int]]:
    yield "listen", settings.listen.host, settings.listen.port
    if settings.admin.port is not None:
        yield "admin", settings.admin.host, settings.admin.port


def _try_binding(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _no_access(path: tuple[str, ...], what: str, error: OSError) -> Fault:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            advice = "make room there, or choose another folder as `data`"
        case errno.EEXIST | errno.ENOTDIR:
            advice = "`data` must name a folder, and so must all above it"
        case _:
            advice = f"firsthand runs as user id {os.geteuid()}: it must be allowed to read and write there"
    return Fault(path, f"{what}: {_reason(error)}", advice)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
