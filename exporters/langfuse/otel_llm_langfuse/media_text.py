"""Takes media out of a text: of its data URIs, and of the JSON forms that name a type beside base64. Pure; never raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from otel_llm.content import json_text
from otel_llm_langfuse.media import is_reference
from otel_llm_langfuse.readers import parsed_json

#: Gives the words that stand for base64 of a type (None: not declared); None if it is no media.
Replace = Callable[[str | None, str], str | None]

#: RFC 2397. The possessive payload is read once; what goes on with a percent sign or an escaped slash was cut short.
_DATA_URI: Final = re.compile(r'data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,"\s]*)*;base64,([A-Za-z0-9+/_-]++={0,2}+)(?!%|\\/)')
_IN_URI: Final = ";base64,"
_MARKS: Final = (_IN_URI, '"blob"', '"data"')
#: Names of the type beside ``data``: Anthropic, Google and MCP.
_TYPE_NAMES: Final = ("media_type", "mime_type", "mimeType")
#: Characters from which ``data`` of a tool's answer is taken for base64 rather than for a word.
_SURELY_BASE64: Final = 128


def may_hold_media(text: str, start: int = 0) -> bool:
    """Whether it is worth looking closer, from ``start`` on."""
    return any(text.find(mark, start) >= 0 for mark in _MARKS)


def replaced(text: str, replace: Replace) -> str:
    """The text with words in place of media; the very same text if there are none."""
    if _IN_URI in text:
        text = _DATA_URI.sub(lambda uri: replace(uri[1] or "text/plain", uri[2]) or uri[0], text)
    if text[:1] not in ("{", "["):
        return text
    document = parsed_json(text) if '"blob"' in text or '"data"' in text else None
    return json_text(document) if document is not None and _walk(document, replace) else text


def _walk(node: Any, replace: Replace) -> int:
    """Replace in place; how many were."""
    if isinstance(node, list):
        return sum([_walk(item, replace) for item in node])
    if not isinstance(node, dict):
        return 0
    name, declared = _holder(node)
    words = replace(declared, node[name]) if name else None
    if words is None:
        return sum([_walk(value, replace) for value in node.values()])
    if name == "content" and is_reference(words):
        node.clear()
        node["type"] = "text"
    node[name] = words
    return 1


def _holder(node: dict[str, Any]) -> tuple[str, str | None]:
    """The key of base64 and the declared type; an empty key if there is none."""
    if node.get("type") == "blob" and isinstance(node.get("content"), str):
        return "content", _text(node.get("mime_type")) or _hint(node.get("modality"))
    data = node.get("data")
    if isinstance(data, str) and len(data) >= _SURELY_BASE64:
        declared = next((node[name] for name in _TYPE_NAMES if _text(node.get(name))), None)
        if declared is None and "format" in node and len(node) == 2:  # OpenAI's input_audio
            declared = f"audio/{node['format']}"
        if declared is not None:
            return "data", declared
    return "", None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _hint(modality: Any) -> str | None:
    """Only what the first bytes tell counts, where no type was declared."""
    return f"{modality}/*" if isinstance(modality, str) else None
