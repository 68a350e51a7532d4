"""The fold over one request: cookies in, events filled in, cookies out."""

import itertools
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from proxy.clock import DAY_MS, DAY_S
from proxy.config.settings import CookieSettings
from proxy.event import ClickId, Consent, ConsentState, Event, Page, Purpose, Visitor, replace
from proxy.identity.cookie_domain import CookieDomain, cookie_domain
from proxy.identity.identity import Identity, advance, read, set_cookies
from proxy.identity.keeping import Keeping
from proxy.identity.meta_cookies import fbclid_of, valid_fbc, valid_fbp
from proxy.identity.visitor import Remembered, VisitorCookie, visitor_id
from proxy.privacy.consent import may_advertise, may_identify
from proxy.privacy.keys import Keyring, generate_key

NOW = 1_700_000_000_123
RANDOM = 1234567890
CODEC = VisitorCookie(Keyring.parse(generate_key()))
SITE = CookieDomain("example.com", 1)
SETTINGS = CookieSettings()
META = Keeping(names=frozenset({"_fh", "_fbp", "_fbc"}), reads_meta=True, sets_meta=True)
G, D, U = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
YES = Consent(marketing=G, analytics=G, source="api", time=NOW)
ANALYTICS = Consent(marketing=D, analytics=G, source="api", time=NOW)
NO = Consent(marketing=D, analytics=D, personalization=D, source="api", time=NOW)
NO_BY_DEFAULT = Consent(marketing=D, analytics=D, personalization=D, source="default")
OLD_FBC, OLD_FBP = "fb.1.1690000000000.OLD", "fb.1.1690000000000.987654321"

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "meta-vectors.json").read_text())["cookies"]
ADOPTED = [v for v in VECTORS if v["case"] == "fbc" and v["adopt"]]


def event(url=None, referrer=None, **fields):
    fields = {"id": "e-1", "name": "page_view", "time": NOW, **fields}
    return Event(page=Page(url=url, referrer=referrer), **fields)


