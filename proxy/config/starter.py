"""A first configuration from a few answers, as `firsthand init` writes it. Pure: answers in, texts out.

Credentials never get into the file: it refers to environment variables, which `.env.example` lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo

from proxy.config.words import is_secret
from proxy.config.written import comment, help_text, is_filled_in, scalar, variable
from proxy.destinations import load_all
from proxy.destinations.base import DestinationSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    origins: Sequence[str]
    destinations: Mapping[str, Mapping[str, Any]]
    """kind -> values of its required keys, credentials left out."""
    consent: Literal["denied", "granted"] = "denied"
    trusted_proxies: Sequence[str] = ()


_RULES = """\
# What goes where, top to bottom; every rule that matches applies.
rules:
  - name: everything
    send_to: {every}
    examples:
      - {{given: {{event: purchase, value: 59.90, currency: EUR}}, sends_to: {every}}}

  # - name: no staff
  #   when: {{client.ip: {{in_network: [203.0.113.0/24]}}}}
  #   drop: true
"""


def name_of(kind: str) -> str:
    """The name a destination gets when nobody has chosen one."""
    return kind.replace("_", "-")


def asked(model: type[DestinationSettings]) -> list[str]:
    """Keys an operator must fill in, credentials apart."""
    return [
        name
        for name, entry in model.model_fields.items()
        if is_filled_in(name, entry) and not is_secret(entry.annotation)
    ]


def credentials(model: type[DestinationSettings]) -> list[str]:
    """Keys that come from the environment, or from a file of their own."""
    return [
        name for name, entry in model.model_fields.items() if is_filled_in(name, entry) and is_secret(entry.annotation)
    ]


def config_text(answers: Answers) -> str:
    """`config.yaml`."""
    return "\n".join(_lines(answers)).rstrip() + "\n"


def _lines(answers: Answers) -> Iterator[str]:
    kinds = load_all()
    yield from comment(
        "Written by `firsthand init`. `firsthand check` says whether it works; config.example.yaml and "
        "docs/configuration.md show every key."
    )
    yield ""
    yield "site:"
    yield "  # Whose pages may post events. `https://*.shop.example` stands for every subdomain."
    yield "  origins:"
    yield from (f"    - {scalar(origin)}" for origin in answers.origins)
    yield ""
    yield "listen:"
    yield "  port: 8080"
    yield "  # Networks of your own reverse proxies; only they are believed about a visitor's address."
    yield f"  trusted_proxies: {scalar(list(answers.trusted_proxies))}"
    yield ""
    yield "# The event log and the key file. Back up the keys: without them nothing stored can be read."
    yield "data: ./data"
    yield ""
    yield "consent:"
    yield "  # What counts until the visitor has decided: denied or granted."
    yield f"  default: {answers.consent}"
    yield ""
    if not answers.destinations:
        yield from comment(f"Accounts on platforms. Kinds: {', '.join(kinds)}.")
        yield "destinations: {}"
        return
    yield "# Accounts on platforms. The names are yours; rules, logs and metrics use them."
    yield "destinations:"
    for kind, values in answers.destinations.items():
        yield from destination_lines(name_of(kind), kind, values)
        yield ""
    yield _RULES.format(every=scalar([name_of(kind) for kind in answers.destinations]))


def destination_lines(name: str, kind: str, values: Mapping[str, Any]) -> Iterator[str]:
    """One entry of `destinations`, indented as it stands there."""
    model = load_all()[kind].Settings
    yield f"  {name}:"
    yield f"    kind: {kind}"
    for key, entry in model.model_fields.items():
        if key in values:
            value = scalar(values[key])
        elif key in credentials(model):
            value = scalar(_credential(name, key, entry))
        else:
            continue
        yield from comment(help_text(entry), "    ")
        yield f"    {key}: {value}"


def _credential(name: str, key: str, entry: FieldInfo) -> str:
    """Where a credential comes from: a file if that is its usual place (its example says so), else a variable."""
    example = next(iter(entry.examples or ()), "")
    return example if str(example).startswith("${file:") else f"${{{variable(name, key)}}}"


def credential_files(answers: Answers) -> dict[str, str]:
    """Key -> the reference to the file it is read from, for credentials that come from one."""
    kinds = load_all()
    found = {}
    for kind in answers.destinations:
        model = kinds[kind].Settings
        for key in credentials(model):
            source = _credential(kind, key, model.model_fields[key])
            if source.startswith("${file:"):
                found[key] = source
    return found


def env_text(answers: Answers) -> str:
    """`.env.example`: every variable the configuration refers to, without values."""
    lines = [
        "# Copy to .env, fill in, keep it out of version control (chmod 600).",
        "# In a shell:  set -a; . ./.env; set +a      With Docker:  docker run --env-file .env …",
        "",
    ]
    for kind in answers.destinations:
        lines += env_lines(name_of(kind), kind)
    return "\n".join(lines).rstrip() + "\n"


def env_lines(name: str, kind: str) -> list[str]:
    """The variables of one destination, without values."""
    model = load_all()[kind].Settings
    lines = []
    for key in _in_variables(name, model):
        lines += [*comment(f"{name}: {model.model_fields[key].description}"), f"{variable(name, key)}=", ""]
    return lines


def variables(answers: Answers) -> list[str]:
    """The environment variables that must be set before it starts."""
    kinds = load_all()
    return [
        variable(name_of(kind), key)
        for kind in answers.destinations
        for key in _in_variables(name_of(kind), kinds[kind].Settings)
    ]


def _in_variables(name: str, model: type[DestinationSettings]) -> list[str]:
    entries = model.model_fields
    return [key for key in credentials(model) if not _credential(name, key, entries[key]).startswith("${file:")]
