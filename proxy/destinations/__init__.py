"""The platforms. The registry is this folder: every module in it that defines a `Destination` is one kind."""

from __future__ import annotations

import importlib
import pkgutil

from proxy.destinations.base import Destination, registry

_SHARED = {"base", "verdict"}


def load_all() -> dict[str, type[Destination]]:
    """Import every platform file; kind -> class, sorted by kind."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _SHARED:
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(registry.items()))
