"""Every command of the operator while `firsthand serve` runs with two collectors under light load: each does what it
says, and not one request fails."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from proxy.cli import root

pytestmark = pytest.mark.timeout(400)

PATIENCE_S = 100

HEADERS = {"Origin": "https://www.shop.example", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}
CONSENT = {"marketing": "granted", "analytics": "granted", "source": "tcf"}
CONFIG = """\
site: {{origins: ['https://www.shop.example']}}
listen: {{host: 127.0.0.1, port: 0}}
admin: {{port: 0}}
workers: 2
relay: {{wait_s: 0}}
cookie: {{domain: host}}
destinations:
  meta: {{kind: meta, pixel_id: "1", access_token: t-0, base_url: "{platform}"}}
  tiktok: {{kind: tiktok, pixel_code: C1, access_token: t-1, base_url: "{platform}"}}
rules:
  - {{name: leads, when: {{event: [{events}]}}, send_to: [meta]}}
  - {{name: all, when: {{event: purchase}}, send_to: [tiktok], examples: [{{given: {{event: purchase}}, sends_to: [tiktok]}}]}}
"""


class Meta:
    """Takes everything; `taken`: event ids, in the order they came."""

    def __init__(self):
        self.taken = []

    async def serve(self, request):
        rows = (await request.json())["data"]
        if "pixel" in rows[0] or "event_time" not in rows[0]:
            return web.json_response({"code": 0, "message": "OK"})
        self.taken += [row["event_id"] for row in rows]
        return web.json_response({"events_received": len(rows), "messages": [], "fbtrace_id": "A"})


class Service:
    def __init__(self, folder, public):
        self.folder, self.public = folder, public
        self.failures = []

    async def run(self, *arguments, code=0, given=None):
        options = ["-c", str(self.folder / "config.yaml")]
        name, more = arguments[0], arguments[1:]
        line = [name, more[0], *options, *more[1:]] if name == "dead" else [name, *options, *more]
        result = await asyncio.to_thread(CliRunner().invoke, root, line, input=given)
        assert result.exit_code == code, (arguments, result.output, result.exception)
        return result.stdout

    async def post(self, http, *events, **headers):
        body = json.dumps({"consent": CONSENT, "page": {"url": "https://www.shop.example/"}, "events": events})
        async with http.post(f"{self.public}/e", data=body, headers=headers) as answer:
            if answer.status != 204:
                self.failures.append(answer.status)
            return answer

    @contextlib.asynccontextmanager
    async def light_load(self):
        async def one(number):
            async with self.browser() as http:
                for count in range(100_000):
                    await self.post(http, {"id": f"l-{number}-{count}", "name": "page_view"})
                    await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(one(number)) for number in range(3)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results), results

    def browser(self):
        return aiohttp.ClientSession(headers=HEADERS, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def until(claim):
    async with asyncio.timeout(PATIENCE_S):
        while not await claim():
            await asyncio.sleep(0.1)


@pytest.fixture
async def platform(aiohttp_server):
    found, app = Meta(), web.Application()
    app.router.add_post("/{path:.*}", found.serve)
    found.url = str((await aiohttp_server(app)).make_url("")).rstrip("/")
    return found


@pytest.fixture
async def service(tmp_path, platform):
    (tmp_path / "config.yaml").write_text(CONFIG.format(platform=platform.url, events="lead"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "serve", "--config", str(tmp_path / "config.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
        found = Service(tmp_path, next(word for word in line.replace(";", "").split() if word.startswith("http://")))
        found.process = process
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_commands_work_beside_a_service_and_harm_nothing(service, platform):
    async with service.browser() as ann, service.browser() as bob, service.light_load():
        lead = {"name": "lead", "user": {"email": "ann@example.com"}}
        await service.post(ann, {**lead, "id": "ann-1"})
        await service.post(ann, {"id": "ann-2", "name": "contact"})
        await service.post(bob, {"id": "bob-1", "name": "contact"})
        await service.post(bob, {"id": "bob-2", "name": "purchase"})  # TikTok finds nothing to match: a dead letter

        async def settled():
            rows = json.loads(await service.run("status", "--json"))["destinations"]
            return "ann-1" in platform.taken and all(row["dead"] + row["delivered"] for row in rows)

        await until(settled)
        assert "meta" in await service.run("status")
        await service.run("test")

        (letter,) = (await service.run("dead", "list", "--json")).splitlines()
        number = str(json.loads(letter)["number"])
        assert "bob-2" in await service.run("dead", "show", number)
        assert json.loads(await service.run("dead", "retry", number, "--json")) == {"retried": 1}

        async def died_again():
            return bool(await service.run("dead", "list", "--json"))

        await until(died_again)
        assert json.loads(await service.run("dead", "drop", "--all", "--json")) == {"dropped": 1}

        async def exported(*who):
            return [json.loads(line) for line in (await service.run("export", *who)).splitlines()]

        async def passed_by():
            return "waiting" not in [one["destinations"]["meta"] for one in await exported(*ann_is) if "event" in one]

        ann_is = ("--email", "Ann@example.com")
        await until(passed_by)
        lines = await exported(*ann_is)
        assert [line["type"] for line in lines] == ["visitor", "event", "event", "consent"]
        assert [line["destinations"]["meta"] for line in lines[1:3]] == ["delivered", "not_sent"]
        visitor = lines[0]["id"]
        assert len((await service.run("consent-log", "--visitor", visitor, "--json")).splitlines()) == 1

        # A rule is mended, and what it left out is sent; what Meta has taken is not sent again.
        (service.folder / "config.yaml").write_text(CONFIG.format(platform=platform.url, events="lead, contact"))
        service.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE_S):
            while json.loads(await service.process.stderr.readline())["event"] != "reloaded":
                pass
        replay = ("replay", "--destination", "meta", "--since", "1h", "--only-missing")
        await service.run(*replay, "--dry-run")
        await service.run(*replay)

        async def sent():
            return {"ann-2", "bob-1"} <= {*platform.taken}

        await until(sent)
        assert platform.taken.count("ann-1") == 1

        erased = json.loads(await service.run("erase", "--email", "ann@example.com", "--yes", "--json"))
        assert (erased["erased"], erased["found"]["sent_to"]) == (2, {"meta": 2})
        cookies = {"Cookie": "; ".join(f"{cookie.key}={cookie.value}" for cookie in ann.cookie_jar)}

        async def knows():
            """The process at the other end of this connection, which stays open: it looks every few seconds."""
            headers = (await service.post(ann, **cookies)).headers
            return "Max-Age=0" in headers.getall("Set-Cookie")[0] and headers.get("Connection") != "close"

        await until(knows)
        answer = await service.post(ann, {"id": "ann-3", "name": "lead"}, **cookies)  # a late beacon
        assert "Max-Age=0" in answer.headers.getall("Set-Cookie")[0]
        await service.post(bob, {"id": "bob-3", "name": "lead"})

        async def bob_came():
            return "bob-3" in platform.taken

        await until(bob_came)
        assert "ann-3" not in platform.taken
        assert [line["type"] for line in await exported(visitor)] == ["visitor", "consent"]
    assert service.failures == []
    service.process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(service.process.communicate(), PATIENCE_S)
    assert service.process.returncode == 0
    assert [line for line in map(json.loads, err.decode().splitlines()) if line["level"] == "error"] == []
