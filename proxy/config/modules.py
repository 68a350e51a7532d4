"""The modules of the tracker script: their names, what each may weigh, and the parts they share.

One row here and one file `proxy/static/modules/<name>.js` make a module. What it can be told stands in a section of
its name in `proxy/config/tracker.py`, where it needs any; everybody else asks this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Module(StrEnum):
    """Name, budget. In this order they run on the page, whatever the order in the configuration."""

    REGION = "region", 400
    DATALAYER = "datalayer", 750

    budget: int
    """Bytes of gzip the minified file may have; `tests/tracker/test_size.py` holds it."""

    def __new__(cls, name: str, budget: int) -> Self:
        module = str.__new__(cls, name)
        module._value_ = name
        module.budget = budget
        return module
