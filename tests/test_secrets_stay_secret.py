"""No credential and nothing about a visitor leaves by a way it should not: a real service, every command, a hostile
platform that repeats all it was sent, and then every byte that came out is searched.

Ways out that are meant to show an event (`explain`, `dead show`, the request to the platform itself) may show the
visitor, never a credential. The event log holds neither in the clear.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from proxy.cli import root
from proxy.config.example import sample_values
from proxy.config.load import load
from proxy.config.words import is_secret
from proxy.destinations import load_all
from proxy.privacy.keys import generate_key

PATIENCE_S = 100
ORIGIN = "https://www.shop.example"
INGEST, OTHER_INGEST, ADMIN, GUESS = (f"marked-{name}-5f1c9e7a2b4d" for name in ("ingest", "rotated", "admin", "guess"))
BOUGHT = "marked-bought-token-5f1c9e7a2b4d"
VISITOR = {
    "email": "marked.person@leak.example",
    "phone": "+32470998877",
    "first_name": "Markedfirst",
    "last_name": "Markedlast",
    "street": "Markedstreet 7",
}
CLICK, ADDRESS, AGENT = "MarkedClickId5f1c9e7a", "198.51.100.203", "Mozilla/5.0 MarkedBrowser/9.7"
ABOUT_VISITOR = [*VISITOR.values(), VISITOR["phone"].lstrip("+"), CLICK, ADDRESS, AGENT]
EVENT = {
    "id": "o-marked",
    "name": "purchase",
    "consent": dict.fromkeys(("marketing", "analytics", "personalization"), "granted"),
    "page": {"url": f"{ORIGIN}/thanks?fbclid={CLICK}&gclid={CLICK}&ttclid={CLICK}"},
    "user": VISITOR,
    "data": {
        "value": 59.9,
        "currency": "EUR",
        "order_id": "o-marked",
        "items": [{"id": "mug", "price": 59.9, "quantity": 1}],
    },
}
PAGE = {"Origin": ORIGIN, "User-Agent": AGENT, "X-Forwarded-For": ADDRESS}

COMMANDS = {
    "check": [["check"], ["check", "--live"]],
    "consent-log": [["consent-log"], ["consent-log", "--json"]],
    "erase": [
        ["erase", "--email", VISITOR["email"], "--dry-run"],
        ["erase", "--email", VISITOR["email"], "--dry-run", "--json"],
    ],
    "export": [["export", "--email", VISITOR["email"]]],
    "record": [["record"]],
    "dead": [["dead", "list"], ["dead", "list", "--json"], ["dead", "retry", "--all"], ["dead", "drop", "--all"]],
    "explain": [["explain", "event.json"], ["explain", "--json", "--trace", "event.json"], ["explain", "broken.json"]],
    "replay": [["replay", "--destination", "meta", "--since", "1h", "--dry-run"]],
    "status": [["status"], ["status", "--json"]],
    "test": [["test"]],
}
MAY_SHOW_THE_VISITOR = ("explain", "answers", "export")  # to who asked, about what they sent
WITHOUT_SECRETS = {"demo", "doctor", "init", "keygen", "sandbox", "schema"}
"""They read no configuration with credentials: they make one, or look from outside."""
ELSEWHERE = {"serve"}  # below, as a process of its own


def marked(key_file):
    """Configuration, environment and every credential in it: all fields of every kind, with a marked value each."""
    environment = {"KEYS": generate_key(), "INGEST": INGEST, "ROTATED": OTHER_INGEST, "ADMIN": ADMIN}
    destinations = {}
    for kind, destination in load_all().items():
        values = {"kind": kind, **sample_values(kind, destination.Settings), "base_url": "${PARROT}"}
        secret = [name for name, field in destination.Settings.model_fields.items() if is_secret(field.annotation)]
        if kind == "google_ads":  # one of two ways to say who we are
            secret = ["client_secret", "refresh_token"]
            values["client_id"] = "marked.apps.example"
            del values["service_account"]
        for name in secret:
            variable = f"{kind}_{name}".upper()
            environment[variable] = f"marked-{variable.lower()}-5f1c9e7a2b4d"
            values[name] = {"X-Marked": f"${{{variable}}}"} if name == "headers" else f"${{{variable}}}"
        if kind == "webhook":
            del values["base_url"]
            values |= {"url": "${PARROT}/in", "allow_private_addresses": True}
        destinations[kind.replace("_", "-")] = values
    config = {
        "site": {"origins": [ORIGIN]},
        "listen": {"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.0/8"]},
        "admin": {"port": 0, "token": "${ADMIN}"},
        "keys": "${KEYS}",
        "ingest_keys": ["${INGEST}", "${ROTATED}"],
        "bots": {"action": "keep"},
        "relay": {"wait_s": 0, "backoff_max_s": 1, "probe_s": 1},
        "destinations": destinations,
    }
    return config, environment


class Parrot:
    """A platform that repeats in its error everything it was sent, in every place where platforms put words."""

    def __init__(self):
        self.heard = set()

    async def answer(self, request):
        body = (await request.read()).decode("utf-8", "replace")
        if "refresh_token" in body:  # Google's token
            return web.json_response({"access_token": BOUGHT, "expires_in": 3600, "token_type": "Bearer"})
        self.heard.add(request.path)
        sent = f"{request.url} {dict(request.headers)} {body}"
        words = f"{' '.join(word for word in ABOUT_VISITOR if word in sent)} {sent}"
        status = 401 if len(self.heard) % 2 else 400
        reply = {
            "error": {"message": words, "code": 100, "error_user_msg": words, "type": words, "status": words},
            **dict.fromkeys(("message", "msg", "reason", "display_message", "debug_message", "request_id"), words),
            "code": 40002,
            "error_records": [{"reason": words}],
            "validationMessages": [{"fieldPath": words, "description": words, "validationCode": words}],
        }
        return web.json_response(reply, status=status, headers={"X-Request-Id": words[:200].replace("\n", " ")})


@contextlib.asynccontextmanager
async def platform():
    parrot, app = Parrot(), web.Application()
    app.router.add_route("*", "/{path:.*}", parrot.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    parrot.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield parrot
    await runner.cleanup()


@contextlib.asynccontextmanager
async def service(folder, environment):
    """Yields its addresses and the list that all it prints is put into."""
    printed = []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-m", "proxy", "serve", "--config", "config.yaml"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )

    async def listen(stream):
        async for line in stream:
            printed.append(line.decode())

    listening = [asyncio.create_task(listen(process.stderr))]
    try:
        first = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
        printed.append(first)
        listening.append(asyncio.create_task(listen(process.stdout)))
        yield process, *re.findall(r"http://\S+?(?=;|\s|$)", first), printed
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*listening)


async def visit(public):
    """All the ways something may come in, good and bad; what was answered."""
    said = []
    async with aiohttp.ClientSession() as http:

        async def ask(method, path, **how):
            async with http.request(method, public + path, **how) as answer:
                said.append(f"{answer.status} {dict(answer.headers)} {await answer.text(errors='replace')}")

        await ask("POST", "/e", json=EVENT, headers=PAGE)
        await ask("POST", "/e", json=EVENT, headers={"Authorization": f"Bearer {INGEST}"})
        await ask("POST", "/e", json={**EVENT, VISITOR["email"]: 1}, headers={"Authorization": f"Bearer {INGEST}"})
        await ask("POST", "/e", json=EVENT, headers={"Authorization": f"Bearer {GUESS}"})
        await ask("POST", "/e", data=json.dumps(EVENT)[:-5], headers=PAGE)
        await ask("POST", "/e", data=json.dumps({**EVENT, "name": ""}), headers=PAGE)
        await ask("POST", "/e", json=EVENT, headers={**PAGE, "Origin": f"https://{CLICK}.example"})
        await ask("POST", f"/nothing/{CLICK}", json=EVENT, headers={**PAGE, "Cookie": f"_fh={CLICK}; _fbc={CLICK}"})
        await ask("GET", "/n.gif", params={"url": EVENT["page"]["url"]}, headers=PAGE)
        for raw in (f"GET / HTTP/1.1\r\nbad {CLICK}\r\n\r\n", f"POST /e HTTP/1.1\r\nX: {CLICK * 3000}\r\n\r\n", CLICK):
            host, port = public.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(raw.encode() + b"\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                said.append((await asyncio.wait_for(reader.read(), PATIENCE_S)).decode("utf-8", "replace"))
            writer.close()
    return said


async def watched(admin):
    async with aiohttp.ClientSession() as http:
        texts = []
        for path in ("/metrics", "/status.json", "/nothing"):
            for token in (ADMIN, GUESS):
                async with http.get(admin + path, headers={"Authorization": f"Bearer {token}"}) as answer:
                    texts.append(f"{dict(answer.headers)} {await answer.text()}")
        return texts


async def dead_letters(admin):
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with aiohttp.ClientSession() as http, http.get(f"{admin}/status.json", headers=headers) as answer:
        return sum(destination["dead"] for destination in (await answer.json())["destinations"])


def run(*arguments):
    result = CliRunner().invoke(root, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{result.output}\n{result.exception}"  # what `main` would print
    return result.output


async def everything_that_comes_out(folder, config, environment, monkeypatch):
    """Name of the way out -> text."""
    out = {}
    path = folder / "config.yaml"
    async with platform() as parrot:
        environment["PARROT"] = parrot.url
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        path.write_text(json.dumps(config))  # JSON is YAML
        (folder / "event.json").write_text(json.dumps(EVENT))
        (folder / "broken.json").write_text(json.dumps({**EVENT, "data": {"value": VISITOR["email"]}}))
        async with service(folder, environment) as (process, public, admin, printed):
            out["answers"] = "\n".join(await visit(public))
            async with asyncio.timeout(PATIENCE_S):
                while len(parrot.heard) < len(config["destinations"]) or not await dead_letters(admin):
                    await asyncio.sleep(0.05)
            out["watched"] = "\n".join(await watched(admin))
            for commands in COMMANDS.values():
                for command in commands:
                    more = ["--config", str(path)]
                    words = (
                        [*command[:2], *more, *command[2:]]
                        if command[0] == "dead"
                        else [command[0], *more, *command[1:]]
                    )
                    out[" ".join(command)] = await asyncio.to_thread(run, *words)
            broken = {**config, "admin": {"tokn": "${ADMIN}"}, "ingest_keys": "${INGEST}", "keys": "${INGEST}"}
            path.write_text(json.dumps(broken))
            out["check of a broken file"] = await asyncio.to_thread(run, "check", "--config", str(path))
            process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE_S):
                while not any("reload refused" in line for line in printed):
                    await asyncio.sleep(0.05)
            path.write_text(json.dumps(config))
        out["printed"] = "".join(printed)
    loaded = await asyncio.to_thread(load, path)
    out["dump"] = f"{loaded!r} {loaded.settings} {loaded.settings.model_dump()} {loaded.settings.model_dump_json()}"
    for file in (folder / "data").iterdir():
        out[f"file {file.name}"] = file.read_bytes().decode("latin-1")
    return out


@pytest.mark.timeout(900)
async def test_no_credential_and_no_visitor_leaves_by_a_way_it_should_not(tmp_path, key_file, monkeypatch):
    config, environment = marked(key_file)
    out = await everything_that_comes_out(tmp_path, config, environment, monkeypatch)
    credentials = [value for name, value in environment.items() if name != "PARROT"] + [GUESS, BOUGHT]
    assert len(credentials) > 12
    assert "purchase" in out["explain event.json"]
    assert "dead" in out["status --json"]
    assert len(json.loads(out["dead list --json"].splitlines()[0])) > 3, "the platform's words became dead letters"
    for way, text in out.items():
        for secret in credentials:
            assert secret not in text, (way, secret, text[max(0, text.find(secret) - 300) :][:400])
        if way.split(" ", 1)[0] in MAY_SHOW_THE_VISITOR:
            continue
        for word in ABOUT_VISITOR:
            assert word not in text, (way, word, text[max(0, text.find(word) - 300) :][:400])
    for line in out["printed"].splitlines()[1:]:
        assert len(line) < 4_000


def test_every_command_is_looked_at():
    known = set(COMMANDS) | WITHOUT_SECRETS | ELSEWHERE
    assert known == set(root.list_commands(None))
