"""What visitors say in a banner is what counts here, whichever banner and whenever it says so; nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.collector.compose import file_of, source, strip, told
from proxy.config.modules import Banner, Module
from proxy.config.tracker import TrackerSettings

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

STAND_INS = Path(__file__).with_name("banners.js").read_text(encoding="utf-8")
BANNERS = {
    "cookiebot": "cookiebot",
    "onetrust": "onetrust",
    "usercentrics2": "usercentrics",
    "usercentrics3": "usercentrics",
    "cookiefirst": "cookiefirst",
    "didomi": "didomi",
    "klaro": "klaro",
    "cookieconsent": "cookieconsent",
    "cookieconsentBundled": "cookieconsent",
    "cookieyes": "cookieyes",
    "complianz": "complianz",
    "shopify": "shopify",
    "wordpress": "wordpress",
}
SOURCES = BANNERS | {"tcf": "tcf", "gcm": "gcm"}
MODULES = {"tcf": Module.TCF, "gcm": Module.CONSENT_MODE}
LOADED = "firsthand('ready', () => { window.loaded = true })"


@pytest.fixture
def switched_on(site):
    """Composes a banner's adapter into the script of this site."""

    def switch(name: str) -> None:
        if name in MODULES:
            site.modules[MODULES[name]] = {}
        else:
            site.modules[Module.BANNERS] = {"names": [BANNERS[name]]}

    return switch


def state(request):
    consent = request.envelope["consent"]
    return consent.get("marketing"), consent.get("analytics"), consent["source"]


def request_with(site, name):
    """The last one that brought an event of this name; what is said without events may come beside it."""
    return [request for request in site.requests if name in [event["name"] for event in request.events]][-1]


@pytest.mark.parametrize("name", SOURCES)
async def test_events_wait_for_a_late_banner_follow_every_change_of_mind_and_a_returning_visitor_is_known(
    site, page, switched_on, name
):
    switched_on(name)
    site.pages["*"] = site.page(f"{STAND_INS};{LOADED}")
    await page.goto(site.url("/?fbclid=AbC"))
    await page.wait_for_function("window.loaded")
    await page.evaluate(f"banners.{name}.install()")
    await page.evaluate("dispatchEvent(new Event('load')); new Promise(done => setTimeout(done, 100))")
    assert site.requests == [], "nobody has decided"
    await page.evaluate(f"banners.{name}.decide({{marketing: true, analytics: false}})")
    await site.until_names("page_view")
    assert state(site.requests[0]) == ("granted", "denied", SOURCES[name])
    assert site.accepted[0]["page"]["url"].endswith("?fbclid=AbC")
    await page.evaluate(f"banners.{name}.decide({{marketing: false, analytics: true}})")
    await page.evaluate("firsthand('track', 'purchase')")
    await site.until(lambda: "purchase" in site.names)
    assert state(request_with(site, "purchase")) == ("denied", "granted", SOURCES[name])
    await page.evaluate(f"banners.{name}.decide({{marketing: false, analytics: false}})")
    refusal = ("denied", "denied", SOURCES[name])
    await site.until(lambda: refusal in map(state, site.requests))
    assert next(request for request in site.requests if state(request) == refusal).events == []

    if name == "cookieconsentBundled":
        return  # it tells a returning visitor's choice once, on load, and may be quicker than we are: docs/consent.md
    site.pages["/again"] = site.page(f"{STAND_INS}; banners.{name}.install({{marketing: true, analytics: true}})")
    await page.goto(site.url("/again"))
    await site.until(lambda: site.names.count("page_view") == 2)
    returned = request_with(site, "page_view")
    assert state(returned) == ("granted", "granted", SOURCES[name])
    assert returned.envelope["consent"].get("personalization") == (None if name == "gcm" else "granted")


async def test_without_the_banner_nothing_is_sent_and_nothing_fails(site, page):
    assert set(BANNERS.values()) == set(Banner)
    site.modules |= {Module.TCF: {}, Module.GPP: {}, Module.CONSENT_MODE: {}, Module.BANNERS: {"names": list(Banner)}}
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "warning" else None)
    site.pages["*"] = site.page(LOADED)
    await page.clock.install()
    await page.goto(site.url("/"))
    await page.wait_for_function("window.loaded")
    await page.clock.run_for(60_000)
    assert site.requests == []
    assert said == []


async def test_the_sites_own_callback_is_kept(site, page, switched_on):
    switched_on("onetrust")
    site.pages["*"] = site.page(f"{STAND_INS}; window.OptanonWrapper = () => {{ window.called = 1 }}; {LOADED}")
    await page.goto(site.url("/"))
    await page.wait_for_function("window.loaded")
    await page.evaluate("banners.onetrust.install({marketing: true, analytics: true})")
    await site.until_names("page_view")
    assert await page.evaluate("called") == 1