def cookie_header(**cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def remembered(**fields):
    fields = {"visitor": Visitor(id="v_old", first_seen=NOW - 5 * DAY_MS), "seen_at": NOW - DAY_MS, **fields}
    return Remembered(**fields)


def visit(
    *events,
    cookies="",
    consent=YES,
    now_ms=NOW,
    domain=SITE,
    mint=lambda: RANDOM,
    keep=META,
    settings=SETTINGS,
    secure=True,
):
    """One request: the stored events, and the cookies of the answer as {name: (value, attributes)}."""
    identity = read(cookies, CODEC, keep, now_ms)
    stored = []
    for one in events:
        identity, filled = advance(identity, one, consent=consent, now_ms=now_ms, domain=domain, mint=mint, keep=keep)
        stored.append(filled)
    headers = set_cookies(
        identity, codec=CODEC, settings=settings, domain=domain, now_ms=now_ms, secure=secure, keep=keep
    )
    answer = {}
    for header in headers:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        answer[name] = (value, attributes)
    assert len(answer) == len(headers)
    return stored, answer


def opened(answer):
    return CODEC.decode(answer["_fh"][0])


def core(value):
    return value if value is None else ".".join(value.split(".")[:4])


@pytest.mark.parametrize("vector", ADOPTED, ids=lambda v: f"{v['id']} {v['name']}")
def test_we_agree_with_metas_libraries(vector):
    query = "?" + urlencode(vector["query"], doseq=True) if vector["query"] else ""
    configured = vector["configured_domains"]
    domain = cookie_domain(vector["host"], configured[0] if configured else "auto")
    now = vector["now_ms"]
    (stored,), answer = visit(
        event(f"https://{vector['host']}/{query}", vector["referrer"], time=now),
        cookies=cookie_header(**vector["cookies"]),
        now_ms=now,
        domain=domain,
    )
    fbc, fbp = stored.browser_ids.get("fbc"), stored.browser_ids.get("fbp")
    assert core(fbc) == vector["expect_fbc_core"]
    assert core(fbp) == vector["expect_fbp_core"]
    assert (fbclid_of(fbc) if fbc else None) == vector["expect_fbc_payload"]
    for name, value in vector["cookies"].items():
        if core(stored.browser_ids.get(name[1:])) == core(value):
            assert stored.browser_ids[name[1:]] == value  # a value found is kept to the byte
    for expected in vector["expect_set_cookies"]:
        value, attributes = answer[expected["name"]]
        assert core(value) == core(expected["value"])
        assert f"Domain={expected['domain']}" in attributes
        assert f"Max-Age={expected['max_age']}" in attributes
    assert set(answer) == {"_fh", *(name for name, value in (("_fbc", fbc), ("_fbp", fbp)) if value)}


def test_an_apex_under_a_two_label_suffix_gets_its_own_domain_and_index_2():
    domain = cookie_domain("example.co.uk", "auto")
    (stored,), answer = visit(event("https://example.co.uk/?fbclid=A"), domain=domain)
    assert stored.browser_ids["fbc"] == f"fb.2.{NOW}.A"
    assert "Domain=example.co.uk" in answer["_fbc"][1]


@pytest.mark.parametrize("host", ["localhost:8080", "192.0.2.10", "[2001:db8::1]:80"])
def test_hosts_without_a_domain_get_host_only_cookies_with_index_0(host):
    (stored,), answer = visit(event(f"http://{host}/?fbclid=A"), domain=cookie_domain(host, "auto"), secure=False)
    assert stored.browser_ids["fbc"] == f"fb.0.{NOW}.A"
    for _, attributes in answer.values():
        assert not any(attribute.startswith("Domain=") for attribute in attributes)
        assert "Secure" not in attributes


def test_a_first_consented_visit_is_known_in_the_same_event():
    (stored,), answer = visit(event("https://www.example.com/?fbclid=AbC&gclid=x_1"))
    assert stored.visitor == Visitor(id=visitor_id(RANDOM), first_seen=NOW)
    assert stored.click_ids == {
        "fbclid": ClickId(value="AbC", clicked_at=NOW),
        "gclid": ClickId(value="x_1", clicked_at=NOW),
    }
    assert stored.browser_ids == {"fbp": f"fb.1.{NOW}.{RANDOM}", "fbc": f"fb.1.{NOW}.AbC"}
    assert opened(answer) == Remembered(
        visitor=stored.visitor,
        seen_at=NOW,
        click_ids=stored.click_ids,
        fbp=stored.browser_ids["fbp"],
        fbc=stored.browser_ids["fbc"],
        touches=(stored.attribution.first, stored.attribution.last),
        consent=replace(YES, source="remembered"),
    )


def test_the_visitor_cookie_is_http_only_and_metas_are_not():
    _, answer = visit(event("https://www.example.com/?fbclid=AbC"))
    common = ["Path=/", "SameSite=Lax", "Domain=example.com", "Secure"]
    assert answer["_fh"][1] == [f"Max-Age={395 * DAY_S}", *common, "HttpOnly"]
    assert answer["_fbp"][1] == answer["_fbc"][1] == ["Max-Age=7776000", *common]


def test_every_event_of_a_request_gets_the_same_identity():
    landing, purchase = event("https://www.example.com/?fbclid=A"), event("https://www.example.com/thanks")
    numbers = iter(range(100))
    (first, second), answer = visit(landing, purchase, mint=lambda: next(numbers))
    assert first.visitor == second.visitor == opened(answer).visitor
    assert first.browser_ids == second.browser_ids
    assert first.click_ids == second.click_ids
    assert next(numbers) == 2


def test_a_returning_browser_is_the_same_visitor_with_its_clicks():
    _, first = visit(event("https://www.example.com/?fbclid=A&ttclid=T"))
    cookies = cookie_header(**{name: value for name, (value, _) in first.items()})
    later = NOW + 30 * DAY_MS
    (stored,), second = visit(event("https://www.example.com/", time=later), cookies=cookies, now_ms=later, mint=None)
    assert stored.visitor == opened(first).visitor
    assert stored.click_ids == opened(first).click_ids
    assert stored.browser_ids["fbc"] == f"fb.1.{NOW}.A"
    assert second["_fbc"][0] == first["_fbc"][0]
    assert second["_fbp"][0] == first["_fbp"][0]
    assert opened(second).seen_at == later


def test_a_browser_that_lost_metas_cookies_gets_them_back():
    _, first = visit(event("https://www.example.com/?fbclid=A"))
    (stored,), second = visit(
        event("https://www.example.com/"), cookies=cookie_header(_fh=first["_fh"][0]), mint=lambda: 1
    )
    assert second["_fbc"][0] == first["_fbc"][0] == stored.browser_ids["fbc"]
    assert second["_fbp"][0] == first["_fbp"][0] == stored.browser_ids["fbp"]


def test_a_browser_that_lost_everything_is_a_new_visitor():
    (stored,), answer = visit(event("https://www.example.com/"))
    assert stored.visitor.first_seen == NOW
    assert "fbc" not in stored.browser_ids
    assert "_fbc" not in answer


def test_what_metas_cookies_could_no_longer_hold_is_not_given_back():
    kept = remembered(seen_at=NOW - 91 * DAY_MS, fbp=OLD_FBP, fbc=OLD_FBC)
    (stored,), answer = visit(event("https://www.example.com/"), cookies=f"_fh={CODEC.encode(kept)}")
    assert stored.browser_ids == {"fbp": f"fb.1.{NOW}.{RANDOM}"}
    assert stored.visitor.id == "v_old"
    assert "_fbc" not in answer


def test_a_click_older_than_90_days_is_not_given_back_though_the_visitor_came_yesterday():
    old = f"fb.1.{NOW - 91 * DAY_MS}.OLD"
    kept = remembered(fbc=old, click_ids={"fbclid": ClickId(value="OLD", clicked_at=NOW - 91 * DAY_MS)})
    (stored,), answer = visit(event("https://www.example.com/"), cookies=f"_fh={CODEC.encode(kept)}")
    assert stored.click_ids == {}
    assert "fbc" not in stored.browser_ids
    assert "_fbc" not in answer


def test_the_cookie_wins_over_what_we_remember_and_is_remembered_from_then_on():
    kept = remembered(fbp="fb.1.1690000000000.1", fbc="fb.1.1690000000000.REMEMBERED")
    cookies = cookie_header(_fh=CODEC.encode(kept), _fbp=OLD_FBP, _fbc="fb.1.1699000000000.PIXEL.AQYCAQMB")
    (stored,), answer = visit(event("https://www.example.com/"), cookies=cookies)
    assert stored.browser_ids == {"fbp": OLD_FBP, "fbc": "fb.1.1699000000000.PIXEL.AQYCAQMB"}
    assert stored.click_ids == {"fbclid": ClickId(value="PIXEL", clicked_at=1_699_000_000_000)}
    assert opened(answer).fbc == answer["_fbc"][0] == "fb.1.1699000000000.PIXEL.AQYCAQMB"


def test_the_same_click_keeps_the_earlier_time_wherever_it_is_known_from():
    kept = remembered(
        fbc="fb.1.1699500000000.A", click_ids={"fbclid": ClickId(value="A", clicked_at=1_699_500_000_000)}
    )
    cookies = cookie_header(_fh=CODEC.encode(kept), _fbc="fb.1.1699900000000.OTHER")
    (stored,), answer = visit(event("https://www.example.com/?fbclid=A"), cookies=cookies)
    assert stored.browser_ids["fbc"] == answer["_fbc"][0] == "fb.1.1699500000000.A"
    assert stored.click_ids["fbclid"].clicked_at == 1_699_500_000_000


def test_the_pixels_time_for_a_click_becomes_ours():
    (stored,), _ = visit(event("https://www.example.com/?fbclid=A"), cookies="_fbc=fb.1.1699999999000.A")
    assert stored.click_ids["fbclid"] == ClickId(value="A", clicked_at=1_699_999_999_000)
    assert stored.browser_ids["fbc"] == "fb.1.1699999999000.A"


def test_corrupt_cookies_are_repaired_from_what_we_remember():
    kept = remembered(fbp=OLD_FBP, fbc="fb.1.1699000000000.A")
    cookies = cookie_header(_fh=CODEC.encode(kept), _fbp="fb.1.1.2.3.4", _fbc="garbage")
    (stored,), answer = visit(event("https://www.example.com/"), cookies=cookies)
    assert answer["_fbp"][0] == stored.browser_ids["fbp"] == OLD_FBP
    assert answer["_fbc"][0] == stored.browser_ids["fbc"] == "fb.1.1699000000000.A"


def test_a_corrupt_cookie_is_overwritten_by_a_new_click_and_a_new_browser_id():
    _, answer = visit(event("https://www.example.com/?fbclid=NEW"), cookies="_fbp=fb.1.1.2.3.4; _fbc=garbage")
    assert answer["_fbc"][0] == f"fb.1.{NOW}.NEW"
    assert answer["_fbp"][0] == f"fb.1.{NOW}.{RANDOM}"


def test_of_several_fbc_cookies_the_newest_counts_and_of_several_fbp_the_first():
    cookies = f"_fbc={OLD_FBC}; _fbp={OLD_FBP}; _fbc=fb.1.1699000000000.NEWER; _fbp=fb.1.1.x; _fbp=fb.1.1699000000000.2"
    (stored,), _ = visit(event("https://www.example.com/"), cookies=cookies)
    assert stored.browser_ids == {"fbp": OLD_FBP, "fbc": "fb.1.1699000000000.NEWER"}


def test_values_given_in_the_event_win_when_valid():
    given_ids = {"fbp": "fb.1.1699000000000.77", "fbc": "fb.1.1699000000000.GIVEN", "ttp": "t"}
    (stored,), answer = visit(event("https://www.example.com/", browser_ids=given_ids))
    assert stored.browser_ids == given_ids
    assert answer["_fbp"][0] == given_ids["fbp"]
    assert answer["_fbc"][0] == given_ids["fbc"]


def test_a_given_browser_id_never_replaces_a_valid_cookie():
    (stored,), answer = visit(
        event("https://www.example.com/", browser_ids={"fbp": "fb.1.1699000000000.77"}), cookies=f"_fbp={OLD_FBP}"
    )
    assert stored.browser_ids["fbp"] == "fb.1.1699000000000.77"
    assert answer["_fbp"][0] == OLD_FBP


def test_invalid_given_values_are_replaced_by_what_we_know():
    click_ids = {"gclid": ClickId(value="{gclid}", clicked_at=NOW), "ttclid": ClickId(value="a\r\nb", clicked_at=NOW)}
    (stored,), _ = visit(
        event("https://www.example.com/", browser_ids={"fbp": "x", "fbc": "fb.1.2"}, click_ids=click_ids),
        cookies=cookie_header(_fbp=OLD_FBP, _fbc="fb.1.1699000000000.A"),
    )
    assert stored.browser_ids == {"fbp": OLD_FBP, "fbc": "fb.1.1699000000000.A"}
    assert set(stored.click_ids) == {"fbclid"}


def test_a_new_click_in_the_url_beats_an_older_fbc_the_page_read_from_its_cookie():
    stale = {"fbc": "fb.1.1699000000000.STALE"}
    (stored,), answer = visit(event("https://www.example.com/?fbclid=NEW", browser_ids=stale))
    assert stored.browser_ids["fbc"] == answer["_fbc"][0] == f"fb.1.{NOW}.NEW"


def test_an_fbc_given_for_the_click_in_the_url_is_kept_as_it_is():
    made = {"fbc": f"fb.1.{NOW - 40}.NEW"}
    (stored,), answer = visit(event("https://www.example.com/?fbclid=NEW", browser_ids=made))
    assert stored.browser_ids["fbc"] == answer["_fbc"][0] == made["fbc"]


def test_a_whole_fbc_in_the_place_of_the_click_is_not_wrapped_twice():
    click_ids = {"fbclid": ClickId(value="fb.1.1699000000000.A", clicked_at=NOW)}
    (stored,), _ = visit(event("https://www.example.com/", click_ids=click_ids))
    assert stored.browser_ids["fbc"] == "fb.1.1699000000000.A"
    assert stored.click_ids == {"fbclid": ClickId(value="A", clicked_at=1_699_000_000_000)}


def test_a_given_click_makes_an_fbc_with_its_own_time():
    click_ids = {"fbclid": ClickId(value="A", clicked_at=NOW - DAY_MS)}
    (stored,), _ = visit(event("https://www.example.com/?fbclid=URL", click_ids=click_ids))
    assert stored.browser_ids["fbc"] == f"fb.1.{NOW - DAY_MS}.A"


@pytest.mark.parametrize("clicked_at", [-1, NOW + 1, 10**30, -(10**30)])
def test_a_given_click_with_an_impossible_time_gets_the_events(clicked_at):
    click_ids = {"fbclid": ClickId(value="A", clicked_at=clicked_at)}
    (stored,), answer = visit(event("https://www.example.com/", click_ids=click_ids, time=NOW - 7))
    assert stored.click_ids["fbclid"].clicked_at == NOW - 7
    assert opened(answer).click_ids == stored.click_ids


def test_a_click_in_a_foreign_referrer_is_not_ours():
    (stored,), _ = visit(event("https://www.example.com/", "https://lander.example.net/?fbclid=X&gclid=Y"))
    assert stored.click_ids == {}
    assert "fbc" not in stored.browser_ids


def test_the_time_of_a_click_is_the_events_when_that_is_believable():
    (late,), _ = visit(event("https://www.example.com/?fbclid=A", time=NOW - 60_000))
    (absurd,), _ = visit(event("https://www.example.com/?fbclid=A", time=5))
    assert late.browser_ids["fbc"] == f"fb.1.{NOW - 60_000}.A"
    assert absurd.browser_ids["fbc"] == f"fb.1.{NOW}.A"


def test_a_given_visitor_is_kept_and_not_put_into_the_cookie():
    (stored,), answer = visit(event(visitor=Visitor(id="crm-7", first_seen=1)))
    assert stored.visitor.id == "crm-7"
    assert opened(answer).visitor.id == visitor_id(RANDOM)


def test_nothing_is_made_up_without_mint_but_a_click_is_still_a_click():
    (stored,), answer = visit(event("https://www.example.com/?fbclid=A"), mint=None)
    assert stored.visitor is None
    assert stored.browser_ids == {"fbc": f"fb.1.{NOW}.A"}
    assert set(answer) == {"_fbc"}


def test_metas_cookies_that_we_shall_not_set_are_passed_on_all_the_same():
    reading = Keeping(names=META.names, reads_meta=True)
    (stored,), answer = visit(event("https://www.example.com/?fbclid=A"), cookies=f"_fbp={OLD_FBP}", keep=reading)
    assert stored.browser_ids == {"fbp": OLD_FBP}
    assert stored.click_ids["fbclid"].value == "A"
    assert set(answer) == {"_fh"}


def test_where_meta_is_not_used_its_cookies_are_neither_read_nor_remembered():
    kept = CODEC.encode(remembered(fbp=OLD_FBP, fbc="fb.1.1699000000000.A"))
    cookies = cookie_header(_fh=kept, _fbp=OLD_FBP, _fbc="fb.1.1699000000000.A")
    (stored,), answer = visit(event("https://www.example.com/"), cookies=cookies, keep=Keeping())
    assert stored.browser_ids == {}
    assert (opened(answer).fbp, opened(answer).fbc) == (None, None)


def test_of_several_visitor_cookies_the_oldest_visitor_counts_in_any_order():
    mine = CODEC.encode(remembered())
    tossed = CODEC.encode(remembered(visitor=Visitor(id="v_attacker", first_seen=NOW - DAY_MS)))
    for order in itertools.permutations([mine, tossed, "forged", "x" * 5000]):
        cookies = "; ".join(f"_fh={value}" for value in order)
        assert read(cookies, CODEC, META, NOW).visitor.id == "v_old"


@pytest.mark.parametrize("value", ["forged", "A" * 8192, "\udcff\x00", "fb.1.2.3", '"quoted"'])
def test_a_forged_visitor_cookie_means_a_new_visitor(value):
    (stored,), answer = visit(event("https://www.example.com/"), cookies=f"_fh={value}")
    assert stored.visitor.id == opened(answer).visitor.id == visitor_id(RANDOM)


@hypothesis_settings(max_examples=300)
@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.dictionaries(st.sampled_from(["fbp", "fbc", "ttp"]), st.text(max_size=30)),
    st.text(max_size=60),
)
def test_whatever_a_page_or_browser_sends_no_cookie_can_be_injected(click, referrer, browser_ids, cookies):
    url = f"https://www.example.com/?fbclid={click}&gclid={click}#fbclid={click}"
    (stored,), answer = visit(
        event(url, referrer, browser_ids=browser_ids, click_ids={"ttclid": ClickId(value=click, clicked_at=NOW)}),
        cookies=f"{cookies}; _fbc={click}; _fbp={click}; _fh={click}",
    )
    assert {"_fh", "_fbp"} <= set(answer) <= {"_fh", "_fbp", "_fbc"}
    for name, (value, attributes) in answer.items():
        assert value.isascii()
        assert value.isprintable()
        assert len(attributes) == (6 if name == "_fh" else 5) - ("Domain=example.com" not in attributes)
    assert valid_fbp(stored.browser_ids["fbp"])
    assert "fbc" not in stored.browser_ids or valid_fbc(stored.browser_ids["fbc"])


