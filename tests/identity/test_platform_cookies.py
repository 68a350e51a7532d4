"""The other platforms' cookies, through the whole fold: cookies in, events filled in, cookies out."""

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from proxy.clock import DAY_MS, DAY_S
from proxy.config.settings import CookieSettings, Kept, Settings
from proxy.destinations import load_all
from proxy.destinations.base import DestinationSettings
from proxy.event import ClickId, Consent, ConsentState, Event, Page, Visitor, replace
from proxy.identity.cookie_domain import CookieDomain
from proxy.identity.identity import advance, read, set_cookies
from proxy.identity.keeping import keeping
from proxy.identity.platform_cookies import COOKIES, ClickCookie
from proxy.identity.visitor import Remembered, VisitorCookie
from proxy.privacy.consent import may_advertise, may_identify, minimise
from proxy.privacy.keys import Keyring, generate_key

NOW = 1_790_000_000_123
CODEC = VisitorCookie(Keyring.parse(generate_key()))
SITE = CookieDomain("example.com", 1)
G, D, U = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
YES = Consent(marketing=G, analytics=G, source="api", time=NOW)
ANALYTICS = Consent(marketing=D, analytics=G, source="api", time=NOW)
NO = Consent(marketing=D, analytics=D, personalization=D, source="api", time=NOW)
PREPARED = ("microsoft", "linkedin", "reddit", "x")  # no destination yet
EVERY_KIND = ("tiktok", "snapchat", "pinterest", "google_ads", "ga4", *PREPARED)
STREAM = "ABC1234567"
SECOND = NOW // 1000 - 86_400

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tiktok-snap-pinterest-vectors.json").read_text())
ONLINE = [vector for vector in VECTORS["click_ids"] if vector.get("event_source") is None]
OURS = {"sc_click_id": "sccid", "sc_cookie1": "scid", "click_id": "epik"}

SAMPLES = {
    "_ttp": "01ARZ3NDEKTSV4RRFFQ69G5FAV_.tt.1",
    "ttclid": "E.C.P.AbC-1_x",
    "_scid": "AbCdEfGh0123456789_-IjKlMnOpQrSt",
    "_scclid": "3d1f8d6e-3b1c-4a53-9a3e-7a2f1f0c9d11",
    "_epik": "dj0yJnU9QUFBQSZwPTI",
    "_ga": "GA1.2-2.1234567890.1690000000",
    f"_ga_{STREAM}": "GS2.1.s1747132561$o3$g0$t1747132655",
    "FPGCLAW": f"2.1.kCj0-server$i{SECOND}",
    "_gcl_aw": f"GCL.{SECOND}.Cj0-server",
    "FPGCLGB": f"2.1.kwb-1$i{SECOND}",
    "_gcl_gb": f"GCL.{SECOND}.wb-1",
    "FPGCLAG": f"2.1.kgb-1$i{SECOND}",
    "_gcl_ag": f"2.1.kgb-1$i{SECOND}",
    "FPGCLDC": f"2.1.kdc-1$i{SECOND}",
    "_gcl_dc": f"GCL.{SECOND}.dc-1",
    "_uetmsclkid": "_uetb1240587f865192a03586c5b000314f5",
    "_uetvid": "4f2e8c90b1d211efa1d5c7b0a1c2d3e4",
    "_uetsid": "4f2e6a10b1d211ef9d3e1b2c3d4e5f60",
    "li_fat_id": "8d1f2f7e-2b1c-4a53-9a3e-7a2f1f0c9d11",
    "_rdt_cid": "123456789012345678",
    "rdt_cid": "123456789012345678",
    "_rdt_uuid": "1690000000000.8d1f2f7e-2b1c-4a53-9a3e-7a2f1f0c9d11",
    "_twclid": "%7B%22pv%22%3A1%2C%22twclid%22%3A%2223opevjt88psuo13lu8d020qkn%22%7D",
    "twclid": "23opevjt88psuo13lu8d020qkn",
}
ALL_IDS = {
    "ttp": SAMPLES["_ttp"],
    "scid": SAMPLES["_scid"],
    "ga_client_id": "1234567890.1690000000",
    "ga_session_id": "1747132561",
    "ga_session_number": "3",
    "uetvid": SAMPLES["_uetvid"],
    "uetsid": SAMPLES["_uetsid"],
    "rdt_uuid": SAMPLES["_rdt_uuid"],
}
MEASURED = {name: value for name, value in ALL_IDS.items() if name.startswith("ga_")}
CLICKS = {
    *("ttclid", "sccid", "epik", "gclid", "wbraid", "gbraid", "dclid"),
    *("msclkid", "li_fat_id", "rdt_cid", "twclid"),
}
RENEWED = {
    "_ttp": 395,
    "_scid": 395,
    "_epik": 365,
    "_ga": 400,
    "_uetmsclkid": 90,
    "_uetvid": 395,
    "li_fat_id": 90,
    "_rdt_cid": 30,
    "_rdt_uuid": 90,
}
CLICK_COOKIES = {"_epik", "_uetmsclkid", "li_fat_id", "_rdt_cid"}  # written from a click, not kept to the byte


