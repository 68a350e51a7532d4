"""The collector over real loopback sockets, with a memory log, a chosen clock and chosen dice."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from blockbuster import blockbuster_ctx

from proxy.collector.app import make_app
from proxy.collector.express import ExpressRunner
from proxy.config.load import read
from proxy.log.memory import MemoryLog
from proxy.observe import metrics
from proxy.privacy.keys import Keyring, generate_key

ORIGIN = "https://www.shop.example"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
INGEST_KEY = "an-ingest-key-of-some-length"
PAGE_HEADERS = {"Origin": ORIGIN, "User-Agent": BROWSER, "Host": "t.shop.example"}
GRANTED = {"marketing": "granted"}


@pytest.fixture(autouse=True)
def loop_is_never_blocked():
    with blockbuster_ctx():
        yield


class FakeClock:
    def __init__(self):
        self.now_ms = 1_790_000_000_000

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def keyring():
    return Keyring.parse(generate_key())


@pytest.fixture
def log(clock):
    return MemoryLog(clock)


@pytest.fixture
def stored(log):
    """Every event in the log, in order."""

    async def events():
        return [entry.event for entry in (await log.read("test", 10_000)).entries]

    return events


def configuration(text=""):
    """A configuration as an operator would write it; `text` is YAML added to (or replacing) what every test has."""
    lines = {"site": f"{{origins: ['{ORIGIN}', 'https://*.more.example']}}", "ingest_keys": f"[{INGEST_KEY}]"}
    lines |= dict(line.split(": ", 1) for line in text.splitlines() if line.strip())
    return read("\n".join(f"{key}: {value}" for key, value in lines.items()), Path("config.yaml"), {})


META = "destinations: {meta: {kind: meta, pixel_id: '1', access_token: t}}"


class Site:
    """A running collector and what browsers and servers do with it."""

    def __init__(self, client):
        self.client = client

    async def post(self, body, *, headers=None, **more):
        """As a page of ours posts; headers given here replace or (None) remove its own."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {**PAGE_HEADERS, "Content-Type": "text/plain;charset=UTF-8", **(headers or {})}
        sent = {name: value for name, value in wanted.items() if value is not None}
        return await self.client.post("/e", data=raw, headers=sent, **more)

    async def post_as_server(self, body, key=INGEST_KEY, headers=None):
        return await self.client.post(
            "/e", data=json.dumps(body).encode(), headers={"Authorization": f"Bearer {key}", **(headers or {})}
        )

    async def raw(self, request):
        """Bytes onto a socket of their own; everything that comes back until it is closed."""
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer


class Browser:
    """Posts to a site and keeps the cookies it is given, as a browser does."""

    def __init__(self, site):
        self.site, self.jar = site, {}

    async def post(self, body, **more):
        sent = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        answer = await self.site.post(body, headers={"Cookie": sent or None, **more.pop("headers", {})}, **more)
        for line in answer.headers.getall("Set-Cookie", ()):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            self.jar[name] = value
            if "Max-Age=0;" in attributes:
                del self.jar[name]
        return answer


class Collector(TestServer):
    """The application behind the runner that is to be tested."""

    def __init__(self, app, runner):
        super().__init__(app)
        self._runner = runner

    async def _make_runner(self, **more):
        return self._runner(self.app, **{**more, "handler_cancellation": False})


@pytest.fixture(params=[web.AppRunner, ExpressRunner], ids=["ordinary", "express"])
def runner(request):
    """Every test of the collector runs through aiohttp's ordinary way and beside the express lane."""
    return request.param


@pytest.fixture
def start(aiohttp_client, log, keyring, clock, runner):
    """`site = await start("consent: {default: granted}")`."""

    async def started(text="", the_log=None):
        numbers = iter(range(1, 10_000))

        def made():
            return make_app(configuration(text), the_log or log, keyring, clock, lambda: next(numbers) << 100)

        return Site(await aiohttp_client(Collector(await asyncio.to_thread(made), runner)))

    return started


@pytest.fixture
async def browser(site):
    return Browser(site)


@pytest.fixture
def open_browser():
    """`open_browser(site)`: one more visitor of it."""
    return Browser


@pytest.fixture
async def site(start):
    return await start()


@pytest.fixture
def count():
    """`grown = count("events_dropped", reason="bot")`, then `grown()`: by how much that metric has grown since."""

    def watch(name, **labels):
        counter = getattr(metrics, name)
        child = counter.labels(**labels) if labels else counter
        before = child._value.get()
        return lambda: child._value.get() - before

    return watch
