"""The snippets of docs/proxies, run by the distribution's own nginx and Caddy in front of a real collector and a site.

Only addresses and ports are replaced. What a snippet promises is looked at from where a browser is.
"""

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from proxy.collector.app import make_app
from proxy.config.load import read
from proxy.log.memory import MemoryLog
from proxy.privacy.keys import Keyring, generate_key
from tests.ports import free_port

SNIPPETS = Path(__file__).parents[2] / "docs" / "proxies"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
NAVIGATION = {
    "User-Agent": BROWSER,
    "Accept": "text/html,application/xhtml+xml",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
}
PATIENCE_S = 100
NOW_MS = 1_790_000_000_000
SETTINGS = """\
site: {{origins: ["http://www.shop.example:{port}"]}}
listen: {{trusted_proxies: [127.0.0.1/32]}}
consent: {{default: {default}}}
paths: {{prefix: "{prefix}"}}
destinations: {{meta: {{kind: meta, pixel_id: "1", access_token: t}}}}
"""

pytestmark = [pytest.mark.proxies, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]


NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        server_name www.shop.example;
{path}
{landing}
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name t.shop.example;
{host}
    }}
}}
"""
CADDY = """\
{{
	admin off
	auto_https off
	storage file_system {folder}
	log {{
		output file {folder}/caddy.log
	}}
}}
http://www.shop.example:{port} {{
	bind 127.0.0.1
{path}
	handle {{
{landing}
	}}
{errors}
}}
http://t.shop.example:{port} {{
	bind 127.0.0.1
{host}
}}
"""


class World:
    """A collector on a path of the site, one on a host of its own, the site itself, and a reverse proxy before them."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder, kind
        self.port, self.site_port, self.path_port, self.host_port = (free_port() for _ in range(4))
        self.logs, self.runners, self.process = {}, {}, None

    async def serve(self, name, app, port):
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.runners[name] = runner

    async def collector(self, name, prefix="", default="granted"):
        config = await asyncio.to_thread(
            read, SETTINGS.format(port=self.port, prefix=prefix, default=default), Path("config.yaml"), {}
        )
        log = self.logs.setdefault(name, MemoryLog(lambda: NOW_MS))
        app = await asyncio.to_thread(make_app, config, log, Keyring.parse(generate_key()), lambda: NOW_MS)
        await self.serve(name, app, self.path_port if prefix else self.host_port)

    async def start(self):
        site = web.Application()
        site.router.add_route("*", "/{path:.*}", _site)
        await self.serve("site", site, self.site_port)
        await self.collector("path", "/fh")
        await self.collector("host")
        text, command = self.configuration()
        file = self.folder / "config"
        file.write_text(text)
        self.process = await asyncio.create_subprocess_exec(
            *command, str(file), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/usr/sbin:/bin"},
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            while not await self.is_listening():
                assert self.process.returncode is None, (await self.process.stderr.read()).decode()
                await asyncio.sleep(0.02)

    async def is_listening(self):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def configuration(self):
        ending = "conf" if self.kind == "nginx" else "Caddyfile"
        names = ("nginx-collector", "nginx-landing") if self.kind == "nginx" else ("collector", "landing")
        collector, landing = ((SNIPPETS / f"{name}.{ending}").read_text() for name in names)
        host = collector.replace("127.0.0.1:8080", f"127.0.0.1:{self.host_port}")
        path = collector.replace("127.0.0.1:8080", f"127.0.0.1:{self.path_port}")
        landing = landing.replace("127.0.0.1:3000", f"127.0.0.1:{self.site_port}")
        if self.kind == "nginx":
            path = path.replace("location / {", "location /fh/ {")
            landing = landing.replace("127.0.0.1:8080/l", f"127.0.0.1:{self.path_port}/fh/l")
            text = NGINX.format(folder=self.folder, port=self.port, path=path, landing=landing, host=host)
            return text, ("nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c")
        path = path.replace("handle {", "handle /fh/* {")
        landing = landing.replace("127.0.0.1:8080", f"127.0.0.1:{self.path_port}").replace(
            "rewrite /l", "rewrite /fh/l"
        )
        pages, errors = landing.split("# A page never fails because of Firsthand.")
        text = CADDY.format(folder=self.folder, port=self.port, path=path, landing=pages, errors=errors, host=host)
        return text, ("caddy", "run", "--adapter", "caddyfile", "--config")

    async def stop(self):
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.communicate()
        for runner in self.runners.values():
            await runner.cleanup()

    async def ask(self, path, host="www.shop.example", method="GET", data=None, **headers):
        """As a browser at 127.0.0.1, which is also where the reverse proxy's own connection comes from."""
        wanted = {**NAVIGATION, "Host": f"{host}:{self.port}", **headers}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, url, headers=wanted, data=data, allow_redirects=False) as reply,
        ):
            await reply.read()
            return reply

    async def page(self, path, **headers):
        reply = await self.ask(path, **headers)
        assert reply.status == 200
        assert (await reply.text()).startswith("the site at")
        return reply

    async def landing(self, path):
        """A page with cookies of ours. Half a second is what a page waits for them: a busy machine may be asked again."""
        async with asyncio.timeout(PATIENCE_S):
            while "_fh" not in cookies(reply := await self.page(path)):
                pass
        return reply


async def _site(request):
    answer = web.Response(text=f"the site at {request.path_qs}", content_type="text/html")
    answer.set_cookie("session", "own")
    return answer