class Stream(DestinationSettings):
    measurement_id: str = f"G-{STREAM}"


def keep_for(*kinds, streams=(f"G-{STREAM}",), **settings):
    configured = [DestinationSettings(kind=kind) for kind in kinds if kind != "ga4"]
    configured += [Stream(kind="ga4", measurement_id=one) for one in streams if "ga4" in kinds]
    named = {f"d{number}": one for number, one in enumerate(configured)}
    site = {"origins": ["https://www.example.com"]}
    return keeping(Settings(site=site, cookie=CookieSettings(**settings), destinations=named))


ALL = keep_for(*EVERY_KIND)


def header(**cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def event(url="https://www.example.com/", **fields):
    return Event(**{"id": "e-1", "name": "page_view", "time": NOW, "page": Page(url=url), **fields})


def visit(*events, cookies="", consent=YES, keep=ALL, now_ms=NOW):
    """One request: what is stored, and the cookies of the answer as {name: (value, attributes)}."""
    identity = read(cookies, CODEC, keep, now_ms)
    stored = []
    for one in events:
        event_now = replace(one, consent=consent)
        how = {"consent": consent, "now_ms": now_ms, "domain": SITE, "mint": lambda: 7, "keep": keep}
        identity, filled = advance(identity, event_now, **how)
        stored.append(minimise(filled))
    answer = {}
    for line in set_cookies(
        identity, codec=CODEC, settings=CookieSettings(), domain=SITE, now_ms=now_ms, secure=True, keep=keep
    ):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        answer[name] = (value, attributes)
    return stored, answer


def opened(answer):
    return CODEC.decode(answer["_fh"][0])


def remembered(**fields):
    first = Visitor(id="v_old", first_seen=NOW - 200 * DAY_MS)
    return CODEC.encode(Remembered(**{"visitor": first, "seen_at": NOW - DAY_MS, **fields}))


@pytest.mark.parametrize("vector", ONLINE, ids=lambda vector: f"{vector['id']} {vector['name']}")
def test_the_platforms_vectors(vector):
    (stored,), _ = visit(event(vector["url"]), cookies=header(**vector["cookies"]), keep=keep_for(vector["platform"]))
    told = {name: click.value for name, click in stored.click_ids.items()} | stored.browser_ids
    assert told == {OURS.get(name, name): value for name, value in vector["expect"].items()}


def test_every_row_of_the_table_has_its_sample_and_says_something_of_it():
    assert {row.name for row in COOKIES} == SAMPLES.keys() - {f"_ga_{STREAM}"}
    (stored,), _ = visit(event(), cookies=header(**SAMPLES))
    assert stored.browser_ids == ALL_IDS
    assert set(stored.click_ids) == CLICKS
    for row in COOKIES:
        (alone,), _ = visit(event(), cookies=header(**{row.name: SAMPLES[row.name]}))
        assert (alone.click_ids if isinstance(row, ClickCookie) else alone.browser_ids) != {}


def test_every_kind_in_the_table_is_a_destination_or_prepared_for_one():
    assert {row.kind for row in COOKIES} <= set(load_all()) | set(PREPARED)
    assert set(Kept.__args__) == {row.kind for row in COOKIES if row.lasts_s} | {"meta", *PREPARED}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_cookies_of_platforms_that_are_not_used_are_not_read(kind):
    keep = keep_for(*(other for other in EVERY_KIND if other != kind))
    theirs = {name: value for name, value in SAMPLES.items() if name not in keep.names}
    assert theirs
    (stored,), answer = visit(event(), cookies=header(**theirs, _fh=remembered(cookies=theirs)), keep=keep)
    assert (stored.browser_ids, stored.click_ids) == ({}, {})
    assert set(answer) == {"_fh"}
    assert opened(answer).cookies == {}


def test_what_is_renewed_is_the_same_to_the_byte_and_can_be_read_by_the_platforms_tag():
    _, answer = visit(event(), cookies=header(**SAMPLES))
    assert set(answer) == {"_fh", *RENEWED}
    for name, days in RENEWED.items():
        value, attributes = answer[name]
        assert value == SAMPLES[name]
        assert attributes == [f"Max-Age={days * DAY_S}", "Path=/", "SameSite=Lax", "Domain=example.com", "Secure"]


def test_a_browser_that_lost_its_cookies_gets_them_back():
    _, first = visit(event(), cookies=header(**SAMPLES))
    later = NOW + 80 * DAY_MS
    (stored,), second = visit(event(), cookies=header(_fh=first["_fh"][0]), now_ms=later)
    assert {name: second[name] for name in RENEWED} == {name: first[name] for name in RENEWED}
    assert {name: stored.browser_ids[name] for name in ("ttp", "scid", "ga_client_id")} == {
        name: ALL_IDS[name] for name in ("ttp", "scid", "ga_client_id")
    }
    assert set(stored.click_ids) == CLICKS
    assert "ga_session_id" not in stored.browser_ids


def test_what_the_platforms_cookie_could_no_longer_hold_is_not_given_back():
    cookies = header(_fh=remembered(seen_at=NOW - 396 * DAY_MS, cookies={"_ttp": "abc", "_ga": SAMPLES["_ga"]}))
    (stored,), answer = visit(event(), cookies=cookies)
    assert stored.browser_ids == {"ga_client_id": "1234567890.1690000000"}
    assert set(answer) == {"_fh", "_ga"}


def test_nothing_is_made_up():
    _, answer = visit(event())
    assert set(answer) == {"_fh"}


def test_a_cookie_wins_over_what_we_remember_of_it():
    cookies = header(_ttp="new", _fh=remembered(cookies={"_ttp": "old"}))
    (stored,), answer = visit(event(), cookies=cookies)
    assert stored.browser_ids == {"ttp": "new"}
    assert answer["_ttp"][0] == opened(answer).cookies["_ttp"] == "new"


@pytest.mark.parametrize("broken", ["", "a b", "undefined", "x" * 129, "\u2603", '"q"', "a\x00b"])
def test_unusable_values_are_repaired_from_what_we_remember(broken):
    (stored,), answer = visit(event(), cookies=f"_ttp={broken}; _fh={remembered(cookies={'_ttp': 'good'})}")
    assert stored.browser_ids == {"ttp": "good"}
    assert answer["_ttp"][0] == "good"


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != f"_ga_{STREAM}"])
def test_unusable_values_are_ignored_and_told_of(name):
    cookies = f"{name}=one two"
    (stored,), answer = visit(event(), cookies=cookies)
    assert (stored.browser_ids, stored.click_ids, set(answer)) == ({}, {}, {"_fh"})
    assert read(cookies, CODEC, ALL, NOW).found.unusable == {name}


