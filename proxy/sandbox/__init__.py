"""Local stand-ins for the ad platforms: each refuses what the real one refuses, as far as that is documented.

For trying a configuration without credentials (`firsthand demo`) and for tests. Adding a platform is adding a file.
"""

from __future__ import annotations

import importlib
import pkgutil

from proxy.sandbox.base import StandIn, registry

_SHARED = {"base", "server", "shape"}


def load_all() -> dict[str, type[StandIn]]:
    """Import every stand-in of this folder; kind -> class."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _SHARED:
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(registry.items()))
