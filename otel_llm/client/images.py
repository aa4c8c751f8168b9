"""Images for a model: bytes, files and addresses, all as URLs."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

from otel_llm.errors import ConfigurationError

#: The image itself, the path of its file, or its URL (``https:`` or ``data:``; any other text is a path).
Image: TypeAlias = "bytes | bytearray | str | PathLike[str]"

_URLS: Final = ("https://", "http://", "data:")
#: Of the formats that all providers take, the first bytes.
_STARTS: Final = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))


async def image_urls(image: Image | Sequence[Image] | None) -> list[str]:
    """A URL for each image. Raises OSError for a file that cannot be read, ConfigurationError for what is no known image."""
    if image is None:
        return []
    images: Sequence[Image] = [image] if isinstance(image, bytes | bytearray | str | PathLike) else image
    return [await _url(each) for each in images]


async def _url(image: Image) -> str:
    if isinstance(image, str) and image.startswith(_URLS):
        return image
    data = bytes(image) if isinstance(image, bytes | bytearray) else await asyncio.to_thread(Path(image).read_bytes)
    return f"data:image/{_format(data)};base64,{base64.b64encode(data).decode()}"


def _format(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    raise ConfigurationError(["the image is neither PNG, JPEG, GIF nor WebP; give another format as a data: URL"])
