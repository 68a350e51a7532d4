"""What is past its retention is gone from a running service: events, dead letters, proofs of consent, erased visitors."""

import json
import shutil
import time

import pytest
from click.testing import CliRunner

from proxy.cli import root
from tests.commands.test_serve import PATIENCE_S, fetch, serving, token_of

pytestmark = pytest.mark.timeout(400)

CONFIG = """\
site: {{origins: ['https://www.shop.example']}}
listen: {{host: 127.0.0.1, port: 0}}
admin: {{port: 0}}
relay: {{wait_s: 0}}
log: {{retention_days: {events}, dead_days: {dead}, consent_days: {consents}, erased_days: {erased}}}
destinations:
  meta: {{kind: meta, pixel_id: "1", access_token: t-0, base_url: "http://127.0.0.1:9"}}
rules: [{{name: purchases, when: {{event: purchase}}, send_to: [meta]}}]
"""
LONG = {"events": 30, "dead": 7, "consents": 1490, "erased": 400}
A_MOMENT = 1e-6  # days: 86 ms
CONSENT = {"marketing": "granted", "source": "tcf"}


def body(event, **user):
    return {"consent": CONSENT, "user": user, "events": [event]}


def held(admin, folder, wanted):
    """What the service says it holds, once it is what is wanted, or when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = json.loads(fetch(f"{admin}/status.json", token=token_of(folder))[1])
        log = status["log"]
        found = {
            "events": log["events"],
            "dead": status["destinations"][0]["dead"],
            "consents": log["consents"],
            "erased": log["erased"],
        }
        if found == wanted or time.monotonic() > deadline:
            return found, log
        time.sleep(0.05)


@pytest.fixture(scope="module")
def once_filled(tmp_path_factory):
    """A data folder with two events, a dead letter, three visitors' proofs of consent, and one of them erased."""
    folder = tmp_path_factory.mktemp("filled")
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(**LONG))
    with serving(folder) as (_, public, admin):
        for event, user in (
            ({"id": "l-1", "name": "lead"}, {"email": "ann@example.com"}),  # first: the count is from the oldest on
            ({"id": "p-1", "name": "purchase", "data": {"value": 5}}, {}),  # Meta wants a currency: a dead letter
            ({"id": "v-1", "name": "page_view"}, {}),
        ):
            assert fetch(f"{public}/e", body(event, **user))[0] == 204
        erasing = CliRunner().invoke(root, ["erase", "-c", str(path), "--email", "ann@example.com", "--yes"])
        assert erasing.exit_code == 0, erasing.output
        wanted = {"events": 2, "dead": 1, "consents": 3, "erased": 1}
        assert held(admin, folder, wanted)[0] == wanted
    return folder


@pytest.fixture
def filled(once_filled, tmp_path):
    return shutil.copytree(once_filled, tmp_path / "filled")


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("events", {"events": 0, "dead": 1, "consents": 3, "erased": 1}),  # a dead letter outlives its event
        ("dead", {"events": 2, "dead": 0, "consents": 3, "erased": 1}),
        ("consents", {"events": 2, "dead": 1, "consents": 0, "erased": 1}),
        ("erased", {"events": 2, "dead": 1, "consents": 3, "erased": 0}),
    ],
)
def test_each_kind_of_data_ends_with_its_own_retention_and_no_other(filled, kind, left):
    (filled / "config.yaml").write_text(CONFIG.format(**{**LONG, kind: A_MOMENT}))
    with serving(filled) as (_, _, admin):
        found, log = held(admin, filled, left)
    assert found == left
    assert log["last_purge"]["at_ms"] > 0