def test_of_several_cookies_of_one_name_the_first_usable_one_counts():
    (stored,), _ = visit(event(), cookies="_ttp=a b; _ttp=first; _ttp=second")
    assert stored.browser_ids == {"ttp": "first"}


def test_cookies_that_contradict_each_other_are_not_written_over():
    _, answer = visit(event(), cookies="_ga=GA1.2.1.1; _ga=GA1.3.2.2; _ttp=same; _ttp=same")
    assert set(answer) == {"_fh", "_ttp"}
    assert opened(answer).cookies == {"_ttp": "same"}


def test_an_id_the_page_states_wins_in_the_event_but_never_becomes_the_cookie():
    stated = event(browser_ids={"ttp": "stated", "ga_client_id": "1.2"})
    (stored,), answer = visit(stated, cookies=header(_ttp="cookie", _ga=SAMPLES["_ga"]))
    assert stored.browser_ids == {"ttp": "stated", "ga_client_id": "1.2"}
    assert (answer["_ttp"][0], answer["_ga"][0]) == ("cookie", SAMPLES["_ga"])
    (junk,), _ = visit(event(browser_ids={"ttp": "undefined"}), cookies="_ttp=cookie")
    assert junk.browser_ids == {"ttp": "cookie"}


def test_a_click_in_the_url_beats_every_cookie_and_renews_the_platforms_own():
    url = "https://www.example.com/?epik=NEW&gclid=NEW&ttclid=NEW&ScCid=NEW"
    (stored, after), answer = visit(event(url), event(), cookies=header(**SAMPLES))
    assert {name: stored.click_ids[name].value for name in ("epik", "gclid", "ttclid", "sccid")} == dict.fromkeys(
        ("epik", "gclid", "ttclid", "sccid"), "NEW"
    )
    assert after.click_ids == stored.click_ids
    assert answer["_epik"][0] == "NEW"


