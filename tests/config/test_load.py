import copy
import re
from ipaddress import ip_network
from typing import Annotated

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from pydantic import Field

from proxy.config.load import load, read as read_text
from proxy.config.schema import schema_text
from proxy.destinations.base import Destination, DestinationSettings, Limits, Secret, registry
from proxy.errors import ConfigError

KEY = "A" * 43


def test_three_mistakes_are_three_faults_each_at_its_line_and_column(faults):
    text = """\
site:
  origins: [https://www.shop.example]
listen:
  port: many
destinations:
  meta: {kind: meta, pixel_id: 123, access_tokn: x, access_token: abcdef}
rules:
  - when: {event: purchase, valeu: {at_least: 100}}
    send_to: [meta]
"""
    assert faults(text) == [
        "config.yaml:4:9: listen.port: expected a whole number, got 'many' (Port to listen on)",
        "config.yaml:6:37: destinations.meta.access_tokn: unknown key (did you mean 'access_token'?)",
        "config.yaml:8:29: rules[0].when.valeu: unknown field 'valeu' (did you mean 'value'?)",
    ]


def test_every_layer_speaks_in_one_go(faults):
    text = """\
site: {origins: [https://www.shop.example], origins: []}
keys: ${FIRSTHAND_KEYS}
admin: {host: 0.0.0.0}
cookie: {domain: co.uk}
paths: &p {script: /e}
bots: *p
destinations:
  Meta Main: {kind: metta}
  b: {kind: meta, access_token: "${file:/nonexistent/x}"}
  c: 3
rules:
  - {send_to: [nobody]}
"""
    places = [(line.split(": ")[0].removeprefix("config.yaml:"), line.split(": ")[1]) for line in faults(text)]
    assert places == [
        ("1:45", "site"),  # duplicate key
        ("2:7", "keys"),  # environment
        ("3:1", "admin.token"),  # needed beyond loopback
        ("4:18", "cookie.domain"),  # public suffix
        ("5:1", "paths.events"),  # used twice
        ("6:7", "bots"),  # alias
        ("8:3", "destinations.Meta Main"),
        ("8:21", "destinations.Meta Main.kind"),
        ("9:3", "destinations.b.pixel_id"),  # missing
        ("9:33", "destinations.b.access_token"),  # file
        ("10:6", "destinations.c"),
        ("12:16", "rules[0].send_to[0]"),
    ]


def test_a_sound_file_becomes_settings_destinations_and_rules(read, tmp_path, meta, site):
    config = read(f"{site}{meta}data: state\nrules:\n  - {{send_to: meta}}\n")
    assert config.settings.site.origins == ("https://www.shop.example",)
    assert config.destinations["meta"].settings.pixel_id == "123"
    assert config.settings.destinations["meta"] is config.destinations["meta"].settings
    assert config.settings.data == tmp_path / "state"
    assert [rule.name for rule in config.rules.rules] == ["rule 1"]
    assert config.path == tmp_path / "config.yaml"
    assert re.fullmatch(r"[0-9a-f]{12}", config.version)


def test_the_version_is_the_text_s(read, site):
    assert read(site).version == read(site).version != read(f"{site}\n").version


