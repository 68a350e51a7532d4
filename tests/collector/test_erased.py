"""What still comes from a visitor whose data was erased: the cookie is taken back, nothing else happens."""

META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"
GRANTED = {"marketing": "granted", "analytics": "granted", "source": "tcf"}


def lead(**more):
    return {
        "events": [{"name": "lead", "page": {"url": "https://www.shop.example/?fbclid=AbC"}}],
        "consent": GRANTED,
        **more,
    }


async def visitor_of(stored):
    return (await stored())[-1].visitor.id


async def test_the_next_request_loses_every_cookie_and_makes_nothing(start, open_browser, log, stored, count):
    browser = open_browser(await start(META))
    await browser.post(lead())
    assert set(browser.jar) == {"_fh", "_fbp", "_fbc"}
    await log.revoke([await visitor_of(stored)])
    dropped, proofs = count("events_dropped", reason="erased"), list(log.proofs)
    answer = await browser.post(lead())
    assert answer.status == 204
    assert browser.jar == {}
    assert len(await stored()) == 1
    assert dropped() == 1
    assert log.proofs == [type(one)(**{**_fields(one), "network": None, "browser": None}) for one in proofs]


def _fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


async def test_then_the_browser_is_somebody_new(start, open_browser, log, stored):
    browser = open_browser(await start(META))
    await browser.post(lead())
    before = await visitor_of(stored)
    await log.revoke([before])
    await browser.post(lead())
    await browser.post(lead())
    assert await visitor_of(stored) != before


async def test_the_cookie_goes_although_the_request_brings_no_consent_or_no_event(site, open_browser, log, stored):
    for body in ({"events": [{"name": "lead"}]}, {"events": [], "consent": GRANTED}):
        browser = open_browser(site)
        await browser.post(lead())
        await log.revoke([await visitor_of(stored)])
        if body["events"]:
            await browser.post({**body, "consent": {"personalization": "granted"}})
        else:
            await browser.post(body)
        assert browser.jar == {}
    assert len(await stored()) == 2


async def test_a_server_that_still_knows_the_visitor_brings_nothing_back(site, log, stored, count):
    dropped = count("events_dropped", reason="erased")
    await log.revoke(["v_ann"])
    events = [{"name": "purchase", "visitor": {"id": name}} for name in ("v_ann", "v_bob")]
    assert (await site.post_as_server({"events": events, "consent": GRANTED})).status == 204
    assert [event.visitor.id for event in await stored()] == ["v_bob"]
    assert dropped() == 1


async def test_others_notice_nothing(site, open_browser, log, stored):
    browser = open_browser(site)
    await browser.post(lead())
    await log.revoke(["v_somebody_else"])
    await browser.post(lead())
    assert len(await stored()) == 2
    assert "_fh" in browser.jar
