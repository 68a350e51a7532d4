"""Meta: what is refused before sending, and how every known answer is read. Payloads are in tests/golden/meta."""

import json
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import ValidationError

from proxy.clock import DAY_S
from proxy.destinations import _meta_errors as errors
from proxy.destinations.base import Refusal, Reply
from proxy.destinations.meta import TOO_LITTLE, Meta, version_warning
from proxy.destinations.verdict import AuthBroken, Delivered, Rejected, RetryLater
from proxy.event import ActionSource, ClickId, Client, Data, Event, Item, Page, User, replace

NOW_MS = 1_790_000_000_000
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "meta-vectors.json").read_text())
VIEW = Event(
    id="e-1",
    name="page_view",
    time=NOW_MS,
    page=Page(url="https://shop.example/"),
    client=Client(ip="203.0.113.9", user_agent="UA"),
)


def meta(**settings):
    return Meta("m", Meta.Settings(kind="meta", **{"pixel_id": "123", "access_token": "token", **settings}))


def row(event, **settings):
    return meta(**settings).payload(event, NOW_MS)


def reply(status, body=None, *, headers=None, sent=None, raw=None):
    return Reply(
        status=status, headers=headers or {}, body=json.dumps(body).encode() if raw is None else raw, sent=sent
    )


def error(code, subcode=None, **more):
    return {
        "error": {"code": code, "message": "words", "fbtrace_id": "T1", **more}
        | ({"error_subcode": subcode} if subcode else {})
    }


@pytest.mark.parametrize("vector", [v for v in VECTORS["normalisation"] if v["id"] == "N058"], ids=lambda v: v["id"])
def test_a_digest_made_by_metas_library_is_kept_with_its_suffix(vector):
    keys = row(replace(VIEW, user=User(first_name=vector["input"])))["user_data"]
    assert keys["fn"] == [vector["input"]] == [f"{vector['sha256']}.{vector['appendix']}"]


def test_ids_of_a_person_are_hashed_in_order_and_once():
    keys = row(replace(VIEW, user=User(email=("a@b.co", "A@b.co "), external_id=("User 123",))))["user_data"]
    assert keys["em"] == ["80305c9bb1bb2480e03894350e0a8a366dcbdeb302e69e0817aa0743abd77054"]
    assert keys["external_id"] == [next(v["sha256"] for v in VECTORS["normalisation"] if v["id"] == "N139")]


@pytest.mark.parametrize("weak", TOO_LITTLE, ids=lambda weak: "+".join(sorted(weak)))
def test_every_set_too_weak_to_match_is_refused_and_one_more_key_is_enough(weak):
    given = {
        "ct": {"city": "Paris"},
        "country": {"country": "fr"},
        "st": {"state": "Texas"},
        "zp": {"zip": "75018"},
        "ge": {"gender": "f"},
        "db": {"birth_date": "1990-01-01"},
        "fn": {"first_name": "Ann"},
        "ln": {"last_name": "Lee"},
    }
    client = Client(user_agent="UA") if "client_user_agent" in weak else Client()
    fields = {name: value for key in weak & given.keys() for name, value in given[key].items()}
    event = replace(VIEW, action_source=ActionSource.OTHER, client=client, user=User(**fields))
    assert row(event).why == "no_identifier"
    known = replace(event, user=replace(event.user, email=("ann@example.com",)))
    assert "em" in row(known)["user_data"]


def test_an_event_about_nobody_is_refused():
    assert row(replace(VIEW, client=Client(), action_source=ActionSource.PHONE_CALL)).why == "no_identifier"


@pytest.mark.parametrize(
    "ids", [{"fbc": "fb.1.1.x"}, {"fbc": "fb.1.1790000000000.a b"}, {"fbp": "fb.1.1790000000000.xyz"}]
)
def test_a_malformed_cookie_value_is_left_out(ids):
    assert row(replace(VIEW, browser_ids=ids))["user_data"].keys() == {"client_ip_address", "client_user_agent"}


