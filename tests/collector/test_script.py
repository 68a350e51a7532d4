"""The tracker script: right settings, small, cacheable, and the same for everybody."""

import gzip
import json
import re

import brotli
import pytest

from proxy.collector.script import Script

HEADERS = {"Accept-Encoding": "identity"}


async def fetch(site, path="/tracker.js", **headers):
    answer = await site.client.get(path, headers={**HEADERS, **headers}, auto_decompress=False)
    return answer, await answer.read()


async def test_the_settings_are_baked_in(start):
    site = await start(
        "tracker: {global_name: fh, page_views: false, retry_queue: false}\n"
        "consent: {default: {marketing: denied, analytics: granted}}\n"
        "paths: {prefix: /x, events: /in}"
    )
    answer, body = await fetch(site, "/x/tracker.js")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    facts = json.loads(re.search(r"\}\)\((\{.*\})\);\s*\} catch ", body.decode())[1])
    assert facts == {
        "events": "/x/in",
        "global": "fh",
        "pageViews": False,
        "retryQueue": False,
        "gpc": {"sale": "denied"},
        "consent": {"marketing": "denied", "analytics": "granted", "personalization": "denied"},
    }
    assert b"__SETTINGS__" not in body
    assert b"window.fh ||" in body


async def test_a_module_is_in_it_when_it_was_asked_for_with_its_settings(start):
    site = await start("tracker: {modules: [datalayer], datalayer: {name: layer, events: [purchase]}}")
    _, body = await fetch(site)
    told = re.search(r"\}\)\((\{[^()]*\})\);\s*\} catch ", body.decode())[1]
    assert json.loads(told) == {"name": "layer", "events": ["purchase"], "custom": []}


async def test_other_modules_are_another_version(start):
    plain, _ = await fetch(await start())
    more, _ = await fetch(await start("tracker: {modules: [datalayer]}"))
    assert plain.headers["ETag"] != more.headers["ETag"]


async def test_it_is_cacheable_and_anybody_may_load_it(site):
    answer, _ = await fetch(site)
    assert answer.headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP;q=0.5, br;q=0", "gzip"),
        ("identity", None),
        ("br; q=0.0, gzip; q=0", None),
        ("", None),
    ],
)
async def test_it_is_compressed_for_who_asks(site, accepted, coding):
    _, plain = await fetch(site)
    answer, body = await fetch(site, **{"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == coding
    opened = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding](body)
    assert opened == plain


async def test_who_has_it_is_told_so(site):
    answer, _ = await fetch(site, **{"Accept-Encoding": "br"})
    etag = answer.headers["ETag"]
    for known in (etag, f'W/{etag}, "other"', "*"):
        again, body = await fetch(site, **{"Accept-Encoding": "br", "If-None-Match": known})
        assert (again.status, body) == (304, b"")
        assert again.headers["ETag"] == etag
    stale, _ = await fetch(site, **{"If-None-Match": '"other"'})
    assert stale.status == 200


async def test_every_visitor_gets_the_same_bytes_and_no_cookie(site):
    one, first = await fetch(site, Cookie="_fh=a", **{"User-Agent": "A"})
    two, second = await fetch(site, Cookie="_fh=b", **{"User-Agent": "B"})
    assert first == second
    assert one.headers["ETag"] == two.headers["ETag"]
    assert "Set-Cookie" not in one.headers


async def test_the_name_with_its_hash_never_changes(site):
    answer, body = await fetch(site)
    name = f"/tracker.{answer.headers['ETag'].strip(chr(34))}.js"
    lasting, same = await fetch(site, name)
    assert lasting.status == 200
    assert lasting.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert same == body
    assert (await fetch(site, "/tracker.0000000000000000.js"))[0].status == 404


async def test_head_tells_the_size_without_the_body(site):
    answer = await site.client.head("/tracker.js", headers=HEADERS)
    _, body = await fetch(site)
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(body)


def test_other_settings_are_another_version():
    assert Script(b"a").hash != Script(b"b").hash
