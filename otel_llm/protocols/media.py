"""Images, audio, video and documents in messages, as parts: ``blob`` (inline), ``uri`` (elsewhere) or ``file`` (by id)."""

from __future__ import annotations

from typing import Final

from otel_llm.protocols.facts import Part

_MODALITIES: Final = ("image", "audio", "video", "text")


def blob(modality: str, mime_type: str | None, content: str) -> Part:
    """Inline data; ``content`` is base64, as sent."""
    part: Part = {"type": "blob", "modality": modality, "content": content}
    if mime_type:
        part["mime_type"] = mime_type
    return part


def file(modality: str, file_id: str) -> Part:
    return {"type": "file", "modality": modality, "file_id": file_id}


def located(modality: str, url: str) -> Part:
    """What a URL points to: a blob for base64 ``data:`` URIs (RFC 2397), else a uri.

    The modality of a data URI is that of its own media type, if that is known.
    """
    scheme, _, rest = url.partition(":")
    head, comma, payload = rest.partition(",")
    mime_type, *parameters = head.split(";")
    if scheme.lower() != "data" or not comma or "base64" not in parameters:
        return {"type": "uri", "modality": modality, "uri": url}
    kind = mime_type.partition("/")[0]
    return blob(kind if kind in _MODALITIES else modality, mime_type, payload)
