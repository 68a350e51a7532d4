"""Which configurations a running service takes over."""

import pytest
import structlog

from proxy.config.load import load
from proxy.reload import changed_for_good, reread

TEXT = "site: {origins: ['https://www.shop.example']}\n"


@pytest.fixture
def config_of(tmp_path):
    def config_of(text=""):
        path = tmp_path / "config.yaml"
        path.write_text(TEXT + text)
        return load(path, {})

    return config_of


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("listen: {port: 9}", "listen.port"),
        ("listen: {host: 127.0.0.1}", "listen.host"),
        ("admin: {port: null}", "admin"),
        ("workers: 2", "workers"),
        ("data: elsewhere", "data"),
        ("keys: 4pBLCnN7UQEWwSJ8sV_QxTZVx0tnu2p3S2c2mDhzA4M", "keys"),
        ("log: {dead_days: 1}", "log"),
        ("relay: {process: own}", "relay.process"),
    ],
)
def test_what_belongs_to_the_process_needs_a_restart(config_of, text, key):
    assert list(changed_for_good(config_of().settings, config_of(text).settings)) == [key]


@pytest.mark.parametrize(
    "text",
    ["rules: []", "consent: {default: granted}", "listen: {trusted_proxies: [10.0.0.0/8]}", "relay: {wait_s: 1}"],
)
async def test_everything_else_is_taken_over(config_of, text):
    running, new = config_of(), config_of(text)
    assert await reread(running, lambda: new) is new


async def test_a_broken_file_is_refused_with_its_faults_in_one_line(config_of):
    running = config_of()
    with structlog.testing.capture_logs() as lines:
        assert await reread(running, lambda: config_of("what: 1\nlisten: {port: many}")) is None
    (line,) = lines
    assert (line["event"], line["config"]) == ("reload refused", running.version)
    assert len(line["faults"]) == 2
    assert any("config.yaml:2:1: what: unknown key" in fault for fault in line["faults"])


async def test_a_change_that_needs_a_restart_is_refused_as_a_whole(config_of):
    running, new = config_of(), config_of("data: elsewhere\nrules: []")
    with structlog.testing.capture_logs() as lines:
        assert await reread(running, lambda: new) is None
    assert [line["needs_restart"] for line in lines] == [["data"]]
