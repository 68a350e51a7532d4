import json

import pytest
from click.testing import CliRunner

from proxy.cli import main
from proxy.commands.explain import command

CONFIG = """
site: {origins: [https://www.shop.example]}
destinations:
  meta: {kind: meta, pixel_id: "111", access_token: "tok-EN"}
rules:
  - {name: shop, when: {event: purchase}, send_to: [meta]}
"""
EVENT = {
    "id": "o-1",
    "name": "purchase",
    "time": 1_790_000_000_000,
    "consent": {"marketing": "granted"},
    "user": {"email": "ann@example.com"},
    "client": {"user_agent": "Mozilla/5.0"},
    "page": {"url": "https://www.shop.example/"},
    "data": {"value": 5, "currency": "EUR"},
}
NOW = ("--now", "1790000005000")


@pytest.fixture
def explain(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)

    def run(event, *options, stdin=None):
        path = "-"
        if stdin is None:
            path = str(tmp_path / "event.json")
            (tmp_path / "event.json").write_text(event if isinstance(event, str) else json.dumps(event))
        arguments = ["--config", str(tmp_path / "config.yaml"), path, *options]
        return CliRunner(catch_exceptions=False).invoke(command, arguments, input=stdin)

    return run


@pytest.fixture
def failing(monkeypatch, capsys):
    """The message of a `firsthand explain` that ends with exit code 2."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["firsthand", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        return said.err

    return run


def objects(result):
    return [json.loads(line) for line in result.output.splitlines()]


def test_one_event_is_one_object(explain):
    (found,) = objects(explain(EVENT, "--json", *NOW))
    assert found["event"]["id"] == "o-1"
    assert found["destinations"][0]["decision"] == "send"
    assert "trace" not in found


@pytest.mark.parametrize("shape", [lambda e: [e, {**e, "id": "o-2"}], lambda e: {"events": [e, {**e, "id": "o-2"}]}])
def test_a_list_or_an_envelope_is_one_object_per_line(explain, shape):
    assert [one["event"]["id"] for one in objects(explain(shape(EVENT), "--json", *NOW))] == ["o-1", "o-2"]


def test_standard_input_may_hold_one_event_per_line(explain):
    lines = "\n".join(json.dumps({**EVENT, "id": f"o-{n}"}) for n in range(3)) + "\n\n"
    assert [one["event"]["id"] for one in objects(explain(None, "--json", *NOW, stdin=lines))] == ["o-0", "o-1", "o-2"]


def test_standard_input_may_hold_one_event_over_several_lines(explain):
    (found,) = objects(explain(None, "--json", *NOW, stdin=json.dumps(EVENT, indent=2)))
    assert found["event"]["id"] == "o-1"


@pytest.mark.parametrize("now", ["2026-09-21T14:13:25Z", "2026-09-21T16:13:25+02:00", "1790000005000"])
def test_now_is_rfc_3339_or_unix_milliseconds(explain, now):
    (found,) = objects(explain({**EVENT, "time": None}, "--json", "--now", now))
    assert found["event"]["time"] == 1_790_000_005_000


@pytest.mark.parametrize("now", ["yesterday", "2026-09-21T14:13:25", "-5", "9" * 20])
def test_another_now_is_refused(explain, now):
    result = explain(EVENT, f"--now={now}")
    assert result.exit_code == 2
    assert "neither RFC 3339" in result.output


def test_without_now_old_events_are_judged_by_the_clock(explain):
    (found,) = objects(explain({**EVENT, "time": 1_600_000_000_000}, "--json"))
    assert found["destinations"][0]["decision"] == "refuse"


def test_trace_adds_the_rules_words(explain):
    (found,) = objects(explain(EVENT, "--json", "--trace", *NOW))
    assert found["trace"][0]["rule"] == "shop"


def test_people_get_rules_reason_and_request(explain):
    output = explain(EVENT, *NOW).output
    assert "purchase  id o-1  2026-09-21T14:13:20+00:00" in output
    assert "yes  shop: sends to meta" in output
    assert "meta: SEND, rule 'shop'" in output
    assert "POST https://graph.facebook.com/" in output
    assert "Authorization: Bearer ***" in output
    assert '"event_id": "o-1"' in output
    assert "tok-EN" not in output


def test_people_get_the_reason_against_it(explain):
    output = explain({**EVENT, "consent": {}}, *NOW).output
    assert "meta: SKIP, consent: marketing denied" in output


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({**EVENT, "valeu": 3}, "event.json: valeu: unknown field"),
        ([EVENT, {"id": "x"}], "event.json: [1].name: "),
        ("{broken", "event.json: "),
        ("[]", "event.json: there are no events in it"),
        ({**EVENT, "data": {"value": "many"}}, "data.value"),
    ],
)
def test_what_is_no_event_is_said_with_its_place_and_exit_code_2(failing, tmp_path, event, words):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "event.json").write_text(event if isinstance(event, str) else json.dumps(event))
    assert words in failing("-c", tmp_path / "config.yaml", tmp_path / "event.json")


def test_a_broken_line_is_named(failing, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "events.jsonl").write_text(json.dumps(EVENT) + "\n" + '{"name": "lead", "foo": 1}\n')
    message = failing("-c", tmp_path / "config.yaml", tmp_path / "events.jsonl")
    assert "events.jsonl:2: foo: unknown field" in message


def test_a_missing_file_and_a_missing_configuration_are_said(failing, tmp_path):
    assert "config.yaml" in failing("-c", tmp_path / "config.yaml", "x.json")
    (tmp_path / "config.yaml").write_text(CONFIG)
    gone = tmp_path / "gone.json"
    assert f"{gone}: no such file" in failing("-c", tmp_path / "config.yaml", gone)
