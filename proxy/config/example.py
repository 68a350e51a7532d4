"""`config.example.yaml`: every key there is, with its default and its help, written from the models themselves.

    python -m proxy.config.example > config.example.yaml

A test compares the file with this, so it cannot fall behind the code. The prose and the rules are written here by hand;
keys, defaults and help come from `settings.py` and the destinations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from proxy.config.settings import Settings
from proxy.config.words import is_secret, section_of
from proxy.config.written import comment, default_of, is_filled_in, keys_of, scalar, variable
from proxy.destinations import load_all
from proxy.destinations.base import Destination, DestinationSettings

SCHEMA_LINE = "# yaml-language-server: $schema=./config.schema.json"

_HEAD = f"""\
{SCHEMA_LINE}
#
# Every key Firsthand knows. What stands behind a key is its default, so a line you do not need can go;
# only `site` must be there. config.minimal.yaml shows how little is enough, docs/configuration.md says more.
#
#   firsthand check      says whether this file works, and what to change if not, with line and column
#   ${{NAME}}              is the environment variable NAME; ${{NAME:-text}} has a default
#   ${{file:/run/x}}       is what a file holds, a Docker secret for instance
#
# Keep credentials out of this file: it can then be committed and mailed around.
"""

_DESTINATIONS = "The name shows up in rules, logs, metrics and `firsthand status`; `kind` is the platform."

_SHARED = "The keys below are the same for every kind of destination."
_SHARED_ELSEWHERE = "And {keys}, as explained for {explained}."

_SAMPLES: dict[tuple[str, str], Any] = {("meta", "pixel_id"): "1234567890"}
"""Values for required keys whose field gives no `examples`."""

_RULES = """\
# What goes where, top to bottom; every rule that matches applies. Without this key every event goes to every
# destination. `firsthand test` runs the examples, `firsthand explain EVENT.json` shows what a rule does to an event.
rules:
  - name: no staff
    when: {client.ip: {in_network: [203.0.113.0/24]}}
    drop: true

  - name: nothing from the test shop
    when: {page.host: {starts_with: staging.}}
    drop: true

  - name: tidy up
    rename: {custom.order_no: order_id}
    default: {currency: EUR}
    remove: [custom.internal_note]

  - name: shop
    when: {event: [page_view, view_content, search, add_to_cart, initiate_checkout, purchase]}
    send_to: [%(every)s]
    once: per_order # a reloaded thank-you page sends nothing more; an event without order_id always goes

  - name: big orders
    when: {event: purchase, value: {at_least: 100}, page.path: {starts_with: /checkout}}
    set: {custom.shop: "${page.host}"}
    send_to: {destination: %(custom)s, as: BigOrder}
    once: per_order
    examples:
      - {given: {event: purchase, value: 120, page.path: /checkout/thanks}, sends_to: [%(custom)s]}
      - {given: {event: purchase, value: 20, page.path: /checkout/thanks}, sends: false}
"""


def example_text() -> str:
    """The whole file. `ValueError` names a required field that offers no example value."""
    lines = [_HEAD]
    for name, entry in Settings.model_fields.items():
        if name in ("destinations", "rules"):
            continue
        lines += comment(entry.description or "")
        section = section_of(Settings, name)
        if section is None:
            lines.append(f"{name}: {scalar(default_of(entry))}")
        else:
            values = {
                key: field.examples[0]
                for key, field in section.model_fields.items()
                if field.is_required() and field.examples
            }
            lines += [f"{name}:", *keys_of(section, values, "  ")]
        lines.append("")
    kinds = load_all()
    lines += comment(f"{Settings.model_fields['destinations'].description} {_DESTINATIONS}")
    lines.append("destinations:")
    explained = next(kind for kind, destination in kinds.items() if _shared(destination) == _ALL_SHARED)
    for kind, destination in kinds.items():
        lines += [*_destination(kind, destination, explained), ""]
    names = [_name(kind) for kind in kinds]
    lines.append(_RULES % {"every": ", ".join(names), "custom": _name("meta")})
    return "\n".join(lines).rstrip() + "\n"


_ALL_SHARED = frozenset(DestinationSettings.model_fields)


def _shared(destination: type[Destination]) -> frozenset[str]:
    """Keys that mean here what they mean everywhere; a platform may have another default, and then says so itself."""
    theirs, ours = destination.Settings.model_fields, DestinationSettings.model_fields
    return frozenset(name for name in _ALL_SHARED if theirs[name].default == ours[name].default)


def _destination(kind: str, destination: type[Destination], explained: str) -> Iterator[str]:
    """`explained`: the kind at which the keys every destination has are shown."""
    shared = _shared(destination)
    model = destination.Settings
    values = {"kind": kind, **sample_values(kind, model)}
    yield f"  {_name(kind)}:"
    yield from keys_of(model, values, "    ", without=frozenset(model.model_fields) - {"kind"})
    yield from keys_of(model, values, "    ", without=shared)
    rest = [name for name in model.model_fields if name in shared - {"kind"}]
    if kind == explained:
        yield ""
        yield from comment(_SHARED, "    ")
        yield from keys_of(model, values, "    ", without=frozenset(model.model_fields) - frozenset(rest))
    else:
        yield from comment(_SHARED_ELSEWHERE.format(keys=", ".join(rest), explained=_name(explained)), "    ")


def sample_values(kind: str, model: type[DestinationSettings]) -> dict[str, Any]:
    """A value for every key an operator writes: credentials from the environment, others from their `examples`."""
    values: dict[str, Any] = {}
    for name, entry in model.model_fields.items():
        if not is_filled_in(name, entry):
            continue
        if is_secret(entry.annotation):
            values[name] = f"${{{variable(_name(kind), name)}}}"
        elif entry.examples:
            values[name] = entry.examples[0]
        elif (kind, name) in _SAMPLES:
            values[name] = _SAMPLES[kind, name]
        else:
            raise ValueError(
                f"destinations/{kind}.py: {name} is required and needs Field(examples=[…]) for the example"
            )
    return values


def _name(kind: str) -> str:
    return kind.replace("_", "-")


if __name__ == "__main__":
    sys.stdout.write(example_text())
