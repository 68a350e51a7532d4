"""The visitor cookie."""

import base64
import string

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from proxy.clock import DAY_MS
from proxy.event import ClickId, Consent, ConsentState, Touch, Visitor, replace
from proxy.identity.click_ids import PARAMETERS
from proxy.identity.cookie_header import cookie_values, set_cookie
from proxy.identity.meta_cookies import fbc, fbp
from proxy.identity.platform_cookies import COOKIES, IdCookie
from proxy.identity.visitor import MAX_CHARS, Remembered, VisitorCookie, visitor_id
from proxy.privacy.keys import Keyring, generate_key

KEY, NEW_KEY = generate_key(), generate_key()
RING = Keyring.parse(KEY)
CODEC = VisitorCookie(RING)
NOW = 1_700_000_000_123

times = st.integers(NOW - 10**10, NOW)
values = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=120)
touches = st.builds(Touch, click=st.sampled_from(["gclid", "fbclid"]), at=times, evidence=st.just("url"))
WORDS = [
    Consent(marketing=marketing, analytics=ConsentState.GRANTED, sale=sale, source="remembered", time=NOW)
    for marketing in ConsentState
    for sale in ConsentState
]
remembered = st.builds(
    Remembered,
    visitor=st.builds(Visitor, id=st.integers(0, 2**128 - 1).map(visitor_id), first_seen=times),
    seen_at=times,
    click_ids=st.dictionaries(
        st.sampled_from(sorted(PARAMETERS.values())), st.builds(ClickId, value=values, clicked_at=times), max_size=5
    ),
    fbp=st.none() | st.builds(fbp, st.integers(0, 2**31), times),
    fbc=st.none() | st.builds(fbc, values, times),
    cookies=st.dictionaries(st.sampled_from(["_ttp", "_scid", "_ga"]), values),
    touches=st.none() | st.tuples(touches, touches),
    keys=st.sampled_from([{}, {"email": (b"x" * 32,)}, {"email": (b"y" * 32,), "phone": (b"z" * 32, b"0" * 32)}]),
    reset_at=st.sampled_from([0, NOW]),
    consent=st.sampled_from([None, *WORDS]),
)


def some(**changes):
    return Remembered(**{"visitor": Visitor(id="v_a", first_seen=NOW), "seen_at": NOW, **changes})


@given(remembered)
def test_what_is_encoded_decodes_to_the_same(what):
    text = CODEC.encode(what)
    assert CODEC.decode(text) == what
    assert len(text) <= MAX_CHARS
    header = set_cookie("_fh", text, domain=None, max_age_s=1, secure=True, http_only=True)
    assert cookie_values(header, "_fh") == [text]


@given(values, times, times)
def test_a_meta_click_is_written_once_though_it_stands_in_two_places(value, clicked_at, made_at):
    what = some(fbc=fbc(value, made_at), click_ids={"fbclid": ClickId(value=value, clicked_at=clicked_at)})
    assert CODEC.decode(CODEC.encode(what)) == what
    other = some(fbc=fbc(value, made_at), click_ids={"gclid": ClickId(value=value, clicked_at=clicked_at)})
    assert len(CODEC.encode(what)) < len(CODEC.encode(other)) or len(value) < 4


def test_a_typical_cookie_is_small():
    what = some(
        visitor=Visitor(id=visitor_id(2**127), first_seen=NOW),
        fbp=fbp(2**31 - 1, NOW),
        fbc=fbc("x" * 180, NOW),
        click_ids={"fbclid": ClickId(value="x" * 180, clicked_at=NOW)},
    )
    assert len(CODEC.encode(what)) < 500


def test_the_oldest_clicks_are_dropped_when_there_are_too_many():
    clicks = {
        name: ClickId(value="x" * 500, clicked_at=NOW - age) for age, name in enumerate(sorted(PARAMETERS.values()))
    }
    text = CODEC.encode(some(click_ids=clicks, fbc=fbc("y" * 500, NOW), fbp=fbp(1, NOW)))
    kept = CODEC.decode(text).click_ids
    assert 500 < len(text) <= MAX_CHARS
    assert kept == dict(list(clicks.items())[: len(kept)])
    assert 0 < len(kept) < len(clicks)


@settings(max_examples=200)
@given(remembered, st.data())
def test_a_cookie_with_one_character_changed_is_refused_or_unchanged_in_meaning(what, data):
    text = CODEC.encode(what)
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_"))
    decoded = CODEC.decode(text[:position] + letter + text[position + 1 :])
    assert decoded is None or decoded == what


@given(st.text(max_size=200))
def test_garbage_is_no_cookie(text):
    assert CODEC.decode(text) is None


@pytest.mark.parametrize("text", ["", "x" * 8192, "A" * 3000, "é" * 50, "\udcff", "AQ==", "v_abc", "null"])
def test_known_bad_cookies_are_no_cookies(text):
    assert CODEC.decode(text) is None


def test_a_cookie_of_another_keyring_is_no_cookie():
    assert VisitorCookie(Keyring.parse(NEW_KEY)).decode(CODEC.encode(some())) is None