def test_without_a_file_the_way_out_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: reading the configuration: no such file .*firsthand init"):
        load(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- a\n", "expected a mapping of sections, got a list"),
        ("hello\n", "expected a mapping of sections, got 'hello'"),
        ("*x\n", "expected a mapping of sections, got nothing"),
        (b"\xff\xfe", "the file is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_clear_fault(faults, text, words):
    assert any(words in line for line in faults(text))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("listen: {port: true}", "expected a number, got true"),
        ("listen: {port: 70000}", "expected a number of at most 65535, got 70000"),
        ("listen: {port: 80.5}", "expected a whole number, got 80.5"),
        ("listen: {trusted_proxies: 10.0.0.0/8}", "expected a list, got '10.0.0.0/8'"),
        ("listen: {trusted_proxies: [10.0.0.1/8]}", "expected a network such as 10.0.0.0/8"),
        ("listen: 8080", "expected a mapping, got 8080"),
        ("listen: {host: 'not a host'}", "the host is no valid domain name"),
        ("tracker: {page_views: maybe}", "expected true or false, got 'maybe'"),
        ("tracker: {global_name: 1x}", "'1x' has not the right form"),
        (
            "tracker: {modules: [banners]}",
            "tracker.banners: the module banners is on, but no banner is named (name it: ",
        ),
        ("tracker: {banners: {names: [klaro]}}", "tracker.banners: a banner is named, but its module is off"),
        (
            "tracker: {modules: [banners], banners: {names: [cookiebott]}}",
            "names[0]: expected 'cookiebot', 'onetrust',",
        ),
        ("tracker: {tcf: {marketing: []}}", "tracker.tcf.marketing: "),
        ("consent: {default: maybe}", "expected 'granted' or 'denied' or a mapping, got 'maybe'"),
        (
            "consent: {default: {marketing: yes}}",
            "consent.default.marketing: expected 'granted' or 'denied', got 'yes'",
        ),
        ("consent: {default: {marktng: denied}}", "consent.default.marktng: unknown key (did you mean 'marketing'?)"),
        ("bots: {action: keeep}", "expected 'drop', 'mark' or 'keep', got 'keeep'"),
        ("log: {retention_days: 0}", "expected a number above 0, got 0"),
        ("log: {max_bytes: 5}", "expected a number of at least 10000000, got 5"),
        ("log: {retention_days: .inf}", "expected a number, got '.inf'"),
        ("data: [a]", "expected a path, got a list"),
        ("cookie: {name: 'a b'}", "not a cookie name"),
        ("cookie: {name: _fbp}", "_fbp belongs to the Meta pixel"),
        ("cookie: {name: _ttp}", "_ttp belongs to a platform's own tag"),
        ("cookie: {name: _ga_ABC}", "_ga_ABC belongs to a platform's own tag"),
        ("cookie: {name: __Host-x}", "a __Host- cookie cannot have a domain"),
        ("cookie: {domain: 192.0.2.1}", "'192.0.2.1' is no domain name"),
        ("cookie: {domain: github.io}", "'github.io' is a public suffix"),
        ("paths: {events: e}", "paths.events: a path is /"),
        ("paths: {script: /healthz}", "/healthz is a health check already"),
        ("admin: {port: 8080}", "admin.port: port 8080 is listen.port already"),
        ("admin: {host: 192.0.2.1}", "admin.token: required, because admin.host is not a loopback address"),
        ("admin: {host: 192.0.2.1, token: 1234567890123456, open: true}", "admin.open: only on a loopback address"),
        (
            "admin: {token: 1234567890123456, open: true}",
            "admin.open: only on a loopback address and without admin.token",
        ),
        ("keys: short", "key 1 of 1: expected 32 bytes"),
        ("ingest_keys: ['']", "ingest_keys[0]: expected text that is not empty"),
        ("rules:", "the list is empty (remove the key to send every event everywhere"),
        ('rules: "${RULES:-}"', "the list is empty (remove the key to send every event everywhere"),
        ("rules: {a: b}", "rules: expected a list, got a mapping"),
        ("rules: [a]", "rules[0]: expected a mapping, got text"),
        ("destinations: [a]", "destinations: expected a mapping of names, got a list"),
        ("destinations: {a: a-t0ken}", "destinations.a: expected a mapping with `kind`, got text (kinds: "),
        ("admin: a-t0ken", "admin: expected a mapping, got text"),
        ("destinations: {a: {}}", "destinations.a.kind: required, but not given (kinds: "),
        ("destinations: {a: {kind: [meta]}}", "no such kind of destination: a list"),
        ("port: 1", "unknown key (did you mean listen.port or admin.port?)"),
        ("lisen: {}", "unknown key (did you mean 'listen'?)"),
    ],
)
def test_a_mistake_is_told_in_an_operator_s_words(faults, site, line, told):
    found = faults(f"{site}{line}\n")
    assert len(found) == 1, found
    assert told in found[0]
    assert re.match(r"config\.yaml:2:\d+: ", found[0])


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("www.shop.example", "write scheme and host"),
        ("ftp://shop.example", "write scheme and host"),
        ("https://shop.example/cart", "ends after the host"),
        ("https://a@shop.example", "ends after the host"),
        ("https://*.co.uk", "must stand before a domain of your own"),
        ("https://*", "must stand before|no valid domain"),
        ("https://shop.example:99999", "not an origin"),
        ("https://sh op.example", "no valid domain"),
        ("*", "write scheme and host"),
        ("null", "expected text"),
    ],
)
def test_an_origin_is_scheme_and_host(faults, origin, told):
    quoted = origin if origin == "null" else f'"{origin}"'
    (found,) = faults(f"site: {{origins: [{quoted}]}}\n")
    assert found.startswith("config.yaml:1:18: site.origins[0]: ")
    assert re.search(told, found)


