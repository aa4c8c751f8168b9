"""The names that one model goes by in a call: the one asked for and the one that answered."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def names_of_the_model(asked: str | None, answered: str | None) -> tuple[str, ...]:
    """The model that answered, then the one asked for, unless the two may differ in price."""
    if answered is None or asked is None or asked == answered:
        return tuple(name for name in (answered or asked,) if name)
    return (answered, asked) if _same_model(asked, answered) else (answered,)


def _same_model(asked: str, answered: str) -> bool:
    """Whether ``answered`` is ``asked`` with a date or the words in another order (gpt-5, gpt-5-2025-08-07)."""
    wanted, got = _words(asked), _words(answered)
    return wanted <= got and all(word.isdigit() for word in got - wanted)


def _words(model: str) -> set[str]:
    return set(re.split(r"[-/:@]", model.lower()))