def test_a_new_click_gets_its_platforms_cookie_in_its_own_form_even_without_the_tag():
    _, answer = visit(event("https://www.example.com/?epik=NEW&msclkid=b124&li_fat_id=l-1&rdt_cid=7"))
    written = {name: value for name, (value, _) in answer.items() if name != "_fh"}
    assert written == {"_epik": "NEW", "_uetmsclkid": "_uetb124", "li_fat_id": "l-1", "_rdt_cid": "7"}


def test_forms_that_are_not_certain_are_only_read():
    _, answer = visit(event("https://www.example.com/?gclid=g&wbraid=w&gbraid=b&twclid=t"))
    assert set(answer) == {"_fh"}


@pytest.mark.parametrize("value", ["%7B%22pv%22%3A1%7D", "%7Bnope", "{}"])
def test_a_twclid_cookie_without_a_click_says_nothing(value):
    (stored,), _ = visit(event(), cookies=f"_twclid={value}")
    assert stored.click_ids == {}
    assert read(f"_twclid={value}", CODEC, ALL, NOW).found.unusable == {"_twclid"}


def test_the_platform_a_list_names_is_read_without_a_destination():
    (stored,), _ = visit(
        event(), cookies=header(**SAMPLES), keep=keep_for(keep=["microsoft", "linkedin", "reddit", "x"])
    )
    assert set(stored.click_ids) == {"msclkid", "li_fat_id", "rdt_cid", "twclid"}
    assert set(stored.browser_ids) == {"uetvid", "uetsid", "rdt_uuid"}


def known(clicks, **fields):
    return remembered(click_ids={name: ClickId(value=value, clicked_at=at) for name, (value, at) in clicks.items()})


def test_of_two_clicks_of_google_the_later_one_counts():
    for at, value in ((SECOND * 1000 + 5, "ours"), (SECOND * 1000 - 5, "Cj0-server")):
        cookies = header(_fh=known({"gclid": ("ours", at)}), _gcl_aw=SAMPLES["_gcl_aw"])
        (stored,), _ = visit(event(), cookies=cookies)
        assert stored.click_ids["gclid"].value == value


def test_the_same_click_keeps_its_earliest_time_wherever_it_is_known_from():
    early, cookie = SECOND * 1000 - 5, header(_gcl_aw=SAMPLES["_gcl_aw"])
    (stored,), _ = visit(event(), cookies=f"{cookie}; _fh={known({'gclid': ('Cj0-server', early)})}")
    assert stored.click_ids["gclid"].clicked_at == early
    (stored,), _ = visit(event("https://www.example.com/?gclid=Cj0-server"), cookies=cookie)
    assert stored.click_ids["gclid"].clicked_at == SECOND * 1000


