"""`firsthand serve` as a process of its own: it starts, serves, drains, and says in one line why it does not start."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.timeout(400)

PATIENCE_S = 100
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
EVENT = {"name": "purchase", "consent": {"marketing": "granted"}, "data": {"value": 5, "currency": "EUR"}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "site: {origins: ['https://www.shop.example']}\nlisten: {host: 127.0.0.1, port: 0}\nadmin: {port: 0}\n"
    )
    return tmp_path


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "proxy", "serve", "--config", str(folder / "config.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@contextlib.contextmanager
def serving(folder):
    """The process and its two addresses, taken from the one line it prints."""
    process = start(folder)
    try:
        line = process.stdout.readline()
        words = line.replace(";", "").split()
        addresses = [word for word in words if word.startswith("http://")]
        assert len(addresses) == 2, (line, process.poll() is not None and process.stderr.read())
        yield process, *addresses
    finally:
        process.kill()
        process.communicate()


def failed(folder):
    """Exit code and what was printed, of a start that must fail."""
    process = start(folder)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert out == ""
    assert "Traceback" not in err
    return process.returncode, err


def fetch(url, data=None, token=None):
    headers = {"Origin": "https://www.shop.example", "User-Agent": AGENT}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data and json.dumps(data).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return answer.status, answer.read()


def token_of(folder):
    return (folder / "data" / "admin-token").read_text().strip()


def test_it_serves_stores_and_stops_gracefully(folder):
    with serving(folder) as (process, public, admin):
        for path in ("/metrics", "/status.json"):  # closed by default, with a token nobody had to make
            with pytest.raises(urllib.error.HTTPError, match="401"):
                fetch(admin + path)
        assert fetch(f"{public}/readyz")[0] == 200
        assert b"})({" in fetch(f"{public}/tracker.js")[1]
        assert fetch(f"{public}/e", EVENT)[0] == 204
        assert json.loads(fetch(f"{admin}/status.json", token=token_of(folder))[1])["log"]["events"] == 1
        assert (
            b'firsthand_events_stored_total{source="browser"} 1.0'
            in fetch(f"{admin}/metrics", token=token_of(folder))[1]
        )
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert out == ""
        lines = [json.loads(line) for line in err.splitlines()]
        assert [line["event"] for line in lines if line["area"] == "serve"] == ["serving", "stopping", "stopped"]
    with serving(folder) as (process, _, admin):
        assert json.loads(fetch(f"{admin}/status.json", token=token_of(folder))[1])["log"]["events"] == 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def test_healthy_traffic_writes_no_log_line(folder):
    with serving(folder) as (process, public, _):
        for _ in range(3):
            fetch(f"{public}/e", EVENT)
        with pytest.raises(urllib.error.HTTPError):
            fetch(f"{public}/nothing")
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_S)
        serving_lines = [line for line in err.splitlines() if json.loads(line)["area"] not in ("serve", "config")]
        assert serving_lines == []


@pytest.mark.parametrize("section", ["listen", "admin"])
def test_a_port_in_use_is_named_with_the_way_out(folder, section):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = (folder / "config.yaml").read_text()
        before, after = {
            "listen": ("host: 127.0.0.1, port: 0", f"host: 127.0.0.1, port: {port}"),
            "admin": ("admin: {port: 0", f"admin: {{port: {port}"),
        }[section]
        (folder / "config.yaml").write_text(config.replace(before, after))
        code, err = failed(folder)
    assert code == 2
    assert f"{section}.port: port {port} of 127.0.0.1 is in use" in err


def test_an_address_of_another_machine_is_named(folder):
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("host: 127.0.0.1", "host: 192.0.2.1"))
    code, err = failed(folder)
    assert code == 2
    assert "listen.host: listening on 192.0.2.1:0" in err


def test_a_data_folder_that_cannot_be_written_is_named(folder):
    (folder / "data").write_text("a file, not a folder")
    code, err = failed(folder)
    assert code == 2
    assert str(folder / "data") in err


def test_a_broken_configuration_shows_every_fault(folder):
    (folder / "config.yaml").write_text("site: {origins: [nonsense]}\nlisten: {port: many}\nwhat: 1\n")
    code, err = failed(folder)
    assert code == 2
    assert err.count("config.yaml:") == 3
    assert "3 fault(s)" in err


def test_a_missing_configuration_is_named(folder):
    (folder / "config.yaml").unlink()
    code, err = failed(folder)
    assert code == 2
    assert "config.yaml" in err
