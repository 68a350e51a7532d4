"""A visitor we know takes consent back: it is written down once, for the events of theirs that still wait."""

import pytest

from proxy.event import Purpose
from tests.collector.test_documents import ASKED, GRANTED as DEFAULT, META, PROXIED

MARKETING, ANALYTICS, _, SALE = Purpose
AGREED = {"marketing": "granted", "analytics": "granted", "source": "tcf"}
REFUSED = {"marketing": "denied", "analytics": "denied", "source": "tcf"}


async def says(browser, consent, *names, headers=None):
    body = {"consent": consent, "events": [{"name": name} for name in names]}
    answer = await browser.post(body, headers=headers or {})
    assert answer.status == 204


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        (REFUSED, (MARKETING, ANALYTICS)),
        ({**AGREED, "marketing": "denied"}, (MARKETING,)),
        ({**AGREED, "sale": "denied"}, (SALE,)),
    ],
)
async def test_what_is_taken_back_is_written_down_once(browser, log, stored, consent, expected):
    await says(browser, AGREED, "purchase")
    for _ in range(3):
        await says(browser, consent)
    ((_, refusal),) = log.refusals
    assert refusal.purposes == expected
    assert refusal.visitor == (await stored())[0].visitor.id
    assert [entry.refused for entry in (await log.read("any", 9)).entries] == [expected]


async def test_consent_given_again_is_about_what_comes_then(browser, log):
    await says(browser, AGREED, "purchase")
    await says(browser, {**AGREED, "marketing": "denied"})
    await says(browser, AGREED, "purchase")
    assert [entry.refused for entry in (await log.read("any", 9)).entries] == [(MARKETING,), ()]


async def test_it_needs_no_consent_log(start, open_browser, log):
    browser = open_browser(await start("consent: {log: false}"))
    await says(browser, AGREED, "purchase")
    await says(browser, REFUSED)
    assert len(log.refusals) == 1


@pytest.mark.parametrize("consent", [AGREED, {}, {"source": "default", "marketing": "granted"}])
async def test_a_grant_a_default_or_silence_takes_nothing_back(browser, log, consent):
    await says(browser, AGREED, "purchase")
    await says(browser, consent, "page_view")
    assert log.refusals == []


async def test_the_refusal_of_somebody_unknown_is_about_nobody(browser, log):
    await says(browser, REFUSED)
    await says(browser, REFUSED, "page_view")
    assert log.refusals == []


async def test_an_opt_out_signal_switched_on_later_takes_the_sale_back(start, open_browser, log):
    browser = open_browser(await start(DEFAULT))
    await says(browser, {}, "purchase")
    for _ in range(3):
        await says(browser, {}, "page_view", headers={"Sec-GPC": "1"})
    assert [refusal.purposes for _, refusal in log.refusals] == [(SALE,)]


async def test_a_page_with_the_signal_that_has_not_asked_its_banner_yet_takes_no_grant_back(start, open_browser, log):
    browser = open_browser(await start("consent: {default: {analytics: granted}}"))
    await says(browser, AGREED, "purchase")
    for _ in range(2):
        await says(browser, {}, "page_view", headers={"Sec-GPC": "1"})
        await says(browser, AGREED, "purchase", headers={"Sec-GPC": "1"})
    assert [refusal.purposes for _, refusal in log.refusals] == [(SALE,)]


async def test_the_signal_counts_on_a_document_too(start, open_browser, log):
    browser = open_browser(await start(f"{META}\n{DEFAULT}\n{PROXIED}"))
    await says(browser, {}, "purchase")
    for _ in range(2):
        sent = {**ASKED, "Sec-GPC": "1", "Cookie": f"_fh={browser.jar['_fh']}"}
        reply = await browser.site.client.get("/l", headers=sent)
        (line,) = [line for line in reply.headers.getall("Set-Cookie") if line.startswith("_fh=")]
        browser.jar["_fh"] = line.partition(";")[0].removeprefix("_fh=")
    assert [refusal.purposes for _, refusal in log.refusals] == [(SALE,)]


async def test_what_the_log_could_not_take_is_told_again(start, open_browser, log):
    browser = open_browser(await start(f"{META}\n{DEFAULT}\n{PROXIED}"))
    await says(browser, {}, "purchase")
    log.broken = "the disk is full"
    assert (await browser.post({"consent": REFUSED, "events": []})).status == 503
    sent = {**ASKED, "Sec-GPC": "1", "Cookie": f"_fh={browser.jar['_fh']}"}
    assert "Set-Cookie" not in (await browser.site.client.get("/l", headers=sent)).headers
    log.broken = ""
    await says(browser, REFUSED)
    assert [refusal.purposes for _, refusal in log.refusals] == [(MARKETING, ANALYTICS)]
