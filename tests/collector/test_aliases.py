"""Click ids under parameters of the site's own choosing, from the request to the log."""

import pytest

from proxy.errors import ConfigError
from tests.collector.conftest import configuration

ALIASED = "identity: {aliases: {g_id: gclid, t_id: ttclid}}"
PAGE = {"url": "https://www.shop.example/p?g_id=AbC-1&utm_id=2", "referrer": "https://www.shop.example/?t_id=xyz"}


def viewed(number=1, consent="granted", **more):
    states = {"marketing": consent, "analytics": "granted"}
    return {"id": f"e-{number}", "name": "page_view", "page": PAGE, "consent": states, **more}


async def test_an_alias_in_the_landing_url_is_that_click_id(start, stored):
    site = await start(ALIASED)
    await site.post(viewed())
    (event,) = await stored()
    assert event.click_ids["gclid"].value == "AbC-1"
    assert event.attribution.last.evidence == "alias"


async def test_an_alias_in_our_own_referrer_counts_too(start, stored):
    site = await start(ALIASED)
    await site.post(viewed())
    (event,) = await stored()
    assert event.click_ids["ttclid"].value == "xyz"


async def test_no_stored_url_holds_an_alias_whatever_was_granted(start, stored):
    site = await start(ALIASED)
    await site.post(viewed(1))
    await site.post(viewed(2, consent="denied"))
    for event in await stored():
        assert event.page.url == "https://www.shop.example/p?utm_id=2"
        assert event.page.referrer == "https://www.shop.example/"


async def test_without_marketing_consent_an_alias_is_not_read(start, stored):
    site = await start(ALIASED)
    await site.post(viewed(consent="denied"))
    (event,) = await stored()
    assert event.click_ids == {}


async def test_without_the_setting_an_alias_is_a_parameter_like_any_other(start, stored):
    site = await start("privacy: {url_parameters: [g_id, t_id]}")
    await site.post(viewed())
    (event,) = await stored()
    assert event.click_ids == {}
    assert event.page.url == PAGE["url"]


async def test_the_platforms_own_parameter_wins(start, stored):
    site = await start(ALIASED)
    await site.post(viewed(page={"url": "https://www.shop.example/?g_id=mine&gclid=theirs"}))
    (event,) = await stored()
    assert event.click_ids["gclid"].value == "theirs"
    assert event.attribution.last.evidence == "url"


@pytest.mark.parametrize(
    ("aliases", "says"),
    [
        ("{f_id: fbclid}", "Meta has no macro"),
        ("{g_id: gclic}", "no click id is called 'gclic'"),
        ("{gclid: gclid}", "gclid is a platform's own parameter"),
        ("{GBRAID: gclid}", "GBRAID is a platform's own parameter"),
        ("{utm_click: gclid}", "tells a campaign"),
        ("{'g id': gclid}", "the name of a URL parameter"),
    ],
)
def test_an_alias_that_cannot_work_is_refused(aliases, says):
    with pytest.raises(ConfigError, match=says):
        configuration(f"identity: {{aliases: {aliases}}}")
