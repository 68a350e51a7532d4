"""`firsthand export` and `firsthand erase`."""

import asyncio
import hashlib
import json

import pytest
from click.testing import CliRunner

from proxy.cli import root
from proxy.clock import system_clock
from proxy.commands import erase as erasing
from proxy.config.load import load
from proxy.config.machine import data_folder, keyring
from proxy.event import ConsentState, Data, Event, Purpose, User, Visitor, replace
from proxy.log.base import DeadLetter, Outcome, ReaderState
from proxy.log.sqlite import SqliteLog
from proxy.privacy.proof import Proof
from proxy.privacy.refusal import Refusal

TOKEN = "s3cr3t-token-0123456789"
CONFIG = f"""\
site: {{origins: [https://www.shop.example]}}
destinations:
  meta: {{kind: meta, pixel_id: "1", access_token: {TOKEN}}}
  ga: {{kind: ga4, measurement_id: G-ABC1234567, api_secret: secret-of-ga}}
"""


def event(number, *, visitor=None, email=None, phone=None, order=None, external_id=None):
    return Event(
        id=f"o-{number}",
        name="purchase",
        time=1,
        visitor=Visitor(id=visitor, first_seen=1) if visitor else None,
        user=User(
            email=(email,) if email else (),
            phone=(phone,) if phone else (),
            external_id=(external_id,) if external_id else (),
        ),
        data=Data(order_id=order),
    )


EVENTS = [
    event(1, visitor="v_ann"),
    event(2, visitor="v_ann", email="Ann@Example.com", order="A-1"),
    event(3, email=hashlib.sha256(b"ann@example.com").hexdigest(), phone="+49 171 1234567"),
    event(4, visitor="v_bob", email="bob@example.com", external_id="C 7"),
]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def in_log(config):
    def run(use):
        async def used():
            settings = load(config).settings
            log = await SqliteLog.open(data_folder(settings), keyring(settings), settings.log, system_clock)
            try:
                return await use(log)
            finally:
                await log.close()

        return asyncio.run(used())

    return run


@pytest.fixture(autouse=True)
def filled(in_log, monkeypatch):
    """Meta took 1, was not sent 2, refused 3; 4 waits. GA4 has not begun."""
    monkeypatch.setattr(erasing, "LEARN_S", 0)
    granted = ConsentState.GRANTED
    states = {"marketing": granted, "analytics": granted, "personalization": granted, "sale": granted}

    async def fill(log):
        proofs = [
            Proof(at=5, visitor=who, source="tcf", config="c", network="198.51.100.0/24", browser="Chrome", **states)
            for who in ("v_ann", "v_bob")
        ]
        await log.append(EVENTS, proofs)
        letter = DeadLetter(seq=3, why="bad", detail=f"no {TOKEN}", at_ms=7)
        outcome = Outcome(settled=[1, 2], missed=[2], dead=[letter], state=ReaderState())
        await log.commit(await log.read("meta", 3), outcome)
        await log.read("ga", 1)

    in_log(fill)


@pytest.fixture
def left(in_log):
    async def ids(log):
        return [entry.event.id for entry in (await log.read("fresh", 10)).entries]

    return lambda: in_log(ids)


@pytest.fixture
def run(config):
    def run(name, *arguments, code=0, **more):
        result = CliRunner().invoke(root, [name, "-c", str(config), *arguments], **more)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def exported(run):
    return lambda *arguments: [json.loads(line) for line in run("export", *arguments).stdout.splitlines()]


def numbers(lines):
    return [line["number"] for line in lines if line["type"] == "event"]


def test_an_export_has_all_that_is_stored_and_what_became_of_it(exported):
    lines = exported("--email", "ann@example.com")
    assert [line["type"] for line in lines] == ["visitor", "event", "event", "event", "dead_letter", "consent"]
    assert lines[0] == {"type": "visitor", "id": "v_ann", "erased": False}
    assert [line["destinations"]["meta"] for line in lines[1:4]] == ["delivered", "not_sent", "dead"]
    assert {line["destinations"]["ga"] for line in lines[1:4]} == {"waiting"}
    assert lines[2]["event"]["user"]["email"] == ["Ann@Example.com"]
    assert lines[4] == {
        "type": "dead_letter",
        "destination": "meta",
        "number": 3,
        "at_ms": 7,
        "why": "bad",
        "detail": "no ***",
    }
    assert lines[5]["proof"]["network"] == "198.51.100.0/24"


def test_what_was_taken_back_is_shown_and_goes_with_the_rest(exported, in_log, run):
    in_log(lambda log: log.append([], [], [Refusal("v_ann", (Purpose.MARKETING, Purpose.SALE))]))
    (line,) = [line for line in exported("v_ann") if line["type"] == "refusal"]
    assert line == {"type": "refusal", "purposes": ["marketing", "sale"], "up_to": 4}
    assert "refusal" not in {line["type"] for line in exported("v_bob")}
    run("erase", "v_ann", "--yes")
    assert "refusal" not in {line["type"] for line in exported("v_ann")}


