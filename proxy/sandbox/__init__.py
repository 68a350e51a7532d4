"""Local stand-ins for the ad platforms: each refuses what the real one refuses, as far as that is documented.

For trying a configuration without credentials (`firsthand demo`) and for tests. Adding a platform is adding a file.

One rule for all addresses: a stand-in owns its platform's own paths, as they stand in the platform's documentation,
and nothing else. These paths differ between the platforms, so one server plays them all and every destination gets
the same `base_url`, the sandbox's address, without a path. `tests/sandbox/test_server.py` holds them apart.
"""

from __future__ import annotations

import importlib
import pkgutil

from proxy.sandbox.base import StandIn, registry

_SHARED = {"base", "schema", "server", "shape"}


def load_all() -> dict[str, type[StandIn]]:
    """Import every stand-in of this folder; kind -> class."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _SHARED:
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(registry.items()))
