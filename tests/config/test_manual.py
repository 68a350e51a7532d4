"""The manual and the models say the same."""

import re

import pytest

from proxy.config.settings import Settings
from proxy.config.words import section_of
from proxy.config.written import default_of, scalar
from proxy.destinations import load_all
from proxy.destinations.base import DestinationSettings


def fields(model=Settings, prefix=""):
    """Every key there is with its field, sections within sections too: `tracker.datalayer.name`."""
    for name, entry in model.model_fields.items():
        section = section_of(model, name)
        if section is None:
            yield prefix + name, entry
        else:
            yield from fields(section, f"{prefix}{name}.")


FIELDS = dict(fields())


@pytest.fixture
def manual(root):
    return (root / "docs" / "configuration.md").read_text(encoding="utf-8")


def rows(text):
    """Key -> default, of all tables whose first column is a key."""
    return dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", text, re.MULTILINE))


@pytest.mark.parametrize("key", sorted(set(FIELDS) - {"destinations", "rules"}))
def test_every_key_has_its_row(manual, key):
    assert key in rows(manual)


@pytest.mark.parametrize("key", ["destinations", "rules"])
def test_the_big_sections_have_a_chapter(manual, key):
    assert f"### `{key}`" in manual


@pytest.mark.parametrize("key", sorted(DestinationSettings.model_fields))
def test_every_shared_key_of_a_destination_has_its_row(manual, key):
    assert key in rows(manual)


def test_no_row_is_about_a_key_that_is_gone(manual):
    assert set(rows(manual)) <= set(FIELDS) | set(DestinationSettings.model_fields)


@pytest.mark.parametrize("key", [key for key in FIELDS if "." in key])
def test_the_defaults_in_the_manual_are_the_defaults(manual, key):
    entry = FIELDS[key]
    stated = rows(manual)[key].strip()
    assert stated == ("required" if entry.is_required() else f"`{scalar(default_of(entry))}`")


@pytest.mark.parametrize("kind", sorted(load_all()))
def test_every_key_of_a_kind_is_on_its_page(root, kind):
    page = (root / "docs" / "destinations" / f"{kind}.md").read_text(encoding="utf-8")
    own = set(load_all()[kind].Settings.model_fields) - set(DestinationSettings.model_fields)
    assert own <= set(re.findall(r"`([a-z_]+)`", page))


def test_the_first_example_and_the_rules_load(manual, read, env_of):
    blocks = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    start = next(block for block in blocks if block.startswith("site:"))
    rules = next(block for block in blocks if block.startswith("rules:"))
    assert read(start + rules, env_of(start)).warnings == ()


def test_the_mistakes_it_shows_are_told_that_way(manual, faults):
    text = """\
site:
  origins: [https://www.shop.example]
listen:
  port: many
  host: 0.0.0.0
  trusted_proxy: []
destinations:
  meta: {kind: meta, pixel_id: 1,
         access_token: "${META_ACCESS_TOKEN}"}
rules:
  - name: x
    when: {event: purchase, valeu: {at_least: 100}}
    send_to: [meta]
"""
    for line in faults(text):
        words = line.split(": ", 1)[1]
        assert words in manual, line
