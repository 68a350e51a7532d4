import asyncio
import json

import pytest
from click.testing import CliRunner

from proxy.clock import system_clock
from proxy.commands.replay import command
from proxy.config.load import load
from proxy.config.machine import data_folder, keyring
from proxy.event import Event
from proxy.log.base import DeadLetter, Outcome, ReaderState
from proxy.log.sqlite import SqliteLog

CONFIG = """\
site: {origins: [https://www.shop.example]}
destinations:
  meta: {kind: meta, pixel_id: "1", access_token: s3cr3t-token}
  spare: {kind: meta, pixel_id: "2", access_token: s3cr3t-token-2}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def in_log(config):
    def run(use):
        async def used():
            settings = load(config).settings
            log = await SqliteLog.open(data_folder(settings), keyring(settings), settings.log, system_clock)
            try:
                return await use(log)
            finally:
                await log.close()

        return asyncio.run(used())

    return run


@pytest.fixture
def filled(in_log):
    """Meta was sent 1 and 4, not 2, and refused 3; 5 waits."""

    async def fill(log):
        await log.append([Event(id=f"o-{n}", name="purchase", time=1) for n in (1, 2, 3, 4)])
        letter = DeadLetter(seq=3, why="bad", detail="", at_ms=system_clock())
        await log.commit(
            await log.read("meta", 10),
            Outcome(settled=[1, 2, 4], missed=[2], dead=[letter], state=ReaderState()),
        )
        await log.append([Event(id="o-5", name="purchase", time=1)])

    in_log(fill)


@pytest.fixture
def read(in_log):
    async def ids(log):
        return [entry.event.id for entry in (await log.read("meta", 10)).entries]

    return lambda: in_log(ids)


def run(config, *arguments):
    return CliRunner().invoke(command, ["-c", str(config), *arguments])


def test_only_what_is_missing_is_handed_out_again(config, filled, read):
    result = run(config, "--destination", "meta", "--since", "1h", "--only-missing")
    assert result.exit_code == 0, result.output
    assert "5 events are stored from that time: meta has accepted 2, 1 wait for it anyway" in result.output
    assert "2 are handed out again" in result.output
    assert read() == ["o-2", "o-3", "o-5"]


def test_without_it_everything_is(config, filled, read):
    shown = json.loads(run(config, "--destination", "meta", "--since", "1h", "--json").output)
    assert shown == {
        "destination": "meta",
        "dry_run": False,
        "stored": 5,
        "accepted": 2,
        "waiting": 1,
        "again": 4,
    }
    assert read() == ["o-1", "o-2", "o-3", "o-4", "o-5"]


@pytest.mark.parametrize("more", [["--only-missing"], []])
def test_a_dry_run_counts_and_changes_nothing(config, filled, read, more):
    result = run(config, "--destination", "meta", "--since", "1h", "--dry-run", *more)
    assert f"{2 if more else 4} would be handed out again; nothing was done" in result.output
    assert read() == ["o-5"]


def test_times_are_spans_dates_or_milliseconds(config, filled):
    def again(*times):
        return json.loads(run(config, "--destination", "meta", "--dry-run", "--json", *times).output)["again"]

    now_ms = system_clock()
    assert again("--since", str(now_ms - 60_000)) == 4
    assert again("--since", "2020-01-01T00:00:00Z") == 4
    assert again("--since", "2020-01-01T00:00:00Z", "--until", "1h") == 0
    assert again("--since", "5m", "--until", "2100-01-01T00:00:00+02:00") == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--destination", "mta", "--since", "1h"], "'mta' is none of meta, spare"),
        (["--destination", "meta", "--since", "yesterday"], "neither a span (90m, 36h, 7d)"),
        (["--destination", "meta", "--since", "2026-11-26"], "nor Unix milliseconds"),
        (["--destination", "meta", "--since", "1h", "--until", "2h"], "it ends before it begins"),
        (["--destination", "meta"], "Missing option '--since'"),
        (["--since", "1h"], "Missing option '--destination'"),
    ],
)
def test_a_mistake_is_named(config, filled, arguments, words):
    result = run(config, *arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_it_works_beside_a_service_that_has_the_log_open(config, filled, in_log):
    async def beside(log):
        arguments = ["-c", str(config), "--destination", "meta", "--since", "1h", "--only-missing"]
        result = await asyncio.to_thread(CliRunner().invoke, command, arguments)
        assert result.exit_code == 0, result.output
        return [entry.event.id for entry in (await log.read("meta", 10)).entries]

    assert in_log(beside) == ["o-2", "o-3", "o-5"]
