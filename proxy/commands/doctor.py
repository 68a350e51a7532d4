"""`firsthand doctor`: will it work at this address, and how long will cookies live? Sends no event, stores nothing.

Exit codes: 0 nothing is broken (warnings may stand), 1 something is, 2 it could not begin.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from proxy.clock import system_clock
from proxy.config.load import load
from proxy.doctor import lists
from proxy.doctor.dns import Dns
from proxy.doctor.doctor import Doctor, Report, Subject, origin_of
from proxy.doctor.fetch import Fetcher
from proxy.doctor.finding import Level
from proxy.doctor.lists import Rule
from proxy.event import encode_json

_COLOURS = {Level.OK: "green", Level.NOTE: "blue", Level.WARNING: "yellow", Level.FAULT: "red"}
_WIDTH = 9


@click.command()
@click.argument("page")
@click.option("--collector", help="The collector's address, https://t.shop.example. Default: as found in the page.")
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="FIRSTHAND_CONFIG",
    show_envvar=True,
    help="For paths, cookie name and origins that are not the default ones.",
)
@click.option("--resolver", help="Ask this DNS resolver, ADDRESS or ADDRESS:PORT, instead of the system's.")
@click.option(
    "--cafile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust this certificate authority too (a test system's own).",
)
@click.option(
    "--lists",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also ask the block lists (*.txt) in this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; a stable interface (docs/doctor.md).")
def command(  # noqa: PLR0917 - click passes options by name
    page: str,
    collector: str | None,
    config: Path | None,
    resolver: str | None,
    cafile: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Look at the site PAGE from outside: DNS, TLS, cookies, CORS, caching, block lists, clock.

    PAGE is a page of the site as visitors see it, https://www.shop.example/. Best run from outside your network.
    """
    subject = Subject(page=_web_address(page, "PAGE"))
    if collector is not None:
        subject = msgspec.structs.replace(subject, collector=origin_of(_web_address(collector, "--collector")))
    if config is not None:
        settings = load(config).settings
        subject = msgspec.structs.replace(
            subject, paths=settings.paths, cookie=settings.cookie, origins=settings.site.origins
        )
    try:
        dns = Dns(resolver)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--resolver") from None
    context = ssl.create_default_context()
    if cafile is not None:
        try:
            context.load_verify_locations(cafile)
        except ssl.SSLError:
            raise click.BadParameter(f"{cafile} holds no PEM certificate", param_hint="--cafile") from None
    report = asyncio.run(_examined(subject, dns, context, _rules(folder)))
    click.echo(encode_json(_as_json(report)) if as_json else "\n".join(_readable(report)))
    if report.level is Level.FAULT:
        raise SystemExit(1)


async def _examined(subject: Subject, dns: Dns, context: ssl.SSLContext, rules: list[Rule]) -> Report:
    places: dict[str, tuple[str, ...]] = {}
    async with Fetcher(places, context, system_clock) as fetcher:
        return await Doctor(subject, dns, fetcher, places, rules).examine(system_clock())


def _web_address(text: str, what: str) -> str:
    address = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise click.BadParameter(f"{text!r} is no web address; write https://www.shop.example", param_hint=what)
    return address


def _rules(folder: Path | None) -> list[Rule]:
    if folder is None:
        return []
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise click.BadParameter(f"there is no *.txt file in {folder}", param_hint="--lists")
    found: list[Rule] = []
    for file in files:
        found += lists.rules(file.read_text(encoding="utf-8", errors="replace").splitlines())
    return found


def _as_json(report: Report) -> dict[str, object]:
    return {
        "page": report.page,
        "collector": report.collector,
        "level": report.level,
        "cookie_days": report.days,
        "findings": [msgspec.to_builtins(finding) for finding in report.findings],
    }


def _readable(report: Report) -> Iterator[str]:
    yield f"page       {report.page}"
    yield f"collector  {report.collector or 'not found'}"
    yield ""
    for finding in report.findings:
        label = click.style(f"{finding.level:<{_WIDTH}}", fg=_COLOURS[finding.level])
        yield f"{label}{finding.check}: {finding.text}"
        if finding.advice:
            yield f"{'':<{_WIDTH}}  → {finding.advice}"
    if report.days:
        yield "\nThe visitor cookie lives this long after each answer:"
        yield "  " + ", ".join(f"{browser} {days} days" for browser, days in report.days.items())
    counts = {level: sum(finding.level is level for finding in report.findings) for level in Level}
    yield f"\n{_counted(counts[Level.FAULT], 'fault')}, {_counted(counts[Level.WARNING], 'warning')}."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
