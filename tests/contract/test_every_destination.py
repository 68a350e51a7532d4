"""What holds for every platform, whatever it is. A new one is in as soon as its file and golden folder exist."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from proxy.destinations import load_all
from proxy.destinations.base import Destination, DestinationSettings, Reply, Request
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.event import Event, decode_event, encode_json, replace
from proxy.identity import hashing

ROOT = Path(__file__).parents[2]
KINDS = sorted(load_all())
FORBIDDEN = [
    hashing.sha256_hex(junk) for junk in ("", "null", "undefined", "None", "none", "nan", "NaN", "[object Object]", "+")
]
VERDICTS = (Delivered, RetryLater, Rejected, AuthBroken)
CALM = settings(max_examples=60)


@pytest.fixture(scope="module", params=KINDS)
def destination(request):
    folder = ROOT / "tests" / "golden" / request.param
    given_settings = json.loads((folder / "settings.json").read_text())
    platform = load_all()[request.param]
    return platform("contract", platform.Settings.model_validate({"kind": request.param, **given_settings}))


def bytes_of(built):
    return b"".join(f"{one.method} {one.url}\n".encode() + (one.body or b"") for one in built.requests)


def test_it_says_how_data_that_was_sent_is_deleted_there(destination):
    """`firsthand erase` shows it."""
    assert destination.deletion != Destination.deletion


@CALM
@given(data=st.data())
def test_every_event_is_sent_or_refused_and_nothing_raises(destination, events, now_ms, data):
    given_events = data.draw(st.lists(events, max_size=4))
    built = destination.build(given_events, now_ms)
    places = [row for request in built.requests for row in request.rows] + [one.row for one in built.refused]
    assert sorted(places) == list(range(len(given_events)))
    for one in built.refused:
        assert one.refusal.why.isascii()
        assert len(one.refusal.why) <= 30
        assert one.refusal.detail
    for request in built.requests:
        if request.headers.get("Content-Type") == "application/json":
            json.loads(request.body, parse_constant=pytest.fail)


@CALM
@given(data=st.data())
def test_the_same_events_are_the_same_bytes_also_after_the_log(destination, events, now_ms, data):
    given_events = data.draw(st.lists(events, min_size=1, max_size=3))
    stored = [decode_event(encode_json(event)) for event in given_events]
    assert bytes_of(destination.build(given_events, now_ms)) == bytes_of(destination.build(stored, now_ms))


@CALM
@given(data=st.data())
def test_what_is_refused_does_not_change_what_is_sent(destination, events, now_ms, data):
    given_events = data.draw(st.lists(events, min_size=1, max_size=3))
    built = destination.build(given_events, now_ms)
    refused = {one.row for one in built.refused}
    kept = [event for row, event in enumerate(given_events) if row not in refused]
    assert bytes_of(destination.build(kept, now_ms)) == bytes_of(built)


@CALM
@given(data=st.data())
def test_no_raw_email_phone_or_name_leaves(destination, people, now_ms, data):
    person = data.draw(people)
    email, phone = person.user.email[0], person.user.phone[0]
    told = replace(
        person,
        page=replace(person.page, url=f"https://shop.example/?mail={email}", referrer=f"https://shop.example/{email}"),
        custom={"note": email, "email": email, "phone": phone},
    )
    for event in (person, told):
        text = bytes_of(destination.build([event], now_ms)).decode().lower()
        assert email not in text
        assert phone[3:].replace(" ", "") not in text.replace(" ", "")
        assert "zebulon" not in text


@CALM
@given(data=st.data())
def test_no_digest_of_junk_leaves(destination, people, now_ms, data):
    junk = data.draw(
        st.sampled_from(["", "null", "undefined", "None", "nan", "NaN", "[object Object]", "+", *FORBIDDEN])
    )
    person = data.draw(people)
    fields = dict.fromkeys(("first_name", "last_name", "city", "state", "zip", "country", "gender"), junk)
    user = replace(person.user, email=(junk,), phone=(junk,), external_id=(junk,), birth_date=junk, **fields)
    text = bytes_of(destination.build([replace(person, user=user)], now_ms)).decode()
    assert not [digest for digest in FORBIDDEN if digest in text]


def test_batches_stay_within_the_limits(destination, now_ms):
    platform = type(destination)
    event = Event(id="e", name="lead", time=now_ms)
    for size in (None, 1, 7, 10**6):
        wanted = platform("c", destination.settings.model_copy(update={"batch_size": size}))
        assert 1 <= wanted.batch_size <= platform.limits.batch
        built = wanted.build([replace(event, id=str(number)) for number in range(platform.limits.batch + 1)], now_ms)
        assert all(len(request.rows) <= wanted.batch_size for request in built.requests)


@CALM
@given(data=st.data())
def test_every_request_holds_what_its_rows_are_counted_once_by(destination, people, now_ms, data):
    batch = data.draw(st.lists(people, min_size=1, max_size=3, unique_by=lambda event: event.id))
    for request in destination.build(batch, now_ms).requests:
        text = (request.body or b"").decode() + request.url
        assert all(batch[row].id in text or batch[row].data.order_id in text for row in request.rows)


@CALM
@given(
    status=st.integers(0, 599),
    body=st.binary(max_size=60)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "code", "error_subcode", "message", "messages", "events"]), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(st.sampled_from(["retry-after", "content-type"]), st.text(max_size=9)),
)
def test_every_answer_is_read(destination, status, body, headers):
    assert isinstance(destination.judge(Reply(status=status, headers=headers, body=body, sent=1)), VERDICTS)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=0, error="timeout"),
        Reply(status=500),
        Reply(status=502, body=b"<html>"),
        Reply(status=503, headers={"retry-after": "30"}),
        Reply(status=504),
    ],
    ids=lambda reply: str(reply.status),
)
def test_an_outage_loses_nothing(destination, reply):
    assert isinstance(destination.judge(reply), RetryLater)


def test_the_probe_is_one_request_without_events(destination, now_ms):
    probe = destination.probe(now_ms)
    assert isinstance(probe, Request)
    assert probe.rows == ()


@CALM
@given(data=st.data(), why=st.text(max_size=8) | st.sampled_from(["2804001", "100"]))
def test_a_repaired_event_is_another_event_and_is_repaired_once(destination, events, data, why):
    event = data.draw(events)
    mended = destination.repair(event, why)
    if mended is not None:
        assert (mended.id, mended.name, mended.time) == (event.id, event.name, event.time)
        assert mended != event
        assert destination.repair(mended, why) is None


def test_secrets_are_hidden_wherever_the_settings_are_shown(destination):
    shown = repr(destination.settings) + str(destination.settings) + destination.settings.model_dump_json()
    assert not [secret for secret in destination.secrets() if secret in shown]


@pytest.mark.parametrize("kind", KINDS)
def test_every_platform_has_a_page_in_the_manual(kind):
    assert (ROOT / "docs" / "destinations" / f"{kind}.md").read_text().startswith("# ")


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_platform_has_a_help_text_and_a_line_in_its_page(kind):
    page = (ROOT / "docs" / "destinations" / f"{kind}.md").read_text()
    for name, field in load_all()[kind].Settings.model_fields.items():
        assert field.description, f"{kind}: {name}"
        assert name in DestinationSettings.model_fields or f"`{name}`" in page, f"{kind}: {name}"