EVERY_CONSENT = [
    Consent(marketing=m, analytics=a, sale=s, source=source)
    for m, a, s, source in itertools.product((G, D, U), (G, D, U), (G, D, U), ("api", "default", "gpc"))
]
FULL_COOKIES = cookie_header(
    _fh=CODEC.encode(
        remembered(
            fbp="fb.1.1690000000000.5",
            fbc="fb.1.1699000000000.KEPT",
            click_ids={"gclid": ClickId(value="G", clicked_at=NOW)},
        )
    ),
    _fbp=OLD_FBP,
    _fbc="fb.1.1699000000000.COOKIE",
)


@pytest.mark.parametrize("consent", EVERY_CONSENT, ids=lambda c: f"{c.marketing}-{c.analytics}-{c.sale}-{c.source}")
@pytest.mark.parametrize("cookies", ["", FULL_COOKIES], ids=["new", "known"])
def test_nothing_is_read_minted_or_set_without_the_consent_it_needs(consent, cookies):
    given_event = event("https://www.example.com/?fbclid=URL")
    (stored,), answer = visit(given_event, cookies=cookies, consent=consent)
    set_now = {name for name, (value, _) in answer.items() if value}
    expired = {name for name, (value, attributes) in answer.items() if not value and "Max-Age=0" in attributes}
    assert set_now | expired == set(answer)
    if not may_identify(consent):
        assert stored == given_event
        assert set_now == set()
    elif not may_advertise(consent):
        assert (stored.click_ids, stored.browser_ids) == ({}, {})
        assert set_now == {"_fh"}
        assert (opened(answer).click_ids, opened(answer).fbp, opened(answer).fbc) == ({}, None, None)
    else:
        assert set_now == {"_fh", "_fbp", "_fbc"}
        assert expired == set()
    if not cookies:
        assert expired == set()


