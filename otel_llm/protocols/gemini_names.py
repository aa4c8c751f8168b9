"""The two spellings of Google's JSON: protobuf takes ``inlineData`` and ``inline_data`` alike, and real requests mix them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from otel_llm.protocols.values import mapping, mappings

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def camel(value: Any) -> dict[str, Any]:
    """An object with its own keys in camelCase; what it holds stays as it is. Empty for anything else."""
    given = mapping(value)
    if not any("_" in key for key in given):
        return given
    return {_camel_key(key): inner for key, inner in given.items()}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of an array, or the one object."""
    return mappings([value] if isinstance(value, dict) else value)


def camels(value: Any) -> list[dict[str, Any]]:
    """The objects of an array, or the one object, each with its own keys in camelCase."""
    return [camel(element) for element in objects(value)]


@lru_cache(maxsize=512)
def _camel_key(key: str) -> str:
    return _WORD_START.sub(lambda found: found[1].upper(), key)
