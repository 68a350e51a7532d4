"""What is written down of a visitor's decisions: once per change, with the events or without any."""

import pytest

from proxy.privacy.proof import AGAIN_MS

SAID = {"marketing": "granted", "analytics": "granted", "source": "tcf"}
REFUSED = {"marketing": "denied", "analytics": "denied", "source": "tcf"}


def body(consent=SAID, *names, **more):
    return {"consent": consent, "events": [{"name": name} for name in names or ("page_view",)], **more}


async def test_a_first_decision_is_written_with_its_events_and_then_not_again(browser, log, stored):
    for _ in range(3):
        assert (await browser.post(body())).status == 204
    (proof,) = log.proofs
    assert (proof.marketing, proof.sale, proof.source, proof.host) == ("granted", "unknown", "tcf", "www.shop.example")
    assert proof.browser == "Chrome"
    assert proof.network == "127.0.0.0/24"
    assert {event.visitor.id for event in await stored()} == {proof.visitor}


async def test_the_version_is_the_one_of_the_log_lines(start, log):
    site = await start("tracker: {page_views: false}")
    await site.post(body())
    assert len(log.proofs[0].config) >= 8


async def test_a_change_is_written(browser, log):
    await browser.post(body())
    await browser.post(body({**SAID, "marketing": "denied"}))
    await browser.post(body({**SAID, "marketing": "denied"}))
    assert [(proof.marketing, proof.analytics) for proof in log.proofs] == [
        ("granted", "granted"),
        ("denied", "granted"),
    ]
    assert len({proof.visitor for proof in log.proofs}) == 1


async def test_a_withdrawal_is_written_although_it_brings_no_event(browser, log):
    await browser.post(body())
    await browser.post({"consent": REFUSED, "events": []})
    assert browser.jar == {}
    await browser.post({"consent": REFUSED, "events": []})  # the cookie is gone: nobody it could be about
    assert [proof.marketing for proof in log.proofs] == ["granted", "denied"]


async def test_what_still_holds_is_written_again_after_half_a_year(browser, log, clock):
    await browser.post(body())
    clock.now_ms += AGAIN_MS
    await browser.post(body())
    assert len(log.proofs) == 2


@pytest.mark.parametrize("text", ["consent: {default: granted}", "consent: {default: granted, log: true}"])
async def test_a_default_is_no_decision(start, log, text):
    site = await start(text)
    await site.post({"events": [{"name": "page_view"}]})
    assert log.proofs == []


async def test_a_signal_alone_is_no_decision(start, log):
    site = await start("consent: {default: granted}")
    await site.post({"events": [{"name": "page_view"}]}, headers={"Sec-GPC": "1"})
    assert log.proofs == []


async def test_a_refusal_by_somebody_unknown_is_nobodys(site, log):
    await site.post(body(REFUSED))
    assert log.proofs == []


async def test_what_a_server_states_is_its_own_record(site, log):
    await site.post_as_server(body())
    assert log.proofs == []


async def test_the_banners_own_record_is_kept_with_it_where_its_cookie_is_named(start, log):
    site = await start("consent: {receipts: [euconsent-v2, OptanonConsent]}")
    sent = "session=secret; euconsent-v2=CQ1fZ.YAAAA; OptanonConsent=isGpcEnabled=0&groups=C0001:1; euconsent-v2=other"
    await site.post(body(), headers={"Cookie": sent})
    (proof,) = log.proofs
    assert proof.receipts == {"euconsent-v2": "CQ1fZ.YAAAA", "OptanonConsent": "isGpcEnabled=0&groups=C0001:1"}


@pytest.mark.parametrize("value", ["", "C" * 4_001, "C\u00e9"])
async def test_a_record_that_is_cut_or_no_plain_text_is_left_out(start, log, value):
    site = await start("consent: {receipts: [euconsent-v2]}")
    await site.post(body(), headers={"Cookie": f"euconsent-v2={value}"})
    (proof,) = log.proofs
    assert proof.receipts == {}


async def test_nobody_looks_at_it_otherwise(site, log):
    await site.post(body(), headers={"Cookie": "euconsent-v2=CQ1fZ"})
    assert log.proofs[0].receipts == {}


async def test_it_can_be_turned_off(start, log):
    site = await start("consent: {log: false}")
    await site.post(body())
    assert log.proofs == []


async def test_a_decision_the_log_could_not_take_is_written_with_the_next_try(browser, log):
    log.broken = "the disk is full"
    assert (await browser.post(body())).status == 503
    log.broken = ""
    assert (await browser.post(body())).status == 204
    assert len(log.proofs) == 1


async def test_it_is_counted(browser, count):
    grown = count("consents_logged")
    await browser.post(body())
    await browser.post(body())
    assert grown() == 1
