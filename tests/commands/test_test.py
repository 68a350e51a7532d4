from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.cli import main
from proxy.commands.test import command

HEAD = """\
site: {origins: [https://www.shop.example]}
destinations:
  meta: {kind: meta, pixel_id: 123, access_token: secret-of-the-test}
"""


@pytest.fixture
def run(tmp_path):
    """`run(rules)`: exit code and what `firsthand test` says of the configuration with these rules."""

    def run(rules):
        path = tmp_path / "config.yaml"
        path.write_text(HEAD + rules)
        result = CliRunner().invoke(command, ["--config", str(path)])
        return result.exit_code, result.output.replace(str(tmp_path), "")

    return run


def test_good_examples_are_counted_per_rule(run):
    code, said = run("""\
rules:
  - name: shop
    when: {event: purchase}
    send_to: [meta]
    examples:
      - {given: {value: 1}, sends_to: [meta]}
      - {given: {event: lead}, sends: false}
""")
    assert (code, said) == (0, "ok    shop (2)\n2 example(s), 0 failed\n")


def test_a_failed_example_shows_the_difference_the_place_and_the_reason(run):
    code, said = run("""\
rules:
  - name: shop
    when: {event: purchase}
    send_to: [meta]
  - name: big orders
    when: {event: purchase, value: {at_least: 100}}
    send_to: [{destination: meta, as: BigOrder}]
    examples:
      - {given: {value: 120}, sends_to: [meta]}
      - {given: {value: 12, user.city: Rome}, sends_to: [meta]}
""")
    assert code == 1
    assert (
        said
        == """\
FAIL  big orders, example 2 (/config.yaml:13:9)
      given       value: 12, user.city: Rome
      sends to
      - expected  meta
      + got       nothing
      because     data.value is 12, not at least 100
2 example(s), 1 failed
"""
    )


def test_without_examples_it_says_how_to_write_them(run):
    code, said = run("rules: [{name: shop, send_to: [meta]}]\n")
    assert code == 0
    assert said == "/config.yaml: no rule has examples; docs/rules.md shows how to write them.\n"


def test_without_rules_there_is_nothing_to_fail(run):
    assert run("")[0] == 0


def test_a_mistake_in_an_example_is_a_mistake_in_the_configuration(tmp_path, capsys, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text(
        HEAD + "rules:\n  - send_to: [meta]\n    examples: [{given: {event: lead, valu: 1}, sends: true}]\n"
    )
    monkeypatch.setattr("sys.argv", ["firsthand", "test", "-c", str(path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "config.yaml:6:38: rules[0].examples[0].given.valu: unknown field 'valu'" in capsys.readouterr().err


def test_the_examples_of_the_example_configuration_pass(env_of):
    example = Path(__file__).parents[2] / "config.example.yaml"
    result = CliRunner().invoke(command, ["-c", str(example)], env=env_of(example.read_text()))
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "2 example(s), 0 failed")
