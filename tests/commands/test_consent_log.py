import asyncio
import json

import pytest
from click.testing import CliRunner

from proxy.cli import root
from proxy.clock import DAY_MS, system_clock
from proxy.config.load import load
from proxy.config.machine import data_folder, keyring
from proxy.event import ConsentState
from proxy.log.sqlite import SqliteLog
from proxy.privacy.proof import Proof


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("site: {origins: [https://www.shop.example]}\n")

    def decided(days_ago, visitor, state):
        return Proof(
            at=system_clock() - days_ago * DAY_MS,
            visitor=visitor,
            source="tcf\x1b[2J",
            marketing=state,
            analytics=state,
            personalization=state,
            sale=ConsentState.UNKNOWN,
            config="c0ffee",
            host="www.shop.example",
            network="198.51.100.0/24",
            browser="Firefox",
            region="US-CA",
            receipts={"euconsent-v2": "CQ1fZ"},
        )

    async def fill():
        settings = load(path).settings
        log = await SqliteLog.open(data_folder(settings), keyring(settings), settings.log, system_clock)
        granted, denied = ConsentState.GRANTED, ConsentState.DENIED
        await log.append([], [decided(9, "v_ann", granted), decided(5, "v_bob", granted), decided(1, "v_ann", denied)])
        await log.close()

    asyncio.run(fill())
    return path


def run(config, *arguments):
    result = CliRunner().invoke(root, ["consent-log", "-c", str(config), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_shows_who_by_digest_what_and_whence(config):
    lines = run(config).splitlines()
    assert len(lines) == 3
    assert "marketing=granted analytics=granted personalization=granted sale=unknown" in lines[0]
    assert "configuration c0ffee  www.shop.example 198.51.100.0/24 Firefox" in lines[0]
    assert "with euconsent-v2" in lines[0]
    assert "v_ann" not in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert lines[0].split()[1] == lines[2].split()[1] != lines[1].split()[1]


def test_it_can_be_narrowed_to_a_time_and_a_visitor(config):
    assert len(run(config, "--since", "6d").splitlines()) == 2
    assert len(run(config, "--until", "6d").splitlines()) == 1
    assert [line.split()[2] for line in run(config, "--visitor", "v_ann").splitlines()] == [
        "marketing=granted",
        "marketing=denied",
    ]
    assert run(config, "--visitor", "v_nobody") == "no decisions from that time\n"
    assert run(config, "--visitor", "v_nobody", "--json") == ""


def test_json_has_one_object_a_line(config):
    rows = [json.loads(line) for line in run(config, "--json").splitlines()]
    assert set(rows[0]) == {"at_ms", "visitor", "proof"}
    assert rows[2]["proof"] == {
        "source": "tcf\x1b[2J",
        "marketing": "denied",
        "analytics": "denied",
        "personalization": "denied",
        "sale": "unknown",
        "config": "c0ffee",
        "decided_at": None,
        "host": "www.shop.example",
        "network": "198.51.100.0/24",
        "browser": "Firefox",
        "region": "US-CA",
        "receipts": {"euconsent-v2": "CQ1fZ"},
    }