def test_origins_are_brought_to_the_form_browsers_send(read):
    text = "site: {origins: ['HTTPS://WWW.Shop.Example:443/', 'http://localhost:8000', 'https://*.Bücher.example', 'https://[::1]:8443']}"
    assert read(text).settings.site.origins == (
        "https://www.shop.example",
        "http://localhost:8000",
        "https://*.xn--bcher-kva.example",
        "https://[::1]:8443",
    )


def test_site_is_all_that_must_be_there(faults):
    assert faults("listen: {port: 80}") == [
        "config.yaml:1:1: site: required, but not given (it needs origins)",
    ]
    assert faults("site: {}")[0].startswith("config.yaml:1:1: site.origins: required, but not given")


def test_a_section_whose_keys_are_commented_out_means_its_defaults(read, site):
    config = read(f"{site}listen:\n  # port: 80\ndestinations:\n")
    assert config.settings.listen.port == 8080
    assert config.destinations == {}


def test_an_id_made_of_digits_stays_as_written(read, site):
    def pixel(written, **env):
        destination = f"destinations: {{m: {{kind: meta, pixel_id: {written}, access_token: abcdef}}}}"
        return read(f"{site}{destination}", env).settings.destinations["m"].pixel_id

    assert pixel("0123") == "0123"
    assert pixel("1234567890123456") == "1234567890123456"
    assert pixel('"${P}"', P="00123") == "00123"


def test_numbers_and_switches_may_come_from_the_environment(read, site):
    text = (
        site
        + 'listen: {port: "${PORT}"}\ntracker: {page_views: "${PV:-off}"}\nadmin: {token: "${T:-}", port: "${AP:-}"}\n'
    )
    settings = read(text, {"PORT": "8090"}).settings
    assert (settings.listen.port, settings.tracker.page_views) == (8090, False)
    assert settings.admin.token is None
    assert settings.admin.port == 8081


def test_a_value_from_the_environment_is_never_shown(faults, site):
    found = faults(
        f'{site}listen: {{port: "${{PORT}}"}}\nrules:\n  - {{when: {{value: {{at_least: "${{LEAST}}"}}}}, drop: true}}\n',
        {"PORT": "pa55word", "LEAST": "hunter2"},
    )
    assert len(found) == 2
    assert not any("pa55word" in line or "hunter2" in line for line in found)
    assert "${LEAST}" in found[1]


def test_a_place_with_a_fault_gets_no_second_one(faults, site):
    found = faults(f"{site}listen: {{port: '${{NO}}'}}\nrules: '${{NOT}}'\n")
    assert [line.split(": ")[1] for line in found] == ["listen.port", "rules"]


def test_faults_of_one_section_do_not_hide_those_between_others(faults):
    found = faults("bots: {action: 3}\nsite: {}\nadmin: {port: 8080}\nkeys: short\n")
    assert [line.split(": ")[1] for line in found] == ["bots.action", "site.origins", "admin.port", "keys"]


# --- kinds of destinations that do not exist


@pytest.fixture
def kind():
    """A made-up platform, registered while the test runs."""

    class Nested(DestinationSettings):
        kind: str = "none"
        level: int = 1
        """How high."""

    class Made(Destination, kind="made_up"):
        class Settings(DestinationSettings):
            account: str
            """Where it goes."""
            token: Secret
            """What opens it."""
            spare: Secret | None = None
            """Another one."""
            codes: Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
            """Several."""
            levels: dict[str, Nested] = {}  # noqa: RUF012 - pydantic copies it
            """By name."""
            mode: int | Nested = 1
            """Number or more."""

        limits = Limits(batch=1, batch_default=1, max_age_s=1)

        def payload(self, event, now_ms):
            raise NotImplementedError

        def request(self, rows, positions):
            raise NotImplementedError

        def judge(self, reply):
            raise NotImplementedError

        def probe(self, now_ms):
            raise NotImplementedError

        def warnings(self, now_ms):
            return (f"it is {now_ms}.",)

    yield Made
    del registry["made_up"]


