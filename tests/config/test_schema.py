import json

import pytest

from proxy.config.schema import config_schema, schema_text
from proxy.config.settings import Settings
from proxy.destinations import load_all


def test_the_file_in_the_repository_is_current(root):
    """If this fails: firsthand schema > config.schema.json"""
    assert (root / "config.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_examples_point_their_editor_at_it(root):
    for name in ("config.example.yaml", "config.minimal.yaml"):
        first = (root / name).read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=./config.schema.json"


def test_every_key_is_in_it_with_its_help():
    schema = config_schema()
    assert set(schema["properties"]) == set(Settings.model_fields)
    for name, part in schema["properties"].items():
        assert part["description"] == Settings.model_fields[name].description


def test_every_kind_is_in_it_with_its_keys_and_help():
    schema = config_schema()
    for kind, destination in load_all().items():
        part = schema["$defs"][f"destination_{kind}"]
        assert part["additionalProperties"] is False
        assert set(part["properties"]) == set(destination.Settings.model_fields)
        assert part["properties"]["kind"]["const"] == kind
        assert all(entry["description"] for entry in part["properties"].values())
    assert schema["properties"]["destinations"]["additionalProperties"]["properties"]["kind"]["enum"] == list(
        load_all()
    )


def references(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere():
    schema = config_schema()
    names = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert names <= set(schema["$defs"])


@pytest.mark.parametrize(
    ("section", "key"), [("ListenSettings", "port"), ("TrackerSettings", "page_views"), ("BotSettings", "action")]
)
def test_a_reference_may_stand_where_a_number_a_switch_or_a_choice_is_wanted(section, key):
    assert {"$ref": "#/$defs/reference"} in config_schema()["$defs"][section]["properties"][key]["anyOf"]


def test_ids_may_be_written_as_numbers():
    meta = config_schema()["$defs"]["destination_meta"]["properties"]["pixel_id"]
    assert any(choice.get("type") == ["string", "number"] for choice in meta["anyOf"])


def test_it_is_json_and_says_which_dialect():
    assert json.loads(schema_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"