def test_after_a_rotation_the_old_cookie_still_opens_until_its_key_is_removed():
    text = CODEC.encode(some())
    rotated = VisitorCookie(Keyring.parse(f"{NEW_KEY} {KEY}"))
    assert rotated.decode(text) == some()
    assert VisitorCookie(Keyring.parse(NEW_KEY)).decode(text) is None
    assert VisitorCookie(Keyring.parse(NEW_KEY)).decode(rotated.encode(some())) == some()


@pytest.mark.parametrize("payload", [b"", b"\xc0", msgspec.msgpack.encode(["v"]), msgspec.msgpack.encode({"a": 1})])
def test_sealed_bytes_of_another_shape_are_no_cookie(payload):
    text = base64.urlsafe_b64encode(RING.seal("visitor cookie", payload)).rstrip(b"=").decode()
    assert CODEC.decode(text) is None


def test_what_was_sealed_for_another_purpose_is_no_cookie():
    text = base64.urlsafe_b64encode(RING.seal("log", b"x" * 50)).rstrip(b"=").decode()
    assert CODEC.decode(text) is None


def test_a_cookie_written_by_a_later_version_with_more_fields_opens():
    more = msgspec.msgpack.encode(["v_a", NOW, NOW, None, None, [], {}, [], None, {}, 0, None, "new"])
    text = base64.urlsafe_b64encode(RING.seal("visitor cookie", more)).rstrip(b"=").decode()
    assert CODEC.decode(text) == some()


def test_a_cookie_written_before_other_platforms_were_kept_opens():
    less = msgspec.msgpack.encode(["v_a", NOW, NOW, None, None, []])
    text = base64.urlsafe_b64encode(RING.seal("visitor cookie", less)).rstrip(b"=").decode()
    assert CODEC.decode(text) == some()


def test_match_keys_go_only_when_no_click_is_left_to_drop():
    clicks = {name: ClickId(value="y" * 512, clicked_at=NOW) for name in sorted(PARAMETERS.values())}
    keys = dict.fromkeys(("email", "phone", "external_id"), (b"k" * 32,) * 4)
    kept = CODEC.decode(CODEC.encode(some(click_ids=clicks, keys=keys)))
    assert kept.keys == keys
    assert kept.click_ids
    bulky = CODEC.encode(some(cookies={f"c{number}": "x" * 500 for number in range(4)}, keys=keys))
    assert len(bulky) <= MAX_CHARS
    assert CODEC.decode(bulky).keys == {}


def test_the_longest_cookies_of_every_platform_fit_beside_the_longest_click():
    cookies = {row.name: "x" * 128 for row in COOKIES if isinstance(row, IdCookie) and row.lasts_s}
    clicks = {name: ClickId(value="y" * 512, clicked_at=NOW) for name in sorted(PARAMETERS.values())}
    text = CODEC.encode(some(click_ids=clicks, cookies=cookies, fbc=fbc("z" * 500, NOW), fbp=fbp(1, NOW)))
    assert len(text) <= MAX_CHARS
    assert CODEC.decode(text).cookies == cookies
    assert CODEC.decode(text).click_ids


@given(st.integers(0, 2**128 - 1))
def test_a_visitor_id_is_short_lower_case_and_never_looks_like_a_hash(number):
    text = visitor_id(number)
    assert len(text) == 28
    assert text == text.lower()
    assert text.startswith("v_")


def test_visitor_ids_keep_all_128_bits():
    assert len({visitor_id(1 << bit) for bit in range(128)} | {visitor_id(0)}) == 129


# Renewing


@given(remembered, st.integers(0, DAY_MS - 1))
def test_what_has_not_changed_since_yesterday_goes_back_as_it_came(what, later):
    text = CODEC.encode(what)
    assert CODEC.renew(replace(what, seen_at=what.seen_at + later), what, text) == text


@pytest.mark.parametrize(
    "change",
    [
        {"seen_at": NOW + DAY_MS},
        {"seen_at": NOW - 1},
        {"visitor": Visitor(id="v_b", first_seen=NOW)},
        {"click_ids": {"gclid": ClickId(value="x", clicked_at=NOW)}},
        {"fbp": fbp(1, NOW)},
        {"fbc": fbc("x", NOW)},
        {"cookies": {"_ttp": "x"}},
        {"keys": {"email": (b"x" * 32,)}},
        {"reset_at": NOW},
        {"consent": Consent(marketing=ConsentState.GRANTED, source="remembered", time=NOW)},
        {"touches": (Touch(click="gclid", at=NOW, evidence="url"),) * 2},
    ],
)
def test_what_has_is_sealed_again(change):
    before, now = some(), some(**change)
    text = CODEC.encode(before)
    again = CODEC.renew(now, before, text)
    assert again != text
    assert CODEC.decode(again) == now


def test_what_an_old_key_sealed_is_sealed_again_with_the_new_one():
    text = CODEC.encode(some())
    rotated = VisitorCookie(Keyring.parse(f"{NEW_KEY} {KEY}"))
    again = rotated.renew(some(), rotated.decode(text), text)
    assert again != text
    assert VisitorCookie(Keyring.parse(NEW_KEY)).decode(again) == some()


def test_a_new_visitor_has_nothing_to_give_back():
    assert CODEC.decode(CODEC.renew(some(), None, "")) == some()
