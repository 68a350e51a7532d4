"""Events nobody wrote code for: `autocapture`, `data-fh-…` attributes, and match keys from marked form fields."""

from __future__ import annotations

import pytest

from proxy.config.modules import Module

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GRANT = "firsthand('consent', {marketing: true, analytics: true});"
STAY = """
addEventListener('click', (event) => event.target.closest('a') && event.preventDefault());
addEventListener('submit', (event) => event.preventDefault());
"""


@pytest.fixture
def body(site):
    """Sets the page's content and what it runs first."""

    def of(html, before=GRANT + STAY):
        site.pages["/"] = site.page(before) + html

    return of


@pytest.fixture
def capturing(site):
    site.modules[Module.AUTOCAPTURE] = {}
    return site


async def arrived(site, page):
    """Events of the page so far, without views."""
    await page.evaluate("firsthand('track', 'contact')")
    await site.until(lambda: "contact" in site.names)
    return [event for event in site.accepted if event["name"] not in ("page_view", "contact")]


async def opened(site, page, path="/"):
    await page.goto(site.url(path))
    await page.wait_for_function("!!firsthand.track")


async def test_links_that_lead_away_and_files_are_recorded_and_links_within_are_not(capturing, body, page):
    body(
        '<a id=in href="/other">in</a> <a id=away href="https://pay.example/x?token=1#y"><b>away</b></a>'
        '<a id=file href="/docs/Guide.PDF?v=2">file</a> <a id=far href="https://files.example/a.zip">far</a>'
        '<a id=mail href="mailto:ann@example.com">mail</a> <p id=text>text</p> <a id=bare>bare</a>'
    )
    await opened(capturing, page)
    for link in ("in", "away b", "file", "far", "mail", "text", "bare"):
        await page.click("#" + link)
    found = await arrived(capturing, page)
    assert [(event["name"], event["custom"]) for event in found] == [
        ("outbound_click", {"link_url": "https://pay.example/x", "link_domain": "pay.example"}),
        (
            "file_download",
            {"link_url": capturing.url("/docs/Guide.PDF"), "file_name": "Guide.PDF", "file_extension": "pdf"},
        ),
        ("file_download", {"link_url": "https://files.example/a.zip", "file_name": "a.zip", "file_extension": "zip"}),
    ]


async def test_the_middle_button_and_modifier_keys_count_and_still_open_a_tab(capturing, body, page, context):
    body(f'<a id=away href="{capturing.url("/away", "pay.shop.example")}">away</a>', GRANT)
    await opened(capturing, page)
    for options in ({"button": "middle"}, {"modifiers": ["Control"]}):
        async with context.expect_page() as tab:
            await page.click("#away", **options)
        assert (await tab.value).url.endswith("/away") or await (await tab.value).wait_for_url("**/away") is None
    await page.click("#away", button="right")
    found = [event["name"] for event in await arrived(capturing, page)]
    assert found == ["outbound_click", "outbound_click"]


async def test_a_link_followed_at_once_is_still_recorded(capturing, body, page):
    body(f'<a id=away href="{capturing.url("/away", "pay.shop.example")}">away</a>', GRANT)
    await opened(capturing, page)
    await page.click("#away")
    await capturing.until(lambda: "outbound_click" in capturing.names)


async def test_of_a_form_only_its_name_and_id_are_recorded(capturing, body, page):
    body(
        '<form id=join name=newsletter action="/join?x=secret"><input name=id value=trap>'
        '<input name=email value="ann@example.com"><button>go</button></form>'
    )
    await opened(capturing, page)
    await page.click("button")
    [sent] = await arrived(capturing, page)
    assert (sent["name"], sent["custom"]) == ("form_submit", {"form_id": "join", "form_name": "newsletter"})
    assert "ann@" not in "".join(request.body for request in capturing.requests)


