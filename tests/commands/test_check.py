import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from proxy.cli import main
from proxy.commands.check import command, in_words
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.errors import ConfigError
from tests.ports import free_port

TOKEN = "s3cr3t-token-0123456789"
BOUGHT = "ya29.b0ught"
SOLD = {"access_token": BOUGHT, "expires_in": 3600}


@pytest.fixture
def config(tmp_path):
    def config(base_url=None, **more):
        lines = [
            "site: {origins: [https://www.shop.example]}",
            "listen: {host: 127.0.0.1, port: 0}",
            "admin: {port: null}",
            "destinations:",
            f"  meta: {{kind: meta, pixel_id: 123, access_token: {TOKEN}{f', base_url: {base_url}' if base_url else ''}}}",
            *(f"{key}: {value}" for key, value in more.items()),
        ]
        path = tmp_path / "config.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    return config


@pytest.fixture
def platform():
    """A platform that answers with one reply, or by path (`{path: (status, body)}`), on a thread of its own."""
    servers = []

    def platform(answers, body=b""):
        class Handler(BaseHTTPRequestHandler):
            def _answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = answers[self.path] if isinstance(answers, dict) else (answers, body)
                content = json.dumps(content).encode() if isinstance(content, dict) else content
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _answer  # noqa: N815 - the names http.server calls

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield platform
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def run(*args, **kwargs):
    return CliRunner().invoke(command, [str(arg) for arg in args], **kwargs)


def test_a_sound_configuration_is_summed_up(config, tmp_path):
    result = run("-c", config())
    assert result.exit_code == 0, result.output
    assert "config.yaml works (version " in result.output
    for words in ("https://www.shop.example", "127.0.0.1:0", str(tmp_path / "data"), "(made at the first start)",
                  "meta (meta)", "none: every event goes to every destination"):  # fmt: skip
        assert words in result.output
    assert TOKEN not in result.output
    assert not (tmp_path / "data").exists()


def test_the_environment_names_the_file(config):
    assert run(env={"FIRSTHAND_CONFIG": str(config())}).exit_code == 0


def test_faults_stop_it_with_exit_code_2(config, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["firsthand", "check", "-c", str(config(log="{dead_days: none}"))])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "config.yaml:6:18: log.dead_days: expected a number, got 'none'" in told
    assert "1 fault(s)" in told


def test_what_the_machine_lacks_is_a_fault_with_the_file_s_name(config, tmp_path):
    (tmp_path / "blocked").write_text("")
    result = run("-c", config(data="blocked"))
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(f"{tmp_path}/config.yaml: data: the data folder ")


def test_warnings_do_not_stop_it(config):
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = config()
        path.write_text(path.read_text().replace("port: 0", f"port: {server.getsockname()[1]}"))
        result = run("-c", path)
    assert result.exit_code == 0
    assert "is taken on 127.0.0.1" in result.output


def test_live_says_when_the_platform_accepts(config, platform):
    result = run("-c", config(platform(200, b'{"id": "123", "name": "Shop"}')), "--live")
    assert result.exit_code == 0, result.output
    assert "meta: the platform accepts the credentials" in result.output


def test_live_says_what_the_platform_said_and_what_to_do(config, platform):
    body = (
        b'{"error": {"message": "Bad token %s", "type": "OAuthException", "code": 190, "fbtrace_id": "x"}}'
        % TOKEN.encode()
    )
    result = run("-c", config(platform(401, body)), "--live")
    assert result.exit_code == 1
    assert "meta: credentials refused (" in result.output
    assert TOKEN not in result.output


def test_live_says_when_nobody_answers(config):
    result = run("-c", config(f"http://127.0.0.1:{free_port()}"), "--live")
    assert result.exit_code == 1
    assert "connection refused" in result.output


@pytest.mark.parametrize(
    ("answers", "words", "code"),
    [
        ({"/token": (200, SOLD), "/v1/events:ingest": (200, {"requestId": "r"})}, "accepts the credentials", 0),
        ({"/token": (400, {"error": "invalid_grant"})}, "credentials refused (invalid_grant)", 1),
        ({"/token": (503, {})}, "no usable answer now (token_unavailable)", 1),
        ({"/token": (200, SOLD), "/v1/events:ingest": (401, {"error": {"message": f"{BOUGHT}!"}})}, "(token_refused): ***!", 1),
    ],
)  # fmt: skip
def test_live_buys_a_token_where_one_is_needed_and_never_shows_it(config, platform, answers, words, code):
    google = "{kind: google_ads, customer_id: 1234567890, conversion_actions: {lead: 1}, client_id: c, "
    google += f"client_secret: {TOKEN}, refresh_token: {TOKEN}, base_url: {platform(answers)}}}"
    path = config()
    path.write_text(re.sub(r"  meta: .*", f"  google: {google}", path.read_text()))
    result = run("-c", path, "--live")
    assert words in result.output
    assert result.exit_code == code
    assert BOUGHT not in result.output
    assert TOKEN not in result.output


def test_live_leaves_out_what_is_switched_off(config):
    path = config()
    path.write_text(path.read_text().replace("kind: meta", "kind: meta, enabled: false"))
    result = run("-c", path, "--live")
    assert result.exit_code == 0
    assert "meta (meta, switched off)" in result.output


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Delivered(), "the platform accepts the credentials"),
        (RetryLater("throttled"), "no usable answer now (throttled)"),
        (
            AuthBroken("expired", "Session has expired", "Make a new token."),
            "credentials refused (expired): Session has expired",
        ),
        (Rejected("100", "No such pixel"), "the probe was refused (100): No such pixel"),
    ],
)
def test_every_verdict_has_words(verdict, words):
    assert in_words(verdict).startswith(words)