def made(line):
    return f"site: {{origins: [https://www.shop.example]}}\ndestinations:\n  x: {{kind: made_up, {line}}}\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("account: a", "destinations.x.token: required, but not given (What opens it)"),
        ("token: t, account: [1]", "destinations.x.account: expected text, got a list (Where it goes)"),
        ("token: t, account: a, acount: b", "destinations.x.acount: unknown key (did you mean 'account'?)"),
        ("token: t, account: a, levels: {top: {level: high}}", "levels.top.level: expected a whole number, got 'high'"),
        ("token: t, account: a, levels: {top: {levl: 1}}", "levels.top.levl: unknown key (did you mean 'level'?)"),
        ("token: t, account: a, mode: high", "mode: expected a whole number or a mapping, got 'high'"),
        ("token: t, account: a, mode: {level: high}", "destinations.x.mode.level: expected a whole number, got 'high'"),
        ("token: t, account: a, batch_size: many", "batch_size: expected a whole number, got 'many'"),
        ("token: t, account: a, batch_size: true", "batch_size: expected a number, got true"),
        ("token: t, account: a, consent: [marketng]", "consent[0]: expected 'marketing', 'analytics'"),
    ],
)
def test_faults_of_a_destination_point_into_it(kind, faults, line, told):
    (found,) = faults(made(line))
    assert told in found
    assert re.match(r"config\.yaml:3:\d+: ", found)


@pytest.mark.parametrize(
    "line",
    [
        "account: a, token: [s3cr3t-value]",
        "account: a, token: {s: s3cr3t-value}",
        "account: a, token: true, tokn: s3cr3t-value",
        "account: a, token: t, spare: [s3cr3t-value]",
        "account: a, token: t, codes: s3cr3t-value",
        "account: a, token: t, codes: [s3cr3t-value, 1, 2]",
        "account: a, token: t, codes: [[s3cr3t-value]]",
        "account: a, token: t, levels: s3cr3t-value, codes: [null]",
    ],
)
def test_a_secret_in_the_wrong_shape_is_not_shown(kind, faults, line):
    if "levels" in line:
        line = line.replace("s3cr3t-value", "x")
    assert not any("s3cr3t" in fault for fault in faults(made(line)))


def test_a_destination_s_own_warnings_name_it(kind, read):
    config = read(made("account: a, token: t"))
    assert config.warnings == ("destinations.x: it is 1790000000000.",)


def test_the_same_account_twice_is_a_warning(kind, read):
    config = read(made("account: a, token: t") + "  y: {kind: made_up, account: a, token: other}\n")
    assert any(text.startswith("destinations.y: the same made_up account as x") for text in config.warnings)


# --- warnings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "destinations: there are none"),
        ("destinations: {m: {kind: meta, pixel_id: 1, access_token: abcdef, enabled: false}}", "all are switched off"),
        (
            "destinations: {m: {kind: meta, pixel_id: 1, access_token: abcdef, test_event_code: T1}}",
            "destinations.m: test_event_code",
        ),
        ("listen: {client_ip_header: X-Real-IP}", "listen.client_ip_header: has no effect"),
        ("listen: {trusted_proxies: [0.0.0.0/0]}", "0.0.0.0/0 is everybody"),
        ("ingest_keys: [short]", "ingest_keys[0]: is shorter than 16"),
        ("admin: {host: 192.0.2.1, token: short}", "admin.token: is shorter than 16"),
        ("cookie: {domain: other.example}", "cookie.domain: no origin of site.origins belongs to other.example"),
    ],
)
def test_what_works_and_deserves_a_look_is_a_warning(read, site, text, told):
    assert any(told in warning for warning in read(f"{site}{text}\n").warnings)