async def test_depths_are_recorded_once_a_page(capturing, body, page):
    body('<div style="height: 5000px"></div>')
    await opened(capturing, page)
    for depth in ("scrollTo(0, 2300)", "scrollTo(0, 0)", "scrollTo(0, 99999)"):
        await page.evaluate(
            f"{depth}; new Promise((done) => addEventListener('scroll', () => setTimeout(done, 300), {{once: true}}))"
        )
    found = await arrived(capturing, page)
    assert [event["custom"]["percent_scrolled"] for event in found if event["name"] == "scroll"] == [25, 50, 75, 90]


async def test_the_next_page_of_an_app_is_read_from_its_top(capturing, body, page):
    body('<div style="height: 5000px"></div>')
    await opened(capturing, page)
    for path in ("/", "/next"):
        await page.evaluate("path => { history.pushState(null, '', path); scrollTo(0, 0) }", path)
        await page.evaluate("scrollTo(0, 99999)")
        await capturing.until(lambda path=path: depths(capturing, path) == [25, 50, 75, 90])


def depths(site, path):
    found = [event for event in site.accepted if event["name"] == "scroll" and event["page"]["url"] == site.url(path)]
    return [event["custom"]["percent_scrolled"] for event in found]


async def test_a_link_inside_a_component_is_found(capturing, body, page):
    body("<p id=host></p>")
    await opened(capturing, page)
    await page.evaluate(
        "host.attachShadow({mode: 'open'}).innerHTML ="
        ' \'<a href="shop-app://pay/x"><i>in the app</i></a> <a href="https://pay.example/x"><b>pay</b></a>\';'
        "host.addEventListener('click', (event) => event.preventDefault())"
    )
    await page.click("i")
    await page.click("b")
    [click] = await arrived(capturing, page)
    assert click["custom"] == {"link_url": "https://pay.example/x", "link_domain": "pay.example"}


async def test_each_kind_can_be_switched_off(site, body, page):
    site.modules[Module.AUTOCAPTURE] = dict.fromkeys(["outbound", "downloads", "forms", "scroll"], False)
    body(
        '<a id=away href="https://pay.example/">away</a><a id=file href="/a.pdf">file</a><form><button>go</button></form>'
    )
    await opened(site, page)
    for target in ("#away", "#file", "button"):
        await page.click(target)
    assert await arrived(site, page) == []


@pytest.fixture
def declaring(site):
    site.modules[Module.ATTRIBUTES] = {}
    return site


async def test_a_button_says_its_event_with_its_data_and_id(declaring, body, page):
    body(
        '<button data-fh-track="add_to_cart" data-fh-value="29.95" data-fh-currency="EUR" data-fh-event-id="a-1"'
        """ data-fh-items='[{"id": "sku-1"}]' data-fh-content-name="[sic"><b>Buy</b></button> <button>other</button>"""
    )
    await opened(declaring, page)
    await page.click("b")
    await page.click("text=other")
    [event] = await arrived(declaring, page)
    assert (event["name"], event["id"]) == ("add_to_cart", "a-1")
    assert event["data"] == {"value": "29.95", "currency": "EUR", "items": [{"id": "sku-1"}], "content_name": "[sic"}


