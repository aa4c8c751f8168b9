"""What a function was called with, by the names of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

_OWNERS: Final = frozenset({"self", "cls"})


class Parameters:
    """The parameters of a function that is called as one, or as a method; its signature is read when first needed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self._function)

    def named(self, instance: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The arguments that were given, by name, without ``self`` or ``cls``; None for none.

        ``instance`` is what the function is bound to, or None. Where arguments do not fit the function, they are told as they came.
        """
        try:
            named = self._bound(instance, args, kwargs)
        except (TypeError, ValueError):
            named = {"args": list(args), "kwargs": dict(kwargs)} if args or kwargs else {}
        return named or None

    def _bound(self, instance: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        signature = self._signature
        first = next(iter(signature.parameters), None)
        bound = signature.bind(*(args if instance is None else (instance, *args)), **kwargs)
        named = dict(bound.arguments)
        if first is not None and (instance is not None or first in _OWNERS):
            named.pop(first, None)
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                named |= named.pop(name, {})
        return named