@pytest.mark.parametrize("value", ["", "has space", "ünïcode", "a.b", "x" * 501, "fb.", "fb.1.2.3", "a\r\nb"])
def test_a_click_id_meta_would_refuse_is_left_out(value):
    event = replace(VIEW, click_ids={"fbclid": ClickId(value=value, clicked_at=NOW_MS)})
    assert "fbc" not in row(event)["user_data"]


def test_a_cookie_that_is_malformed_falls_back_to_the_click():
    event = replace(VIEW, browser_ids={"fbc": "junk"}, click_ids={"fbclid": ClickId(value="AbC", clicked_at=NOW_MS)})
    assert row(event)["user_data"]["fbc"] == f"fb.1.{NOW_MS}.AbC"


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+15", "1E+999999"])
def test_a_value_that_is_no_amount_is_no_value(value):
    assert row(replace(VIEW, name="purchase", data=Data(value=Decimal(value), currency="EUR"))).why == "no_value"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("1E-20", b"0"),
        ("0E-40", b"0"),
        ("-5.00", b"-5.00"),
        ("0.1", b"0.1"),
        (f"{'9' * 15}.{'1' * 40}", b"999999999999999.111111111111111"),
    ],
)
def test_an_amount_keeps_its_worth(value, sent):
    built = meta().build([replace(VIEW, name="purchase", data=Data(value=Decimal(value), currency="EUR"))], NOW_MS)
    text = built.requests[0].body.split(b'"value":')[1].split(b",")[0]
    assert Decimal(text.decode()) == Decimal(sent.decode())


def test_a_custom_property_json_cannot_carry_is_left_out():
    custom = {"a": float("nan"), "b": 2**80, "c": [1], "d": {"e": 1}, "f": None, "g": "", "": 1, "ok": 2**62}
    assert row(replace(VIEW, custom=custom))["custom_data"] == {"ok": 2**62}
    assert meta().build([replace(VIEW, custom=custom)], NOW_MS).requests


def test_a_custom_property_never_replaces_what_data_says():
    event = replace(VIEW, custom={"value": "9", "contents": 1, "order_id": "c"}, data=Data(order_id="d"))
    assert row(event)["custom_data"] == {"order_id": "d"}


def test_a_custom_name_that_is_a_standard_one_follows_its_rules():
    assert row(replace(VIEW, name="Purchase")).why == "no_value"


def test_an_item_without_id_never_leaves():
    data = row(replace(VIEW, data=Data(items=(Item(name="x"), Item(id="")))))
    assert "custom_data" not in data


def test_old_events_from_shops_are_welcome_longer():
    store = replace(VIEW, action_source=ActionSource.PHYSICAL_STORE)
    assert meta().max_age_s_of(VIEW) == 7 * DAY_S
    assert meta().max_age_s_of(store) == 62 * DAY_S
    assert meta(max_age_hours=1).max_age_s_of(store) == meta(max_age_hours=1).max_age_s_of(VIEW) == 3600


def test_batches_are_fifty_unless_asked_and_never_above_a_thousand():
    assert meta().batch_size == 50
    assert meta(batch_size=5000).batch_size == 1000


def test_the_token_stands_in_its_header_only():
    built = meta(access_token="T0KEN", app_secret="S3CRET").build([VIEW], NOW_MS).requests[0]
    probe = meta(access_token="T0KEN", app_secret="S3CRET").probe(NOW_MS)
    for request in (built, probe):
        assert request.headers["Authorization"] == "Bearer T0KEN"
        assert "T0KEN" not in request.url
        assert b"T0KEN" not in (request.body or b"")
        assert b"S3CRET" not in (request.body or b"") + request.url.encode()
    assert len(meta(access_token="T0KEN", app_secret="S3CRET").secrets()) == 3


