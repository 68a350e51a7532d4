"""Bytes of the log's files that are not what was written: after a power cut, on a dying disk."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.errors import LogUnavailable
from proxy.event import Event
from proxy.log.base import Outcome
from proxy.log.sqlite import SqliteLog
from proxy.privacy.keys import Keyring, generate_key
from tests.log.test_kill import killed_writer


@pytest.fixture
def loop_is_never_blocked():
    """These tests look into files."""


PAGE, FRAME, HEADER = 4096, 4096 + 24, 32
NOISE = bytes(range(255, -1, -1)) * 16  # a page whose first byte is no kind of page


def truncated(wal):
    """The last frame was written by half."""
    os.truncate(wal, wal.stat().st_size - PAGE // 2)


def flipped(wal):
    """A bit of the last frame is not what it was."""
    with wal.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def garbage_behind(wal):
    """A transaction had begun to be written, and what came of it is noise."""
    with wal.open("ab") as file:
        file.write((NOISE * 2)[: FRAME + FRAME // 3])


@pytest.mark.crash
@pytest.mark.parametrize(("damage", "lost_at_most"), [(garbage_behind, 0), (truncated, 1), (flipped, 1)])
async def test_a_damaged_end_of_the_wal_costs_the_transaction_it_is_in_and_no_other(
    tmp_path, settings, clock, damage, lost_at_most
):
    keys = generate_key()
    acknowledged = await killed_writer(tmp_path, keys, acknowledged=60, senders=1)  # one event, one transaction
    wal = tmp_path / "log.db-wal"
    frames = (wal.stat().st_size - HEADER) // FRAME
    os.truncate(wal, HEADER + frames * FRAME)  # the kill may have cut a frame short that was being written
    damage(wal)
    log = await SqliteLog.open(tmp_path, Keyring.parse(keys), settings, clock)
    try:
        found = [entry.event.id for entry in (await log.read("meta", 100_000)).entries]
        assert found == [f"0-{number}" for number in range(len(found))]  # a whole beginning, nothing of the rest
        assert len(found) >= len(acknowledged) - lost_at_most
        assert await log.append([Event(id="after", name="purchase", time=1)]) == 1
    finally:
        await log.close()


@pytest.fixture
async def damaged(open_log, event, tmp_path):
    """A log of 600 events, a page in the middle of which is noise; its reader has settled the first hundred."""
    log = await open_log()
    await log.append([event(number) for number in range(600)])
    batch = await log.read("meta", 100)
    await log.commit(batch, Outcome(settled=[entry.seq for entry in batch.entries], state=batch.state))
    await log.close()
    leaves = table_leaves(tmp_path / "log.db")
    page = leaves[len(leaves) // 2]
    with (tmp_path / "log.db").open("r+b") as file:
        file.seek(page * PAGE)
        file.write(NOISE)
    return tmp_path


def table_leaves(path):
    """Pages with rows of a table: here nearly all are of `event`."""
    content = path.read_bytes()
    return [page for page in range(1, len(content) // PAGE) if content[page * PAGE] == 0x0D]


async def test_a_damaged_page_stops_its_readers_and_no_sender(damaged, open_log, event):
    log = await open_log()
    with pytest.raises(LogUnavailable, match=r"reading .*log.db: database disk image is malformed"):
        await log.read("meta", 1000)
    assert await log.append([event(9_001)]) == 1
    assert (await log.stats()).head == 601  # so `status` and `readyz` go on


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the sqlite3 shell")
async def test_the_repair_in_the_manual_saves_what_is_not_on_the_page(damaged, open_log, event):
    recipe = (
        "(echo \"PRAGMA user_version=$(sqlite3 log.db 'PRAGMA user_version');\"\n"
        " sqlite3 log.db .dump | sed 's/^ROLLBACK.*/COMMIT;/') | sqlite3 new.db"
    )
    manual = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
    assert recipe in manual
    await asyncio.to_thread(subprocess.run, recipe, shell=True, cwd=damaged, check=False, capture_output=True)
    (damaged / "log.db").rename(damaged / "damaged.db")
    for rest in damaged.glob("log.db-*"):
        rest.unlink()
    (damaged / "new.db").rename(damaged / "log.db")
    log = await open_log()
    batch = await log.read("meta", 1000)
    assert batch.entries[0].event.id == "e-100"  # it goes on where it was
    saved = {entry.event.id for entry in batch.entries}
    assert 500 - 40 < len(saved) < 500
    assert "e-599" in saved
    assert await log.append([event(9_001)]) == 1
