"""Ingest keys are rotated without a restart: add the new one, change the senders, take the old one away."""

import json
import signal

import aiohttp
import pytest

from tests.supervise.serving import CONFIG, serving

pytestmark = pytest.mark.timeout(400)

OLD, NEW = "the-old-key-0123456789", "the-new-key-0123456789"
EVENT = {"name": "lead", "consent": {"marketing": "granted"}}


async def test_a_key_taken_out_of_the_file_is_refused_after_a_reload(tmp_path):
    async def status(public, key):
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{public}/e", data=json.dumps(EVENT), headers=headers) as answer,
        ):
            return answer.status

    async with serving(tmp_path, 1, f"ingest_keys: [{OLD}, {NEW}]\n") as service:
        assert [await status(service.public, key) for key in (OLD, NEW)] == [204, 204]
        service.config(CONFIG.format(1) + f"ingest_keys: [{NEW}]\n")
        service.process.send_signal(signal.SIGHUP)
        await service.line("reloaded")
        assert [await status(service.public, key) for key in (OLD, NEW) * 3] == [401, 204] * 3