def test_the_probe_reads_the_pixel_and_sends_nothing():
    probe = meta(base_url="http://127.0.0.1:9/").probe(NOW_MS)
    assert (probe.method, probe.body) == ("GET", None)
    assert probe.url == "http://127.0.0.1:9/v26.0/123?fields=id%2Cname"
    assert meta().judge(reply(200, {"id": "123", "name": "Shop"})) == Delivered()


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixel_id": "12 3"},
        {"pixel_id": ""},
        {"api_version": "26"},
        {"data_processing_state": 999, "data_processing_country": 1},
        {"data_processing_state": 1000},
        {"data_processing_options": "never", "sale_refused": "limit"},
        {"default_country_code": "999"},
        {"default_country_code": "GB"},
        {"default_currency": "euro"},
        {"content_type": "things"},
        {"pixel": "1"},
    ],
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        meta(**wrong)


def test_a_country_code_may_carry_its_plus():
    keys = row(replace(VIEW, user=User(phone=("020 7946 0958",))), default_country_code="+44")["user_data"]
    assert keys["ph"] == [next(v["sha256"] for v in VECTORS["normalisation"] if v["id"] == "N030")]


@pytest.mark.parametrize(
    ("version", "day", "says"),
    [
        ("v26.0", 1_900_000_000, None),
        ("v24.0", 1_834_444_800 - 61 * DAY_S, None),
        ("v24.0", 1_834_444_800 - 59 * DAY_S, "ends on 2028-02-18"),
        ("v24.0", 1_834_444_800, "ended on 2028-02-18"),
        ("v20.0", 1_795_392_000, "ended on 2026-09-24"),
        ("v12.0", 0, "has ended"),
    ],
)
def test_an_api_version_near_its_end_is_announced(version, day, says):
    warning = version_warning(version, day * 1000)
    assert warning is None if says is None else says in warning
    assert meta(api_version=version).warnings(day * 1000) == ((warning,) if warning else ())


def test_a_test_code_is_announced():
    assert "test_event_code" in meta(test_event_code="TEST1").warnings(NOW_MS)[0]


RETRIED = [
    *((code, None) for code in (1, 2, 4, 17, 341, 368, 613, 5000, 21009, 80000, 80003, 80014, -3)),
    (1, 12345),
]
BROKEN = [(190, sub) for sub in (None, 458, 459, 460, 463, 467)] + [
    (102, None),
    (104, None),
    (2635, None),
    (3, None),
    (10, None),
    (200, None),
    (294, None),
    (299, None),
    (100, 33),
    (100, 34),
]
REJECTED = [(100, None), (100, 99999), (105, None), (1, 99)] + [
    (100, sub) for sub in (2804001, 2804003, 2804007, 2804009, 2804010, 2804016, 2804017, 2804019, 2804048, 2804050)
]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
@pytest.mark.parametrize(
    ("code", "subcode", "verdict"),
    [
        (*codes, kind)
        for table, kind in ((RETRIED, RetryLater), (BROKEN, AuthBroken), (REJECTED, Rejected))
        for codes in table
    ],
)
def test_a_known_code_means_the_same_under_every_http_status(status, code, subcode, verdict):
    said = meta().judge(reply(status, error(code, subcode, type="OAuthException")))
    assert isinstance(said, verdict)
    assert "words" in said.detail
    assert "T1" in said.detail
    if isinstance(said, AuthBroken):
        assert said.advice


def test_the_table_and_these_lists_are_the_same():
    assert {(code, sub) for code, sub in (*RETRIED, *BROKEN, *REJECTED) if sub} >= errors.BY_SUBCODE.keys()
    assert {1, 2, 3, 4, 10, 17, 100, 102, 104, 105, 190, 341, 368, 613, 5000, 21009} <= errors.BY_CODE.keys()