SAID = "new Promise(done => setTimeout(() => done(firsthand.consent()), 0))"


async def test_one_refused_category_refuses_the_purpose_it_belongs_to(site, page, switched_on):
    """Targeting is agreed to, social media are not: both are marketing."""
    switched_on("onetrust")
    groups = "[{CustomGroupId: 'C0002'}, {CustomGroupId: 'C0004'}, {CustomGroupId: 'C0005'}]"
    notice = f"window.OneTrust = {{IsAlertBoxClosed: () => true, GetDomainData: () => ({{Groups: {groups}}})}};"
    site.pages["*"] = site.page(f"{notice} window.OnetrustActiveGroups = ',C0002,C0004,'; {LOADED}")
    await page.goto(site.url("/"))
    await page.wait_for_function("window.loaded && firsthand.consent().source === 'onetrust'")
    told = await page.evaluate(SAID)
    assert (told["marketing"], told["analytics"], told["personalization"]) == ("denied", "granted", "denied")
    await page.evaluate("OnetrustActiveGroups = ',C0002,C0004,C0005,'; OptanonWrapper()")
    await page.wait_for_function("firsthand.consent().marketing === 'granted'")


async def test_a_decision_that_is_announced_again_keeps_the_time_it_was_first_seen_at(site, page, switched_on):
    switched_on("cookiebot")
    site.pages["*"] = site.page(
        f"{STAND_INS}; banners.cookiebot.install({{marketing: true, analytics: true}}); {LOADED}"
    )
    await page.goto(site.url("/"))
    await page.wait_for_function("window.loaded && firsthand.consent().source === 'cookiebot'")
    first = (await page.evaluate(SAID))["time"]
    await page.wait_for_function(f"Date.now() > {first}")
    await page.evaluate("dispatchEvent(new Event('CookiebotOnConsentReady'))")
    assert (await page.evaluate(SAID))["time"] == first


async def test_a_banner_of_another_shape_than_expected_warns_and_harms_nobody(site, page, switched_on):
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "warning" else None)
    switched_on("cookiebot")
    site.pages["*"] = site.page(f"window.Cookiebot = {{hasResponse: true}}; {LOADED}")
    await page.goto(site.url("/"))
    await page.wait_for_function("window.loaded")
    assert len(said) == 1
    assert said[0].startswith("cookiebot TypeError")


async def test_the_sites_own_names_for_its_categories_can_be_configured(site, page):
    site.modules[Module.BANNERS] = {"names": ["klaro"], "marketing": ["werbung"], "analytics": ["statistik"]}
    rename = "banners.klaro.manager.config.services = [{name: 'pixel', purposes: ['werbung']}]"
    site.pages["*"] = site.page(f"{STAND_INS}; banners.klaro.install({{marketing: true, analytics: false}}); {rename}")
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert state(site.requests[0])[0] == "granted"


def alone(module, **settings) -> str:
    """A module by itself, with a recorder in place of the core; an expression for what it said."""
    text = "".join(strip(source(file_of(piece))) for piece in (*module.parts, module))
    text = text.replace("__SETTINGS__", json.dumps(told(TrackerSettings(), module) | settings))
    core = "const said = [], firsthand = {consent: given => said.push(given)}, guard = work => work;"
    return f"(() => {{ {core}\n{text}; return said }})()"


TCF_ANSWERS = {
    "everything agreed to": ("{}", True),
    "a vendor list without the disclosed ones, as before 2.3": ("{vendor: {consents: {755: true}}}", True),
    "the GDPR does not apply": ("{gdprApplies: false}", None),
    "it is not known yet whether it applies": ("{gdprApplies: undefined}", None),
    "the notice is open": ("{eventStatus: 'cmpuishown'}", None),
    "the vendor is refused": ("{vendor: {consents: {}, disclosedVendors: {755: true}}}", False),
    "the vendor was not shown": ("{vendor: {consents: {755: true}, disclosedVendors: {}}}", False),
    "a legitimate interest is no consent": (
        "{purpose: {consents: {1: true, 3: true, 4: true}, legitimateInterests: {7: true}}}",
        False,
    ),
}


async def test_tcf_counts_where_the_gdpr_applies_for_a_vendor_that_was_shown_and_agreed_to(page):
    for case, (more, marketing) in TCF_ANSWERS.items():
        install = f"{STAND_INS}; banners.tcf.more = {more}; banners.tcf.install({{marketing: true, analytics: true}});"
        await page.evaluate(f"{install} null")
        said = await page.evaluate(alone(Module.TCF, vendor=755))
        assert [given["marketing"] for given in said] == ([] if marketing is None else [marketing]), case