async def test_forms_speak_when_sent_and_elements_that_came_later_when_seen_or_clicked(declaring, body, page):
    body(
        '<form data-fh-track="lead" data-fh-value="1"><input><button>go</button></form>'
        '<div style="height: 3000px"></div><p id=end data-fh-track="read" data-fh-on="visible">end</p>',
        f"{GRANT}{STAY} window.told = []; window.firsthandConfig = {{before(event) {{ told.push(event.name) }}}};",
    )
    await opened(declaring, page)
    await page.click("input")
    await page.click("text=go")
    await page.evaluate(
        "document.body.insertAdjacentHTML('afterbegin', '<i data-fh-track=late_seen data-fh-on=visible>x</i><u data-fh-track=late>y</u>')"
    )
    await page.click("u")
    await page.wait_for_function("told.includes('late_seen')")
    await page.evaluate("document.querySelector('#end').scrollIntoView()")
    await page.wait_for_function("told.includes('read')")
    await page.evaluate("scrollTo(0, 0); new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    await page.evaluate("document.querySelector('#end').scrollIntoView()")
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found = await arrived(declaring, page)
    assert sorted(event["name"] for event in found) == ["late", "late_seen", "lead", "read"]
    assert next(event["data"] for event in found if event["name"] == "lead") == {"value": "1"}


async def test_the_right_button_opens_a_menu_and_says_nothing(declaring, body, page):
    body('<button data-fh-track="add_to_cart" data-fh-on="click" data-fh-match="email">Buy</button>')
    await opened(declaring, page)
    await page.click("button", button="right")
    await page.click("button", button="middle")
    assert [(event["name"], event["data"]) for event in await arrived(declaring, page)] == [("add_to_cart", {})]


async def test_seen_is_half_of_an_element_or_half_a_view_of_it(declaring, body, page):
    """The view is 720 high. What is 30 % in view is not seen; what is taller than two views fills half of one."""
    part = '<p data-fh-track={} data-fh-on="visible" style="margin: 0; position: absolute; width: 9px; top: {}px; height: {}px">'
    body(part.format("sliver", 690, 100) + part.format("most", 660, 100) + part.format("tall", 300, 5000))
    await opened(declaring, page)
    # The browser tells of all that is in view in one go, after a frame.
    await declaring.until(lambda: {"most", "tall"} <= set(declaring.names))
    assert "sliver" not in [event["name"] for event in await arrived(declaring, page)]


FIELDS = (
    '<form data-fh-track="lead"><input data-fh-match="email" value=" ann@example.com"><input name=phone value="+49 170 1">'
    '<input type=password data-fh-match="zip" value="secret"><input data-fh-match="city" value="">'
    '<select data-fh-match="country"><option value="de" selected></select>'
    '<input type=radio data-fh-match="gender" value="m" checked><input type=radio data-fh-match="gender" value="f">'
    "<button>go</button></form>"
)


async def test_marked_fields_are_match_keys_of_the_same_event_and_others_are_never_read(site, body, page):
    site.modules = {Module.ATTRIBUTES: {}, Module.FORMS: {}}
    body(FIELDS)
    await opened(site, page)
    await page.click("text=go")
    [lead] = await arrived(site, page)
    assert lead["user"] == {"email": " ann@example.com", "country": "de", "gender": "m"}
    assert "+49 170" not in "".join(request.body for request in site.requests)
    assert "secret" not in "".join(request.body for request in site.requests)


async def test_without_marketing_consent_at_that_moment_nothing_is_read_not_even_for_later(site, body, page):
    site.modules = {Module.ATTRIBUTES: {}, Module.FORMS: {}}
    body(FIELDS, "firsthand('consent', {analytics: true});" + STAY)
    await opened(site, page)
    await page.click("text=go")
    await page.evaluate("firsthand.consent({marketing: true})")
    await arrived(site, page)
    assert "ann@" not in "".join(request.body for request in site.requests)


async def test_a_module_that_cannot_work_in_this_browser_stops_neither_the_others_nor_the_page(capturing, body, page):
    capturing.modules[Module.ATTRIBUTES] = {}
    said, errors = [], []
    page.on("console", lambda message: said.append(message.text) if message.type == "warning" else None)
    page.on("pageerror", lambda error: errors.append(error.message))
    await page.add_init_script("delete window.IntersectionObserver")
    body("<form id=f><button id=b>send</button></form>")
    await opened(capturing, page)
    await page.click("#b")
    assert [event["name"] for event in await arrived(capturing, page)] == ["form_submit"]
    assert [text[:24] for text in said] == ["firsthand ReferenceError"]
    assert errors == []
