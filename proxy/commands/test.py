"""`firsthand test`: runs the examples that stand in the rules and shows what came out differently. Sends nothing."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click

from proxy.commands._options import config_option
from proxy.config import yaml
from proxy.config.load import load
from proxy.rules.trial import Trial, run_examples


@click.command()
@config_option
def command(config: Path) -> None:
    """Run the examples written in the rules.

    Exit code 1 when one of them does not come out as it says, 2 when the configuration cannot be used.
    """
    rules = load(config).rules
    trials = list(run_examples(rules))
    if not trials:
        click.echo(f"{config}: no rule has examples; docs/rules.md shows how to write them.")
        return
    places = yaml.parse(config.read_bytes()).values
    for rule, group in groupby(trials, key=lambda trial: trial.rule):
        of_rule = list(group)
        failed = [trial for trial in of_rule if not trial.passed]
        if not failed:
            click.echo(f"ok    {rule} ({len(of_rule)})")
        for trial in failed:
            place = places.get(trial.example.path)
            click.echo(_report(trial, f"{config}:{place.line}:{place.column}" if place else str(config)))
    failures = sum(not trial.passed for trial in trials)
    click.echo(f"{len(trials)} example(s), {failures} failed")
    if failures:
        raise SystemExit(1)


def _report(trial: Trial, place: str) -> str:
    lines = [f"FAIL  {trial.rule}, example {trial.number} ({place})", _row("given", trial.example.given)]
    for one in trial.differences:
        lines += [_row(one.what), _row("- expected", one.expected), _row("+ got", one.got)]
    return "\n".join([*lines, _row("because", trial.why)])


def _row(head: str, value: str = "") -> str:
    return f"      {head:<12}{value}".rstrip()
