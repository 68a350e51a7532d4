"""Every module switched on, on a page that breaks its natives: what the page itself does goes on, and it hears no error."""

from __future__ import annotations

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true})"

# What a page has that modules get between: tags that only write down what they were told, and a banner's callback.
TAGS = """
window.heard = '';
const tell = (name) => (first) => { heard += name + ' ' + first + '; '; return name };
window.dataLayer = Object.assign([{event: 'view_item'}], {push: tell('dataLayer')});
window.fbq = window._fbq = tell('fbq');
window.pintrk = tell('pintrk'); window.snaptr = tell('snaptr');
window.ttq = {track: tell('ttq'), instance: (pixel) => pixel && {track: tell('ttq of ' + pixel)}};
window.OptanonWrapper = tell('OptanonWrapper');
window.OneTrust = {IsAlertBoxClosed: () => true, GetDomainData: () => ({Groups: [{CustomGroupId: 'C0004'}]})};
window.OnetrustActiveGroups = ',C0004,';
"""
BREAK = """
const broken = function () { throw Error('broken by the page') };
const natives = [];
const of = (owner, names) => names.split(' ').forEach((name) => natives.push([owner, name]));
of(window, 'fetch Promise Blob URL setTimeout XMLHttpRequest WeakMap WeakSet');
of(JSON, 'parse stringify'); of(Object, 'assign keys values defineProperty'); of(Array, 'isArray from');
of(Date, 'now'); of(Math, 'ceil random min'); of(console, 'warn');
of(Array.prototype, 'map filter concat splice slice some every includes shift reduce join find pop forEach');
of(String.prototype, 'replace split toLowerCase padStart includes trim'); of(RegExp.prototype, 'exec test');
of(WeakMap.prototype, 'get set has'); of(WeakSet.prototype, 'add has'); of(Document.prototype, 'querySelectorAll');
of(Event.prototype, 'composedPath'); of(Element.prototype, 'matches getAttribute');
Object.defineProperty(window, 'localStorage', {get: broken});
for (let n = 0; n < natives.length; n++) natives[n][0][natives[n][1]] = broken;
"""
# Without it hardly a script runs, ours neither; the page still must not hear of it.
BREAK_ALL = BREAK + "Array.prototype[Symbol.iterator] = broken;"
USE = """
const answers = dataLayer.push({event: 'add_to_cart', ecommerce: {value: 1}}, 1)
  + ' ' + fbq('track', 'Purchase', {value: 1}) + ' ' + _fbq('track', 'Lead')
  + ' ' + pintrk('track', 'checkout') + ' ' + snaptr('track', 'PURCHASE')
  + ' ' + ttq.track('CompletePayment') + ' ' + ttq.instance('p-1').track('CompletePayment') + ' ' + ttq.instance()
  + ' ' + OptanonWrapper();
window.fbq = tell('a new fbq');
fbq('track', 'Contact');
const late = document.createElement('p');
late.textContent = 'late';
late.dataset.fhTrack = 'seen';
late.dataset.fhOn = 'visible';
document.body.prepend(late);
history.pushState(null, '', '/next');
dispatchEvent(new Event('OneTrustGroupsUpdated'));
dispatchEvent(new Event('scroll'));
dispatchEvent(new Event('pagehide'));
document.getElementById('told').textContent = heard + answers;
"""
TOLD = (
    "dataLayer [object Object]; fbq track; fbq track; pintrk track; snaptr track; "
    "ttq CompletePayment; ttq of p-1 CompletePayment; OptanonWrapper undefined; a new fbq track; "
    "dataLayer fbq fbq pintrk snaptr ttq ttq of p-1 undefined OptanonWrapper"
)
BODY = (
    "<p data-fh-track=read data-fh-on=visible>seen at once</p>"
    '<form data-fh-track="lead" action="/sent"><input data-fh-match="email" value="ann@example.com"><button>send</button></form>'
    '<a id=away href="/guide.pdf">a file</a><pre id=told></pre>'
)


@pytest.fixture
def errors(page):
    """What reached the page's `window.onerror` or was an unhandled rejection."""
    heard = []
    page.on("pageerror", lambda error: heard.append(f"{error}\n{error.stack}"))
    return heard


@pytest.fixture
def everything(site):
    site.modules = {module: {} for module in Module} | {Module.BANNERS: {"names": ["onetrust"]}}
    return site


async def visit(site, page, *, before="", after=""):
    site.pages["*"] = (
        site.page(f"{GRANT};{TAGS};{before}", attributes="") + BODY + f"<script>{{{after};{USE}}}</script>"
    )
    site.pages["/guide.pdf"] = site.pages["/sent"] = "<!doctype html><title>there</title>"
    await page.goto(site.url("/"))
    # The text is read from a world of the browser's own, where nothing is broken.
    assert await page.text_content("#told") == TOLD


FETCH_AND_JSON = "window.fetch = JSON.parse = JSON.stringify = Date.now = Object.assign = () => { throw Error('broken by the page') };"


@pytest.mark.parametrize("broken", ["", FETCH_AND_JSON])
async def test_what_the_tags_are_told_arrives_once_also_where_fetch_and_json_are_broken(
    everything, page, errors, broken
):
    await visit(everything, page, after=broken)
    told = ["view_item", "add_to_cart", "Purchase", "Lead", "Contact"]
    await everything.until(lambda: set(told) <= set(everything.names))
    assert sorted(name for name in everything.names if name in told) == sorted(told)
    assert errors == []


@pytest.mark.parametrize("when", ["after", "before"])
async def test_a_page_that_breaks_its_natives_goes_on_with_every_module_on(everything, page, errors, when):
    await visit(everything, page, **{when: f"{{{BREAK_ALL}}}"})
    await page.click("button")
    await page.wait_for_url("**/sent**")
    await page.goto(everything.url("/"))
    await page.click("#away")
    await page.wait_for_url("**/guide.pdf")
    assert errors == []


async def test_broken_after_the_script_its_own_events_still_arrive(everything, page, errors):
    await visit(everything, page, after=BREAK + "firsthand('track', 'contact', {value: 1}, {id: 'c-1'})")
    await everything.until(lambda: "contact" in everything.names)
    [contact] = [event for event in everything.accepted if event["name"] == "contact"]
    assert (contact["data"], contact["id"]) == ({"value": 1}, "c-1")
    assert errors == []
