"""`firsthand init`: a few questions, then config.yaml, .env.example and a key file; `--add`: one more destination to
paste into them. Never overwrites anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Annotated, Any, get_origin

import click
from pydantic import TypeAdapter, ValidationError

from proxy.config import yaml
from proxy.config.load import read
from proxy.config.machine import KEY_FILE
from proxy.config.origins import normalise_origin
from proxy.config.settings import Network
from proxy.config.starter import (
    Answers,
    asked,
    config_text,
    credential_files,
    destination_lines,
    env_lines,
    env_text,
    name_of,
    variables,
)
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
@click.option(
    "--add",
    "added",
    metavar="KIND[:KEY=VALUE,…]",
    help="Print what to paste into an existing configuration for one more platform; no file is touched.",
)
@click.option("--consent", type=click.Choice(["denied", "granted"]), help="What counts until a visitor has decided.")
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="NETWORK", help="Network of your reverse proxy.")
@click.option("--yes", is_flag=True, help="Ask nothing: options and defaults decide.")
def command(
    *,
    folder: Path,
    origins: tuple[str, ...],
    destinations: tuple[str, ...],
    added: str | None,
    consent: str | None,
    proxies: tuple[str, ...],
    yes: bool,
) -> None:
    """Write a first configuration into FOLDER (default: here), or show what to add to the one there (--add)."""
    if added is not None:
        _add(folder / CONFIG, *_destination(added), yes=yes)
        return
    taken = [name for name in (CONFIG, ENV) if (folder / name).exists()]
    if taken:
        raise click.ClickException(
            f"{folder.resolve()} has {' and '.join(taken)} already, and nothing is overwritten: "
            "move it away, or name another folder: firsthand init FOLDER; --add KIND shows what to add to it"
        )
    given = dict(_destination(text) for text in destinations)
    if yes:
        if not origins:
            raise click.UsageError("--yes needs --origin: whose pages may post events?")
        for kind, values in given.items():
            _complete("--destination", kind, values)
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
        _ask_for_ids(kind, values)
    if consent is None:
        question = "What counts until a visitor has decided"
        consent = str(click.prompt(question, type=click.Choice(["denied", "granted"]), default="denied"))
    if not proxies:
        question = "Networks of your reverse proxies, like 10.0.0.0/8 (empty: none)"
        proxies = _prompt_list(question, _checked_network, may_be_empty=True)
    return _answers(origins, given, consent, proxies)


def _ask_for_ids(kind: str, values: dict[str, Any]) -> None:
    model = load_all()[kind].Settings
    for key in asked(model):
        if key not in values:
            help_text = (model.model_fields[key].description or key).rstrip(".")
            form = ", written purchase=…" if _is_table(kind, key) else ""
            values[key] = click.prompt(f"{kind} {key} ({help_text}{form})", value_proc=_checker(kind, key))


def _add(config: Path, kind: str, values: dict[str, Any], *, yes: bool) -> None:
    """Shows, and writes nothing: a file with somebody's comments and order in it is theirs to edit."""
    taken = _names_in(config)
    if yes:
        _complete("--add", kind, values)
    else:
        _ask_for_ids(kind, values)
    own = name_of(kind)
    name = own if own not in taken else next(one for n in count(2) if (one := f"{own}-{n}") not in taken)
    click.echo(f"Under destinations: in {config}:\n")
    click.echo("\n".join(destination_lines(name, kind, values)))
    if environment := env_lines(name, kind):
        click.echo(f"\nInto your environment (.env, and {ENV} without values):\n")
        click.echo("\n".join(environment).rstrip())
    click.echo(f"\nThen name it in a rule's send_to: [{name}], and try: firsthand check --live -c {config}")


def _names_in(config: Path) -> frozenset[str]:
    """Names of the destinations there are; none when there is no file to read them from."""
    try:
        found = yaml.parse(config.read_bytes()).data
    except OSError:
        return frozenset()
    destinations = found.get("destinations") if isinstance(found, dict) else None
    return frozenset(map(str, destinations)) if isinstance(destinations, dict) else frozenset()


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


def _destination(text: str) -> tuple[str, dict[str, Any]]:
    """`meta:pixel_id=123` as kind and values; `conversion_actions.purchase=987` is one entry of a table."""
    kind, _, rest = text.partition(":")
    _checked_kind(kind)
    known = asked(load_all()[kind].Settings)
    given: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        path, equals, value = pair.partition("=")
        key, dot, entry = path.partition(".")
        if not equals or key not in known or bool(dot) != _is_table(kind, key):
            named = ", ".join(f"{one}.EVENT" if _is_table(kind, one) else one for one in known)
            raise click.UsageError(f"--destination {kind}: expected KEY=VALUE with one of {named}")
        given[key] = f"{given.get(key, '')} {entry}={value}" if dot else value
    return kind, {key: _checker(kind, key)(value) for key, value in given.items()}


def _is_table(kind: str, key: str) -> bool:
    annotation = load_all()[kind].Settings.model_fields[key].annotation
    return get_origin(annotation) in (dict, Mapping)


def _complete(option: str, kind: str, values: Mapping[str, Any]) -> None:
    entries = load_all()[kind].Settings.model_fields
    missing = [key for key in asked(load_all()[kind].Settings) if key not in values]
    if missing:
        there = [f"{key}={value}" for key, value in values.items() if isinstance(value, str)]
        there += [
            f"{key}.{one}={own}"
            for key, table in values.items()
            if isinstance(table, dict)
            for one, own in table.items()
        ]
        lacking = [f"{key}.purchase=…" if _is_table(kind, key) else f"{key}=…" for key in missing]
        told = "; ".join(f"{key}: {entries[key].description}" for key in missing)
        raise click.UsageError(f"--yes needs {option} {kind}:{','.join([*there, *lacking])} ({told})")


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


def _checker(kind: str, key: str) -> Callable[[str], Any]:
    """Text to the value a file would hold: `purchase=987 lead=5` becomes a table where one is wanted."""
    entry = load_all()[kind].Settings.model_fields[key]
    as_declared: Any = Annotated[entry.annotation, entry]

    def check(text: str) -> Any:
        value: Any = text
        if _is_table(kind, key):
            pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
            value = {name: own for name, equals, own in pairs if equals}
        try:
            if not value or (isinstance(value, dict) and len(value) != len(pairs)):
                raise ValueError(text)  # noqa: TRY301 - one way out for all that does not fit
            TypeAdapter[Any](as_declared).validate_python(value)
        except ValueError:
            raise click.UsageError(f"{text!r} does not fit {kind} {key}: {entry.description}") from None
        return value

    return check


def _prove(text: str, path: Path, answers: Answers) -> None:
    """What is written must load, given its environment variables; anything else is said before a file exists."""
    stand_ins = dict.fromkeys(variables(answers), "stand-in")
    try:
        read(text, path, stand_ins)
    except ConfigError as error:
        later = credential_files(answers)  # files the operator puts there after this
        faults = [fault for fault in error.faults if not (fault.path and fault.path[-1] in later)]
        if faults:
            raise click.ClickException(f"these answers make no working configuration:\n{ConfigError(faults)}") from None


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
    for key, source in credential_files(answers).items():
        click.echo(f"Next: put the file of {key} where the configuration looks for it: {source}")
    click.echo(f"Then: firsthand check --live -c {folder / CONFIG}")
    click.echo(f"      firsthand serve -c {folder / CONFIG}")
