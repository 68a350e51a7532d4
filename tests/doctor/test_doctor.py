"""The whole examination against the real collector on TLS, with a DNS server of its own. Only what the network adds;
the judging itself is tested beside its modules."""

import asyncio
import json
import sys

from aiohttp import web

from proxy.config.settings import CookieSettings, PathSettings
from proxy.doctor.lists import rules


async def test_a_sound_site_gets_no_fault_and_keeps_its_cookie(online):
    report, found = await (await online()).examine()
    assert report.level == "ok", report.findings
    assert {"dns", "safari", "tls", "script", "events", "cors", "cookie", "cookie cache", "clock", "names"} <= set(
        found
    )
    assert report.days == {"Chrome, Edge": 395, "Firefox": 395, "Brave": 180, "Safari": 395}


async def test_the_examination_stores_nothing(online):
    internet = await online()
    await internet.examine()
    assert (await internet.log.stats()).head == 0


async def test_the_collector_is_found_in_the_page(online):
    internet = await online()
    report, _ = await internet.examine()
    assert report.collector == internet.collector


async def test_a_page_without_the_script_asks_for_the_collector(online, internet):
    internet.html = "<p>hello</p>"
    report, found = await (await online()).examine()
    assert report.collector is None
    assert found["collector"].level == "fault"
    assert "--collector" in found["collector"].advice
    _, found = await internet.examine(collector=internet.collector)
    assert found["page"].level == "note"  # a tag manager may load it
    assert found["script"].level == "ok"


async def test_the_page_a_redirect_leads_to_is_the_one_looked_at(online):
    internet = await online()
    report, _ = await internet.examine(page=internet.page_url + "moved")
    assert report.page == internet.page_url


async def test_addresses_far_apart_cost_safari_users_their_cookie(online, internet):
    # 127.0.0.1 and 127.77.0.2 differ within their first sixteen bits; nothing listens at the second address
    internet.records["t.shop.test"] = {"A": ["127.77.0.2"]}
    report, found = await (await online()).examine()
    assert found["safari"].level == "warning"
    assert "127.77.0.2" in found["safari"].text
    assert report.days["Safari"] == 7


async def test_a_cname_to_another_provider_is_seen(online, internet):
    internet.records["t.shop.test"] = {"CNAME": ["edge.provider.test"]}
    internet.records["edge.provider.test"] = {"CNAME": ["lb7.provider.test"]}
    internet.records["lb7.provider.test"] = {"A": ["127.0.0.2"]}
    report, found = await (await online()).examine()
    assert found["safari"].level == "warning"
    assert "lb7.provider.test" in found["safari"].text
    assert report.days["Safari"] == 7


async def test_a_cname_both_hosts_share_costs_nothing(online, internet):
    internet.records["edge.provider.test"] = {"A": ["127.0.0.2"]}
    internet.records["www.provider.test"] = {"A": ["127.0.0.1"]}
    internet.records["t.shop.test"] = {"CNAME": ["edge.provider.test"]}
    internet.records["www.shop.test"] = {"CNAME": ["www.provider.test"]}
    _, found = await (await online()).examine()
    assert found["safari"].level == "ok"


async def test_a_host_that_does_not_exist_is_named(online, internet):
    del internet.records["t.shop.test"]
    report, found = await (await online()).examine()
    assert report.level == "fault"
    assert found["dns"].text == "t.shop.test does not exist in DNS"


async def test_a_host_without_addresses_is_named(online, internet):
    internet.records["t.shop.test"] = {}
    _, found = await (await online()).examine()
    assert found["dns"].text == "t.shop.test has neither an A nor an AAAA record"


async def test_a_certificate_about_to_end_is_a_warning(online, internet):
    internet.days = 5
    _, found = await (await online()).examine()
    assert found["tls"].level == "warning"
    assert "ends in 5 days" in found["tls"].text


async def test_a_certificate_for_another_host_is_a_fault(online, internet):
    internet.records["t.shop.test"] = {"A": ["127.0.0.1"]}
    internet = await online()
    _, found = await internet.examine(collector=f"https://t.shop.test:{internet.page_port}")  # the page's certificate
    assert found["tls"].level == "fault"
    assert "t.shop.test" in found["tls"].text
    assert "certificate" in found["script"].text


async def test_a_dead_address_among_several_is_named(online, internet):
    internet.records["t.shop.test"] = {"A": ["127.0.0.2", "127.0.0.3"]}
    _, found = await (await online()).examine()
    assert found["tls"].level == "warning"
    assert "127.0.0.3" in found["tls"].text


async def test_an_origin_that_is_not_configured_is_refused_and_said(online, internet):
    internet.config = ""
    internet = await online()
    _, found = await internet.examine(origins=["https://other.example"])
    assert found["origin"].level == "fault"
    assert "site.origins" in found["origin"].text