def test_withdrawing_everything_expires_what_the_browser_sent():
    _, answer = visit(event(), cookies=FULL_COOKIES, consent=NO)
    assert {name: value for name, (value, _) in answer.items()} == {"_fh": "", "_fbp": "", "_fbc": ""}
    for _, attributes in answer.values():
        assert attributes[0] == "Max-Age=0"
        assert "Domain=example.com" in attributes


def test_withdrawing_marketing_keeps_the_visitor_and_forgets_the_advertising():
    _, answer = visit(event(), cookies=FULL_COOKIES, consent=ANALYTICS)
    assert opened(answer) == Remembered(
        visitor=Visitor(id="v_old", first_seen=NOW - 5 * DAY_MS),
        seen_at=NOW,
        consent=replace(ANALYTICS, source="remembered"),
    )
    assert answer["_fbp"][0] == answer["_fbc"][0] == ""


def test_withdrawing_expires_unusable_cookies_too_and_only_those_that_came():
    _, answer = visit(event(), cookies="_fbp=garbage", consent=NO)
    assert set(answer) == {"_fbp"}


def test_a_default_denial_leaves_cookies_of_an_earlier_consent_alone():
    assert visit(event(), cookies=FULL_COOKIES, consent=NO_BY_DEFAULT)[1] == {}


