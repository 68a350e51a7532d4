"""docs/http.md is complete: every route, answer, reason, field and limit."""

import json
import re
from pathlib import Path

import pytest

from proxy.collector import events
from proxy.collector.answers import RequestRefusal
from proxy.collector.bad_http import HEAD_MAX, HEADER_MAX
from proxy.collector.pipeline import DropReason
from proxy.config.limits import LimitsSettings
from proxy.wire import MAX_EVENTS, Reason, parse, sections

MANUAL = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")


def first_cells(heading):
    """What stands in backticks in the first column of the table after the paragraph that contains `heading`."""
    table = MANUAL.split(heading, 1)[1].split("|---|", 1)[1].split("\n\n", 1)[0]
    return [cell for line in table.splitlines()[1:] for cell in re.findall(r"`([^`]+)`", line.split("|")[1])]


async def test_every_route_is_listed(start):
    site = await start("redirects: {code: 'https://www.shop.example/'}")
    routes = {
        (route.method, re.sub(r"[0-9a-f]{16}", "<hash>", route.resource.canonical).replace("/code", "/<code>"))
        for route in site.client.app.router.routes()
        if route.method not in ("*", "HEAD")
    }
    listed = {tuple(cell.split(" ")) for cell in first_cells("# HTTP")}
    assert listed == routes


@pytest.mark.parametrize(
    ("heading", "reasons"),
    [
        ("Why an event is **dropped**", DropReason),
        ("Why an event is **refused**", Reason),
        ("Why a whole **request**", RequestRefusal),
    ],
)
def test_every_reason_is_explained(heading, reasons):
    assert sorted(first_cells(heading)) == sorted(reasons)


def test_no_reason_has_two_meanings():
    assert not set(Reason) & set(RequestRefusal)


def test_every_field_is_listed():
    listed = set()
    for line in MANUAL.split("| Field | Content | Limit |")[1].split("\n\n")[0].splitlines()[2:]:
        section = ""
        for cell in re.findall(r"`([^`]+)`", line.split("|")[1]):
            section = cell.split(".")[0] if not cell.startswith(".") else section
            listed.add(section + cell if cell.startswith(".") else cell)
    tables = {"page": sections.PAGE, "user": sections.USER, "data": sections.DATA, "client": sections.CLIENT}
    tables["consent"] = sections.CONSENT
    real = {f"{part}.{field}" for part, fields in tables.items() for field in fields} | set(sections.SCALARS)
    real |= {
        "sent_at",
        "landing",
        "reset",
        "remembered",
        "visitor",
        "attribution",
        "custom",
        "click_ids.NAME",
        "browser_ids.NAME",
        "data.items[]",
    }
    assert listed == real


def test_the_limits_are_those_of_the_code():
    limits = LimitsSettings()

    def limit(field):
        line = next(line for line in MANUAL.splitlines() if line.startswith("|") and f"`{field}`" in line)
        return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", line.split("|")[3])]

    assert limit("id") == limit("debug") == limit("data.order_id") == [sections.ID]
    assert limit("name") == [sections.NAME]
    assert limit("page.url") == [sections.URL]
    assert limit("page.title") == limit("data.search_term") == [sections.r.TEXT]
    assert limit("page.language") == limit("source") == [sections.WORD]
    assert limit("user.email") == limit("user.first_name") == limit("click_ids.NAME") == [sections.MATCH_KEY]
    assert limit("browser_ids.NAME") == [sections.MATCH_KEY, sections.MAX_BROWSER_IDS]
    assert limit("data.items[]") == limit("data.content_ids") == [sections.MAX_ITEMS]
    assert limit("custom") == [sections.r.MAX_MEMBERS, sections.r.MAX_DEPTH, sections.r.TEXT]
    assert f"a list of up to {sections.MAX_VALUES}" in MANUAL
    assert f"at most {events.MAX_BODY // 1024} KiB and {MAX_EVENTS} events" in MANUAL
    assert f"{limits.connections:,} (`limits.connections`)" in MANUAL
    assert f"{limits.connections_per_address:,} (`limits.connections_per_address`)" in MANUAL
    for name in ("head_s", "body_s", "idle_s"):
        assert f"{getattr(limits, name):.0f} s (`limits.{name}`)" in MANUAL
    assert f"{HEADER_MAX // 1024} KiB; 128; {HEAD_MAX // 1024} KiB" in MANUAL


def test_the_examples_are_events():
    for example in re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL):
        parsed = parse(example.encode(), received_ms=1_790_000_001_000, trusted=True)
        assert parsed.events
        assert not parsed.refused


async def flooded(site, event):
    """The answer to the second of two events, where one is the limit."""
    await site.post(event)
    return await site.post(event)


async def test_every_status_is_one_of_the_table(site, start, log):
    listed = {
        line.split("|")[1].strip()
        for line in MANUAL.split("| Status | When | Body |")[1].split("\n\n")[0].splitlines()[2:]
    }
    good = {"name": "lead", "consent": {"marketing": "granted"}}
    seen = [
        await site.post(good),
        await site.post([good, {}]),
        await site.post(b"{"),
        await site.post_as_server(good, key="wrong"),
        await site.post(good, headers={"Origin": "https://evil.example"}),
        await site.post(b" " * 600_000),
        await site.post(good, headers={"Content-Encoding": "br"}),
    ]
    seen += [await flooded(await start("limits: {site_per_s: 1, site_burst: 1}"), good)]
    log.broken = "full"
    seen.append(await site.post({**good, "id": "new"}))
    assert {str(answer.status) for answer in seen} == listed
    for answer in seen:
        if answer.status >= 400:
            assert set(json.loads(await answer.text())) <= {"error", "where", "refused"}