def test_a_google_click_from_the_future_happened_now_and_one_of_last_year_not_at_all():
    (stored,), _ = visit(event(), cookies=f"_gcl_aw=GCL.{SECOND * 2}.x; _gcl_gb=GCL.{SECOND - 91 * DAY_S}.y")
    assert stored.click_ids == {"gclid": ClickId(value="x", clicked_at=NOW)}


def test_a_click_without_a_time_keeps_the_time_it_was_first_seen_while_the_browser_carries_it():
    cookies, at = header(_epik="E", ttclid="T"), NOW
    for day in range(0, 300, 50):
        (stored, again), answer = visit(event(), event(), cookies=cookies, now_ms=NOW + day * DAY_MS)
        assert stored.click_ids == again.click_ids
        assert {click.clicked_at for click in stored.click_ids.values()} == {at}
        assert set(stored.click_ids) == {"epik", "ttclid"}
        cookies = header(_epik=answer["_epik"][0], ttclid="T", _fh=answer["_fh"][0])


def test_without_the_browsers_cookie_a_click_is_forgotten_after_90_days():
    (stored,), answer = visit(event(), cookies=header(_fh=known({"epik": ("E", NOW - 91 * DAY_MS)})))
    assert stored.click_ids == {}
    assert set(answer) == {"_fh"}


def test_a_cookie_of_ours_that_differs_is_news_and_one_of_others_fills_a_gap():
    clicks = {"epik": ("ours", NOW - DAY_MS), "ttclid": ("ours", NOW - DAY_MS)}
    (stored,), _ = visit(event(), cookies=header(_fh=known(clicks), _epik="theirs", ttclid="theirs"))
    assert stored.click_ids["epik"] == ClickId(value="theirs", clicked_at=NOW)
    assert stored.click_ids["ttclid"] == ClickId(value="ours", clicked_at=NOW - DAY_MS)
    old = {"ttclid": ("ours", NOW - 91 * DAY_MS)}
    (stored,), _ = visit(event(), cookies=header(_fh=known(old), ttclid="theirs"))
    assert stored.click_ids["ttclid"] == ClickId(value="theirs", clicked_at=NOW)


def test_with_several_streams_each_session_has_its_name_and_the_plain_one_what_all_agree_on():
    two = keep_for("ga4", streams=("G-AAA", "G-BBB", "G-AAA"))
    cookies = {"_ga_AAA": "GS1.1.1690013078.2.1.1690013090.0", "_ga_CCC": "GS2.1.s9$o9"}
    (alone,), _ = visit(event(), cookies=header(**cookies), keep=two)
    assert alone.browser_ids == {"ga_session_id_AAA": "1690013078", "ga_session_number_AAA": "2"}
    (both,), _ = visit(event(), cookies=header(**cookies, _ga_BBB="GS2.1.s1690013078$o7"), keep=two)
    assert both.browser_ids == {
        **alone.browser_ids,
        "ga_session_id_BBB": "1690013078",
        "ga_session_number_BBB": "7",
        "ga_session_id": "1690013078",
    }


EVERY_CONSENT = [
    Consent(marketing=m, analytics=a, sale=s, source=source, time=NOW)
    for m, a, s, source in itertools.product((G, D, U), (G, D, U), (G, D, U), ("api", "default", "gpc"))
]