def test_an_export_shows_match_keys_that_were_remembered_from_an_earlier_event(exported, in_log):
    digest = hashlib.sha256(b"ann@example.com").hexdigest()
    later = replace(event(5, visitor="v_ann", email=digest), remembered=("email",))
    in_log(lambda log: log.append([later]))
    (line,) = [line for line in exported("v_ann") if line.get("number") == 5]
    assert line["event"]["user"]["email"] == [digest]
    assert line["event"]["remembered"] == ["email"]
    assert 5 in numbers(exported("--email", "ann@example.com", "--only-matching"))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["v_ann"], [1, 2]),
        (["--email", hashlib.sha256(b"ann@example.com").hexdigest()], [1, 2, 3]),
        (["--email", "ann@example.com", "--only-matching"], [2, 3]),
        (["--phone", "0049 171 123 4567"], [3]),
        (["--external-id", "C 7"], [4]),
        (["--order", "A-1"], [1, 2]),
        (["--order", "A-2"], []),
        (["v_nobody"], []),
    ],
)
def test_a_person_is_found_by_whatever_the_site_knows(exported, arguments, found):
    assert numbers(exported(*arguments)) == found


@pytest.mark.parametrize("name", ["export", "erase"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say who"),
        (["v_ann", "--order", "A-1"], "say who"),
        (["--email", "ann at example"], "is neither an e-mail address"),
    ],
)
def test_who_must_be_said_and_make_sense(run, name, arguments, words):
    assert words in run(name, *arguments, code=2).output


def test_erasing_deletes_the_person_and_nobody_else(run, left, exported):
    result = run("erase", "--email", "ann@example.com", input="y\n")
    assert "3 events, 1 dead letters, 1 proofs of consent" in result.output
    assert "3 still wait for ga" in result.output
    assert "meta has accepted 1 events: no call that deletes single events is known" in result.output
    assert "3 events erased" in result.output
    assert left() == ["o-4"]
    lines = exported("v_ann")
    assert [line["type"] for line in lines] == ["visitor", "consent"]
    assert lines[0]["erased"]
    assert (lines[1]["proof"]["source"], lines[1]["proof"]["network"]) == ("tcf", None)
    assert numbers(exported("--email", "ann@example.com")) == []


def test_nothing_is_done_unless_the_operator_says_yes(run, left):
    assert "Aborted" in run("erase", "v_ann", input="n\n", code=1).output
    assert "nothing was done" in run("erase", "v_ann", "--dry-run").output
    assert len(left()) == 4


def test_only_matching_leaves_the_visitor_alone(run, left, exported):
    run("erase", "--email", "ann@example.com", "--only-matching", "--yes")
    assert left() == ["o-1", "o-4"]
    assert exported("v_ann")[0] == {"type": "visitor", "id": "v_ann", "erased": False}


def test_a_visitor_of_whom_nothing_is_stored_is_revoked_all_the_same(run, exported):
    run("erase", "v_carl", "--yes")
    assert exported("v_carl") == [{"type": "visitor", "id": "v_carl", "erased": True}]


def test_a_key_that_finds_nobody_says_so(run):
    assert "nothing is stored about this person" in run("erase", "--order", "Z", "--yes").output


def test_what_an_update_left_behind_is_named(run, tmp_path):
    (tmp_path / "data" / "log.db.format-1").write_text("a copy")
    output = run("erase", "v_ann", "--dry-run").output
    assert f"not reached: {tmp_path / 'data' / 'log.db.format-1'}, a copy of before an update; delete it" in output


def test_json_tells_the_same(run):
    assert "--json asks nothing" in run("erase", "v_ann", "--json", code=2).output
    assert json.loads(run("erase", "v_ann", "--json", "--yes").output) == {
        "dry_run": False,
        "erased": 2,
        "overwritten": True,
        "found": {
            "visitors": ["v_ann"],
            "events": 2,
            "dead_letters": 0,
            "consents": 1,
            "sent_to": {"meta": 1},
            "waiting_for": {"ga": 2},
            "copies": [],
        },
    }


def test_what_a_collector_stores_before_it_learns_is_erased_too(config, in_log):
    """The command waits until every collector knows, then looks again."""

    async def beside(log):
        async def late(seconds):
            await log.append([event(9, visitor="v_ann")])

        found = load(config)
        person = (await erasing._look(found, erasing.chosen(visitor="v_ann"), only_matching=False))[0]
        erased = await erasing.erase(found, person, late)
        return erased, [entry.event.id for entry in (await log.read("fresh", 10)).entries]

    assert in_log(beside) == ((3, True), ["o-3", "o-4"])
