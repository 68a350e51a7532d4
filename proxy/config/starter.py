"""A first configuration from a few answers, as `firsthand init` writes it. Pure: answers in, texts out.

Credentials never get into the file: it refers to environment variables, which `.env.example` lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
    """Keys that come from the environment."""
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
        yield from _destination(kind, kinds[kind].Settings, values)
        yield ""
    yield _RULES.format(every=scalar([name_of(kind) for kind in answers.destinations]))


def _destination(kind: str, model: type[DestinationSettings], values: Mapping[str, Any]) -> Iterator[str]:
    name = name_of(kind)
    yield f"  {name}:"
    yield f"    kind: {kind}"
    for key, entry in model.model_fields.items():
        if key in values:
            value = scalar(values[key])
        elif key in credentials(model):
            value = f"${{{variable(name, key)}}}"
        else:
            continue
        yield from comment(help_text(entry), "    ")
        yield f"    {key}: {value}"


def env_text(answers: Answers) -> str:
    """`.env.example`: every variable the configuration refers to, without values."""
    kinds = load_all()
    lines = [
        "# Copy to .env, fill in, keep it out of version control (chmod 600).",
        "# In a shell:  set -a; . ./.env; set +a      With Docker:  docker run --env-file .env …",
        "",
    ]
    for kind in answers.destinations:
        model = kinds[kind].Settings
        for key in credentials(model):
            lines += comment(f"{name_of(kind)}: {model.model_fields[key].description}")
            lines += [f"{variable(name_of(kind), key)}=", ""]
    return "\n".join(lines).rstrip() + "\n"


def variables(answers: Answers) -> list[str]:
    """The environment variables that must be set before it starts."""
    kinds = load_all()
    return [variable(name_of(kind), key) for kind in answers.destinations for key in credentials(kinds[kind].Settings)]