def test_a_gpc_signal_alone_expires_advertising_but_not_the_visitor():
    consent = Consent(marketing=D, analytics=D, sale=D, source="gpc")
    assert set(visit(event(), cookies=FULL_COOKIES, consent=consent)[1]) == {"_fbp", "_fbc"}


def test_a_request_without_events_sets_nothing():
    assert visit(cookies=FULL_COOKIES)[1] == {}


def fold(*pairs, cookies=""):
    identity = read(cookies, CODEC, META, NOW)
    for one, consent in pairs:
        identity, _ = advance(identity, one, consent=consent, now_ms=NOW, domain=SITE, mint=lambda: RANDOM, keep=META)
    headers = set_cookies(identity, codec=CODEC, settings=SETTINGS, domain=SITE, now_ms=NOW, secure=True, keep=META)
    return {header.partition("=")[0]: "Max-Age=0" not in header for header in headers}


def test_the_last_word_of_a_request_counts():
    earlier = Consent(marketing=G, analytics=G, source="api", time=NOW - 1000)
    everything = {"_fh": True, "_fbp": True, "_fbc": True}
    assert fold((event(), NO), (event(), YES), cookies=FULL_COOKIES) == everything
    assert fold((event(), earlier), (event(), NO), cookies=FULL_COOKIES) == dict.fromkeys(everything, False)
    assert fold((event(), NO), (event(), earlier), cookies=FULL_COOKIES) == dict.fromkeys(everything, False)


