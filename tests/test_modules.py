"""The package's own house rules: every module imports alone, and dependencies point one way."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import proxy

PACKAGE = Path(proxy.__file__).parent
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "proxy.") if m.name != "proxy.__main__")

# area -> areas it must never import (architecture: everything -> event; collector -> log; relay -> log, rules, destinations)
FORBIDDEN = {
    "proxy.event": ("proxy.",),
    "proxy.clock": ("proxy.",),
    "proxy.errors": ("proxy.",),
    "proxy.identity": ("proxy.collector", "proxy.relay", "proxy.log", "proxy.rules", "proxy.destinations"),
    "proxy.rules": ("proxy.collector", "proxy.relay", "proxy.log"),
    "proxy.destinations": ("proxy.collector", "proxy.relay", "proxy.log", "proxy.rules", "proxy.config"),
    "proxy.log": ("proxy.collector", "proxy.relay", "proxy.rules", "proxy.destinations"),
    "proxy.collector": ("proxy.relay", "proxy.rules"),
    "proxy.relay": ("proxy.collector",),
    "proxy.sandbox": (
        "proxy.destinations",
        "proxy.relay",
        "proxy.collector",
        "proxy.log",
        "proxy.rules",
        "proxy.config",
    ),
}


def imports_of(module):
    path = PACKAGE.parent / Path(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.timeout(600)
def test_every_module_imports_alone():
    """One interpreter a group: importing them in one process would hide a missing import behind an earlier one."""
    script = (
        "import sys, importlib\n"
        "before = set(sys.modules)\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] == 'proxy']: del sys.modules[loaded]\n"
        "    from prometheus_client import REGISTRY\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *MODULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_point_one_way(module):
    for area, forbidden in FORBIDDEN.items():
        if module == area or module.startswith(area + "."):
            found = [name for name in imports_of(module) if name.startswith(forbidden)]
            assert not found, f"{module} must not import {found}"


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("proxy.cli", "proxy.__main__")])
def test_nothing_imports_the_command_line(module):
    assert "proxy.cli" not in set(imports_of(module))


def test_the_command_starts_without_importing_the_heavy_parts():
    script = "import sys, proxy.cli; print(*sorted({'aiohttp', 'pydantic', 'cryptography'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
