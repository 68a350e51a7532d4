from pathlib import Path

import pytest

from proxy.config.load import load
from proxy.errors import ConfigError

ROOT = Path(__file__).parents[2]

SITE = "site: {origins: [https://www.shop.example]}\n"
META = "destinations:\n  meta: {kind: meta, pixel_id: 123, access_token: t0ken-t0ken}\n"


@pytest.fixture
def read(tmp_path):
    """Load a text as config.yaml."""

    def read(text, env=None):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, env or {}, clock=lambda: 1_790_000_000_000)

    return read


@pytest.fixture
def faults(read, tmp_path):
    """The faults of a text as printed lines, without the folder."""

    def faults(text, env=None):
        with pytest.raises(ConfigError) as caught:
            read(text, env)
        return [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]

    return faults


@pytest.fixture
def site():
    return SITE


@pytest.fixture
def meta():
    return META


@pytest.fixture
def root():
    return ROOT
