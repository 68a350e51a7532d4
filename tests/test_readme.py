"""The README tells the truth: its example prints what it says, its links lead somewhere, its commands exist."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.cli import root

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def explained(tmp_path, monkeypatch):
    """What the README's own command prints for its configuration and event, with more options if given."""
    (tmp_path / "config.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "event.json").write_text(blocks("json")[0])
    monkeypatch.chdir(tmp_path)
    variable, value, arguments = re.search(
        r"^(\w+)=(\S+) \.venv/bin/firsthand (explain .*)$", README, re.MULTILINE
    ).groups()

    def run(*options):
        done = CliRunner().invoke(root, [*arguments.split(), *options], env={variable: value})
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_the_example_prints_exactly_what_the_readme_shows(explained):
    shown = re.search(r"<!-- explain -->\n```\n(.*?)```\n<!-- /explain -->", README, re.DOTALL)[1]
    assert explained().strip() == shown.strip()


def test_the_json_form_has_the_same_request(explained):
    (destination,) = json.loads(explained("--json"))["destinations"]
    assert (destination["name"], destination["decision"], destination["reason"]) == ("meta", "send", "rule 'shop'")
    (request,) = destination["requests"]
    assert request["headers"]["Authorization"] == "Bearer ***"
    assert request["body"]["data"][0]["event_id"] == "o-1001"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"bin/firsthand (\w+)", README)) | {"explain", "test"}))
def test_every_command_exists(name):
    assert CliRunner().invoke(root, [name, "--help"]).exit_code == 0
