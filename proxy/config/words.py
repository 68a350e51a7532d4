"""What pydantic found wrong, in an operator's words: `expected a whole number, got 'many'`.

Values are shown only when they cannot be secret: never of a `Secret` field, never what came out of a `${...}`, never
the inside of a list or mapping. Branch names that pydantic puts into the paths of unions are removed, and the branches'
complaints about one value become one sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from proxy.config.yaml import Path
from proxy.errors import Fault, dotted

_LONGEST_SHOWN = 60
_FEW = 16
_MAPPING_WANTED = ("dict_type", "mapping_type", "model_type", "model_attributes_type")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


_EXPECTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_parsing_size", "int_from_float"), lambda _: "a whole number"
    ),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), lambda _: "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: "true or false"),
    **dict.fromkeys(("string_type", "string_unicode"), lambda _: "text"),
    **dict.fromkeys(("literal_error", "enum"), lambda ctx: str(ctx["expected"])),
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), lambda _: "a list"),
    **dict.fromkeys(_MAPPING_WANTED, lambda _: "a mapping"),
    **dict.fromkeys(
        ("ip_v4_network", "ip_v6_network"), lambda _: "a network such as 10.0.0.0/8 or 2001:db8::/32 (no host bits set)"
    ),
    "path_type": lambda _: "a path",
    "greater_than": lambda ctx: f"a number above {_number(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"a number of at least {_number(ctx['ge'])}",
    "less_than": lambda ctx: f"a number below {_number(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"a number of at most {_number(ctx['le'])}",
    "too_short": lambda ctx: "text that is not empty" if ctx["field_type"] == "Value" else
                             f"at least {ctx['min_length']} " + ("entry" if ctx["min_length"] == 1 else "entries"),
    "too_long": lambda ctx: f"at most {ctx['max_length']} " +
                            ("characters" if ctx["field_type"] == "Value" else "entries"),
    "string_too_short": lambda ctx: "text that is not empty" if ctx["min_length"] == 1 else
                                    f"at least {ctx['min_length']} characters",
    "string_too_long": lambda ctx: f"at most {ctx['max_length']} characters",
}  # fmt: skip


def faults_of(
    error: ValidationError,
    model: type[BaseModel],
    data: object,
    at: Path = (),
    written: Mapping[Path, str] | None = None,
) -> list[Fault]:
    """The faults of `model` validated against `data`, which stands at the path `at` of the file.

    `written`: original texts of values that held a `${...}`, by full path.
    """
    grouped: dict[Path, list[ErrorDetails]] = {}
    in_union: set[Path] = set()
    for details in error.errors(include_url=False):
        path, is_branch = _path_in(data, details)
        grouped.setdefault(path, []).append(details)
        if is_branch:
            in_union.add(path)
    faults = []
    for path, complaints in grouped.items():
        if path in in_union and _any_below(path, in_union):
            continue  # another branch fits better: it got further
        if complaints[0]["type"] == "too_short" and _any_below(path, grouped):
            continue  # entries with faults are not counted, which would look like a second fault
        hidden = _is_secret(model, path) or (written is not None and (*at, *path) in written)
        faults.append(_fault(complaints, model, path, (*at, *path), hidden=hidden))
    return faults


def _any_below(path: Path, others: Iterable[Path]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in others)


def flags_as_numbers(model: type[BaseModel], data: object, at: Path = (), below: Path = ()) -> list[Fault]:
    """`port: true`: pydantic would take it for 1."""
    if isinstance(data, dict):
        return [fault for key, entry in data.items() for fault in flags_as_numbers(model, entry, at, (*below, key))]
    if not isinstance(data, bool) or (found := field_at(model, below)) is None:
        return []
    types = list(_leaves(found.annotation))
    if bool in types or not (int in types or float in types):
        return []
    return [Fault((*at, *below), f"expected a number, got {shown(data)}", _help(found))]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or all that is known when nothing is near and the list is short."""
    choices = sorted(set(known))
    if near := difflib.get_close_matches(word.casefold(), choices, n=1, cutoff=0.6):
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(choices)}" if choices and len(choices) <= _FEW else ""


