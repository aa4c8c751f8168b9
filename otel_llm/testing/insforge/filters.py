"""PostgREST's horizontal filters: ``column=operator.value``, ``or=(...)``, ``not.``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_llm.testing.insforge.errors import Refused, postgrest
from otel_llm.testing.insforge.schema import Column, Table
from otel_llm.testing.insforge.values import parsed

#: Whether a row passes; None is SQL's unknown.
Condition = Callable[[Mapping[str, Any]], bool | None]

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_IS: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "not_null": lambda value: value is not None,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "unknown": lambda value: value is None,
}
_LOGIC: Final = {"or", "and", "not.or", "not.and"}
#: Query parameters that are no filters.
RESERVED: Final = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict"})


def conditions(table: Table, query: Sequence[tuple[str, str]]) -> list[Condition]:
    """One condition per filter of a query string. Raises Refused."""
    return [_condition(table, name, value) for name, value in query if name not in RESERVED]


def _condition(table: Table, name: str, value: str) -> Condition:
    if name in _LOGIC:
        return _logic(table, name, value)
    return _filter(column_of(table, name), value)


def column_of(table: Table, name: str) -> Column:
    """A column by its name. Raises Refused."""
    column = table.column(name)
    if column is None:
        raise postgrest("42703", f"column {table.name}.{name} does not exist")
    return column


def _logic(table: Table, name: str, value: str) -> Condition:
    if not (value.startswith("(") and value.endswith(")")):
        raise _unparsable(value)
    parts = [_part(table, part) for part in _split(value[1:-1])]
    combined = _any(parts) if name.endswith("or") else _all(parts)
    return _not(combined) if name.startswith("not.") else combined


def _part(table: Table, text: str) -> Condition:
    """``column.operator.value`` or ``and(...)`` inside a logical filter."""
    for word in sorted(_LOGIC, key=len, reverse=True):
        if text.startswith(f"{word}("):
            return _logic(table, word, text[len(word) :])
    name, _, rest = text.partition(".")
    return _filter(column_of(table, name), rest)


def _filter(column: Column, text: str) -> Condition:
    word, dot, value = text.partition(".")
    if word == "not" and dot:
        return _not(_filter(column, value))
    if not dot:
        raise _unparsable(text)
    if word in _COMPARISONS:
        return _compared(column, _COMPARISONS[word], parsed(column, value))
    if word == "in" and value.startswith("(") and value.endswith(")"):
        wanted = [parsed(column, _unquoted(item)) for item in _split(value[1:-1])]
        return _compared(column, lambda found, all_: found in all_, wanted)
    if word == "is" and value.lower() in _IS:
        return _is(column, _IS[value.lower()])
    if word in {"like", "ilike"}:
        return _like(column, value, re.IGNORECASE if word == "ilike" else re.NOFLAG)
    raise _unparsable(text)


def _compared(column: Column, compare: Callable[[Any, Any], bool], wanted: Any) -> Condition:
    return lambda row: None if row[column.name] is None else compare(row[column.name], wanted)


def _is(column: Column, test: Callable[[Any], bool]) -> Condition:
    return lambda row: test(row[column.name])


def _like(column: Column, pattern: str, flags: re.RegexFlag) -> Condition:
    wild = {"*": ".*", "%": ".*", "_": "."}
    expression = re.compile("".join(wild.get(character, re.escape(character)) for character in pattern), flags | re.DOTALL)
    return lambda row: None if row[column.name] is None else expression.fullmatch(str(row[column.name])) is not None


def _not(condition: Condition) -> Condition:
    def opposite(row: Mapping[str, Any]) -> bool | None:
        found = condition(row)
        return None if found is None else not found

    return opposite


def _any(parts: Sequence[Condition]) -> Condition:
    def combined(row: Mapping[str, Any]) -> bool | None:
        found = [part(row) for part in parts]
        return True if True in found else (None if None in found else False)

    return combined


def _all(parts: Sequence[Condition]) -> Condition:
    return _not(_any([_not(part) for part in parts]))


def _split(text: str) -> list[str]:
    """At commas outside of brackets and quotes."""
    items, depth, quoted, start = [], 0, False, 0
    for at, character in enumerate(text):
        if character == '"' and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if character == "," and depth == 0:
                items.append(text[start:at])
                start = at + 1
    return [item for item in (*items, text[start:]) if item]


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _unparsable(text: str) -> Refused:
    return postgrest("PGRST100", f'"failed to parse filter ({text})" (line 1, column 1)', details="unexpected input")