async def test_a_cdn_that_takes_set_cookie_away_is_found(online, internet):
    async def cdn(request, handler):
        answer = await handler(request)
        body = answer._body_bytes
        lines = [
            line for line in answer._head.split(b"\r\n")[1:] if line and not line.lower().startswith(b"set-cookie")
        ]
        headers = [tuple(part.strip() for part in line.decode().split(":", 1)) for line in lines]
        return web.Response(status=answer.status, body=body or None, headers=headers)

    internet.before = cdn
    report, found = await (await online()).examine()
    assert report.level == "fault"
    assert "does not arrive" in found["cookie"].text


async def test_a_proxy_that_rewrites_cors_and_caching_is_found(online, internet):
    async def edge(request, handler):
        answer = await handler(request)
        head = answer._head.replace(b"Cache-Control: no-store", b"Cache-Control: public, max-age=60")
        answer._head = head.replace(
            b"Access-Control-Allow-Origin: https://www", b"Access-Control-Allow-Origin: https://x"
        )
        return answer

    internet.before = edge
    _, found = await (await online()).examine()
    assert found["cors"].level == found["cookie cache"].level == "fault"


async def test_host_only_cookies_on_a_subdomain_are_a_warning(online, internet):
    internet.config = "cookie: {domain: host}"
    _, found = await (await online()).examine(cookie=CookieSettings(domain="host"))
    assert found["cookie"].level == "warning"


async def test_renamed_paths_and_cookies_are_followed(online, internet):
    internet.config = "paths: {prefix: /fh, script: /s.js, events: /in}\ncookie: {name: who}"
    internet.html = "<script src=//t.shop.test/fh/s.js></script>"
    internet = await online()
    paths = PathSettings(prefix="/fh", script="/s.js", events="/in")
    report, _ = await internet.examine(paths=paths, cookie=CookieSettings(name="who"), collector=internet.collector)
    assert report.level == "ok", report.findings


async def test_names_on_block_lists_are_found_by_lists_given(online):
    internet = await online()
    _, found = await internet.examine(rules=list(rules(["||t.shop.test^$script", "! a comment"])))
    assert found["lists"].level == "warning"
    assert "||t.shop.test^$script" in found["lists"].text
    _, found = await internet.examine(rules=list(rules(["||elsewhere.test^"])))
    assert found["lists"].level == "ok"


async def test_a_policy_that_keeps_the_collector_out_is_found(online, internet):
    internet.page = {"Content-Security-Policy": "default-src 'self'; script-src 'self' https://t.shop.test:*"}
    _, found = await (await online()).examine()
    assert found["csp"].level == "fault"
    assert "connect-src" in found["csp"].text
    assert "script-src" not in found["csp"].text


async def firsthand(*args):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "doctor", *args, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_command_prints_findings_ways_out_and_lifetimes(online, internet):
    internet.records["t.shop.test"] = {"CNAME": ["edge.provider.test"]}
    internet.records["edge.provider.test"] = {"A": ["127.0.0.2"]}
    await online()
    options = ("--resolver", f"127.0.0.1:{internet.dns_port}", "--cafile", str(internet.authority.file))
    code, out, _ = await firsthand(internet.page_url, *options)
    assert code == 0, out
    assert f"collector  {internet.collector}" in out
    assert "warning  safari: CNAME to another provider (edge.provider.test)" in out
    assert "→ serve the collector on a path of the site itself" in out
    assert "Safari 7 days" in out
    assert out.endswith("0 faults, 1 warning.\n")
    code, out, _ = await firsthand(internet.page_url, *options, "--json")
    shown = json.loads(out)
    assert set(shown) == {"page", "collector", "level", "cookie_days", "findings"}
    assert shown["level"] == "warning"
    assert {frozenset(finding) for finding in shown["findings"]} == {frozenset({"check", "level", "text", "advice"})}


async def test_the_command_fails_when_something_is_broken(online, internet):
    await online()
    code, out, _ = await firsthand(internet.page_url, "--resolver", f"127.0.0.1:{internet.dns_port}")  # no authority
    assert code == 1
    assert "certificate" in out


async def test_the_command_says_what_is_wrong_with_its_words(tmp_path):
    for args, word in (
        (["ftp://shop.test"], "no web address"),
        (["https://shop.test", "--resolver", "dns.shop.test"], "not the address of a resolver"),
        (["https://shop.test", "--lists", str(tmp_path)], "no *.txt file"),
        (["https://shop.test", "--cafile", __file__], "no PEM certificate"),
    ):
        code, _, err = await firsthand(*args)
        assert code == 2
        assert word in " ".join(err.split())
