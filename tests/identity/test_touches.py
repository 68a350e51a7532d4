"""First touch, last touch and the evidence for them, through the whole fold."""

import pytest

from proxy.clock import DAY_MS
from proxy.config.settings import CookieSettings
from proxy.event import Attribution, ClickId, Client, Consent, ConsentState, Event, Page, Touch, Visitor, replace
from proxy.identity.click_ids import Aliases
from proxy.identity.cookie_domain import CookieDomain
from proxy.identity.identity import Identity, advance, read, set_cookies
from proxy.identity.keeping import Keeping
from proxy.identity.platform_cookies import COOKIES
from proxy.identity.touches import Evidence
from proxy.identity.visitor import Remembered, VisitorCookie
from proxy.privacy.consent import minimise
from proxy.privacy.keys import Keyring, generate_key

NOW = 1_790_000_000_123
SITE = CookieDomain("example.com", 1)
CODEC = VisitorCookie(Keyring.parse(generate_key()))
YES = Consent(marketing=ConsentState.GRANTED, analytics=ConsentState.GRANTED, source="api")
TWCLID = tuple(row for row in COOKIES if row.name == "twclid")
KEEP = Keeping(
    names=frozenset({"_fh", "_fbc", "_fbp", "twclid"}),
    reads_meta=True,
    sets_meta=True,
    clicks=TWCLID,
    has_platforms=True,
    aliases=Aliases({"g_id": "gclid"}),
)
HOME = "https://www.example.com/"
IN_APP = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/22A [FBAN/FBIOS;FBAV/480.0.0;FBDV/iPhone14,5]"


def event(url=HOME, at=NOW, consent=YES, **more):
    fields = {"id": "e", "name": "page_view", "time": at, "page": Page(url=url), "consent": consent, **more}
    return Event(**fields)


class Browser:
    """Keeps its cookies from one request to the next."""

    def __init__(self, cookies=""):
        self.jar = dict(pair.split("=", 1) for pair in cookies.split("; ") if pair)

    def sends(self, one, via=Evidence.URL):
        header = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        identity = read(header, CODEC, KEEP, one.time)
        how = {"consent": one.consent, "now_ms": one.time, "domain": SITE, "mint": lambda: 7, "keep": KEEP, "via": via}
        identity, filled = advance(identity, one, **how)
        settings = CookieSettings()
        for line in set_cookies(
            identity, codec=CODEC, settings=settings, domain=SITE, now_ms=one.time, secure=True, keep=KEEP
        ):
            name, _, value = line.partition("; ")[0].partition("=")
            self.jar[name] = value
        return filled


def test_a_visitor_who_never_clicked_has_no_attribution():
    assert Browser().sends(event()).attribution is None


