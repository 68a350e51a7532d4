"""Runs every case in the folders beside this file; the format is in README.md."""

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from proxy.destinations import load_all
from proxy.event import Event

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.txt"))
DASHES = "----------"
MINUTE_MS = 60_000
FLAT_LIST = re.compile(r"\[[^\[\]{}]*\]")  # reads best on one line


def build(upper, kind):
    """The upper half of a case as (destination, Built)."""
    lines = upper.splitlines()
    start = next(number for number, line in enumerate(lines) if line[:1] in "{[")
    head, events = lines[:start], json_events("\n".join(lines[start:]))
    options = {word: rest for word, _, rest in (line.partition(" ") for line in head) if word in {"with", "at"}}
    assert any(line.partition(" ")[0] not in options for line in head), "a case begins with a sentence"
    settings = json.loads((HERE / kind / "settings.json").read_text()) | json.loads(options.get("with", "{}"))
    now_ms = int(options.get("at", max(event.time for event in events) + MINUTE_MS))
    platform = load_all()[kind]
    destination = platform(kind, platform.Settings.model_validate({"kind": kind, **settings}))
    return destination.build(events, now_ms)


def json_events(text):
    text = text if text.startswith("[") else f"[{text}]"
    given, events = msgspec.json.decode(text), msgspec.json.decode(text, type=list[Event])
    for one, event in zip(given, events, strict=True):
        unknown = set(paths(one)) - set(paths(msgspec.to_builtins(event)))
        assert not unknown, f"not a field of Event, or its default: {sorted(unknown)}"
    return events


def paths(value, place=""):
    if isinstance(value, dict):
        return [path for key, part in value.items() for path in paths(part, f"{place}.{key}")]
    if isinstance(value, list | tuple):
        return [path for part in value for path in paths(part, f"{place}[]")]
    return [place]


def shown(built):
    """The lower half: requests and refusals as text."""
    blocks = []
    for request in built.requests:
        headers = "".join(f"{name}: {value}\n" for name, value in sorted(request.headers.items()))
        blocks.append(
            f"{request.method} {request.url}\n{headers}" + (f"\n{readable(request)}\n" if request.body else "")
        )
    blocks += [f"REFUSED {one.row} {one.refusal.why}: {one.refusal.detail}\n" for one in built.refused]
    return "\n".join(blocks)


def readable(request):
    if request.headers.get("Content-Type") != "application/json":
        return request.body.decode()
    text = msgspec.json.format(request.body, indent=2).decode()
    return FLAT_LIST.sub(lambda match: " ".join(match[0].split()).replace("[ ", "[").replace(" ]", "]"), text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_the_request_is_the_one_on_file(case):
    upper, _, lower = case.read_text().partition(f"\n{DASHES}\n")
    actual = shown(build(upper, case.parent.name))
    if os.environ.get("REGEN"):
        case.write_text(f"{upper.rstrip()}\n{DASHES}\n{actual}")
    else:
        assert actual == lower, f"{case.name}: REGEN=1 writes what is sent now; read the diff before you keep it"


def test_every_platform_has_cases():
    assert {case.parent.name for case in CASES} >= set(load_all())
