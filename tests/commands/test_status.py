import asyncio
import json

import pytest
from click.testing import CliRunner

from proxy.clock import DAY_MS, system_clock
from proxy.commands.status import _readable, command
from proxy.config.load import load
from proxy.config.machine import data_folder, keyring
from proxy.errors import ConfigError
from proxy.event import Event
from proxy.log.base import Aside, DeadLetter, Outcome, ReaderState
from proxy.log.sqlite import SqliteLog

TOKEN = "s3cr3t-token-0123456789"
CONFIG = f"""\
site: {{origins: [https://www.shop.example]}}
destinations:
  fine: {{kind: meta, pixel_id: "1", access_token: {TOKEN}}}
  paused: {{kind: meta, pixel_id: "2", access_token: t-0}}
  failing: {{kind: meta, pixel_id: "3", access_token: t-0}}
  off: {{kind: meta, pixel_id: "4", access_token: t-0, enabled: false}}
  new: {{kind: meta, pixel_id: "5", access_token: t-0}}
"""


class Clock:
    """Of the log and of the command; stands still."""

    def __init__(self):
        self.now_ms = system_clock()

    def __call__(self):
        return self.now_ms


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("proxy.commands.status.system_clock", clock)
    return clock


@pytest.fixture
def filled(config, clock):
    async def fill():
        now_ms = clock()
        settings = load(config).settings
        log = await SqliteLog.open(data_folder(settings), keyring(settings), settings.log, clock)
        clock.now_ms = now_ms - 31 * DAY_MS
        await log.append([Event(id="old", name="page_view", time=1)])
        await log.read("failing", 1)
        clock.now_ms = now_ms
        await log.purge()
        await log.append([Event(id=f"e-{n}", name="page_view", time=1) for n in range(3)])

        async def commit(reader, settled, letters=(), **state):
            await log.commit(
                await log.read(reader, 10), Outcome(settled=settled, dead=letters, state=ReaderState(**state))
            )

        letter = DeadLetter(seq=4, why="no", detail="", at_ms=now_ms)
        aside = (Aside(seq=4, tried_ms=now_ms, due_ms=now_ms + 300_000),)
        await commit("fine", [2, 3], [letter], delivered=2, dead=1, last_delivery_ms=now_ms, aside=aside)
        await commit("paused", [], paused="token_expired", last_error=f"401 {TOKEN} \x1b[2J", attempts=2)
        await commit("failing", [2], attempts=7, next_attempt_ms=now_ms + 90_000, last_error="503 busy")
        await commit("gone", [])
        await log.close()

    asyncio.run(fill())


def run(config, *arguments):
    return CliRunner().invoke(command, ["-c", str(config), *arguments])


def test_every_destination_has_a_line_that_says_how_it_does(config, filled):
    output = run(config).output
    lines = {line.split()[0]: line for line in output.splitlines() if line[:1].strip()}
    assert "3 events" in output
    assert lines["fine"].split()[1:5] == ["0", "-", "2", "1"]
    assert "fine, last delivery 0 s ago" in lines["fine"]
    assert "1 of the dead are tried again by themselves (always_later)" in output
    assert "paused: token_expired" in lines["paused"]
    assert "failing: 7 attempts, next in 91 s" in lines["failing"]
    assert "switched off" in lines["off"]
    assert "nothing delivered yet" in lines["new"]
    assert "not in the configuration (any more): gone" in output
    assert "1 events were deleted by retention before delivery" in output


def test_the_last_error_is_shown_without_credentials_or_terminal_commands(config, filled):
    output = run(config).output
    assert "last error: 401 ***" in output
    assert "last error: 503 busy" in output
    assert "\x1b" not in output
    assert TOKEN not in output


def test_json_is_one_object_with_depth_age_and_reasons(config, filled):
    shown = json.loads(run(config, "--json").output)
    by_name = {destination["name"]: destination for destination in shown["destinations"]}
    assert list(by_name) == ["fine", "paused", "failing", "off", "new"]
    assert (shown["log"]["events"], shown["left_over"]) == (3, ["gone"])
    assert shown["log"]["bytes"] > 0
    assert (by_name["fine"]["waiting"], by_name["fine"]["dead"], by_name["fine"]["delivered"]) == (0, 1, 2)
    assert (by_name["fine"]["set_aside"], by_name["failing"]["set_aside"]) == (1, 0)
    assert (by_name["paused"]["waiting"], by_name["paused"]["paused"]) == (3, "token_expired")
    assert by_name["failing"]["waiting"] == 2
    assert by_name["failing"]["expired"] == 1
    assert by_name["failing"]["oldest_waiting_ms"] <= shown["now_ms"]
    assert TOKEN not in json.dumps(shown)


def test_status_changes_nothing_in_the_data_folder(config, filled, tmp_path):
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    run(config)
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before


def test_without_a_log_it_says_where_one_would_be_and_makes_nothing(config, tmp_path):
    result = run(config)
    assert isinstance(result.exception, ConfigError)
    assert str(tmp_path / "data" / "log.db") in str(result.exception)
    assert not (tmp_path / "data").exists()


def test_a_folder_of_another_user_is_no_traceback(config, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("proxy.commands._log.must_exist", refuse)
    with pytest.raises(ConfigError, match=r"data: reading .*/log\.db: permission denied .run this as the user"):
        CliRunner(catch_exceptions=False).invoke(command, ["-c", str(config)])


def test_it_says_when_retention_was_enforced_and_how_full_the_log_is(config, filled):
    assert "events are kept 30 days, dead letters 7; last enforced 0 s ago: 1 events" in run(config).output
    assert "log.max_bytes" not in run(config).output
    config.write_text(CONFIG + "log: {max_bytes: 10000000}\n")
    assert "of 10.0 MB (log.max_bytes) are used\n" in run(config).output


def test_a_full_log_is_said(config, filled):
    shown = json.loads(run(config, "--json").output)
    shown["log"] |= {"max_bytes": 10_000_000, "used_bytes": 10_100_000, "is_full": True}
    text = "\n".join(_readable(shown, config))
    assert "10.1 of 10.0 MB (log.max_bytes) are used: FULL (log.when_full: refuse)" in text
