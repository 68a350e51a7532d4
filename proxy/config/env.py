"""`${...}` references in the values of a configuration: environment variables and secret files.

    ${NAME}              the variable; undefined or empty is a fault
    ${NAME:-default}     the default instead; with an empty default (`${NAME:-}`) the key counts as not written
    ${file:/path}        what the file holds, without the line break at its end
    $${                  a plain `${`

A reference may be a part of a text. What it yields is always text (an id made of digits stays as it is) and is never
looked at again for references. Keys are not expanded, and neither is anything below a rule's `set` or `default`: there
`${...}` names a field of the event (`proxy/rules/references.py`). Works on data that `yaml.py` made; touches the world
only through the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from proxy.config.yaml import Path
from proxy.errors import Fault

MAX_FILE_BYTES = 65_536

_REFERENCE = re.compile(r"\$(?P<escape>\$)?\{(?:(?P<inner>[^{}]*)\})?")
_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class _NotGiven:
    """Marks a key whose reference had an empty default: it is removed."""


_NOT_GIVEN = _NotGiven()


@dataclass(slots=True)
class Expanded:
    """The data after expansion. `written` has the original text of every value that held a reference: such values
    are never shown. `broken`: paths whose reference has a fault."""

    data: Any = None
    faults: list[Fault] = field(default_factory=list)
    written: dict[Path, str] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    yielded: list[tuple[Path, str, str]] = field(default_factory=list)

    def hide(self, message: str, path: Path) -> str:
        """`message` about `path` with what references yielded put back to how the file has it.

        A short value is only searched in messages about its own place: elsewhere the same letters are a coincidence.
        """
        for spot, text, reference in sorted(self.yielded, key=lambda entry: -len(entry[1])):
            if len(text) >= _TELLING or spot[: len(path)] == path:
                message = message.replace(text, reference)
        return message


_TELLING = 6  # characters


def expand(data: Any, env: Mapping[str, str], folder: FilePath) -> Expanded:
    """Resolve every reference; all faults are collected. Relative `${file:}` paths start at `folder`."""
    result = Expanded()
    walked = _walk(data, (), _Sources(env, folder), result)
    result.data = None if isinstance(walked, _NotGiven) else walked
    return result


@dataclass(frozen=True, slots=True)
class _Sources:
    env: Mapping[str, str]
    folder: FilePath


class _Unresolved(Exception):  # noqa: N818 - it never leaves this file
    """Carries message and advice to the place that knows the path."""

    def __init__(self, message: str, advice: str) -> None:
        self.message, self.advice = message, advice
        super().__init__(message)


def _walk(value: Any, path: Path, sources: _Sources, result: Expanded) -> Any:
    if isinstance(value, dict):
        entries = {key: _walk(entry, (*path, key), sources, result) for key, entry in value.items()}
        return {key: entry for key, entry in entries.items() if not isinstance(entry, _NotGiven)}
    if isinstance(value, list):
        items = [_walk(item, (*path, position), sources, result) for position, item in enumerate(value)]
        return [None if isinstance(item, _NotGiven) else item for item in items]
    if not isinstance(value, str) or "${" not in value or _belongs_to_events(path):
        return value
    result.written[path] = value
    try:
        expanded = _REFERENCE.sub(lambda found: _one(found, sources), value)
    except _Unresolved as problem:
        result.faults.append(Fault(path, problem.message, problem.advice))
        result.broken.add(path)
        return value
    if expanded == "" and value.endswith(":-}"):
        return _NOT_GIVEN
    if "${" not in re.sub(r"\$\$\{", "", value):
        del result.written[path]  # only escapes: nothing to hide
    elif expanded:
        result.yielded.append((path, expanded, value))
    return expanded


def _belongs_to_events(path: Path) -> bool:
    return path[:1] == ("rules",) and ("set" in path[2:] or "default" in path[2:])


def _one(found: re.Match[str], sources: _Sources) -> str:
    if found["escape"]:
        return "${" if found["inner"] is None else f"${{{found['inner']}}}"
    inner = found["inner"]
    if inner is None:
        raise _Unresolved("`${` without its `}`", "write ${NAME}, or $${ for a plain ${")
    if inner.startswith("file:"):
        return _from_file(inner.removeprefix("file:"), sources.folder)
    parts = _NAME.fullmatch(inner)
    if parts is None:
        advice = "write ${NAME}, ${NAME:-default} or ${file:/path}; $${ for a plain ${"
        raise _Unresolved("`${...}` holds neither a name nor a file", advice)  # it may hold a pasted secret: not shown
    name, default = parts["name"], parts["default"]
    if value := sources.env.get(name):
        return value
    if default is not None:
        return default
    state = "is empty" if name in sources.env else "is not set"
    raise _Unresolved(
        f"the environment variable {name} {state}",
        f"set it where the service starts; or read a file with ${{file:/run/secrets/{name.lower()}}}",
    )


def _from_file(text: str, folder: FilePath) -> str:
    if not text or "\0" in text:
        raise _Unresolved("${file:} names no file", "write ${file:/run/secrets/name}")
    path = folder / text
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = f"the file must be readable by the user who runs firsthand; looked at {path}"
        raise _Unresolved(f"reading the secret file {text}: {reason}", advice) from None
    if len(raw) > MAX_FILE_BYTES:
        raise _Unresolved(f"the secret file {text} is larger than 64 KiB", "is this the right file?")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unresolved(f"the secret file {text} is not UTF-8 text", "save it as text") from None
    content = content.removesuffix("\n").removesuffix("\r")
    if not content:
        raise _Unresolved(f"the secret file {text} is empty", "write the secret into it")
    return content