def test_purposes_cover_every_combination_above():
    assert {purpose.value for purpose in Purpose} == {"marketing", "analytics", "personalization", "sale"}


def test_a_rolling_cookie_always_gets_its_whole_life():
    _, answer = visit(event(), cookies=FULL_COOKIES)
    assert answer["_fh"][1][0] == f"Max-Age={395 * DAY_S}"


def test_a_cookie_that_does_not_roll_ends_when_it_was_going_to():
    still = CookieSettings(rolling=False, max_age_days=30)
    _, answer = visit(event(), cookies=FULL_COOKIES, settings=still)
    assert answer["_fh"][1][0] == f"Max-Age={25 * DAY_S}"


def test_a_cookie_past_its_fixed_end_is_expired():
    _, answer = visit(event(), cookies=FULL_COOKIES, settings=CookieSettings(rolling=False, max_age_days=5))
    assert answer["_fh"][0] == ""
    assert answer["_fh"][1][0] == "Max-Age=0"


def test_explain_can_start_from_nobody():
    _, stored = advance(
        Identity(),
        event("https://www.example.com/?fbclid=A"),
        consent=YES,
        now_ms=NOW,
        domain=SITE,
        mint=None,
        keep=META,
    )
    assert stored.browser_ids == {"fbc": f"fb.1.{NOW}.A"}


