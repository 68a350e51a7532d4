"""Children that cannot begin change nothing."""

import sys

import pytest

from proxy.config.load import load
from proxy.supervise.family import Family, NotStarted


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.yaml").write_text("site: {origins: ['https://www.shop.example']}\nworkers: 2\n")
    return load(tmp_path / "config.yaml", {})


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "exit status 3"),
        (["/nowhere/python"], "starting a process: No such file or directory"),
    ],
)
async def test_a_child_that_does_not_get_ready_is_named_and_the_others_are_ended(config, command, words):
    family = Family([], command)
    with pytest.raises(NotStarted, match=words):
        await family.take_over(config)
    await family.stop()
    assert not family._living
