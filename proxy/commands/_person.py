"""Whose data a command is about: its options, and finding the person in the log. Holds no command of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from proxy.log import people
from proxy.log.people import Person
from proxy.log.view import LogView
from proxy.privacy.selector import By, Selector, selector

F = TypeVar("F", bound=Callable[..., Any])

_HASHED = "as it is, or its SHA-256 (64 hex digits)"
_OPTIONS = (
    click.argument("visitor", metavar="[VISITOR]", required=False),
    click.option("--email", metavar="ADDRESS", help=f"By e-mail address, {_HASHED}."),
    click.option("--phone", metavar="NUMBER", help=f"By phone number with its country code, {_HASHED}."),
    click.option("--external-id", metavar="ID", help=f"By your own id of the person, {_HASHED}."),
    click.option("--order", metavar="ID", help="By an order."),
    click.option(
        "--only-matching",
        is_flag=True,
        help="Only events that name the key themselves, not all of the visitors found by them: for shared devices.",
    ),
)


def person_options(command: F) -> F:
    """`visitor`, `email`, `phone`, `external_id`, `order`: exactly one is given; and `only_matching`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(**given: str | None) -> Selector:
    """`UsageError` unless exactly one is given and makes sense."""
    named = [(By(name), value) for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise click.UsageError("say who: a VISITOR id, or one of --email, --phone, --external-id, --order")
    ((by, value),) = named
    try:
        return selector(by, value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--{by.value.replace('_', '-')}") from None


async def find(view: LogView, who: Selector, *, only_matching: bool) -> Person:
    """Shows on standard error how far it is: opening every event of a large log takes its time."""

    def tell(looked: int) -> None:
        click.echo(f"looked at {looked:,} events", err=True)

    return await people.find(view, who, only_matching=only_matching, progress=tell)
