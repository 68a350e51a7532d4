"""The wire form: what becomes an event, what is refused and with which words, and whom we believe."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from proxy.clock import DAY_MS
from proxy.errors import WireError
from proxy.event import ClickId, Consent, ConsentState, Event, Item, Page, User, Visitor, decode_event, encode_json
from proxy.wire import MAX_EVENTS, Landing, Parsed, Reason, parse, usual
from proxy.wire.parse import _read

NOW = 1_790_000_010_000

ENVELOPE = {
    "sent_at": NOW - 100,
    "page": {"url": "https://shop.example/thanks?fbclid=AbC", "referrer": "https://shop.example/pay"},
    "consent": {"marketing": "granted"},
    "user": {"email": "Ann@Example.com"},
    "browser_ids": {"fbp": "fb.1.1790000000000.123"},
    "click_ids": {"gclid": {"value": "x", "clicked_at": NOW - 5_000}},
    "events": [
        {
            "id": "o-1001",
            "name": "purchase",
            "time": NOW - 200,
            "data": {
                "value": 59.90,
                "currency": "EUR",
                "order_id": "o-1001",
                "items": [{"id": "sku-1", "name": "Mug", "price": 29.95, "quantity": 2}],
            },
        }
    ],
}


def read(body, *, trusted: bool = False, **options) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(raw, received_ms=NOW, trusted=trusted, **options)


def one(body, **options) -> Event:
    parsed = read(body, **options)
    assert not parsed.refused, parsed.refused
    (event,) = parsed.events
    return event


def refusal(body, **options):
    parsed = read(body, **options)
    assert not parsed.events
    (refused,) = parsed.refused
    return refused


# The three forms of a body


def test_an_envelope_shares_its_fields_with_its_events():
    event = one(ENVELOPE)
    assert event.id == "o-1001"
    assert event.page == Page(url="https://shop.example/thanks?fbclid=AbC", referrer="https://shop.example/pay")
    assert event.consent == Consent(marketing=ConsentState.GRANTED)
    assert event.user == User(email=("Ann@Example.com",))
    assert event.click_ids == {"gclid": ClickId(value="x", clicked_at=NOW - 5_000)}
    assert event.data.items == (Item(id="sku-1", name="Mug", price=Decimal("29.95"), quantity=2),)


def test_money_never_passes_through_a_float():
    event = one(b'{"name": "purchase", "data": {"value": 59.90, "tax": 0.1, "shipping": "4.90"}}')
    assert str(event.data.value) == "59.90"
    assert (event.data.tax, event.data.shipping) == (Decimal("0.1"), Decimal("4.90"))


def test_one_event_a_list_and_an_envelope_say_the_same():
    single = {"id": "1", "name": "lead", "time": NOW}
    assert one(single) == one([single]) == one({"events": [single]})


@pytest.mark.parametrize("extra", ["", ', "debug": "x"'])  # the usual way, and the long way round
def test_an_empty_object_is_nobody_and_not_the_shared_person(extra):
    events = f'[{{"name": "a", "user": {{}}{extra}}}, {{"name": "b"}}]'
    body = f'{{"user": {{"email": "ann@example.com"}}, "events": {events}}}'
    first, second = parse(body.encode(), received_ms=NOW, trusted=False).events
    assert first.user.email == ()
    assert second.user.email == ("ann@example.com",)


def test_an_events_own_field_wins_key_by_key():
    parsed = read(
        {
            "user": {"email": "a@example.com", "city": "Ghent"},
            "page": {"url": "https://shop.example/a", "title": "A"},
            "consent": {"marketing": "granted", "analytics": "denied"},
            "click_ids": {"gclid": "g1", "fbclid": "f1"},
            "custom": {"a": 1, "b": 2},
            "events": [
                {
                    "name": "lead",
                    "user": {"email": "b@example.com"},
                    "page": {"title": "B"},
                    "consent": {"marketing": "denied"},
                    "click_ids": {"gclid": "g2"},
                    "custom": {"b": 3},
                },
                {"name": "lead"},
            ],
        }
    )
    first, second = parsed.events
    assert first.user == User(email=("b@example.com",), city="Ghent")
    assert first.page == Page(url="https://shop.example/a", title="B")
    assert first.consent == Consent(marketing=ConsentState.DENIED, analytics=ConsentState.DENIED)
    assert {name: click.value for name, click in first.click_ids.items()} == {"gclid": "g2", "fbclid": "f1"}
    assert first.custom == {"a": 1, "b": 3}
    assert second.user.email == ("a@example.com",)
    assert second.consent.marketing is ConsentState.GRANTED


def test_one_bad_event_never_costs_the_others():
    parsed = read(
        [
            {"name": "lead"},
            {"name": "purchase", "data": {"value": "a lot"}},
            "what",
            {"data": {}},
            {"name": "purchase", "data": {"items": [{"id": "a"}, {"quantity": -1}]}},
            {"name": "contact"},
        ]
    )
    assert [event.name for event in parsed.events] == ["lead", "contact"]
    assert [(fault.index, fault.where, fault.reason) for fault in parsed.refused] == [
        (1, "[1].data.value", Reason.WRONG_TYPE),
        (2, "[2]", Reason.MALFORMED),
        (3, "[3].name", Reason.MISSING),
        (4, "[4].data.items[1].quantity", Reason.OUT_OF_RANGE),
    ]


def test_a_fault_in_a_shared_field_is_shown_where_it_stands():
    parsed = read({"page": 5, "events": [{"name": "lead"}, {"name": "contact"}]})
    assert not parsed.events
    assert [(fault.index, fault.where) for fault in parsed.refused] == [(0, "page"), (1, "page")]


def test_the_place_in_an_envelope_names_events():
    assert refusal({"events": [{"name": "x", "data": 5}]}).where == "events[0].data"
    assert refusal({"name": "x", "data": 5}).where == "data"


def test_a_hundred_events_are_read_and_one_more_is_not():
    assert len(read([{"name": "lead"}] * MAX_EVENTS).events) == MAX_EVENTS
    with pytest.raises(WireError, match="101 events; one request carries at most 100") as caught:
        read([{"name": "lead"}] * (MAX_EVENTS + 1))
    assert caught.value.reason == Reason.TOO_MANY


# Bodies that are no events at all


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"  \n", Reason.EMPTY),
        (b"[]", Reason.EMPTY),
        (b'{"events": []}', Reason.EMPTY),
        (b'{"name": "lead"', Reason.MALFORMED),
        (b"name=lead", Reason.MALFORMED),
        (b"5", Reason.MALFORMED),
        (b"null", Reason.MALFORMED),
        (b'"lead"', Reason.MALFORMED),
        (b'{"events": {"name": "lead"}}', Reason.MALFORMED),
        (b"[" * 10_000 + b"]" * 10_000, Reason.TOO_DEEP),
        (b'{"name": "lead", "custom": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}", Reason.TOO_DEEP),
        (b"\xff\xfe{\x00}\x00", Reason.MALFORMED),
    ],
)
def test_an_unusable_body_is_a_wire_error(body, reason):
    with pytest.raises(WireError) as caught:
        read(body)
    assert caught.value.reason == reason


def test_broken_json_says_where():
    with pytest.raises(WireError, match="line 2, column 1"):
        read(b'{"name": "lead",\n}')


# Repairs


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"name": "lead", "page": {"title": "ok"}}',
        b'{"name": "lead", "page": {"title": "ok\\u0000"}}',
        b'{"name": "lead", "page": {"title": "ok\x00"}}',
        b'{"name": "lead", "page": {"title": " ok\x07 "}}',
        b'{"name": "contact", "name": "lead", "page": {"title": "ok"}}',
    ],
)
def test_what_encoders_break_is_repaired(body):
    event = one(body)
    assert (event.name, event.page.title) == ("lead", "ok")


@pytest.mark.parametrize(
    ("title", "read_as"),
    [
        (rb"\ud83d", "\ufffd"),
        (rb"a\ude00b", "a\ufffdb"),
        (rb"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"),
    ],
)
def test_half_characters_cost_the_character_and_not_the_event(title, read_as):
    event = one(b'{"name": "lead", "page": {"title": "%b"}, "data": {"value": 1.10}}' % title)
    assert event.page.title == read_as
    assert str(event.data.value) == "1.10"


# Numbers


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("59.90", "59.90"),
        (" 12 ", "12"),
        ("-5", "-5"),
        ("1e2", "100"),
        (0, "0"),
        (59.900000000000006, "59.900000000000006"[:15]),
        ("0.1234567890123456789", "0.123456789012"),
        ("1E-999999", "0E-12"),
        ("0E+999999", "0"),
    ],
)
def test_amounts_are_exact_and_bounded(given, stored):
    assert str(one({"name": "x", "data": {"value": given}}).data.value) == stored


@pytest.mark.parametrize("given", ["NaN", "Infinity", "-inf", "sNaN", "1" * 400, "9e15", 10**400])
def test_numbers_beyond_all_bounds_are_refused(given):
    fault = refusal({"name": "x", "data": {"value": given}})
    assert (fault.where, fault.reason) == ("data.value", Reason.OUT_OF_RANGE)


@pytest.mark.parametrize("written", [b"NaN", b"-Infinity", b"1" * 5_000, b"1e400", b"1e999999999999999999999"])
def test_a_number_no_platform_could_take_costs_its_own_event_only(written):
    parsed = read(b'[{"name": "x", "data": {"value": %b}}, {"name": "y"}]' % written)
    assert [event.name for event in parsed.events] == ["y"]
    assert [fault.where for fault in parsed.refused] == ["[0].data.value"]


@pytest.mark.parametrize("given", ["a lot", "1,299.00", "59,90", True, [1], {"amount": 1}])
def test_what_is_not_a_number_is_refused(given):
    assert refusal({"name": "x", "data": {"value": given}}).reason == Reason.WRONG_TYPE


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [(-1, Reason.OUT_OF_RANGE), (1.5, Reason.WRONG_TYPE), (10**10, Reason.OUT_OF_RANGE), ("two", Reason.WRONG_TYPE)],
)
def test_a_quantity_counts_things(quantity, reason):
    fault = refusal({"name": "x", "data": {"items": [{"quantity": quantity}]}})
    assert (fault.where, fault.reason) == ("data.items[0].quantity", reason)


def test_a_quantity_may_be_text_or_have_a_zero_fraction():
    event = one({"name": "x", "data": {"items": [{"quantity": "2"}, {"quantity": 3.0}], "num_items": "5"}})
    assert [item.quantity for item in event.data.items] == [2, 3]
    assert event.data.num_items == 5


# Text and identifiers


def test_a_long_text_is_cut_and_a_long_identifier_is_refused():
    assert len(one({"name": "x", "page": {"title": "t" * 9_000}}).page.title) == 2_048
    for body, where in [
        ({"name": "n" * 101}, "name"),
        ({"name": "x", "id": "i" * 201}, "id"),
        ({"name": "x", "data": {"order_id": "o" * 201}}, "data.order_id"),
    ]:
        fault = refusal(body)
        assert (fault.where, fault.reason) == (where, Reason.TOO_LONG)


def test_match_keys_may_be_one_or_several_and_hashes_are_kept():
    digest = "A" * 64
    event = one({"name": "x", "user": {"email": ["a@example.com", None, digest], "phone": 491701234567, "zip": 10115}})
    assert event.user == User(email=("a@example.com", digest), phone=("491701234567",), zip="10115")


def test_a_match_key_too_long_to_be_one_costs_a_browser_only_that_key():
    body = {"name": "x", "user": {"email": "e" * 600, "city": "Ghent"}}
    parsed = read(body)
    assert parsed.events[0].user == User(city="Ghent")
    assert parsed.ignored == ("user.email",)
    assert refusal(body, trusted=True).where == "user.email"


def test_nothing_given_is_nothing_said():
    event = one({"name": "x", "user": {"email": "", "phone": None, "city": " "}, "data": {"value": "", "items": None}})
    assert event.user == User()
    assert event.data.value is None


def test_other_names_people_use_are_understood():
    event = one(
        {
            "event": "lead",
            "event_id": "7",
            "user": {"emails": ["a@example.com"], "postalCode": "9000", "dateOfBirth": "1990-01-31", "region": "OVL"},
            "data": {"transaction_id": "t-1", "products": [{"item_id": "s", "qty": 1, "item_name": "Mug"}]},
        }
    )
    assert (event.name, event.id) == ("lead", "7")
    assert event.user == User(email=("a@example.com",), zip="9000", birth_date="1990-01-31", state="OVL")
    assert event.data.order_id == "t-1"
    assert event.data.items == (Item(id="s", name="Mug", quantity=1),)


def test_a_fields_own_name_beats_its_alias():
    assert one({"event": "contact", "name": "lead"}).name == "lead"
    assert one({"name": "x", "data": {"transaction_id": "no", "order_id": "yes"}}).data.order_id == "yes"


def test_fields_of_data_may_stand_beside_it():
    event = one({"event": "purchase", "value": "120", "currency": "eur", "items": ["sku-1"]}, trusted=True)
    assert (event.data.value, event.data.currency) == (Decimal(120), "EUR")
    assert event.data.items == (Item(id="sku-1"),)


def test_unknown_keys_of_data_are_kept_in_custom():
    event = one({"name": "x", "data": {"value": 1, "plan": "gold", "seats": 4.5}, "custom": {"plan": "own"}})
    assert event.custom == {"plan": "own", "seats": 4.5}


@pytest.mark.parametrize("code", ["EURO", "E1R", "€", "EUR\nX", 978])
def test_a_currency_is_three_letters(code):
    assert refusal({"name": "x", "data": {"currency": code}}).where == "data.currency"


def test_free_values_are_bounded():
    deep: object = "x"
    for _ in range(500):
        deep = [deep]
    fault = refusal({"name": "x", "custom": {"a": deep}})
    assert (fault.where, fault.reason) == ("custom.a", Reason.TOO_DEEP)
    assert refusal(b'{"name": "x", "custom": {"a": 1e400}}').reason == Reason.OUT_OF_RANGE
    assert one({"name": "x", "custom": {"a": 2**80}}).custom == {"a": float(2**80)}


# Identifiers out of URLs and cookies


@pytest.mark.parametrize(
    "value", ["abc\r\nSet-Cookie: a=b", "a b", "a;b", "é", "{gclid}", "__CLICKID__", "x" * 513, "a\x00", ["a"], True]
)
def test_a_click_id_that_cannot_be_one_costs_a_browser_only_the_click_id(value):
    body = {"name": "purchase", "click_ids": {"gclid": value, "fbclid": "AbC_d-e"}}
    parsed = read(body)
    assert {name: click.value for name, click in parsed.events[0].click_ids.items()} == {"fbclid": "AbC_d-e"}
    assert parsed.ignored == ("click_ids.gclid",)
    assert refusal(body, trusted=True).where == "click_ids.gclid"


def test_a_plain_click_id_was_clicked_when_the_event_happened():
    event = one({"name": "x", "time": NOW - 50, "click_ids": {"ScCid": "A-b"}})
    assert event.click_ids == {"sccid": ClickId(value="A-b", clicked_at=NOW - 50)}


def test_browser_ids_lose_the_underscore_of_their_cookie_and_unusable_ones_are_left_out():
    parsed = read({"name": "x", "browser_ids": {"_fbp": "fb.1.1.2", "fbc": "fb.1.1.a\nb", "bad name": "x"}})
    assert parsed.events[0].browser_ids == {"fbp": "fb.1.1.2"}
    assert parsed.ignored == ("browser_ids.fbc", "browser_ids.bad name")


# Whom we believe


def test_a_browser_cannot_state_what_the_connection_says():
    said = {"client": {"ip": "192.0.2.1"}, "visitor": "v", "source": "server", "attribution": {}}
    parsed = read({"name": "x", **said})
    (event,) = parsed.events
    assert (event.client.ip, event.visitor, event.source) == (None, None, "browser")
    assert parsed.ignored == ("client", "visitor", "source", "attribution")
    assert event.attribution is None


def test_a_server_can():
    event = one(
        {
            "name": "x",
            "time": NOW - 30 * DAY_MS,
            "client": {"ip": "::ffff:192.0.2.1", "user_agent": "UA"},
            "visitor": {"id": "v", "first_seen": NOW - 40 * DAY_MS},
        },
        trusted=True,
        source="server",
    )
    assert (event.client.ip, event.client.user_agent, event.source) == ("192.0.2.1", "UA", "server")
    assert event.visitor == Visitor(id="v", first_seen=NOW - 40 * DAY_MS)
    assert event.time == NOW - 30 * DAY_MS


def test_what_an_export_says_about_the_history_of_clicks_is_read_back():
    touch = {"click": "gclid", "at": NOW - DAY_MS, "evidence": "url"}
    said = {"first": touch, "last": touch, "evidence": "store"}
    event = one({"name": "x", "attribution": said}, trusted=True)
    assert msgspec.to_builtins(event.attribution) == said
    half = refusal({"name": "x", "attribution": {"first": touch, "evidence": "store"}}, trusted=True)
    assert (half.where, half.message) == ("attribution", "last is missing")


def test_an_unknown_field_is_refused_from_a_server_with_a_suggestion_and_ignored_from_a_browser():
    body = {"name": "x", "usr": {"email": "a@example.com"}}
    fault = refusal(body, trusted=True)
    assert (fault.where, fault.reason, fault.message) == (
        "usr",
        Reason.UNKNOWN_FIELD,
        "unknown field; did you mean user?",
    )
    assert read(body).ignored == ("usr",)
    nested = {"name": "x", "user": {"emial": "a@example.com"}}
    assert refusal(nested, trusted=True).message == "unknown field; did you mean email?"
    assert read(nested).ignored == ("user.emial",)


@pytest.mark.parametrize("off_by", [-2 * DAY_MS, 2 * DAY_MS, -20 * 365 * DAY_MS])
def test_a_browser_clock_two_days_wrong_is_corrected(off_by):
    event = one(
        {
            "sent_at": NOW + off_by,
            "name": "x",
            "time": NOW + off_by - 5_000,
            "click_ids": {"gclid": {"value": "x", "clicked_at": NOW + off_by - 9_000}},
        }
    )
    assert event.time == NOW - 5_000
    assert event.click_ids["gclid"].clicked_at == NOW - 9_000


def test_a_small_difference_of_clocks_is_travel_time():
    assert one({"sent_at": NOW - 9_000, "name": "x", "time": NOW - 9_500}).time == NOW - 9_500


@pytest.mark.parametrize("time", [NOW + 60_000, NOW - 8 * DAY_MS, 5, -1, 10**30, "soon", [1]])
def test_a_browser_time_that_cannot_be_true_becomes_the_arrival(time):
    assert one({"name": "x", "time": time}).time == NOW


@pytest.mark.parametrize("time", [NOW // 1000, -5, 0])
def test_a_servers_time_that_cannot_be_true_is_refused(time):
    fault = refusal({"name": "x", "time": time}, trusted=True)
    assert (fault.where, fault.reason) == ("time", Reason.OUT_OF_RANGE)


def test_a_time_in_seconds_is_named_as_such():
    assert "looks like seconds" in refusal({"name": "x", "time": NOW // 1000}, trusted=True).message


def test_a_time_may_be_written_out():
    assert one({"name": "x", "timestamp": "2026-09-21T16:13:30.5+02:00"}, trusted=True).time == NOW + 500
    assert refusal({"name": "x", "time": "2026-09-21T13:33:30"}, trusted=True).where == "time"


def test_consent_is_one_of_three_words_or_a_boolean():
    event = one({"name": "x", "consent": {"marketing": True, "analytics": "Denied", "sale": False, "source": "api"}})
    assert event.consent == Consent(
        marketing=ConsentState.GRANTED, analytics=ConsentState.DENIED, sale=ConsentState.DENIED, source="api"
    )
    assert refusal({"name": "x", "consent": {"marketing": "maybe"}}).where == "consent.marketing"


# Ids


def test_an_id_is_minted_only_for_an_event_without_one():
    minted = iter(["m1", "m2"])
    parsed = read([{"name": "a"}, {"id": "own", "name": "b"}, {"name": "c"}], mint=lambda: next(minted))
    assert [event.id for event in parsed.events] == ["m1", "own", "m2"]


def test_without_a_mint_the_same_bytes_give_the_same_ids():
    body = [{"name": "a"}, {"name": "a"}]
    first, second = read(body).events
    assert first.id != second.id
    assert read(body).events == (first, second)


# Anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
some_event = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("id", "name", "time", "page", "user", "data", "custom", "consent", "click_ids", "browser_ids"),
            *("client", "visitor", "source", "action_source", "debug", "events", "sent_at", "value", "items"),
        ),
        json_values,
    ),
)


@settings(max_examples=300)
@given(body=st.binary(max_size=60) | some_event.map(lambda event: json.dumps(event).encode()), trusted=st.booleans())
def test_any_bytes_are_events_or_a_refusal_and_events_survive_the_log(body, trusted):
    try:
        parsed = read(body, trusted=trusted)
    except WireError:
        return
    for event in parsed.events:
        assert decode_event(encode_json(event)) == event


# The usual way and the long way

USUAL = {
    "sent_at": NOW - 100,
    "consent": {"marketing": "granted", "source": "api", "time": NOW - 60_000},
    "page": {"url": "https://www.shop.example/?fbclid=AbC", "referrer": "", "title": "Café", "language": "en"},
    "user": {"email": "ann@example.com", "phone": ["+32470123456"]},
    "landing": {"seed": "0123456789abcdef0123", "at": NOW - 5_000, "url": "https://www.shop.example/"},
    "events": [
        {"id": "1", "name": "page_view", "time": NOW - 4_000},
        {"id": "2", "name": "purchase", "time": NOW - 90, "data": {"value": 59.9, "items": [{"id": "a", "price": 5}]}},
        {"name": "lead", "page": {"url": "https://www.shop.example/2"}, "user": {"city": "Ghent"}},
    ],
}


def both_ways(body, *, trusted=False):
    """What each way makes of a body; the usual one may answer None."""
    how = {"received_ms": NOW, "trusted": trusted, "source": "browser", "make_id": "made-{}".format}
    try:
        long = _read(body, **how)
    except WireError:
        long = None
    return usual.read(body, **how), long


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


@pytest.mark.parametrize("trusted", [True, False])
def test_what_our_tracker_sends_is_read_the_usual_way(trusted):
    usually, long = both_ways(compact(USUAL), trusted=trusted)
    assert usually is not None
    assert usually == long
    assert len(usually.events) == 3
    assert (usually.landing is None) is trusted


def test_custom_is_read_the_usual_way_when_nothing_in_the_body_is_empty():
    body = {"events": [{"name": "x", "custom": {"plan": "gold", "deep": [1, 2.5, None, {"a": True}]}}]}
    usually, long = both_ways(compact(body))
    assert usually is not None
    assert usually == long


@pytest.mark.parametrize("price", [10**13, 10**16, -(10**16), 9_999_999_999_999, 10**13 + 1])
def test_amounts_of_too_many_digits_are_refused_either_way(price):
    usually, long = both_ways(
        compact({"events": [{"name": "x", "data": {"items": [{"price": price}], "value": price}}]})
    )
    assert usually is None or usually == long


def test_the_landing_is_read_either_way():
    page = Page(url="https://www.shop.example/")
    expected = Landing(seed="0123456789abcdef0123", at=NOW - 5_000, page=page)
    assert [parsed.landing for parsed in both_ways(compact(USUAL))] == [expected, expected]


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"events": []},
        {"events": [{"id": "1"}]},
        {"events": [{"name": "x", "data": {"plan": "gold"}}]},
        {"events": [{"name": "x", "data": {"value": "NaN"}}]},
        {"events": [{"name": "x", "data": {"currency": "EURO"}}]},
        {"events": [{"name": "x", "consent": {"marketing": "denied"}}]},
        {"events": [{"name": "n" * 101}]},
        {"events": [{"name": "x"}] * 101},
        {"page": {"title": " padded "}},
        {"page": {"title": "no\u00a0break"}},
        {"page": {"title": 'say "hi"'}},
        {"page": {"url": "u" * 5_000}},
        {"user": {"emial": "a"}},
        {"sent_at": -1},
    ],
)
def test_what_needs_a_second_look_gets_one(change):
    usually, long = both_ways(compact({**USUAL, **change}))
    assert usually is None
    assert long is None or long.refused or long.ignored or long.events or long.decision


def mostly(usual_values, odd_values):
    """One in twenty is odd, so that many bodies have nothing odd in them and many have one thing."""
    return st.integers(0, 19).flatmap(lambda dice: st.sampled_from(odd_values if dice == 13 else usual_values))


ODD_TEXTS = ["", " a", "a ", "\u00a0", '"', "\\", "\x7f", "n" * 70, "n" * 201, "n" * 600, "n" * 2_100, None, 5, True]
texts = mostly(["a", "a b", "é", "EUR"], ODD_TEXTS)
NUMBERS = [0, 1, 2.5, 59.9, 0.1234567890123456, 10**14, "5", "5.90"]
number = mostly(NUMBERS, [-1, 1e20, 10**16, " 5", "1_0", "NaN", "x", True, None, "", [1], 1e-30])
counts = mostly([0, 1, 7], [-1, 2.0, 2.5, 10**10, "3", None, True])
moments = mostly(
    [NOW, NOW - 1, NOW - 10**9], [NOW + 10**6, 0, -5, 10**18, NOW // 1000, "soon", None, 1.0, "1790000000000"]
)


def some(**fields):
    return st.fixed_dictionaries({}, optional=fields)


pages = some(url=texts, referrer=texts, title=texts, language=texts)
users = some(email=texts | st.lists(texts, max_size=3), phone=texts, zip=texts)
consents = some(
    marketing=mostly(["granted", "denied", "unknown"], ["Granted", "", None, True, 5]), source=texts, time=moments
)
things = some(id=texts, name=texts, price=number, quantity=counts)
facts = some(
    value=number,
    currency=mostly(["EUR"], ["eur", "EU", "E1R", "", "EUR\n", None]),
    order_id=texts,
    items=st.lists(things, max_size=3) | st.none(),
    content_ids=st.lists(texts, max_size=3),
    num_items=counts,
    tax=number,
    coupon=texts,
)
one_event = some(id=texts, name=texts, time=moments, page=pages, user=users, data=facts, consent=consents).flatmap(
    lambda event: (
        st.just(event) | some(custom=st.dictionaries(texts.map(str), json_values, max_size=2)).map(lambda c: event | c)
    )
)
landings = some(seed=mostly(["0123456789abcdef"], ODD_TEXTS), at=moments, url=texts, referrer=texts)
envelopes = some(
    events=st.lists(one_event.map(lambda event: {"name": "x"} | event), min_size=1, max_size=3),
    page=pages,
    user=users,
    consent=consents,
    sent_at=moments,
    landing=landings,
)


@settings(max_examples=600)
@given(envelope=envelopes, trusted=st.booleans())
def test_both_ways_agree(envelope, trusted):
    usually, long = both_ways(compact(envelope), trusted=trusted)
    assert usually is None or usually == long
