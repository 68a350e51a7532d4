"""docs/rules.md is complete, and every rule in it works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from proxy.rules import changes, compile as rule, examples, targets
from proxy.rules.compile import compile_rules
from proxy.rules.fields import EVENT, ITEM
from proxy.rules.operators import ALLOWED
from proxy.rules.trial import run_examples

TEXT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[1].strip(" -"))
def test_every_rule_in_the_manual_compiles_and_its_examples_pass(block):
    listed = yaml.safe_load(block)["rules"]
    rules = compile_rules(listed, ("meta-main", "tiktok", "google", "crm", "ga4"))
    for trial in run_examples(rules):
        assert trial.differences == (), trial.rule


def test_the_manual_names_every_key_operator_and_field():
    words = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`\n]+)`", TEXT))))
    keys = {*rule.KEYS, *changes.KEYS, *targets.KEYS, *examples.KEYS, *examples.TARGET_KEYS, "define", "is", "any_item"}
    fields = {path.removeprefix("data.").removeprefix("click_ids.") for path in [*EVENT.fields, *ITEM.fields]}
    assert (keys | set(ALLOWED) | fields) - words == set()
