"""THREAT_MODEL.md is true as far as a test can tell: its tests exist, and no route or secret is missing."""

import re
from pathlib import Path

import pytest

from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.config.load import read
from proxy.config.settings import Settings
from proxy.config.words import is_secret, section_of
from proxy.destinations import load_all
from proxy.log.memory import MemoryLog
from proxy.observe.admin import make_admin_app
from proxy.privacy.keys import Keyring, generate_key

ROOT = Path(__file__).parents[1]
MODEL = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
CONFIG = "site: {origins: ['https://www.shop.example']}"


def chapter(title):
    return MODEL.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def shown_by():
    """The last cell of every threat, with the threat."""
    for line in chapter("Threats and what holds").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] != "Threat":
            yield cells[0], re.findall(r"`([^`]+)`", cells[-1])


@pytest.mark.parametrize(
    ("threat", "tests"), list(shown_by()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_mitigation_names_tests_that_exist(threat, tests):
    assert tests, threat
    for named in tests:
        path, _, name = named.partition("::")
        found = ROOT / path
        assert path.startswith("tests/"), named
        assert found.exists(), named
        if found.is_dir():
            assert list(found.glob("test_*.py")), named
        if name:
            assert re.search(
                rf"^(?:async )?def {re.escape(name)}\(", found.read_text(encoding="utf-8"), re.MULTILINE
            ), named


async def test_every_route_is_listed():
    config = read(CONFIG, ROOT / "config.yaml", {})
    log = MemoryLog(system_clock)
    apps = [make_app(config, log, Keyring.parse(generate_key())), make_admin_app("token", {}, log, system_clock)]
    listed = set(re.findall(r"`((?:GET|POST|OPTIONS) /[^`]*)`", chapter("What can be reached")))
    real = {
        f"{route.method} {re.sub(r'[0-9a-f]{16}', '<hash>', route.resource.canonical)}"
        for app in apps
        for route in app.router.routes()
        if route.method not in ("*", "HEAD")
    }
    assert real <= listed


def secrets():
    for name, field in Settings.model_fields.items():
        section = section_of(Settings, name)
        if section is not None:
            yield from (f"{name}.{key}" for key, entry in section.model_fields.items() if is_secret(entry.annotation))
        elif is_secret(field.annotation):
            yield name
    for destination in load_all().values():
        yield from (key for key, entry in destination.Settings.model_fields.items() if is_secret(entry.annotation))


def test_every_secret_is_listed_and_no_other():
    assert set(re.findall(r"`([a-z_.]+)`", chapter("Secrets").strip().split("\n\n")[0])) - {"data"} == set(secrets())


def test_what_obliges_a_revision_is_said():
    assert "route" in chapter("What obliges a revision of this page")
