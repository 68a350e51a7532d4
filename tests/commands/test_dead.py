import asyncio
import json

import pytest
from click.testing import CliRunner

from proxy.clock import system_clock
from proxy.commands.dead import command
from proxy.config.load import load
from proxy.config.machine import data_folder, keyring
from proxy.errors import ConfigError
from proxy.event import Event, User
from proxy.log.base import DeadLetter, Outcome, ReaderState
from proxy.log.sqlite import SqliteLog

TOKEN = "s3cr3t-token-0123456789"
CONFIG = f"""\
site: {{origins: [https://www.shop.example]}}
destinations:
  meta: {{kind: meta, pixel_id: "1", access_token: {TOKEN}}}
  spare: {{kind: meta, pixel_id: "2", access_token: {TOKEN}-2}}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def in_log(config):
    """Run something with the log, as a service beside the command would have it open."""

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
def letters(in_log):
    """Events 1 to 3; 1 and 2 are dead for meta, 2 for spare."""

    async def bury(log):
        await log.append(
            [Event(id=f"o-{n}", name="purchase", time=1, user=User(email=("ann@shop.example",))) for n in (1, 2, 3)]
        )
        for reader, seqs in (("meta", (1, 2)), ("spare", (2,))):
            dead = [
                DeadLetter(seq=seq, why="2804003", detail=f"bad\x1b[2J {TOKEN}", at_ms=1_790_000_000_000 + seq)
                for seq in seqs
            ]
            await log.commit(await log.read(reader, 10), Outcome(settled=[1, 2, 3], dead=dead, state=ReaderState()))

    in_log(bury)


@pytest.fixture
def run(config):
    def run(*arguments):
        return CliRunner().invoke(command, [*arguments[:1], "-c", str(config), *arguments[1:]])

    return run


def test_dead_letters_are_listed_newest_first_with_their_reason(run, letters):
    lines = run("list").output.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["2", "2026-09-21T14:13:20Z", "meta"],
        ["2", "2026-09-21T14:13:20Z", "spare"],
        ["1", "2026-09-21T14:13:20Z", "meta"],
    ]
    assert "purchase o-2  2804003: bad" in lines[0]


def test_neither_credentials_nor_terminal_commands_nor_people_are_listed(run, letters):
    for output in (run("list").output, run("list", "--json").output):
        assert TOKEN not in output
        assert "\x1b" not in output
        assert "ann@" not in output
        assert "***" in output


def test_a_list_can_be_narrowed_and_bounded(run, letters):
    assert len(run("list", "--destination", "spare").output.splitlines()) == 1
    assert len(run("list", "--limit", "2").output.splitlines()) == 2


def test_letters_are_chosen_by_reason(run, letters):
    assert len(run("list", "--why", "2804003").output.splitlines()) == 3
    assert run("list", "--why", "expired").output == "no dead letters\n"
    assert json.loads(run("retry", "--all", "--why", "expired", "--json").output) == {"retried": 0}
    assert json.loads(run("drop", "1", "2", "--why", "expired", "--json").output) == {"dropped": 0}
    chosen = ("--all", "--why", "2804003", "--destination", "meta", "--json")
    assert json.loads(run("retry", *chosen).output) == {"retried": 2}


def test_json_has_one_object_a_line(run, letters):
    rows = [json.loads(line) for line in run("list", "--json").output.splitlines()]
    assert rows[2] == {
        "destination": "meta",
        "number": 1,
        "at_ms": 1_790_000_000_001,
        "why": "2804003",
        "detail": "bad\x1b[2J ***",
        "event": {"id": "o-1", "name": "purchase", "time": 1},
    }


def test_show_gives_the_whole_event(run, letters):
    assert "ann@shop.example" in run("show", "1").output
    found = json.loads(run("show", "--json", "1").output)
    assert found["event"]["user"]["email"] == ["ann@shop.example"]
    assert len(run("show", "--json", "2").output.splitlines()) == 2
    assert run("show", "--destination", "spare", "1").exit_code == 1


def test_retried_letters_come_again_to_their_destination(run, letters, in_log):
    assert run("retry", "--destination", "meta", "2").output.startswith("1 dead letter(s) given back")

    async def waiting(log):
        return [[entry.event.id for entry in (await log.read(reader, 10)).entries] for reader in ("meta", "spare")]

    assert in_log(waiting) == [["o-2"], []]
    assert json.loads(run("retry", "--all", "--json").output) == {"retried": 2}


def test_dropped_letters_are_gone(run, letters):
    assert json.loads(run("drop", "1", "--json").output) == {"dropped": 1}
    assert "2 dead letter(s) forgotten" in run("drop", "--all").output
    assert run("list").output == "no dead letters\n"
    assert run("list", "--json").output == ""


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_which_must_be_said(run, letters, verb):
    for arguments in ((), ("1", "--all")):
        result = run(verb, *arguments)
        assert result.exit_code == 2
        assert "say which" in result.output


def test_an_unknown_destination_is_named_with_the_known_ones(run, letters):
    for verb in ("list", "retry"):
        result = run(verb, "--destination", "mta", *([] if verb == "list" else ["--all"]))
        assert result.exit_code == 2
        assert "'mta' is none of meta, spare" in result.output


def test_letters_of_a_destination_taken_out_of_the_configuration_can_be_dropped(run, letters, config):
    config.write_text(CONFIG.replace("  spare:", "  other:"))
    assert "1 dead letter(s) forgotten" in run("drop", "--all", "--destination", "spare").output


def test_without_a_log_it_says_so_and_makes_nothing(run, tmp_path):
    result = run("list")
    assert isinstance(result.exception, ConfigError)
    assert "there is no event log" in str(result.exception)
    assert not (tmp_path / "data").exists()


def test_it_works_beside_a_service_that_has_the_log_open(letters, in_log, config):
    async def beside(log):
        result = await asyncio.to_thread(CliRunner().invoke, command, ["retry", "-c", str(config), "--all"])
        assert result.exit_code == 0, result.output
        await log.append([Event(id="o-4", name="purchase", time=1)])
        return [entry.event.id for entry in (await log.read("meta", 10)).entries]

    assert in_log(beside) == ["o-1", "o-2", "o-4"]