@pytest.mark.parametrize("code", [100, 190, 999_999])
def test_what_meta_calls_transient_is_retried(code):
    assert isinstance(meta().judge(reply(400, error(code, is_transient=True))), RetryLater)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reply(status=0, error="timeout"), RetryLater),
        (reply(502, raw=b"<html>bad gateway</html>"), RetryLater),
        (reply(500, {}), RetryLater),
        (reply(403, raw=b"<html>denied by a firewall</html>"), RetryLater),
        (reply(200, raw=b"<html>captive portal</html>"), RetryLater),
        (reply(200, raw=b""), RetryLater),
        (reply(302, raw=b""), RetryLater),
        (reply(302, {}), RetryLater),
        (reply(429, {}), RetryLater),
        (reply(401, {}), AuthBroken),
        (reply(404, {"error": "no such path"}), AuthBroken),
        (reply(405, {}), AuthBroken),
        (reply(404, error(999_999)), Rejected),
        (reply(422, {}), Rejected),
        (reply(413, raw=b"<html>"), Rejected),
        (reply(400, error(999_999)), Rejected),
        (reply(500, error(999_999)), RetryLater),
        (reply(400, error("2804")), Rejected),
        (reply(400, {"error": "text"}), Rejected),
        (reply(400, {"error": {}}), Rejected),
        (reply(400, [1]), RetryLater),
    ],
)
def test_an_answer_without_a_known_code_is_read_by_its_status(answer, verdict):
    assert isinstance(meta().judge(answer), verdict)


def test_metas_own_waiting_time_is_obeyed():
    assert meta().judge(reply(503, raw=b"", headers={"retry-after": "120"})).after_s == 120
    assert meta().judge(reply(400, error(4), headers={"retry-after": "7"})).after_s == 7
    assert meta().judge(reply(400, error(2), headers={"retry-after": "Mon, 01 Jan 2029 00:00:00 GMT"})).after_s is None


def test_throttling_without_a_time_waits_long():
    assert meta().judge(reply(400, error(80003))).after_s == errors.SLOW_S


def test_success_keeps_metas_words_as_warnings():
    body = {"events_received": 1, "messages": ["look at this"], "fbtrace_id": "T9"}
    assert meta().judge(reply(200, body, sent=1)) == Delivered(warnings=("look at this",))


def test_a_count_that_is_not_ours_is_a_warning_not_a_failure():
    verdict = meta().judge(reply(200, {"events_received": 1, "messages": [], "fbtrace_id": "T9"}, sent=2))
    assert verdict == Delivered(warnings=("Meta counted 1 events of 2 sent (trace T9)",))


def test_metas_words_are_kept_short_and_on_one_line():
    detail = meta().judge(reply(400, error(100, message="a\nb" * 5000, fbtrace_id="t" * 5000))).detail
    assert len(detail) < 500
    assert "\n" not in detail


def test_a_malformed_click_id_costs_the_click_id_not_the_event():
    click = {"fbclid": ClickId(value="x", clicked_at=1), "gclid": ClickId(value="y", clicked_at=1)}
    event = replace(VIEW, browser_ids={"fbc": "fb.1.1790000000000.x", "fbp": "p"}, click_ids=click)
    why = meta().judge(reply(400, error(100, 2804001))).why
    mended = meta().repair(event, why)
    assert mended == replace(event, browser_ids={"fbp": "p"}, click_ids={"gclid": click["gclid"]})
    assert meta().repair(mended, why) is None


@pytest.mark.parametrize("why", ["2804003", "100", ""])
def test_other_faults_are_not_mended(why):
    assert meta().repair(replace(VIEW, browser_ids={"fbc": "x"}), why) is None


def test_refusals_name_a_bounded_reason():
    reasons = set()
    for size in range(4):
        for changes in combinations(
            [("page", Page()), ("client", Client()), ("name", "purchase"), ("action_source", ActionSource.APP)], size
        ):
            made = row(replace(VIEW, **dict(changes)))
            if isinstance(made, Refusal):
                reasons.add(made.why)
    assert reasons == {"no_page_url", "no_user_agent", "no_value", "app_event"}
