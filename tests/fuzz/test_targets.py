"""The fuzz targets over their seeds, over broken seeds, and over what fuzzing has found before. (`make fuzz` looks for more.)"""

import random

import pytest
from hypothesis import given, settings, strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

FOUND = {name: [] for name in TARGETS}
"""Inputs that once broke a promise, by target."""
FOUND["rules"] = [
    b'[{"name": "c", "send_to": {"destination": "crm", "only": [{"data.value": 1}]}}]',  # 2026-11: a TypeError
]


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_past_finds_keep_their_promise(target):
    for data in [b"", b"\x00", b"\xff" * 40, *SEEDS[target], *FOUND[target]]:
        TARGETS[target](data)


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"config"}))  # slow, and fuzzed in tests/config/test_yaml.py
def test_so_do_broken_seeds(target):
    dice = random.Random(1)
    for seed in SEEDS[target]:
        for _ in range(25):
            data = bytearray(seed)
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(data))
                data[at : at + dice.randint(0, 3)] = dice.choice(
                    [b"", b"\x00", b'"', b"\xff", b"{", b"]", b"9" * 30, b"%00", b"\\u"]
                )
            TARGETS[target](bytes(data))


@pytest.mark.parametrize("target", ["head", "cookies", "clicks", "judge"])
def test_and_any_bytes(target):
    @settings(max_examples=150)
    @given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
    def tried(data):
        TARGETS[target](data)

    tried()


def test_every_target_has_seeds():
    assert set(SEEDS) == set(TARGETS)
    assert all(SEEDS.values())