def test_plain_http_is_a_warning_except_on_this_machine(read):
    def warned(origin):
        return any("not encrypted" in text for text in read(f"site: {{origins: ['{origin}']}}").warnings)

    assert warned("http://shop.example")
    assert not warned("https://shop.example")
    assert not warned("http://localhost:8000")
    assert not warned("http://127.0.0.1:8000")


def test_a_usual_configuration_has_no_warnings(read, site, meta):
    assert read(site + meta).warnings == ()


# --- secrets


def test_no_secret_survives_when_the_configuration_is_printed(read, site):
    secrets = {name: f"s3cr3t-{name}-0123456789" for name in ("TOKEN", "APP", "ADMIN", "INGEST")} | {
        "KEYS": f"{KEY},{'B' * 43}"
    }
    text = f"""{site}
keys: ${{KEYS}}
admin: {{token: "${{ADMIN}}"}}
ingest_keys: ["${{INGEST}}", literal-ingest-key-0123]
destinations:
  meta: {{kind: meta, pixel_id: 123, access_token: "${{TOKEN}}", app_secret: "${{APP}}"}}
  two: {{kind: meta, pixel_id: 124, access_token: literal-token-0123}}
rules:
  - {{when: {{custom.shop: "${{TOKEN}}"}}, send_to: [meta, two]}}
"""
    config = read(text, secrets)
    every = [*secrets.values(), KEY, "B" * 43, "literal-ingest-key-0123", "literal-token-0123"]
    shown = [
        repr(config),
        str(config),
        repr(config.settings),
        str(config.settings.model_dump()),
        config.settings.model_dump_json(),
        *(repr(destination) + repr(destination.settings) for destination in config.destinations.values()),
        str(copy.copy(config.settings)),
        *config.warnings,
        schema_text(),
    ]
    for secret in every:
        assert not any(secret in text for text in shown), secret
    assert set(every) - {secrets["KEYS"]} <= set(config.secrets())
    assert list(config.secrets()) == sorted(config.secrets(), key=lambda text: (-len(text), text))


def test_no_secret_survives_in_faults(faults, site):
    secret = "s3cr3t-0123456789"
    text = f"""{site}
keys: ${{KEYS}}
admin: {{token: [{secret}], tokn: {secret}}}
ingest_keys: {secret}
destinations:
  meta: {{kind: meta, pixel_id: "${{KEYS}}", access_token: {{a: {secret}}}, app_secrt: {secret}}}
  two: {{kind: meta, pixel_id: 1, access_token: [{secret}]}}
"""
    found = faults(text, {"KEYS": secret})
    assert len(found) == 8
    assert not any(secret in line for line in found)


def test_an_error_does_not_carry_pydantic_s_own_with_the_values(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("site: {origins: [https://a.example]}\nkeys: [s3cr3t]\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# --- anything at all


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["${A}", "${B}", "meta"])
)
KEYS = st.sampled_from(
    ["site", "origins", "listen", "port", "destinations", "kind", "rules", "when", "send_to", "consent", "default", "admin",
     "token", "paths", "cookie", "domain", "data", "keys", "x", "meta", "pixel_id", "access_token", "event", "value", "set"]
)  # fmt: skip
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)


def only_config_errors(text, path):
    try:
        read_text(text, path, {"A": "0123"}, lambda: 1)
    except ConfigError as error:
        for fault in error.faults:
            assert fault.message
            assert str(fault)


@given(data=st.dictionaries(KEYS, DATA, max_size=5))
@hypothesis_settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_data_is_a_configuration_or_a_config_error(tmp_path, data):
    import yaml

    text = yaml.safe_dump(data, allow_unicode=True)
    only_config_errors(text, tmp_path / "config.yaml")


@given(text=st.text() | st.text(alphabet="ab:-{}[]*&!|>'\"#?,% \n\t~0$"))
@hypothesis_settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_text_is_a_configuration_or_a_config_error(tmp_path, text):
    only_config_errors(text, tmp_path / "config.yaml")


def test_networks_are_networks(read, site):
    proxies = read(
        f"{site}listen: {{trusted_proxies: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1]}}"
    ).settings.listen.trusted_proxies
    assert proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("192.0.2.1/32"))
