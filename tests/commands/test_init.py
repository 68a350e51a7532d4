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


GOOGLE = (
    "--destination",
    "google_ads:customer_id=123-456-7890,conversion_actions.purchase=987654,conversion_actions.lead=5",
)


def test_a_table_is_given_entry_by_entry_and_a_key_file_is_left_to_the_operator(tmp_path):
    result = run(tmp_path, "--yes", "--origin", "https://a.example", *GOOGLE)
    assert result.exit_code == 0, result.output
    written = (tmp_path / "config.yaml").read_text()
    assert '    conversion_actions: {purchase: "987654", lead: "5"}\n' in written
    assert "service_account: ${file:/run/secrets/google.json}\n" in written
    assert "put the file of service_account where" in result.output
    assert "SERVICE_ACCOUNT" not in (tmp_path / ".env.example").read_text()


def test_a_table_is_asked_for_in_one_line(tmp_path):
    answers = ["https://a.example", "google_ads", "1234567890", "purchase", "purchase=987654 lead=5", "", ""]
    result = run(tmp_path, input="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    assert "'purchase' does not fit google_ads conversion_actions" in result.output
    assert '{purchase: "987654", lead: "5"}' in (tmp_path / "config.yaml").read_text()


def added(folder, *options, **kwargs):
    return run(folder, "--add", *options, **kwargs)


def test_one_more_destination_is_shown_and_nothing_written(tmp_path):
    complete(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = added(tmp_path, "tiktok:pixel_code=C123", "--yes")
    assert result.exit_code == 0, result.output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert "TIKTOK_ACCESS_TOKEN=\n" in result.output
    assert "send_to: [tiktok]" in result.output


@pytest.mark.parametrize("kind", ["tiktok:pixel_code=C123", "meta:pixel_id=77", "webhook:url=https://crm.example/in"])
def test_what_is_shown_works_where_it_is_pasted(tmp_path, kind):
    complete(tmp_path)
    shown = added(tmp_path, kind, "--yes").output
    block = shown.partition("config.yaml:\n\n")[2].partition("\n\n")[0]
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("\ndestinations:\n", f"\ndestinations:\n{block}\n"))
    names = {line.partition("=")[0] for line in shown.splitlines() if line.endswith("=")}
    loaded = load(config, {**ENV, **dict.fromkeys(names, "a-credential")})
    assert {one.kind for one in loaded.destinations.values()} == {"meta", kind.partition(":")[0]}


def test_a_second_one_of_a_kind_gets_a_name_of_its_own(tmp_path):
    complete(tmp_path)
    result = added(tmp_path, "meta", input="4711\n")
    assert "\n  meta-2:\n    kind: meta\n" in result.output
    assert '    pixel_id: "4711"\n' in result.output
    assert "    access_token: ${META_2_ACCESS_TOKEN}\n" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["tikok"], "no such platform: tikok"),
        (["tiktok", "--yes"], "--yes needs --add tiktok:pixel_code=…"),
        (["google_ads:customer_id=1,conversion_actions=5"], "expected KEY=VALUE with one of customer_id, conversion"),
        (["google_ads:customer_id=1"], "does not fit google_ads customer_id"),
    ],
)
def test_what_cannot_be_added_is_said(tmp_path, options, told):
    result = added(tmp_path, *options)
    assert result.exit_code != 0
    assert told in result.output
