"""The package in `npm/`: builds, passes its own tests, and says what the script and the collector say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest

from proxy import __version__
from proxy.vocabulary import CANONICAL
from proxy.wire import sections

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def package(request):
    return request.config.rootpath / "npm"


@pytest.fixture(scope="module")
def npm(request, package):
    """Runs `npm …` in the package's folder; its output. Node is the machine's, or the one beside Python."""
    path = os.pathsep.join([os.environ["PATH"], str(request.config.rootpath / ".venv" / "bin")])
    program = shutil.which("npm", path=path)
    if program is None or not (package / "node_modules").is_dir():
        pytest.skip("no Node tools here; `scripts/setup test` installs them where it can")

    def run(*args):
        done = subprocess.run(
            [program, *args], cwd=package, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_it_builds_its_types_hold_and_its_tests_pass(npm):
    assert re.search(r"(# |ℹ )fail 0\b", npm("test"))


def test_what_would_be_published_is_the_build_and_nothing_of_the_workshop(npm, package):
    [packed] = json.loads(npm("pack", "--dry-run", "--json", "--ignore-scripts"))
    files = {file["path"] for file in packed["files"]} - {"LICENSE"}
    assert files == {
        "README.md",
        "package.json",
        "global.d.ts",
        *(f"dist/{name}" for name in ("index.js", "index.d.ts", "types.js", "types.d.ts")),
    }


def test_it_has_the_version_of_the_product_and_depends_on_nothing(package):
    told = json.loads((package / "package.json").read_text())
    assert told["version"] == __version__
    assert "dependencies" not in told


def test_the_lock_file_names_no_registry_and_has_a_hash_for_everything(package):
    packages = json.loads((package / "package-lock.json").read_text())["packages"]
    for name, entry in packages.items():
        assert not name or entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


@pytest.fixture(scope="module")
def types(package):
    return (package / "src" / "types.ts").read_text()


def members(types, interface):
    body = re.search(rf"export interface {interface} \{{\n(.*?)\n\}}", types, re.DOTALL)[1]
    return set(re.findall(r"^  ([a-zA-Z_]+)[?(<]", body, re.MULTILINE))


@pytest.mark.parametrize(
    ("interface", "table"),
    [("Item", sections.ITEM), ("User", sections.USER), ("Data", {**sections.DATA, "items": None})],
)
def test_the_types_have_the_fields_the_collector_reads(types, interface, table):
    assert members(types, interface) == set(table)


def test_the_types_have_the_names_and_purposes_everybody_knows(types):
    def union(name):
        return set(re.findall(r"'([a-z_]+)'", re.search(rf"export type {name} =(.*?);", types, re.DOTALL)[1]))

    assert union("StandardEvent") == CANONICAL
    assert union("Purpose") == set(sections.CONSENT) - {"source", "time"}


def test_the_types_have_the_commands_and_settings_of_the_script(types, request):
    script = (request.config.rootpath / "proxy" / "static" / "tracker.js").read_text()
    commands = script.split("const commands = {")[1].split("\n  };")[0]
    assert members(types, "Commands") == set(re.findall(r"^    ([a-z]+)(?:\(.*\) \{|: \w+,)$", commands, re.MULTILINE))
    config = re.search(r"@typedef \{\{(events: string.*?)\}\} Config", script)[1]
    assert members(types, "Config") == set(re.findall(r"(\w+)\??: ", config)) - {"global"}
