"""A running service, its platform down: what a visitor takes back meanwhile is not sent when the platform is there again."""

import contextlib
import http.server
import json
import threading
import time
import urllib.request

import pytest

from tests.commands.test_serve import AGENT, PATIENCE_S, serving

pytestmark = pytest.mark.timeout(400)

CONFIG = """\
site: {{origins: ['https://www.shop.example']}}
listen: {{host: 127.0.0.1, port: 0}}
admin: {{port: 0}}
cookie: {{domain: host}}
workers: 2
relay: {{wait_s: 0, backoff_max_s: 1}}
destinations:
  crm: {{kind: webhook, url: "http://127.0.0.1:{port}/in", secret: s3cret-of-the-test, allow_private_addresses: true}}
"""
AGREED = {"marketing": "granted", "analytics": "granted", "source": "tcf"}
REFUSED = {"marketing": "denied", "analytics": "denied", "source": "tcf"}


class Platform(http.server.ThreadingHTTPServer):
    """`asked`: the body of each request, in order; `taken`: of those that were not answered 503."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.is_down, self.asked, self.taken = True, [], []

    def wait(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.asked, self.taken)
            time.sleep(0.02)


class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_down = self.server.is_down
        self.server.asked.append(body)
        if not is_down:
            self.server.taken.append(body)
        self.send_response(503 if is_down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def platform():
    with Platform() as found:
        serving_it = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        serving_it.start()
        yield found
        found.shutdown()
        serving_it.join()


def post(public, body, cookie=None):
    """The visitor's `_fh` after it."""
    headers = {"Origin": "https://www.shop.example", "User-Agent": AGENT, **({"Cookie": cookie} if cookie else {})}
    request = urllib.request.Request(f"{public}/e", data=json.dumps(body).encode(), headers=headers)
    with contextlib.closing(urllib.request.urlopen(request, timeout=PATIENCE_S)) as answer:
        assert answer.status == 204
        lines = answer.headers.get_all("Set-Cookie") or []
    return next((line.partition(";")[0] for line in lines if line.startswith("_fh=")), None)


def test_what_is_taken_back_while_it_waits_is_never_sent(tmp_path, platform):
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=platform.server_port))
    with serving(tmp_path) as (_, public, _):
        ann = post(public, {"consent": AGREED, "events": [{"id": "of-ann", "name": "purchase"}]})
        platform.wait(lambda: any("of-ann" in body for body in platform.asked))
        assert post(public, {"consent": REFUSED, "events": []}, ann) == "_fh="
        post(public, {"consent": AGREED, "events": [{"id": "of-bob", "name": "purchase"}]})
        platform.wait(lambda: any("of-bob" in body for body in platform.asked))  # that was read after the withdrawal
        platform.is_down = False
        platform.wait(lambda: platform.taken)
    assert "of-bob" in platform.taken[0]
    assert not any("of-ann" in body for body in platform.taken)
