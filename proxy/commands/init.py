"""`firsthand init`: a few questions, then config.yaml, .env.example and a key file. Never overwrites anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import TypeAdapter, ValidationError

from proxy.config.load import read
from proxy.config.machine import KEY_FILE
from proxy.config.origins import normalise_origin
from proxy.config.settings import Network
from proxy.config.starter import Answers, asked, config_text, env_text, variables
from proxy.destinations import load_all
from proxy.errors import ConfigError
from proxy.privacy.keys import load_or_create

CONFIG, ENV = "config.yaml", ".env.example"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="Origin of the site; may be given several times."
)
@click.option(
    "--destination",
    "destinations",
    multiple=True,
    metavar="KIND[:KEY=VALUE,…]",
    help="A platform, with the ids it needs: meta:pixel_id=1234567890. May be given several times.",
)
@click.option("--consent", type=click.Choice(["denied", "granted"]), help="What counts until a visitor has decided.")
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="NETWORK", help="Network of your reverse proxy.")
@click.option("--yes", is_flag=True, help="Ask nothing: options and defaults decide.")
def command(
    *,
    folder: Path,
    origins: tuple[str, ...],
    destinations: tuple[str, ...],
    consent: str | None,
    proxies: tuple[str, ...],
    yes: bool,
) -> None:
    """Write a first configuration into FOLDER (default: here)."""
    taken = [name for name in (CONFIG, ENV) if (folder / name).exists()]
    if taken:
        raise click.ClickException(
            f"{folder.resolve()} has {' and '.join(taken)} already, and nothing is overwritten: "
            "move it away, or name another folder: firsthand init FOLDER"
        )
    given = dict(_destination(text) for text in destinations)
    if yes:
        if not origins:
            raise click.UsageError("--yes needs --origin: whose pages may post events?")
        for kind, values in given.items():
            _complete(kind, values)
        answers = _answers(origins, given, consent or "denied", proxies)
    else:
        answers = _ask(origins, given, consent, proxies)
    text = config_text(answers)
    _prove(text, folder / CONFIG, answers)
    _write(folder, text, env_text(answers))
    _say_what_next(folder, answers)


def _answers(
    origins: tuple[str, ...], destinations: Mapping[str, Mapping[str, Any]], consent: str, proxies: tuple[str, ...]
) -> Answers:
    return Answers(
        origins=[_checked_origin(origin) for origin in origins],
        destinations=destinations,
        consent="granted" if consent == "granted" else "denied",
        trusted_proxies=[_checked_network(network) for network in proxies],
    )


def _ask(
    origins: tuple[str, ...], given: dict[str, dict[str, str]], consent: str | None, proxies: tuple[str, ...]
) -> Answers:
    """Ask for what the options have left open."""
    if not origins:
        origins = _prompt_list("Whose pages may post events? (origin, like https://www.shop.example)", _checked_origin)
    kinds = load_all()
    if not given:
        chosen = _prompt_list(
            f"Which platforms? ({', '.join(kinds)}; empty: none yet)", _checked_kind, may_be_empty=True
        )
        given = {kind: {} for kind in chosen}
    for kind, values in given.items():
        model = kinds[kind].Settings
        for key in asked(model):
            if key not in values:
                help_text = (model.model_fields[key].description or key).rstrip(".")
                values[key] = click.prompt(f"{kind} {key} ({help_text})", value_proc=_checker(kind, key))
    if consent is None:
        question = "What counts until a visitor has decided"
        consent = str(click.prompt(question, type=click.Choice(["denied", "granted"]), default="denied"))
    if not proxies:
        question = "Networks of your reverse proxies, like 10.0.0.0/8 (empty: none)"
        proxies = _prompt_list(question, _checked_network, may_be_empty=True)
    return _answers(origins, given, consent, proxies)


def _prompt_list(question: str, check: Callable[[str], str], *, may_be_empty: bool = False) -> tuple[str, ...]:
    """Values separated by commas or spaces."""

    def parse(text: str) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(check(part) for part in text.replace(",", " ").split()))
        if not values and not may_be_empty:
            raise click.UsageError("give at least one")
        return values

    default = "" if may_be_empty else None
    answer: tuple[str, ...] = click.prompt(question, default=default, show_default=False, value_proc=parse)
    return answer


def _destination(text: str) -> tuple[str, dict[str, str]]:
    """`meta:pixel_id=123` as kind and values."""
    kind, _, rest = text.partition(":")
    _checked_kind(kind)
    values = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or key not in asked(load_all()[kind].Settings):
            known = ", ".join(asked(load_all()[kind].Settings))
            raise click.UsageError(f"--destination {kind}: expected KEY=VALUE with one of {known}")
        values[key] = _checker(kind, key)(value)
    return kind, values


def _complete(kind: str, values: Mapping[str, str]) -> None:
    entries = load_all()[kind].Settings.model_fields
    missing = [key for key in asked(load_all()[kind].Settings) if key not in values]
    if missing:
        pairs = ",".join([*(f"{key}={value}" for key, value in values.items()), *(f"{key}=…" for key in missing)])
        told = "; ".join(f"{key}: {entries[key].description}" for key in missing)
        raise click.UsageError(f"--yes needs --destination {kind}:{pairs} ({told})")


def _checked_kind(kind: str) -> str:
    if kind not in load_all():
        raise click.UsageError(f"no such platform: {kind}; there are {', '.join(load_all())}")
    return kind


def _checked_origin(text: str) -> str:
    try:
        return normalise_origin(text)
    except ValueError as error:
        raise click.UsageError(f"{text}: {error}") from None


def _checked_network(text: str) -> str:
    try:
        return str(TypeAdapter[Any](Network).validate_python(text))
    except ValidationError:
        raise click.UsageError(f"{text} is no network; write it like 10.0.0.0/8 (no host bits set)") from None


def _checker(kind: str, key: str) -> Callable[[str], str]:
    entry = load_all()[kind].Settings.model_fields[key]
    as_declared: Any = Annotated[entry.annotation, entry]

    def check(text: str) -> str:
        try:
            TypeAdapter[Any](as_declared).validate_python(text)
        except ValidationError:
            raise click.UsageError(f"{text!r} does not fit {kind} {key}: {entry.description}") from None
        return text

    return check


def _prove(text: str, path: Path, answers: Answers) -> None:
    """What is written must load, given its environment variables; anything else is said before a file exists."""
    stand_ins = dict.fromkeys(variables(answers), "stand-in")
    try:
        read(text, path, stand_ins)
    except ConfigError as error:
        raise click.ClickException(f"these answers make no working configuration:\n{error}") from None


def _write(folder: Path, config: str, env: str) -> None:
    data = folder / "data"
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        load_or_create(data / KEY_FILE)
        for name, text in ((CONFIG, config), (ENV, env)):
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"writing to {folder.resolve()}: {error}") from None


def _say_what_next(folder: Path, answers: Answers) -> None:
    click.echo(f"Written: {folder / CONFIG}, {folder / ENV}, {folder / 'data' / KEY_FILE} (keep a copy of the keys).")
    missing = [name for name in variables(answers) if not os.environ.get(name)]
    if missing:
        click.echo(f"Next: put {' and '.join(missing)} into .env (see .env.example) and load it:")
        click.echo("        set -a; . ./.env; set +a")
    click.echo(f"Then: firsthand check --live -c {folder / CONFIG}")
    click.echo(f"      firsthand serve -c {folder / CONFIG}")