async def test_tcf_purposes_can_be_chosen(page):
    install = f"{STAND_INS}; banners.tcf.install({{marketing: false, analytics: true}}); null"
    await page.evaluate(install)
    chosen = alone(Module.TCF, marketing=[1, 8], analytics=[3], personalization=[2])
    assert await page.evaluate(chosen) == [
        {"marketing": True, "analytics": False, "personalization": True, "source": "tcf"}
    ]


GPP = """
window.__gpp = (command, callback) => {
  if (command !== 'addEventListener') return;
  window.tell = pingData => callback({eventName: 'signalStatus', pingData}, true);
  tell(%s);
}; null
"""
READY = "signalStatus: 'ready', applicableSections: "
GPP_SIGNALS = {
    "{%s [7], parsedSections: {usnat: [{SaleOptOut: 1, SharingOptOut: 0}]}}": False,
    "{%s [7], parsedSections: {usnat: [{SaleOptOut: 2, SharingOptOut: 2}]}}": True,
    "{%s [8], parsedSections: {usca: {SaleOptOut: 2, SharingOptOut: 1}}}": False,
    "{%s [9, 10], parsedSections: {usva: [{SaleOptOut: 2}], usco: [{TargetedAdvertisingOptOut: 1}]}}": False,
    "{%s [10, 9], parsedSections: {usco: [{TargetedAdvertisingOptOut: 1}], usva: [{SaleOptOut: 2}]}}": False,
    "{%s [7], parsedSections: {usnat: [{SaleOptOut: 2}, {Gpc: true}]}}": False,
    "{%s [7], parsedSections: {usnat: [{SaleOptOut: 0}]}}": None,
    "{%s [2], parsedSections: {usnat: [{SaleOptOut: 1}]}}": None,
    "{%s [6], parsedSections: {uspv1: {SaleOptOut: 1}}}": None,
    "{signalStatus: 'not ready', applicableSections: [7], parsedSections: {usnat: [{SaleOptOut: 1}]}}": None,
    "undefined": None,
}


async def test_gpp_refuses_the_sale_as_soon_as_one_us_section_says_so(page):
    for signals, sale in GPP_SIGNALS.items():
        await page.evaluate(GPP % signals.replace("%s", READY))
        said = await page.evaluate(alone(Module.GPP))
        assert said == ([] if sale is None else [{"sale": sale, "source": "gpp"}]), signals


async def test_gpp_may_come_late_and_change(site, page):
    site.modules[Module.GPP] = {}
    site.pages["*"] = site.page("firsthand('consent', {marketing: true})")
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    await page.evaluate(GPP % "{signalStatus: 'not ready'}")
    await page.wait_for_function("!!window.tell")
    await page.evaluate(f"tell({{{READY} [7], parsedSections: {{usnat: [{{SaleOptOut: 1}}]}}}})")
    await site.until(lambda: len(site.requests) >= 2)
    assert site.requests[1].envelope["consent"]["sale"] == "denied"
    assert site.requests[1].envelope["consent"]["source"] == "gpp"


async def test_a_consent_mode_update_may_name_some_signals_and_any_refusal_of_ads_refuses_marketing(site, page):
    site.modules[Module.CONSENT_MODE] = {"name": "layer"}
    site.pages["*"] = site.page(
        "window.layer = []; function gtag() { layer.push(arguments) }"
        "gtag('consent', 'update', {ad_storage: 'granted', analytics_storage: 'granted'});"
        "gtag('consent', 'update', {ad_user_data: 'denied', ad_personalization: 'granted'})"
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    consent = site.accepted[0]["consent"]
    assert (consent["marketing"], consent["analytics"], consent["personalization"]) == ("denied", "granted", "granted")


async def test_a_refused_signal_stays_refused_until_an_update_names_it_again(site, page):
    site.modules[Module.CONSENT_MODE] = {}
    site.pages["*"] = site.page(
        "window.dataLayer = []; function gtag() { dataLayer.push(arguments) }"
        "gtag('consent', 'update', {ad_storage: 'denied', analytics_storage: 'granted'});"
        "gtag('consent', 'update', {ad_user_data: 'granted'})"
    )
    await page.goto(site.url("/"))
    await site.until_names("page_view")
    assert site.accepted[0]["consent"]["marketing"] == "denied"
    await page.evaluate("gtag('consent', 'update', {ad_storage: 'granted'})")
    await page.wait_for_function("firsthand.consent().marketing === 'granted'")
