"""`firsthand demo` runs as a newcomer would run it: no configuration, no credentials."""

import asyncio
import socket
import sys

import aiohttp
import pytest
from click.testing import CliRunner

from proxy.cli import root
from proxy.demo.demo import Ports, configuration
from proxy.errors import ConfigError
from proxy.rules.trial import run_examples
from tests.ports import free_port

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
PATIENCE_S = 100
PLATFORMS = ["ga4", "google_ads", "meta", "pinterest", "snapchat", "tiktok", "webhook"]


def test_the_configuration_is_a_whole_one_and_its_examples_hold(tmp_path):
    config = configuration(Ports(), tmp_path)
    trials = list(run_examples(config.rules))
    assert trials
    assert all(trial.passed for trial in trials)


@pytest.mark.timeout(400)
async def test_it_starts_says_what_to_open_and_relays_an_event(tmp_path):
    shop, port, sandbox, admin = (free_port() for _ in range(4))
    options = (
        f"--shop-port {shop} --port {port} --sandbox-port {sandbox} --admin-port {admin} --data {tmp_path}".split()
    )
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "proxy", "demo", *options],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said = b""
        while b"The proxy's own pages" not in said:
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
            assert line, said.decode()
            said += line
        assert f"http://localhost:{shop}/?fbclid=" in said.decode()
        origin = f"http://localhost:{shop}"
        event = {"name": "purchase", "id": "o-1", "value": 5, "currency": "EUR"}
        event["consent"] = {"marketing": True, "analytics": True}
        event |= {"page": {"url": f"{origin}/thanks"}, "user": {"email": "ann@example.com"}}
        event["data"] = {"order_id": "o-1", "items": [{"id": "mug", "price": 5, "quantity": 1}]}
        async with aiohttp.ClientSession(headers={"User-Agent": BROWSER, "Origin": origin}) as http:
            async with http.get(f"{origin}/anything") as page:
                assert f"http://localhost:{port}/tracker.js" in await page.text()
            async with http.post(f"http://127.0.0.1:{port}/e", json=event) as reply:
                assert reply.status == 204
            records = []
            async with asyncio.timeout(PATIENCE_S):
                while len(records) < len(PLATFORMS):
                    async with http.get(f"http://127.0.0.1:{sandbox}/received.json") as received:
                        records = (await received.json())["records"]
        assert sorted(record["kind"] for record in records) == PLATFORMS
        assert not [record["faults"] for record in records if "faults" in record]
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), PATIENCE_S)


@pytest.mark.parametrize("option", ["--sandbox-port", "--shop-port", "--port", "--admin-port"])
def test_a_port_in_use_is_named_with_the_option_that_changes_it(option):
    others = {"--sandbox-port", "--shop-port", "--port", "--admin-port"} - {option}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {other: free_port() for other in sorted(others)} | {option: port}
        done = CliRunner().invoke(root, ["demo", *(str(part) for pair in ports.items() for part in pair)])
    assert isinstance(done.exception, ConfigError)
    assert str(port) in str(done.exception)
    assert f"choose another with {option})" in str(done.exception)


@pytest.mark.parametrize("path", ["/assets/shop.js", "/assets/shop.css", "/product/mug-blue", "/"])
async def test_the_shop_serves_every_path_of_its_single_page(aiohttp_client, path):
    from proxy.demo import shop

    client = await aiohttp_client(shop.make_app("http://proxy.test", "http://sandbox.test"))
    assert (await client.get(path)).status == 200
    assert (await client.get("/assets/nothing.js")).status == 404
