import stat

import pytest
from click.testing import CliRunner

from proxy.commands import check, init
from proxy.config.load import load
from proxy.config.machine import keyring

ENV = {"META_ACCESS_TOKEN": "s3cr3t-token-0123456789"}


def run(*args, **kwargs):
    return CliRunner().invoke(init.command, [str(arg) for arg in args], **kwargs)


def complete(folder, *more):
    return run(folder, "--yes", "--origin", "https://www.shop.example", "--destination", "meta:pixel_id=0123", *more)


def test_what_it_writes_passes_check(tmp_path):
    assert complete(tmp_path).exit_code == 0
    result = CliRunner().invoke(check.command, ["-c", str(tmp_path / "config.yaml")], env=ENV)
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "config.yaml", ENV).warnings == ()


def test_options_answer_every_question(tmp_path):
    result = complete(
        tmp_path, "--origin", "https://*.other.example", "--consent", "granted", "--trusted-proxy", "10.0.0.0/8"
    )
    assert result.exit_code == 0, result.output
    settings = load(tmp_path / "config.yaml", ENV).settings
    assert settings.site.origins == ("https://www.shop.example", "https://*.other.example")
    assert settings.consent.default == "granted"
    assert [str(network) for network in settings.listen.trusted_proxies] == ["10.0.0.0/8"]
    assert settings.destinations["meta"].pixel_id == "0123"


def test_credentials_are_left_to_the_environment(tmp_path):
    result = run(tmp_path, "--yes", "--origin", "https://a.example", "--destination", "meta:pixel_id=1", env=ENV)
    assert result.exit_code == 0
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert ENV["META_ACCESS_TOKEN"] not in written
    assert "access_token: ${META_ACCESS_TOKEN}\n" in written
    assert "META_ACCESS_TOKEN=\n" in (tmp_path / ".env.example").read_text()


def test_the_key_file_is_for_its_owner_alone(tmp_path):
    complete(tmp_path)
    assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert keyring(load(tmp_path / "config.yaml", ENV).settings)


@pytest.mark.parametrize("name", ["config.yaml", ".env.example"])
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    result = complete(tmp_path)
    assert result.exit_code == 1
    assert f"has {name} already" in result.output
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_existing_keys_are_kept(tmp_path):
    complete(tmp_path)
    keys = (tmp_path / "data" / "keys").read_text()
    (tmp_path / "config.yaml").unlink()
    (tmp_path / ".env.example").unlink()
    assert complete(tmp_path).exit_code == 0
    assert (tmp_path / "data" / "keys").read_text() == keys


def test_the_questions_are_asked_again_until_the_answer_fits(tmp_path):
    answers = [
        "shop",
        "https://shop.example, https://www.shop.example",
        "metta",
        "meta",
        "abc",
        "0123",
        "granted",
        "10.0.0.1/8",
        "",
    ]
    result = run(tmp_path, input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    for told in (
        "not an origin",
        "no such platform: metta",
        "'abc' does not fit meta pixel_id",
        "10.0.0.1/8 is no network",
    ):
        assert told in result.output
    settings = load(tmp_path / "config.yaml", ENV).settings
    assert settings.site.origins == ("https://shop.example", "https://www.shop.example")
    assert settings.destinations["meta"].pixel_id == "0123"
    assert settings.consent.default == "granted"


def test_it_works_without_a_platform_and_into_a_new_folder(tmp_path):
    folder = tmp_path / "new" / "folder"
    assert run(folder, "--yes", "--origin", "https://a.example").exit_code == 0
    assert load(folder / "config.yaml", {}).destinations == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--yes"], "--yes needs --origin"),
        (["--yes", "--origin", "shop"], "not an origin"),
        (["--yes", "--origin", "https://a.example", "--destination", "metta"], "no such platform: metta"),
        (["--yes", "--origin", "https://a.example", "--destination", "meta:pixl=1"], "KEY=VALUE with one of pixel_id"),
        (["--yes", "--origin", "https://a.example", "--destination", "meta:pixel_id=x"], "does not fit meta pixel_id"),
        (["--yes", "--origin", "https://a.example", "--destination", "meta"], "--destination meta:pixel_id=…"),
        (["--yes", "--origin", "https://a.example", "--trusted-proxy", "x"], "x is no network"),
    ],
)
def test_answers_that_do_not_work_write_nothing(tmp_path, options, told):
    result = run(tmp_path, *options)
    assert result.exit_code != 0
    assert told in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_way_on_is_told(tmp_path):
    output = complete(tmp_path).output
    assert "put META_ACCESS_TOKEN into .env" in output
    assert "firsthand check --live" in output
