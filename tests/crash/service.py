"""`firsthand serve` as a process of its own, with children of its own: started, killed, asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from proxy.log.view import LogView
from proxy.privacy.keys import Keyring, generate_key

START_S = 200
_ASK_S = 5  # for an answer of one that may be about to end
ROOT = Path(__file__).parents[2]


class Service:
    """Its configuration is `folder`/config.yaml, whose keys are `${KEYS}`; what it says goes to `folder`/serve.log."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process: asyncio.subprocess.Process | None = None
        self.keys = generate_key()
        searched = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._env = {**os.environ, "KEYS": self.keys, "PYTHONPATH": searched}
        self._log = (folder / "serve.log").open("ab")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns once it is ready. Tries again, as a service manager does, while children of a parent that was killed
        hold the folder: on a machine with no time to spare one that was just being started notices late."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.process = await self._command("serve", stdout=self._log, stderr=self._log, start_new_session=True)
            if await self._is_ready(deadline):
                return
            if "another firsthand serves" not in self._said():
                break
        raise RuntimeError("serve did not start:\n" + self._said())

    async def _is_ready(self, deadline: float) -> bool:
        """False: it has ended instead."""
        assert self.process
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_S)) as http:
            while time.monotonic() < deadline and self.process.returncode is None:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"{self.url}/readyz") as reply:
                        if reply.status == 200:
                            return True
                await asyncio.sleep(0.02)
        return False

    def _said(self) -> str:
        return (self.folder / "serve.log").read_text()[-2000:]

    def processes(self) -> dict[int, str]:
        """Process ids and roles of all there are now; the parent first."""
        assert self.process
        pid = self.process.pid
        found = {pid: "parent"}
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            except OSError:  # it is gone meanwhile
                continue
            if "proxy.supervise" in command:  # else it is just being started
                found[int(child)] = command[-3]
        return found

    async def end(self, how: signal.Signals) -> None:
        """The signal for every process of it."""
        assert self.process
        if self.process.returncode is None:
            os.killpg(self.process.pid, how)
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM to the parent alone, as a service manager does it; the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, of all starts."""
        said = (self.folder / "serve.log").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in said if line.startswith("{") and line.endswith("\n")]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Another command of `firsthand` on the same configuration: exit code, output, errors."""
        child = await self._command(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await child.communicate()
        return child.returncode or 0, out.decode(), err.decode()

    async def dead(self) -> dict[str, dict[str, str]]:
        """Destination -> event id -> why, from `firsthand dead list --json`."""
        code, out, err = await self.run("dead", "list", "--json", "--limit", "1000000")
        assert code == 0, err
        found: dict[str, dict[str, str]] = {}
        for letter in map(json.loads, out.splitlines()):
            if letter["event"]:
                found.setdefault(letter["destination"], {})[letter["event"]["id"]] = letter["why"]
        return found

    async def stored(self) -> list[str]:
        """Ids of all events in the log, in its order."""
        view = await LogView.open(self.folder / "data", Keyring.parse(self.keys))
        try:
            rows = await view.rows("SELECT seq, CAST(key AS BLOB), CAST(body AS BLOB) FROM event ORDER BY seq")
            events = [view.sealing.event(key, body) for _, key, body in rows]
            return ["unreadable" if event is None else event.id for event in events]
        finally:
            await view.close()

    def close(self) -> None:
        self._log.close()

    async def _command(self, *words: str, **how: Any) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "proxy", *words, "--config", str(self.folder / "config.yaml"))
        return await asyncio.create_subprocess_exec(*command, env=self._env, **how)