@pytest.mark.parametrize(
    ("one", "via", "click", "evidence"),
    [
        (event(HOME + "?gclid=A"), Evidence.URL, "gclid", "url"),
        (event(HOME + "?gclid=A"), Evidence.REDIRECT, "gclid", "redirect"),
        (event(HOME + "?g_id=A"), Evidence.URL, "gclid", "alias"),
        (event(page=Page(url=HOME, referrer=HOME + "land?ttclid=A")), Evidence.URL, "ttclid", "referer"),
        (event(click_ids={"gclid": ClickId(value="A", clicked_at=NOW)}), Evidence.URL, "gclid", "event"),
        (
            event(click_ids={"fbclid": ClickId(value="A", clicked_at=NOW)}, client=Client(user_agent=IN_APP)),
            Evidence.URL,
            "fbclid",
            "inapp",
        ),
        (
            event(click_ids={"gclid": ClickId(value="A", clicked_at=NOW)}, client=Client(user_agent=IN_APP)),
            Evidence.URL,
            "gclid",
            "event",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, (str, Evidence)) else "",
)
def test_every_way_a_click_arrives_is_told_apart(one, via, click, evidence):
    touch = Touch(click=click, at=NOW, evidence=evidence)
    assert Browser().sends(one, via).attribution == Attribution(first=touch, last=touch, evidence=evidence)


@pytest.mark.parametrize(
    ("cookies", "click"),
    [("twclid=abc", "twclid"), (f"_fbc=fb.1.{NOW - DAY_MS}.AbC", "fbclid")],
    ids=["twclid", "_fbc"],
)
def test_a_platforms_own_cookie_is_evidence(cookies, click):
    found = Browser(cookies).sends(event()).attribution
    assert (found.last.click, found.last.evidence, found.evidence) == (click, "cookie", "cookie")


def test_the_first_touch_stays_while_the_last_one_moves_and_later_events_know_both_from_the_store():
    browser = Browser()
    browser.sends(event(HOME + "?gclid=A"))
    browser.sends(event(HOME + "?fbclid=B", at=NOW + DAY_MS))
    bought = browser.sends(event(at=NOW + 2 * DAY_MS, name="purchase"))
    assert bought.attribution == Attribution(
        first=Touch(click="gclid", at=NOW, evidence="url"),
        last=Touch(click="fbclid", at=NOW + DAY_MS, evidence="url"),
        evidence="cookie",  # `_fbc` came along
    )
    browser.jar = {"_fh": browser.jar["_fh"]}
    assert browser.sends(event(at=NOW + 2 * DAY_MS)).attribution.evidence == "store"


def test_the_same_click_again_is_no_new_touch():
    browser = Browser()
    browser.sends(event(HOME + "?gclid=A"), Evidence.REDIRECT)
    again = browser.sends(event(HOME + "?gclid=A", at=NOW + 5_000))
    assert again.attribution.last == Touch(click="gclid", at=NOW, evidence="redirect")
    assert again.attribution.evidence == "url"


def test_a_fresh_click_in_the_url_wins_over_its_alias_and_over_the_stored_one():
    browser = Browser()
    browser.sends(event(HOME + "?gclid=OLD"))
    now = browser.sends(event(HOME + "?g_id=ALIAS&gclid=FRESH", at=NOW + DAY_MS))
    assert now.click_ids["gclid"].value == "FRESH"
    assert now.attribution.last == Touch(click="gclid", at=NOW + DAY_MS, evidence="url")
    kept = browser.sends(event(at=NOW + 2 * DAY_MS))
    assert kept.click_ids["gclid"].value == "FRESH"


def test_touches_are_forgotten_with_their_clicks_after_90_days():
    browser = Browser()
    browser.sends(event(HOME + "?gclid=A"))
    browser.sends(event(HOME + "?ttclid=B", at=NOW + 80 * DAY_MS))
    later = browser.sends(event(at=NOW + 95 * DAY_MS)).attribution
    assert later.first == later.last == Touch(click="ttclid", at=NOW + 80 * DAY_MS, evidence="url")
    assert browser.sends(event(at=NOW + 175 * DAY_MS)).attribution is None


def test_a_cookie_from_before_there_was_a_record_still_tells_of_its_click():
    old = Remembered(
        visitor=Visitor(id="v_old", first_seen=NOW - 9 * DAY_MS),
        seen_at=NOW,
        click_ids={"gclid": ClickId(value="A", clicked_at=NOW - 5 * DAY_MS)},
    )
    found = Browser(f"_fh={CODEC.encode(old)}").sends(event()).attribution
    touch = Touch(click="gclid", at=NOW - 5 * DAY_MS, evidence="store")
    assert found == Attribution(first=touch, last=touch, evidence="store")


def test_an_older_click_told_late_can_be_the_first_but_not_the_last():
    browser = Browser()
    browser.sends(event(HOME + "?gclid=A"))
    late = event(click_ids={"ttclid": ClickId(value="B", clicked_at=NOW - DAY_MS)}, at=NOW + 1)
    found = browser.sends(late).attribution
    assert (found.first.click, found.last.click) == ("ttclid", "gclid")


def test_without_marketing_consent_nothing_is_told_or_remembered():
    analytics = Consent(marketing=ConsentState.DENIED, analytics=ConsentState.GRANTED, source="api")
    browser = Browser()
    assert browser.sends(event(HOME + "?gclid=A", consent=analytics)).attribution is None
    assert CODEC.decode(browser.jar["_fh"]).touches is None
    browser.sends(event(HOME + "?gclid=A"))
    assert CODEC.decode(browser.jar["_fh"]).touches is not None
    browser.sends(event(consent=analytics))
    assert CODEC.decode(browser.jar["_fh"]).touches is None


def test_the_record_leaves_the_event_with_the_consent():
    told = Browser().sends(event(HOME + "?gclid=A"))
    sold = replace(told.consent, sale=ConsentState.DENIED)
    assert minimise(replace(told, consent=sold)).attribution is None
    assert minimise(told).attribution is not None


def test_what_a_server_says_about_the_history_is_believed():
    touch = Touch(click="gclid", at=1, evidence="url")
    said = Attribution(first=touch, last=touch, evidence="store")
    _, filled = advance(
        Identity(),
        event(HOME + "?ttclid=x", attribution=said),
        consent=YES,
        now_ms=NOW,
        domain=SITE,
        mint=None,
        keep=KEEP,
    )
    assert filled.attribution == said
