"""Media in input and output, which a server with media upload switched on replaces by tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, Final

from otel_llm.testing.langfuse import javascript

_DATA_URI: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/]+={0,2})")


def media_id(data: bytes) -> str:
    """The id of stored media: the first 22 characters of its URL-safe base64 SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()[:22]


def upload(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose input and output have tokens in place of base64 media."""
    return row | {field: _with_tokens(row[field]) for field in ("input", "output") if field in row}


def _with_tokens(content: str) -> str:
    """The content with tokens in place of base64 media. JSON is written anew only if something in it was replaced."""
    content = _DATA_URI.sub(lambda uri: _token(uri[1], uri[2], "base64_data_uri") or uri[0], content)
    decoded = javascript.parsed(content)
    return javascript.stringify(decoded) if isinstance(decoded, (dict, list)) and _replace(decoded) else content


def _replace(node: Any) -> int:
    """Replace in place; how many were."""
    if isinstance(node, list):
        return sum(map(_replace, node))
    if not isinstance(node, dict):
        return 0
    type_name, data_name = next(
        (names for names in (("mime_type", "content"), ("media_type", "data"), ("mime_type", "data")) if _holds(node, names)),
        ("", ""),
    )
    if data_name and (token := _token(node[type_name], node[data_name], "bytes")):
        node[data_name] = token
        return 1
    return sum(map(_replace, node.values()))


def _holds(node: dict[str, Any], names: tuple[str, str]) -> bool:
    """Whether this is a blob of the conventions, a source of Anthropic's or inline data of Google's."""
    if names == ("mime_type", "content") and node.get("type") != "blob":
        return False
    return all(isinstance(node.get(name), str) for name in names)


def _token(media_type: str, data: str, source: str) -> str | None:
    try:
        decoded = base64.b64decode(data, validate=True)
    except binascii.Error:
        return None
    return f"@@@langfuseMedia:type={media_type}|id={media_id(decoded)}|source={source}@@@" if decoded else None