def shown(value: object) -> str:
    """A scalar as people write it; of collections only what they are."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str():
            text = value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…"
            return repr(text)
        case _:
            return str(value)[:_LONGEST_SHOWN]


def outline(value: object) -> str:
    """For where a mapping is wanted: a text in its place may well be a credential, so it is not shown."""
    return "text" if isinstance(value, str) else shown(value)


def _fault(complaints: list[ErrorDetails], model: type[BaseModel], path: Path, full: Path, *, hidden: bool) -> Fault:
    details = complaints[0]
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return Fault(full, "required, but not given", _advice_for_missing(field_at(model, path)))
        case "extra_forbidden":
            siblings = _keys_beside(model, path)
            return Fault(full, "unknown key", _elsewhere(model, path) or did_you_mean(str(path[-1]), siblings))
        case "value_error":
            return Fault(full, str(context["error"]))
        case "misplaced":  # raised by our own validators of a whole section: names the key it is about
            return Fault((*full, context["key"]), str(context["words"]), str(context["advice"]))
        case _:
            pass
    expectations = dict.fromkeys(
        _EXPECTED[entry["type"]](entry.get("ctx", {})) for entry in complaints if entry["type"] in _EXPECTED
    )
    if details["type"] == "string_pattern_mismatch":
        about = _help(field_at(model, path)) or f"it must match {context['pattern']}"
        return Fault(
            full, "not of the right form" if hidden else f"{shown(details['input'])} has not the right form", about
        )
    no_value = hidden or details["type"] in ("too_short", "too_long")
    show = outline if all(entry["type"] in _MAPPING_WANTED for entry in complaints) else shown
    got = "" if no_value else f", got {show(details['input'])}"
    if not expectations:
        message = details["msg"][:1].lower() + details["msg"][1:]
        return Fault(full, f"not usable: {message}" if not hidden else "not usable", _help(field_at(model, path)))
    return Fault(full, f"expected {' or '.join(expectations)}{got}", _help(field_at(model, path)))


def _path_in(data: object, details: ErrorDetails) -> tuple[Path, bool]:
    """The error's path without parts that are not in the data, and whether there were such parts."""
    path: list[str | int] = []
    is_branch = False
    for position, part in enumerate(details["loc"]):
        is_last = position == len(details["loc"]) - 1
        if _holds(data, part):
            data = data[part]  # type: ignore[index]
        elif not (is_last and details["type"] == "missing"):
            is_branch = True
            continue
        path.append(part)
    return tuple(path), is_branch


def _holds(data: object, part: str | int) -> bool:
    if isinstance(data, (list, tuple)):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """The declared field a path leads to, through sections, lists, mappings and unions; None when there is none."""
    found: FieldInfo | None = None
    models = [model]
    may_be_name = False  # the step may be a key of the operator's choice: a mapping of sections
    for part in path:
        if isinstance(part, int):
            continue
        fields = [entry.model_fields[part] for entry in models if part in entry.model_fields]
        if fields:
            found = fields[0]
            models = list(_models_in(found.annotation))
            may_be_name = any(get_origin(part) is dict for part in (found.annotation, *get_args(found.annotation)))
        elif may_be_name:
            may_be_name = False
        else:
            return None
    return found


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _leaves(annotation: object) -> Iterator[object]:
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _leaves(part)


def is_section(model: type[BaseModel], name: str) -> bool:
    """Whether this field is a mapping of keys of its own."""
    return section_of(model, name) is not None


def section_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a field that is a section, and only that (a choice between a word and a mapping is none)."""
    annotation = model.model_fields[name].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def is_secret(annotation: object) -> bool:
    """Whether a field of this type holds a credential, alone or in a list."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def _is_secret(model: type[BaseModel], path: Path) -> bool:
    """Also for keys nobody knows: a misspelt `access_tokn` holds a token all the same."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    found = field_at(model, path)
    return bool(path) and (found is None or is_secret(found.annotation))


def _keys_beside(model: type[BaseModel], path: Path) -> list[str]:
    names = [part for part in path[:-1] if isinstance(part, str)]
    if not names:
        return list(model.model_fields)
    parent = field_at(model, path[:-1])
    return [name for entry in _models_in(parent.annotation) for name in entry.model_fields] if parent else []


def _elsewhere(model: type[BaseModel], path: Path) -> str:
    """`port` at the top level: the key exists, one section further down."""
    if len(path) != 1:
        return ""
    homes = [
        dotted((name, str(path[0])))
        for name, section in model.model_fields.items()
        if any(path[0] in entry.model_fields for entry in _models_in(section.annotation))
    ]
    return f"did you mean {' or '.join(homes)}?" if homes else ""


def _help(found: FieldInfo | None) -> str:
    return (found.description or "").removesuffix(".") if found is not None else ""


def _advice_for_missing(found: FieldInfo | None) -> str:
    if found is None:
        return ""
    needed = [
        name for entry in _models_in(found.annotation) for name, f in entry.model_fields.items() if f.is_required()
    ]
    return f"it needs {' and '.join(needed)}" if needed else _help(found)