async def _never(_):
    await asyncio.Event().wait()


@pytest_asyncio.fixture(params=["nginx", "caddy"], scope="module", loop_scope="module")
async def world(request, tmp_path_factory):
    if shutil.which(request.param, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        pytest.skip(f"needs {request.param} from the distribution")
    world = World(tmp_path_factory.mktemp(request.param), request.param)
    try:
        await world.start()
        yield world
    finally:
        await world.stop()


def cookies(reply):
    return {
        line.partition("=")[0]: line.partition("=")[2].partition(";")[0]
        for line in reply.headers.getall("Set-Cookie", [])
    }


async def test_a_landing_page_sets_our_cookies_and_keeps_its_own(world):
    reply = await world.landing("/p?fbclid=AbC-1&gclid=G-1")
    found = cookies(reply)
    assert set(found) == {"_fh", "_fbp", "_fbc", "session"}
    assert found["_fbc"].endswith(".AbC-1")
    ours = [line for line in reply.headers.getall("Set-Cookie") if line.startswith("_")]
    assert all("Domain=shop.example" in line and "Path=/" in line for line in ours)
    assert not [name for name in reply.headers if name.lower().startswith("x-firsthand")]


async def test_the_visitor_of_the_page_is_the_visitor_of_its_events(world):
    found = cookies(await world.landing("/p?fbclid=AbC-2"))
    event = {"id": f"{world.kind}-1", "name": "purchase", "page": {"url": "http://www.shop.example/thanks"}}
    reply = await world.ask(
        "/fh/e",
        method="POST",
        data=aiohttp.JsonPayload(event),
        Origin=f"http://www.shop.example:{world.port}",
        Cookie=f"_fh={found['_fh']}",
        **{"Sec-Fetch-Dest": "empty"},
    )
    assert reply.status == 204
    assert "_fh" in cookies(reply)
    stored = [entry.event for entry in (await world.logs["path"].read("test", 10)).entries]
    (purchase,) = [event for event in stored if event.id == f"{world.kind}-1"]
    assert purchase.click_ids["fbclid"].value == "AbC-2"
    assert purchase.client.user_agent == BROWSER


async def test_what_is_no_page_is_delivered_without_our_cookies(world):
    image = await world.page("/logo.png", **{"Sec-Fetch-Dest": "image", "Accept": "image/*"})
    assert set(cookies(image)) == {"session"}
    posted = await world.ask("/form", method="POST", data=b"a=1")
    assert (posted.status, set(cookies(posted))) == (200, {"session"})


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Host": "www.shop.example"},  # another origin than configured
    ],
)
async def test_whoever_is_no_visitor_gets_the_page_alone(world, headers):
    if "Host" in headers and world.kind == "caddy":
        pytest.skip("caddy serves the named host and port only")
    assert set(cookies(await world.page("/p?gclid=G-1", **headers))) == {"session"}


async def test_a_browser_cannot_say_what_it_was_asked_for(world):
    forged = {"X-Forwarded-Uri": "/?fbclid=FORGED", "X-Forwarded-Method": "GET", "X-Forwarded-For": "8.8.8.8"}
    found = cookies(await world.page("/p", **forged))
    assert "_fbc" not in found
    for path, host in (("/l", "t.shop.example"), ("/fh/l", "www.shop.example")):
        direct = await world.ask(path, host, **forged)
        assert (direct.status, cookies(direct)) == (204, {})


async def test_the_collector_on_a_host_of_its_own_serves_and_sets_cookies_for_the_site(world):
    script = await world.ask("/tracker.js", "t.shop.example")
    assert script.status == 200
    event = {"id": f"{world.kind}-2", "name": "lead"}
    reply = await world.ask(
        "/e",
        "t.shop.example",
        method="POST",
        data=aiohttp.JsonPayload(event),
        Origin=f"http://www.shop.example:{world.port}",
        **{"X-Forwarded-For": "8.8.8.8", "Sec-Fetch-Dest": "empty"},
    )
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == f"http://www.shop.example:{world.port}"
    assert all("Domain=shop.example" in line for line in reply.headers.getall("Set-Cookie"))
    (entry,) = (await world.logs["host"].read(f"test-{world.kind}", 10)).entries
    assert entry.event.client.ip == "127.0.0.1"  # not what the browser claimed


async def test_a_page_does_not_fail_when_the_collector_is_away(world):
    await world.runners.pop("path").cleanup()
    try:
        assert set(cookies(await world.page("/p?gclid=G-1"))) == {"session"}
    finally:
        await world.collector("path", "/fh")


async def test_a_page_does_not_wait_for_a_collector_that_hangs(world):
    await world.runners.pop("path").cleanup()
    never = web.Application()
    never.router.add_route("*", "/{path:.*}", _never)
    await world.serve("path", never, world.path_port)
    try:
        reply = await asyncio.wait_for(world.page("/p?gclid=G-1"), 50)  # below the 60 s that nginx would wait
        assert set(cookies(reply)) == {"session"}
    finally:
        await world.runners.pop("path").cleanup()
        await world.collector("path", "/fh")


async def test_without_consent_the_page_sets_only_its_own(world):
    await world.runners.pop("path").cleanup()
    await world.collector("path", "/fh", default="denied")
    try:
        assert set(cookies(await world.page("/p?fbclid=AbC-1"))) == {"session"}
    finally:
        await world.runners.pop("path").cleanup()
        await world.collector("path", "/fh")
