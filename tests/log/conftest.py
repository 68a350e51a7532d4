import pytest
from blockbuster import blockbuster_ctx

from proxy.config.settings import LogSettings
from proxy.event import Event, Visitor
from proxy.log import committer, database, turns
from proxy.log.memory import MemoryLog
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key


@pytest.fixture(autouse=True)
def loop_is_never_blocked():
    with blockbuster_ctx():
        yield


@pytest.fixture(autouse=True)
def a_slow_machine_is_no_fault(monkeypatch):
    """Nobody loses patience with a disk or a lock, but where a test says so."""
    monkeypatch.setattr(turns, "PATIENCE_S", 60.0)
    monkeypatch.setattr(committer, "STALL_S", 180.0)
    monkeypatch.setattr(database, "BUSY_S", 60.0)
    monkeypatch.setitem(database._CONNECTION, "timeout", 60.0)


class FakeClock:
    def __init__(self):
        self.now_ms = 1_790_000_000_000

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def keyring():
    return Keyring.parse(generate_key())


@pytest.fixture
def settings():
    return LogSettings()


@pytest.fixture
async def open_log(tmp_path, keyring, settings, clock):
    """A SqliteLog in `tmp_path`; call it again for another process's view of the same file."""
    logs = []

    async def opened(**changes):
        log = await SqliteLog.open(tmp_path, keyring, settings.model_copy(update=changes), clock)
        logs.append(log)
        return log

    yield opened
    for log in logs:
        await log.close()


@pytest.fixture(params=["sqlite", "memory"])
async def log(request, open_log, clock, settings):
    """Both implementations: what is tested with it is the contract."""
    return await open_log() if request.param == "sqlite" else MemoryLog(clock, settings)


@pytest.fixture
def event():
    def make(number, name="page_view", visitor=None, **fields):
        who = None if visitor is None else Visitor(id=visitor, first_seen=1_790_000_000_000)
        return Event(id=f"e-{number}", name=name, time=1_790_000_000_000, visitor=who, **fields)

    return make