@pytest.mark.parametrize("consent", EVERY_CONSENT, ids=lambda c: f"{c.marketing}-{c.analytics}-{c.sale}-{c.source}")
def test_no_cookie_is_read_or_set_without_the_consent_it_needs(consent):
    kept = remembered(cookies={name: SAMPLES[name] for name in ("_ttp", "_scid", "_ga")})
    for cookies in (header(**SAMPLES), header(**SAMPLES, _fh=kept), header(_fh=kept)):
        (stored,), answer = visit(event(), cookies=cookies, consent=consent)
        set_now = {name for name, (value, _) in answer.items() if value} - {"_fh"}
        lost = "_ttp" not in cookies.replace(kept, "")
        if may_advertise(consent):
            assert set_now == ({"_ttp", "_scid", "_ga"} if lost else set(RENEWED))
            assert opened(answer).cookies.keys() == set_now - CLICK_COOKIES
            assert lost or (stored.browser_ids == ALL_IDS and set(stored.click_ids) == CLICKS)
        elif may_identify(consent):
            assert set_now == {"_ga"}
            assert opened(answer).cookies == {"_ga": SAMPLES["_ga"]}
            assert stored.browser_ids == ({"ga_client_id": ALL_IDS["ga_client_id"]} if lost else MEASURED)
            assert stored.click_ids == {}
        else:
            assert (stored, set_now) == (None, set())
            assert "_fh" not in answer or answer["_fh"][0] == ""


def test_withdrawing_everything_removes_what_we_set_and_nothing_else():
    _, answer = visit(event(), cookies=header(**SAMPLES), consent=NO)
    assert set(answer) == set(RENEWED)
    for value, attributes in answer.values():
        assert value == ""
        assert attributes == ["Max-Age=0", "Path=/", "SameSite=Lax", "Domain=example.com", "Secure"]


def test_withdrawing_marketing_keeps_the_measuring_cookie():
    _, answer = visit(event(), cookies=header(**SAMPLES), consent=ANALYTICS)
    assert {name for name, (value, _) in answer.items() if not value} == set(RENEWED) - {"_ga"}
    assert answer["_ga"][0] == SAMPLES["_ga"]


def test_withdrawing_removes_unusable_cookies_too_and_only_those_that_came():
    _, answer = visit(event(), cookies="_scid=a b", consent=NO)
    assert set(answer) == {"_scid"}


def test_a_gpc_signal_alone_removes_advertising_and_leaves_measuring():
    consent = Consent(marketing=D, analytics=D, sale=D, source="gpc")
    _, answer = visit(event(), cookies=header(**SAMPLES), consent=consent)
    assert set(answer) == set(RENEWED) - {"_ga"}


def test_a_default_denial_leaves_cookies_of_an_earlier_consent_alone():
    consent = Consent(marketing=D, analytics=D, personalization=D, source="default")
    assert visit(event(), cookies=header(**SAMPLES), consent=consent)[1] == {}


def test_nothing_is_renewed_that_the_operator_does_not_want_renewed():
    keep = keep_for("meta", *EVERY_KIND, keep=["pinterest"])
    (stored,), answer = visit(event("https://www.example.com/?fbclid=A"), cookies=header(**SAMPLES), keep=keep)
    assert set(answer) == {"_fh", "_epik"}
    assert stored.browser_ids == ALL_IDS
    assert set(visit(event(), cookies=header(**SAMPLES), keep=keep, consent=NO)[1]) == {"_epik"}
    assert set(visit(event(), keep=keep_for("meta", keep=[]))[1]) == {"_fh"}
    assert set(visit(event(), keep=keep_for(keep=["meta"]))[1]) == {"_fh", "_fbp"}
    assert set(visit(event(), keep=keep_for(keep=[], meta=True))[1]) == {"_fh", "_fbp"}
    assert set(visit(event(), keep=keep_for("meta", keep=["meta"], meta=False))[1]) == {"_fh"}


@hypothesis_settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(sorted(SAMPLES)), st.text(max_size=40)), st.sampled_from(["", *SAMPLES.values()])
)
def test_whatever_cookies_hold_none_can_be_injected(cookies, start):
    sent = "; ".join(f"{name}={start}{value}" for name, value in cookies.items())
    (stored,), answer = visit(event(), cookies=sent)
    assert set(answer) <= {"_fh", *RENEWED}
    for value, attributes in answer.values():
        assert re.fullmatch(r"[!-~]+", value)
        assert ";" not in value
        assert len(attributes) in (5, 6)
    assert all(re.fullmatch(r"[!-~]+", value) for value in stored.browser_ids.values())
