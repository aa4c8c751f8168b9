"""Content types of media: those that Langfuse takes, and those that the first bytes tell of."""

from __future__ import annotations

import re
from typing import Final

_BY_KIND: Final = {
    "image": ("png", "jpeg", "jpg", "webp", "gif", "svg+xml", "tiff", "bmp", "avif", "heic"),
    "audio": ("mpeg", "mp3", "wav", "ogg", "oga", "aac", "mp4", "flac", "opus", "webm"),
    "video": ("mp4", "webm", "ogg", "mpeg", "quicktime", "x-msvideo", "x-matroska"),
    "text": ("plain", "html", "css", "csv", "markdown", "x-python", "x-typescript"),
    "application": (
        "gzip",
        "javascript",
        "json",
        "msword",
        "octet-stream",
        "pdf",
        "rtf",
        "vnd.apache.parquet",
        "vnd.ms-excel",
        "vnd.openxmlformats-officedocument.presentationml.presentation",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "vnd.openxmlformats-officedocument.wordprocessingml.document",
        "x-7z-compressed",
        "x-ndjson",
        "x-tar",
        "x-yaml",
        "xml",
        "zip",
    ),
}
#: The closed list of Langfuse's media API; it refuses a file of another type.
UPLOADABLE: Final = frozenset(f"{kind}/{name}" for kind, names in _BY_KIND.items() for name in names)

#: Other names of types in that list.
_ALIASES: Final = {
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "application/x-pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
    "application/yaml": "application/x-yaml",
    "text/xml": "application/xml",
    "text/javascript": "application/javascript",
}
_UNKNOWN: Final = "application/octet-stream"
_LONGEST: Final = 100
_NAME: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)

#: Where a signature begins, the signature, and what it says.
_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"%PDF-", "application/pdf"),
)


def content_type(declared: str | None, data: bytes) -> str:
    """What was declared, in Langfuse's spelling, without parameters; where nothing usable was, what the first bytes tell."""
    name = (declared or "").partition(";")[0].strip().lower()
    if len(name) <= _LONGEST and _NAME.fullmatch(name):
        return _ALIASES.get(name, name)
    return next((told for start, sign, told in _SIGNATURES if data.startswith(sign, start)), _UNKNOWN)
