import ipaddress
import re
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from proxy.config.example import example_text, sample_values
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.config.words import section_of
from proxy.config.written import is_filled_in, scalar
from proxy.config.yaml import parse
from proxy.destinations import load_all
from proxy.destinations.base import DestinationSettings


def test_the_file_is_what_the_models_say(root):
    """If this fails: python -m proxy.config.example > config.example.yaml"""
    assert (root / "config.example.yaml").read_text(encoding="utf-8") == example_text()


@pytest.mark.parametrize("name", ["config.example.yaml", "config.minimal.yaml"])
def test_it_loads_without_a_warning(root, env_of, name):
    path = root / name
    config = load(path, env_of(path.read_text(encoding="utf-8")), clock=lambda: 1_790_000_000_000)
    assert config.warnings == ()


def test_it_holds_every_key_of_every_section(root):
    data = parse((root / "config.example.yaml").read_bytes()).data
    assert set(data) == set(Settings.model_fields)
    for name in Settings.model_fields:
        section = section_of(Settings, name)
        if section is not None:
            assert set(data[name]) == set(section.model_fields), name


def test_it_holds_every_kind_with_its_keys_and_the_shared_keys_once(root):
    data = parse((root / "config.example.yaml").read_bytes()).data
    shared = set(DestinationSettings.model_fields) - {"kind"}
    by_kind = {entry["kind"]: entry for entry in data["destinations"].values()}
    assert set(by_kind) == set(load_all())
    for kind, destination in load_all().items():
        assert set(destination.Settings.model_fields) - shared <= set(by_kind[kind])
    assert any(shared <= set(entry) for entry in by_kind.values())


def test_what_it_shows_are_the_defaults(root, env_of):
    path = root / "config.example.yaml"
    settings = load(path, env_of(path.read_text(encoding="utf-8"))).settings
    defaults = Settings(site=settings.site)
    for name in set(Settings.model_fields) - {"site", "destinations", "rules", "data"}:
        assert getattr(settings, name) == getattr(defaults, name), name
    assert settings.data == root / defaults.data
    for destination in settings.destinations.values():
        for name, entry in type(destination).model_fields.items():
            if not is_filled_in(name, entry) and name != "kind":
                assert getattr(destination, name) == entry.default, name


def models():
    def below(model):
        yield model
        for entry in model.model_fields.values():
            for part in (entry.annotation, *getattr(entry.annotation, "__args__", ())):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    yield from below(part)

    yield from below(Settings)
    for destination in load_all().values():
        yield from below(destination.Settings)


@pytest.mark.parametrize("model", list(dict.fromkeys(models())), ids=lambda model: model.__qualname__)
def test_every_key_has_a_sentence_of_help(model):
    for name, entry in model.model_fields.items():
        assert entry.description, name
        assert entry.description.endswith("."), name


def test_every_key_in_the_file_has_a_comment_above_it(root):
    lines = (root / "config.example.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("rules:"):
            break
        if re.match(r"\s*[a-z_]+:", line) and not re.match(r"  [a-z0-9-]+:$", line):
            assert lines[number - 1].lstrip().startswith("#") or lines[number - 1].strip() in (
                f"{n}:" for n in Settings.model_fields
            ), line


def test_the_minimal_file_is_minimal(root):
    lines = (root / "config.minimal.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 12
    assert lines[0] == "# yaml-language-server: $schema=./config.schema.json"


def test_a_required_key_without_an_example_is_named():
    class Incomplete(DestinationSettings):
        account: str

    with pytest.raises(ValueError, match=r"destinations/some\.py: account is required and needs Field\(examples"):
        sample_values("some", Incomplete)


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -5, 2.5, "text", "", "true", "null", "~", "0123", "12", "1e5", "a: b", "a #b", "- a", "@x", "*x",
     "&x", "!x", "%x", "x:", "[a]", "{a}", "https://*.shop.example", "10.0.0.0/8", "2001:db8::/32", "\t", "ü", "a\nb", "'", '"',
     "${NAME}", "${NAME:-x}", "/e", "./data", "no", "NO", ".inf", "0x1F", ["a", "b,c", "${X}"], {"a": "x", "b": "${X}"}, []],
    ids=repr,
)  # fmt: skip
def test_what_is_written_is_read_back(value):
    assert parse(f"key: {scalar(value)}\n").data == {"key": value}


def test_paths_and_networks_are_written_as_text():
    assert scalar(Path("data")) == "data"
    assert scalar([ipaddress.ip_network("10.0.0.0/8")]) == "[10.0.0.0/8]"
    assert "x" not in scalar(SecretStr("x"))
