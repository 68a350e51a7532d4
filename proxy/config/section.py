"""What every section of the configuration is: a frozen model that knows its keys, each with its help under it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """Shared behaviour of every section: unknown keys are errors, a number is fine where text is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)


def misplaced(key: str, words: str, advice: str) -> PydanticCustomError:
    """A fault that a whole section finds, about one of its keys."""
    return PydanticCustomError("misplaced", "{words}", {"key": key, "words": words, "advice": advice})
