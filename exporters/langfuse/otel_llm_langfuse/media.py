"""An image, a recording or a file of a message: what is uploaded, and the words that stand for it in the text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from otel_llm_langfuse.media_types import UPLOADABLE

#: What becomes of media: taken out and uploaded, kept inline, or taken out and only told of.
MediaMode = Literal["upload", "keep", "reference"]

#: Langfuse's own; it shows the file in its place.
_TOKEN: Final = re.compile(r"@@@langfuseMedia:type=([^|@]+)\|id=[\w-]+\|source=[\w-]+@@@")
#: That of content policies, too.
_REFERENCE: Final = re.compile(r"\[[\w.+/*-]{1,100}, \d+ bytes, sha256:[0-9a-f]{64}\]")


@dataclass(frozen=True, slots=True)
class Medium:
    """Bytes of a type, and their SHA-256."""

    content_type: str
    data: bytes | memoryview = field(repr=False)
    #: Base64, 44 characters.
    sha256: str

    @classmethod
    def of(cls, content_type: str, data: bytes) -> Medium:
        """Made from what was in a message."""
        return cls(content_type, data, base64.b64encode(hashlib.sha256(data).digest()).decode())

    @property
    def id(self) -> str:
        """The id that Langfuse gives it."""
        return self.sha256[:22].replace("+", "-").replace("/", "_")

    @property
    def token(self) -> str:
        """Stands for it in a text that Langfuse shows; the file may be uploaded later."""
        return f"@@@langfuseMedia:type={self.content_type}|id={self.id}|source=base64_data_uri@@@"

    @property
    def reference(self) -> str:
        """Tells of it where it is not uploaded."""
        return f"[{self.content_type}, {len(self.data)} bytes, sha256:{base64.b64decode(self.sha256).hex()}]"

    @property
    def is_uploadable(self) -> bool:
        """Whether Langfuse takes files of its type."""
        return self.content_type in UPLOADABLE


def type_of_token(text: str) -> str | None:
    """The content type if ``text`` is a token and nothing else."""
    found = _TOKEN.fullmatch(text) if text.startswith("@@@") else None
    return found[1] if found else None


def is_reference(text: str) -> bool:
    """Whether ``text`` tells of a medium that is not uploaded."""
    return _REFERENCE.fullmatch(text) is not None


def decoded(base64_text: str) -> bytes | None:
    """The bytes of standard or URL-safe base64, with or without padding and line breaks; None for anything else and for nothing."""
    text = base64_text
    try:
        if "-" in text or "_" in text:
            text = text.replace("-", "+").replace("_", "/")
        if "\n" in text or "\r" in text:
            text = text.replace("\r", "").replace("\n", "")
        if len(text) % 4:
            text += "=" * (-len(text) % 4)
        return binascii.a2b_base64(text, strict_mode=True) or None
    except ValueError:
        return None
