"""Sealing, opening, digests, rotation, and the key file."""

import os
import stat
import subprocess
import sys
from contextlib import ExitStack

import pytest
from hypothesis import given, settings, strategies as st
from structlog.testing import capture_logs

from proxy.privacy.keys import OVERHEAD_BYTES, Keyring, generate_key, load_or_create

K1, K2, K3 = (generate_key() for _ in range(3))
RING = Keyring.parse(K1)
ROTATED = Keyring.parse(f"{K2}, {K1}")


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_what_is_sealed_opens_again_with_the_same_context(plaintext, context):
    sealed = RING.seal("log", plaintext, context)
    assert len(sealed) == len(plaintext) + OVERHEAD_BYTES
    assert RING.open("log", sealed, context) == plaintext


def test_the_same_plaintext_is_never_sealed_to_the_same_bytes():
    assert len({RING.seal("log", b"x") for _ in range(100)}) == 100


@settings(max_examples=200)
@given(st.integers(0, 31 + 16), st.integers(1, 255))
def test_changing_any_byte_makes_it_unreadable(position, change):
    sealed = bytearray(RING.seal("log", b"sixteen bytes ok"))
    sealed[position] ^= change
    assert RING.open("log", bytes(sealed)) is None


@given(st.binary(max_size=100))
def test_garbage_opens_as_nothing(garbage):
    assert RING.open("log", garbage) is None
    assert RING.open("log", b"\x01" + RING.seal("log", b"")[1:4] + garbage) is None


def test_a_cut_seal_opens_as_nothing():
    sealed = RING.seal("log", b"hello")
    assert all(RING.open("log", sealed[:end]) is None for end in range(len(sealed)))


def test_purposes_and_contexts_do_not_open_each_other():
    sealed = RING.seal("cookie", b"x", b"a")
    assert RING.open("log", sealed, b"a") is None
    assert RING.open("cookie", sealed, b"b") is None
    assert RING.open("cookie", sealed) is None


def test_after_a_rotation_old_seals_open_and_new_ones_use_the_new_key():
    old = RING.seal("log", b"old")
    new = ROTATED.seal("log", b"new")
    assert ROTATED.open("log", old) == b"old"
    assert RING.open("log", new) is None
    assert Keyring.parse(K2).open("log", new) == b"new"
    assert ROTATED.is_current(new)
    assert not ROTATED.is_current(old)


def test_a_removed_key_opens_nothing_any_more():
    assert Keyring.parse(K2).open("log", RING.seal("log", b"old")) is None


@given(st.binary(max_size=64))
def test_digests_fit_sqlite_and_depend_on_key_and_purpose(data):
    digest = RING.digest64("event", data)
    assert -(2**63) <= digest < 2**63
    assert digest == Keyring.parse(K1).digest64("event", data)
    assert digest != RING.digest64("visitor", data)
    assert digest != Keyring.parse(K2).digest64("event", data)
    assert len(RING.pseudonym("visitor", data)) == 16
    assert RING.pseudonym("visitor", data) != RING.pseudonym("event", data)


def test_putting_a_new_key_in_front_changes_no_digest():
    assert ROTATED.digest64("event", b"o-1001") == RING.digest64("event", b"o-1001")
    assert ROTATED.pseudonym("visitor", b"v_1") == RING.pseudonym("visitor", b"v_1")


def test_digests_of_a_rooted_keyring_survive_even_the_removal_of_the_oldest_key():
    first, stored = RING.rooted(None)
    rotated, restored = ROTATED.rooted(stored)
    final, kept = Keyring.parse(K2).rooted(restored)
    assert stored != restored
    assert kept == restored
    digests = {ring.digest64("event", b"o-1001") for ring in (first, rotated, final)}
    assert len(digests) == 1
    assert digests != {RING.digest64("event", b"o-1001")}
    assert final.open("log", rotated.seal("log", b"x")) == b"x"


def test_a_root_that_no_key_opens_is_a_clear_error():
    _, stored = RING.rooted(None)
    with pytest.raises(ValueError, match="add the missing key at the end"):
        Keyring.parse(K3).rooted(stored)


def test_a_forged_root_is_an_error_and_not_a_new_root():
    _, stored = RING.rooted(None)
    with pytest.raises(ValueError, match="not those this data was stored with"):
        RING.rooted(stored[:-1] + bytes([stored[-1] ^ 1]))


@pytest.mark.parametrize("text", [f"{K1},{K2}", f"{K1} {K2}", f"\n{K1}\n{K2}\n", f" {K1}=, ,{K2}= "])
def test_keys_may_be_separated_by_commas_or_whitespace(text):
    assert Keyring.parse(text).open("log", RING.seal("log", b"x")) == b"x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "firsthand keygen"),
        (" , ", "firsthand keygen"),
        (K1[:-1], "key 1 of 1"),
        (f"{K1} {K2}x", "key 2 of 2"),
        (f"{K1} {'!' * 43}", "key 2 of 2"),
        (f"{K1} {'é' * 43}", "key 2 of 2"),
        (f"{K1},{K2},{K1}", "key 3 repeats key 1"),
    ],
)
def test_bad_key_text_says_which_key_and_never_shows_it(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        Keyring.parse(text)
    assert not any(part and part[:8] in str(caught.value) for part in text.replace(",", " ").split())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_keyring_never_prints_its_keys():
    assert repr(ROTATED) == "Keyring(2 key(s))"
    assert K1 not in str(ROTATED)


def test_a_generated_key_is_43_characters_and_new_each_time():
    keys = {generate_key() for _ in range(50)}
    assert len(keys) == 50
    assert {len(key) for key in keys} == {43}


def test_the_key_file_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "keys"
    sealed = load_or_create(path).seal("log", b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create(path).open("log", sealed) == b"x"
    assert os.listdir(tmp_path) == ["keys"]


def test_a_key_file_others_can_read_is_used_with_a_warning_that_holds_no_key(tmp_path):
    path = tmp_path / "keys"
    path.write_text(K1)
    path.chmod(0o644)
    with capture_logs() as lines:
        assert load_or_create(path).open("log", RING.seal("log", b"x")) == b"x"
    assert [line["event"] for line in lines] == ["key_file_readable_by_others"]
    assert K1 not in str(lines)


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe\x00"])
def test_a_key_file_without_keys_is_named_and_never_overwritten(tmp_path, content):
    path = tmp_path / "keys"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=r"key file .*keys"):
        load_or_create(path)
    assert path.read_bytes() == content


LOADS_WHEN_TOLD = """
import sys
from pathlib import Path
from proxy.privacy.keys import load_or_create

print("ready", flush=True)
sys.stdin.readline()
print(load_or_create(Path(sys.argv[1])).digest64("event", b"same"))
"""


def test_processes_starting_together_end_up_with_one_key(tmp_path):
    command = [sys.executable, "-c", LOADS_WHEN_TOLD, str(tmp_path / "keys")]
    with ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(4)]
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 4
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        digests = {worker.communicate()[0] for worker in workers}
    assert {worker.returncode for worker in workers} == {0}
    assert len(digests) == 1
    assert os.listdir(tmp_path) == ["keys"]
