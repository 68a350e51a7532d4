"""What the benches of the collector measure: servers as processes of their own, all on one core, on loopback.

`running` starts those named and stops them; `Server.cpu_s` is what all their threads and processes have used so far.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiohttp import web

ORIGIN = "https://www.shop.example"
CONFIG = f"""
site: {{origins: ["{ORIGIN}"]}}
limits: {{address_per_s: 1000000, address_burst: 10000000, site_per_s: 1000000, site_burst: 10000000}} # never reached
destinations: {{meta: {{kind: meta, pixel_id: "1", access_token: t}}}}
"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    name: str
    pids: list[int]
    port: int

    def cpu_s(self) -> float:
        """User and system time."""
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory_mb(self) -> float:
        """Resident, of all its processes."""
        lines = "".join(Path(f"/proc/{pid}/status").read_text() for pid in self.pids).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def running(names: Sequence[str], key: str) -> Iterator[list[Server]]:
    """Of nginx nothing, with a word, where it is not installed. This process moves to the other cores meanwhile."""
    cores = sorted(os.sched_getaffinity(0))
    processes: list[multiprocessing.Process | subprocess.Popen] = []
    servers = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        try:
            for name in names:
                if name == NGINX:
                    servers += _nginx(Path(folder), cores[0], processes)
                else:
                    servers.append(_ours(name, Path(folder), cores[0], key, processes))
            if len(cores) > 1:
                os.sched_setaffinity(0, set(cores[1:]))
            yield servers
        finally:
            os.sched_setaffinity(0, set(cores))
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(10) if isinstance(process, subprocess.Popen) else process.join(10)


def _ours(name: str, folder: Path, core: int, key: str, processes: list) -> Server:
    with socket.socket() as kept:  # several processes share one port: it is chosen, and held, beforehand
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        port, pids = kept.getsockname()[1], []
        for _ in range(2 if name == TWO else 1):
            mine, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(
                target=_run, args=(name, theirs, core, key, (port, folder / name.replace(" ", "-"))), daemon=True
            )
            process.start()
            processes.append(process)
            mine.recv()
            pids.append(process.pid or 0)
    return Server(name, pids, port)


def _nginx(folder: Path, core: int, processes: list) -> list[Server]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        print("nginx is not installed here: no row for it")
        return []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;"
        "events { worker_connections 1024; }"
        f"http {{ access_log off; client_body_temp_path {folder}; keepalive_requests 100000000;"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}"
    )
    process = subprocess.Popen([program, "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {core})
    processes.append(process)
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return [Server(NGINX, [process.pid], port)]
        time.sleep(0.02)
    print("nginx does not start here: no row for it")
    return []


def _run(name: str, ready, core: int, key: str, at: tuple[int, Path]) -> None:
    os.sched_setaffinity(0, {core})
    many = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (many, many))
    uvloop.run(_serve(name, ready, key, *at))


async def _serve(name: str, ready, key: str, port: int, folder: Path) -> None:
    if name == BARE:
        runner = web.AppRunner(_bare(), access_log=None)
    else:
        runner = await _collector(key, folder, express=name != ORDINARY)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024, reuse_port=True).start()
    ready.send(True)
    await asyncio.Event().wait()


def _bare() -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _collector(key: str, folder: Path, *, express: bool) -> web.AppRunner:
    from proxy.clock import system_clock
    from proxy.collector.app import make_app
    from proxy.collector.express import ExpressRunner
    from proxy.collector.garbage import look_seldom
    from proxy.config.load import read
    from proxy.log.sqlite import SqliteLog
    from proxy.privacy.keys import Keyring

    config = read(CONFIG, Path("config.yaml"), {})
    keyring = Keyring.parse(key)
    look_seldom()  # as `serve` does
    log = await SqliteLog.open(folder, keyring, config.settings.log, system_clock)
    return (ExpressRunner if express else web.AppRunner)(make_app(config, log, keyring), access_log=None)


BARE, NGINX, ORDINARY, OURS, TWO = "bare 204", "nginx 204", "ordinary", "POST /e", "two processes"
"""`ORDINARY`: the same collector without its express lane. `TWO`: collectors that share a port and a log."""