times = st.integers(NOW - 80 * DAY_MS, NOW)
clicks = st.sampled_from(["A", "B", "C"])


@given(st.lists(st.tuples(clicks | st.none(), times), min_size=1, max_size=5), st.booleans())
def test_the_browser_and_the_event_always_agree_on_the_newest_click(visits, lose_cookies):
    """Any sequence of visits: what the event says, what the cookie says and what we remember is one story."""
    cookies, last = "", None
    for click, at in sorted(visits, key=lambda pair: pair[1]):
        query = f"?fbclid={click}" if click else ""
        (stored,), answer = visit(event(f"https://www.example.com/{query}", time=at), cookies=cookies, now_ms=at)
        last = click or last
        assert (fbclid_of(stored.browser_ids["fbc"]) if last else None) == last
        assert (stored.click_ids["fbclid"].value if last else None) == last
        assert answer.get("_fbc", (None,))[0] == stored.browser_ids.get("fbc") == opened(answer).fbc
        kept = {"_fh"} if lose_cookies else set(answer)
        cookies = cookie_header(**{name: answer[name][0] for name in kept})


def test_a_cookie_replayed_after_a_browser_would_have_dropped_it_is_no_cookie():
    old = CODEC.encode(remembered())
    sealed_at = NOW - DAY_MS
    assert read(f"_fh={old}", CODEC, META, sealed_at + 401 * DAY_MS).visitor.id == "v_old"
    assert read(f"_fh={old}", CODEC, META, sealed_at + 401 * DAY_MS + 1).visitor is None
